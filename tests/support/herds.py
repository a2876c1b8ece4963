"""Processes full of clients, which a test can stop and kill, and whose work is not its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from support.tree import ROOT

_END = 10.0  # seconds


@contextmanager
def program(module: str, *arguments: object) -> Iterator["Program"]:
    """Run one of the support programs in a process of its own; it is gone when the block is left."""
    path = os.pathsep.join(filter(None, [str(ROOT / "src"), str(ROOT / "tests"), os.environ.get("PYTHONPATH")]))
    process = subprocess.Popen(
        [sys.executable, "-m", f"support.{module}", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Program(process)
    finally:
        process.kill()
        process.wait(_END)
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()


class Program:
    """A process that answers each order, a line of JSON each."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def ask(self, order: object) -> Any:
        """Give an order and wait for the answer."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the client process ended"
        return json.loads(line)

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)


class Herd:
    """The clients of one process (see `support.herd`), all of one user."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self.connected = 0
        self.closed: list[str] = []  # what the server said to those it closed, as of the last order

    def open(self, count: int) -> None:
        """Connect so many more, and have them join the lobby."""
        self._order(do="open", count=count)

    def churn(self, count: int) -> None:
        """Exchange the oldest so many: in turn they close, just end, or reset."""
        self._order(do="churn", count=count)

    def close(self) -> None:
        """Have all of them go, in the same three ways."""
        self._order(do="close")

    def look(self) -> None:
        """Bring `connected` and `closed` up to date."""
        self._order(do="look")

    def freeze(self) -> None:
        """Stop the process: the system goes on taking bytes for it until its buffers are full."""
        self._program.signal(signal.SIGSTOP)

    def _order(self, **order: object) -> None:
        answer = self._program.ask(order)
        self.connected, self.closed = answer["connected"], answer["closed"]


@contextmanager
def herd(port: int, token: str, first_address: int = 1) -> Iterator[Herd]:
    """Start a process of clients that come from `127.0.<first_address>.*`."""
    with program("herd", port, token, first_address) as started:
        yield Herd(started)


@dataclass(frozen=True, slots=True)
class Flight:
    """What a room at full rate saw; `p50` and `p99` are milliseconds from a publish to its delivery."""

    messages: int
    surplus: int  # deliveries that nobody should have got
    p50: float
    p99: float


class FullRoom:
    """The lobby, full of members who hear a publisher at full rate (see `support.full_rate`)."""

    def __init__(self, program: Program) -> None:
        self._program = program

    def fly(self, seconds: float) -> Flight:
        """Go on for so long. Fails when a member was lost, or missed a message."""
        return Flight(**self._program.ask(seconds))


@contextmanager
def full_room(port: int, token: str, members: int) -> Iterator[FullRoom]:
    with program("full_rate", port, token, members) as started:
        yield FullRoom(started)
