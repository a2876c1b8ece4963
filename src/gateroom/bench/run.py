"""The suite: every server is started once, and each measure goes round all of them before the next round begins."""

import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from gateroom.bench import CannotMeasure
from gateroom.bench.measure import memory_bytes, open_files
from gateroom.bench.orders import Close, Closed, ClosedLoop, Delivered, Latencies, Open, Opened, Steady
from gateroom.bench.peers import TUTORIAL, LeftOut, Peer, Tokens
from gateroom.bench.processes import Cores, LoadProcess, Server
from gateroom.bench.results import Measure, Results

Say = Callable[[str], None]

_CPU = "µs CPU per delivery"
_FULL_LOAD = 64  # publishes in flight that stand for all a server can do
_WARM_CONNECTIONS = 50
_GONE_SECONDS = 3.0
_SPARE_FILES = 100  # what a server holds besides its connections
_ITS_OWN, _THE_TUTORIALS = "its own", "the tutorial's"


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured; `arrivals` are the handshakes of a round with each `Acquaintance` of token."""

    name: str
    rounds: int
    seconds: float  # for each closed loop
    steady_seconds: float
    members: int
    widths: Sequence[int]
    sizes: Sequence[int]  # at w=1, besides `members`
    arrivals: int


QUICK = Plan("quick", 2, 0.4, 1.0, 200, (1, _FULL_LOAD), (10, 1000), 250)
FULL = Plan("full", 6, 1.0, 2.0, 200, (1, 16, _FULL_LOAD, 256), (10, 50, 1000, 5000), 250)


def delivery(members: int, in_flight: int) -> Measure:
    return Measure(f"delivery, {members:,} members, w={in_flight}", _CPU)


ALONE = Measure("publish → reply, alone in the room", "µs CPU per publish")
AFTER_LOGIN = Measure("handshake and join, first use of a token", "µs CPU", lumpy=True)
SEEN_BEFORE = Measure("handshake and join, token used before", "µs CPU", lumpy=True)
FOREIGN = Measure("handshake and join, token of another process", "µs CPU", lumpy=True)
MEMORY = Measure("memory per idle connection in one room", "KB (PSS)")
LEFT_BEHIND = Measure("descriptors left when everybody had gone", "files", compared=False)


def latency(percentile: int, whose: str) -> Measure:
    return Measure(f"latency p{percentile} at half of {whose} full load", "ms")


def late(whose: str) -> Measure:
    return Measure(f"load side late by (p99), {whose} load", "ms", compared=False)


def measures(plan: Plan) -> Iterator[Measure]:
    """Yield everything that is measured, in the order in which it is shown: what a delivery costs comes first."""
    yield from (delivery(plan.members, in_flight) for in_flight in plan.widths)
    yield from (delivery(members, 1) for members in plan.sizes)
    yield from (ALONE, AFTER_LOGIN, SEEN_BEFORE, FOREIGN, MEMORY, LEFT_BEHIND)
    for whose in (_ITS_OWN, _THE_TUTORIALS):
        yield from (latency(50, whose), latency(99, whose), late(whose))


@dataclass(slots=True)
class Contender:
    """A server that runs, its load, and what is to be remembered of it from one measure to the next."""

    name: str
    server: Server
    load: LoadProcess
    tokens: Tokens
    young_memory: int = 0  # bytes, with the first few connections
    young_files: int = 0  # descriptors besides those connections
    full: float = 0  # publishes a second that it took at full load

    def open(self, members: int, tokens: Sequence[str]) -> Opened:
        """Let members in with these tokens, or all with the only one."""
        return self.load.ask(Open(members, list(tokens)), Opened)

    def open_known(self, members: int) -> Opened:
        """Let members in with a token that was used before."""
        return self.open(members, self.tokens.granted[:1])


def check_machine() -> None:
    """Raise CannotMeasure where nothing could be measured at all."""
    if sys.platform != "linux":
        raise CannotMeasure("the benchmark reads Linux's accounts of processes: run it on Linux")
    if find_spec("picows") is None:
        raise CannotMeasure("picows, which makes the load, is not installed: pip install gateroom[bench]")


class Suite:
    """One run of the plan. A server that fails is left out from there on, and the rest goes on."""

    def __init__(self, plan: Plan, peers: Iterable[Peer], say: Say) -> None:
        self._plan = plan
        self._peers = list(peers)
        self._say = say
        self._cores = Cores.of_this_machine()
        self._contenders: list[Contender] = []
        self._results = Results()

    def run(self) -> Results:
        """Start everything, measure, and end everything. Raises CannotMeasure if no server could be measured."""
        with tempfile.TemporaryDirectory(prefix="gateroom-bench-") as root, ExitStack() as started:
            for number, peer in enumerate(self._peers):
                self._enter(peer, Path(root) / str(number), started)
            for part in (self._arrivals, self._alone, self._widths, self._latencies, self._sizes):
                part()
        taken = self._results.samples
        if not taken:
            raise CannotMeasure("no server could be measured")
        self._results.samples = {measure: taken[measure] for measure in measures(self._plan) if measure in taken}
        return self._results

    def _enter(self, peer: Peer, directory: Path, started: ExitStack) -> None:
        self._say(f"starting {peer.name}")
        directory.mkdir()
        try:
            recipe = peer.recipe(directory)
            log = directory / "log"
            server = started.enter_context(Server(recipe.command, recipe.environment, log, self._cores.server))
            load = started.enter_context(LoadProcess(server, peer.wire, self._cores.load))
            tokens = recipe.tokens(server.port, 1 + self._plan.arrivals * self._plan.rounds)
        except (LeftOut, CannotMeasure, OSError) as reason:
            self._leave_out(peer.name, str(reason))
            return
        self._contenders.append(Contender(peer.name, server, load, tokens))

    def _leave_out(self, name: str, why: str) -> None:
        self._results.left_out[name] = why
        self._say(f"{name} left out: {why}")

    def _each(self, what: Callable[[Contender], object], turn: int = 0) -> None:
        """Do something with every server, beginning with another one each turn."""
        turn %= max(1, len(self._contenders))
        for contender in self._contenders[turn:] + self._contenders[:turn]:
            try:
                what(contender)
            except (CannotMeasure, OSError) as reason:
                self._contenders.remove(contender)
                self._leave_out(contender.name, str(reason))
                contender.load.end()
                contender.server.end()

    def _rounds(self, title: str, what: Callable[[Contender], object]) -> None:
        for turn in range(self._plan.rounds):
            self._say(f"{title}, round {turn + 1} of {self._plan.rounds}")
            self._each(what, turn)

    def _gather(self, members: int) -> None:
        self._say(f"members come in: {members:,}")
        self._each(lambda contender: contender.open_known(members))

    def _leave(self) -> None:
        self._each(lambda contender: contender.load.ask(Close(), Closed))

    def _arrivals(self) -> None:
        """Handshakes, and what the connections weigh afterwards: first of all, while every process is still young."""
        plan, results = self._plan, self._results

        def weigh(contender: Contender) -> None:
            contender.young_memory = memory_bytes(contender.server.pid)
            contender.young_files = open_files(contender.server.pid) - _WARM_CONNECTIONS

        kinds = (AFTER_LOGIN, SEEN_BEFORE, FOREIGN)
        arrived: Counter[str] = Counter()

        def arrive(contender: Contender) -> None:
            turn, tokens = arrived[contender.name], contender.tokens
            arrived[contender.name] += 1
            used = turn * plan.arrivals
            chosen = {
                AFTER_LOGIN: tokens.granted[1 + used : 1 + used + plan.arrivals],
                SEEN_BEFORE: tokens.granted[:1],
                FOREIGN: tokens.foreign[used : used + plan.arrivals],
            }
            # In turns: garbage collection falls upon whichever comes last.
            for measure in kinds[turn % 3 :] + kinds[: turn % 3]:
                opened = contender.open(plan.arrivals, chosen[measure])
                results.add(measure, contender.name, opened.cpu / opened.members * 1e6)

        def weigh_again(contender: Contender) -> None:
            gained = memory_bytes(contender.server.pid) - contender.young_memory
            results.add(MEMORY, contender.name, gained / (plan.rounds * len(kinds) * plan.arrivals) / 1024)

        self._gather(_WARM_CONNECTIONS)
        self._each(weigh)
        self._rounds("handshakes", arrive)
        self._each(weigh_again)
        self._leave()
        self._each(lambda contender: results.add(LEFT_BEHIND, contender.name, _left_behind(contender)))

    def _alone(self) -> None:
        def publish(contender: Contender) -> None:
            done = contender.load.ask(ClosedLoop(1, self._plan.seconds), Delivered)
            self._results.add(ALONE, contender.name, done.cpu / done.publishes * 1e6, done.load_cpu / done.seconds)

        self._gather(1)
        self._rounds("publish and reply", publish)
        self._leave()

    def _widths(self) -> None:
        self._gather(self._plan.members)
        for in_flight in self._plan.widths:
            self._deliveries(self._plan.members, in_flight)

    def _sizes(self) -> None:
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        for members in self._plan.sizes:
            if members > files - _SPARE_FILES:
                self._say(f"{members:,} members left out: a process may open {files:,} files here (ulimit -Hn)")
                continue
            self._gather(members)
            self._deliveries(members, 1)
            self._leave()

    def _deliveries(self, members: int, in_flight: int) -> None:
        measure = delivery(members, in_flight)

        def deliver(contender: Contender) -> None:
            done = contender.load.ask(ClosedLoop(in_flight, self._plan.seconds), Delivered)
            share = done.load_cpu / done.seconds
            self._results.add(measure, contender.name, done.cpu / done.deliveries * 1e6, share)
            if in_flight == _FULL_LOAD:
                contender.full = max(contender.full, done.publishes / done.seconds)

        self._rounds(measure.name, deliver)

    def _latencies(self) -> None:
        """Time deliveries in the room of the widths, at half of what each server and the tutorial loop took there."""

        def hear(contender: Contender, whose: str, full: float) -> None:
            heard = contender.load.ask(Steady(full / 2, self._plan.steady_seconds), Latencies)
            self._results.add(latency(50, whose), contender.name, heard.p50)
            self._results.add(latency(99, whose), contender.name, heard.p99)
            self._results.add(late(whose), contender.name, heard.late)

        self._rounds("latency", lambda contender: hear(contender, _ITS_OWN, contender.full))
        tutorial = max((contender.full for contender in self._contenders if contender.name == TUTORIAL), default=0)
        if tutorial:
            self._rounds("latency", lambda contender: hear(contender, _THE_TUTORIALS, tutorial))
        self._leave()


def _left_behind(contender: Contender) -> int:
    """Count what is still open once the server has had a moment to see that everybody is gone."""
    deadline = time.monotonic() + _GONE_SECONDS
    while (left := open_files(contender.server.pid) - contender.young_files) > 0 and time.monotonic() < deadline:
        time.sleep(0.05)
    return max(0, left)
