"""Servers and load processes: started on their own cores, spoken to, and ended by pid."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import msgspec

from gateroom.bench import CannotMeasure
from gateroom.bench.orders import Answer, Failed, Order, Setup

_LAUNCH = Path(__file__).parent / "launch.py"
_PACKAGES = Path(__file__).parents[2]
_READY = re.compile(rb"ready on http://127\.0\.0\.1:(\d+)")
_READY_SECONDS = 30.0
_ORDER_SECONDS = 180.0  # opening thousands of connections on a slow server
_END_SECONDS = 10.0
_LOOK_SECONDS = 0.02

A = TypeVar("A", bound=Answer)


@dataclass(frozen=True, slots=True)
class Cores:
    """Where the server under test runs, and where everything that loads it does; the same one if there is only one."""

    server: int
    load: int

    @classmethod
    def of_this_machine(cls) -> "Cores":
        mine = sorted(os.sched_getaffinity(0))
        return cls(server=mine[0], load=mine[-1])


def _on_core(core: int, command: Sequence[str]) -> list[str]:
    return [sys.executable, str(_LAUNCH), str(core), *command]


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a child: it is to find the gateroom that this process runs, installed or not."""
    path = os.pathsep.join(filter(None, (str(_PACKAGES), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, **more}


class _Process:
    """A child that is gone when its `with` block is left."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """Ask it to end, and kill it if it does not."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Server(_Process):
    """A server under test; `port` is where it listens on loopback."""

    def __init__(self, command: Sequence[str], variables: Mapping[str, str], log: Path, core: int) -> None:
        """Start it and wait for its ready line. Raises CannotMeasure with the end of its log."""
        with log.open("wb") as out:
            super().__init__(
                subprocess.Popen(  # noqa: S603 - the commands are those of peers.py
                    _on_core(core, command),
                    env=environment(variables),
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                )
            )
        self._log = log
        try:
            self.port = self._wait_until_ready()
        except BaseException:
            self.end()
            raise

    def _wait_until_ready(self) -> int:
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            ended = self._process.poll() is not None
            if found := _READY.search(self._log.read_bytes()):
                return int(found[1])
            if ended:
                raise CannotMeasure(f"the server ended: {self.last_words()}")
            time.sleep(_LOOK_SECONDS)
        raise CannotMeasure(f"the server was not ready within {_READY_SECONDS:.0f} s: {self.last_words()}")

    def last_words(self) -> str:
        """Return the last line of its log."""
        lines = self._log.read_text("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)


class LoadProcess(_Process):
    """The clients of one server, in a process of their own."""

    def __init__(self, server: Server, wire: str, core: int) -> None:
        self._line, theirs = socket.socketpair()
        self._line.settimeout(_ORDER_SECONDS)
        self._answers = self._line.makefile("rb")
        command = _on_core(core, [sys.executable, "-m", "gateroom.bench.load"])
        with theirs:
            super().__init__(
                subprocess.Popen(  # noqa: S603 - our own module
                    command, env=environment({}), stdin=theirs.fileno(), stdout=theirs.fileno()
                )
            )
        self._tell(msgspec.json.encode(Setup(server.port, server.pid, wire)))

    def ask(self, order: Order, kind: type[A]) -> A:
        """Have an order carried out. Raises CannotMeasure if it failed, or if no answer came in time."""
        self._tell(msgspec.json.encode(order))
        answer = msgspec.json.decode(self._hear(), type=Answer)
        if isinstance(answer, Failed):
            raise CannotMeasure(answer.what)
        if not isinstance(answer, kind):
            raise CannotMeasure(f"the load process answered with {type(answer).__name__}")
        return answer

    def _tell(self, line: bytes) -> None:
        try:
            self._line.sendall(line + b"\n")
        except OSError:
            raise CannotMeasure("the load process ended") from None

    def _hear(self) -> bytes:
        try:
            line = self._answers.readline()
        except TimeoutError:
            raise CannotMeasure(f"the load process did not answer within {_ORDER_SECONDS:.0f} s") from None
        if not line:
            raise CannotMeasure("the load process ended")
        return line

    def end(self) -> None:
        self._answers.close()
        self._line.close()
        super().end()
