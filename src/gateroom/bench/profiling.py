"""Where a Python server's time goes, function by function, while it delivers."""

import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import msgspec
from rich.table import Table
from rich.text import Text

from gateroom.bench import CannotMeasure
from gateroom.bench.orders import ClosedLoop, Delivered, Open, Opened
from gateroom.bench.peers import LeftOut, Peer, Tokens
from gateroom.bench.processes import Cores, LoadProcess, Server
from gateroom.bench.profiled import Calls

_WRITTEN_SECONDS = 30.0
_LOOK_SECONDS = 0.02
_WARM_CONNECTIONS = 20


@dataclass(frozen=True, slots=True)
class Deliveries:
    """The task of delivering to a room, so many publishes in flight."""

    members: int
    in_flight: int
    seconds: float
    unit: ClassVar[str] = "delivery"

    def __str__(self) -> str:
        return f"{self.members:,} members, w={self.in_flight}"

    def prepare(self, load: LoadProcess, tokens: Tokens) -> None:
        load.ask(Open(self.members, list(tokens.granted[:1])), Opened)
        load.ask(ClosedLoop(self.in_flight, self.seconds / 4), Delivered)

    def run(self, load: LoadProcess, tokens: Tokens) -> int:
        return load.ask(ClosedLoop(self.in_flight, self.seconds, warm_up=0), Delivered).deliveries


@dataclass(frozen=True, slots=True)
class Handshakes:
    """The task of letting members in, each with a token of its own from another process."""

    members: int
    unit: ClassVar[str] = "handshake"

    def __str__(self) -> str:
        return f"{self.members:,} handshakes and joins, tokens of another process"

    def prepare(self, load: LoadProcess, tokens: Tokens) -> None:
        load.ask(Open(_WARM_CONNECTIONS, list(tokens.granted[:1])), Opened)

    def run(self, load: LoadProcess, tokens: Tokens) -> int:
        return load.ask(Open(self.members, list(tokens.foreign[: self.members])), Opened).members


Task = Deliveries | Handshakes


@dataclass(frozen=True, slots=True)
class Profile:
    """The calls of one server, the costliest first, while it did its task so many times."""

    server: str
    task: Task
    times: int
    calls: Sequence[Calls]


def profile(peer: Peer, task: Task) -> Profile:
    """Profile a Python server at one task.

    A deterministic profiler makes every call dearer: read the shares, not the sum. Raises CannotMeasure if the server
    is not a Python program, or cannot run.
    """
    cores = Cores.of_this_machine()
    with tempfile.TemporaryDirectory(prefix="gateroom-bench-") as root:
        directory, out = Path(root) / "server", Path(root) / "profile"
        directory.mkdir()
        try:
            recipe = peer.recipe(directory)
        except LeftOut as reason:
            raise CannotMeasure(str(reason)) from reason
        python, *target = recipe.command
        if python != sys.executable:
            raise CannotMeasure(f"{peer.name} is not a Python program")
        command = [python, "-m", "gateroom.bench.profiled", str(out), *target]
        with (
            Server(command, recipe.environment, Path(root) / "log", cores.server) as server,
            LoadProcess(server, peer.wire, cores.load) as load,
        ):
            tokens = recipe.tokens(server.port, 1 + task.members)
            task.prepare(load, tokens)
            server.signal(signal.SIGUSR1)
            times = task.run(load, tokens)
            server.signal(signal.SIGUSR2)
            _wait_for(out)
        calls = msgspec.json.decode(out.read_bytes(), type=list[Calls])
    return Profile(peer.name, task, times, sorted(calls, key=lambda one: -one.seconds))


def _wait_for(out: Path) -> None:
    deadline = time.monotonic() + _WRITTEN_SECONDS
    while not out.exists():
        if time.monotonic() > deadline:
            raise CannotMeasure("the profile was not written in time")
        time.sleep(_LOOK_SECONDS)


def render(profile: Profile, rows: int = 25) -> Table:
    """Lay out the functions that cost most; time is a function's own, without what it called."""
    table = Table(
        title=f"{profile.server}: {profile.task}, under cProfile",
        caption="time in compiled code such as uvloop's transports is its caller's; garbage is not collected",
    )
    table.add_column("share", justify="right")
    table.add_column(f"µs per {profile.task.unit}", justify="right")
    table.add_column(f"calls per {profile.task.unit}", justify="right")
    table.add_column("function")
    total = sum(one.seconds for one in profile.calls)
    for one in profile.calls[:rows]:
        table.add_row(
            f"{one.seconds / total:.1%}",
            f"{one.seconds / profile.times * 1e6:.3f}",
            f"{one.calls / profile.times:.3f}",
            Text(one.function),
        )
    return table
