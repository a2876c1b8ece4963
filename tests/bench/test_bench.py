"""The benchmark measures what it says it measures: small runs, judged by counts and never by times."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from gateroom.bench import CannotMeasure, profiling, table
from gateroom.bench.measure import cpu_seconds, memory_bytes, open_files, tree
from gateroom.bench.orders import Close, Closed, ClosedLoop, Delivered, Latencies, Open, Opened, Steady
from gateroom.bench.peers import PEERS, TUTORIAL, LeftOut, Peer, Recipe
from gateroom.bench.processes import Cores, LoadProcess, Server, environment
from gateroom.bench.results import Results
from gateroom.bench.run import MEMORY, Plan, Suite, delivery, measures
from support.require import require_tool

pytestmark = pytest.mark.alone

TINY = Plan("tiny", 1, 0.1, 0.3, 5, (1, 64), (3,), 4)
MEMBERS = 7


class Loaded:
    """A server with the clients that load it."""

    def __init__(self, server: Server, load: LoadProcess, tokens: Sequence[str]) -> None:
        self.server, self.load, self.tokens = server, load, tokens

    def open(self, members: int) -> Opened:
        return self.load.ask(Open(members, list(self.tokens)), Opened)

    def close(self) -> None:
        self.load.ask(Close(), Closed)


@contextmanager
def running(peer: Peer, directory: Path) -> Iterator[Loaded]:
    recipe, cores = peer.recipe(directory), Cores.of_this_machine()
    with (
        Server(recipe.command, recipe.environment, directory / "log", cores.server) as server,
        LoadProcess(server, peer.wire, cores.load) as load,
    ):
        yield Loaded(server, load, recipe.tokens(server.port, 2).granted)


@pytest.fixture(scope="module", params=["gateroom", "tutorial", "python-socketio", "c-loop"])
def started(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    peer = PEERS[request.param]
    if peer.name == "c-loop":
        require_tool("cc", "gcc")
    elif peer.name == "python-socketio":
        pytest.importorskip("socketio", reason="python-socketio is not installed: pip install gateroom[bench]")
    with running(peer, tmp_path_factory.mktemp("server")) as loaded:
        yield loaded


@pytest.fixture
def loaded(started: Loaded) -> Iterator[Loaded]:
    yield started
    started.close()


@pytest.fixture(scope="module")
def tutorial() -> Results:
    return Suite(TINY, [PEERS[TUTORIAL]], lambda line: None).run()


@pytest.mark.parametrize("in_flight", [1, 16])
def test_every_publish_is_counted_once_for_every_member(loaded: Loaded, in_flight: int) -> None:
    assert loaded.open(MEMBERS).members == MEMBERS

    done = loaded.load.ask(ClosedLoop(in_flight, 0.1), Delivered)

    assert done.publishes >= in_flight
    assert done.deliveries == done.publishes * MEMBERS
    assert done.seconds >= 0.1
    assert done.cpu > 0
    assert done.load_cpu > 0


def test_a_steady_rate_is_kept_and_timed(loaded: Loaded) -> None:
    loaded.open(MEMBERS)

    heard = loaded.load.ask(Steady(rate=200, seconds=0.5), Latencies)

    assert 0 < heard.publishes <= 100
    assert heard.deliveries == heard.publishes * MEMBERS
    assert 0 < heard.p50 <= heard.p99


def test_members_can_leave_and_others_come(loaded: Loaded) -> None:
    loaded.open(MEMBERS)
    loaded.close()
    loaded.open(2)

    done = loaded.load.ask(ClosedLoop(1, 0.05), Delivered)

    assert done.deliveries == done.publishes * 2


def test_a_server_that_dies_is_reported_and_not_waited_for(tmp_path: Path) -> None:
    with running(PEERS[TUTORIAL], tmp_path) as loaded:
        loaded.open(MEMBERS)
        loaded.server.end()

        with pytest.raises(CannotMeasure):
            loaded.load.ask(ClosedLoop(1, 0.05), Delivered)


def test_the_accounts_of_a_process_are_those_of_its_whole_tree() -> None:
    child = "import os; held = [os.pipe() for _ in range(50)]; print('ready', flush=True); input()"
    parent = "import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', sys.argv[1]]))"
    command = [sys.executable, "-c", parent, child]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == b"ready\n"

        assert len(tree(process.pid)) == 2
        assert open_files(process.pid) > 100
        assert cpu_seconds(process.pid) > 0.01
        assert memory_bytes(process.pid) > 1_000_000
        process.stdin.write(b"\n")


def test_a_run_has_a_sane_figure_for_every_measure(tutorial: Results) -> None:
    assert tutorial.servers() == [TUTORIAL]
    assert list(tutorial.samples) == list(measures(TINY))
    for measure in tutorial.samples:
        figure = tutorial.figure(measure, TUTORIAL)
        assert figure is not None
        assert figure > 0 or not measure.compared or measure == MEMORY, measure
    assert tutorial.ratio(delivery(5, 1), TUTORIAL) == 1


def test_a_run_ends_in_a_table_and_a_document(tutorial: Results, tmp_path: Path) -> None:
    console = Console(width=150)
    with console.capture() as captured:
        console.print(table.render(tutorial, TINY))
    out = tmp_path / "bench.json"
    table.write(out, table.document(tutorial, TINY))

    document = json.loads(out.read_bytes())
    names = {row["measure"] for row in document["measures"]}

    assert {measure.name for measure in tutorial.samples} == names
    assert all(name in captured.get() for name in names)
    assert document["plan"]["name"] == "tiny"
    assert document["machine"]["python"] == sys.version.split()[0]
    assert document["versions"]["picows"]


def test_what_cannot_run_here_is_left_out_with_its_reason() -> None:
    def absent(directory: Path) -> Recipe:
        raise LeftOut("it needs a thing")

    broken = Peer("broken", "echo", lambda directory: Recipe([sys.executable, "-c", "raise SystemExit('no luck')"]))
    lines: list[str] = []

    suite = Suite(replace(TINY, steady_seconds=0.1), [Peer("absent", "echo", absent), broken], lines.append)
    with pytest.raises(CannotMeasure, match="no server could be measured"):
        suite.run()

    assert "absent left out: it needs a thing" in lines
    assert "broken left out: the server ended: no luck" in lines


def test_the_profile_names_the_functions_that_deliver() -> None:
    profile = profiling.profile(PEERS[TUTORIAL], profiling.Deliveries(members=5, in_flight=4, seconds=0.2))

    sends = [call for call in profile.calls if call.function.endswith("WebSocket.send_text")]

    assert [call.calls for call in sends] == [profile.times]
    assert profile.calls[0].seconds == max(call.seconds for call in profile.calls)


def test_the_profile_of_handshakes_counts_each_once() -> None:
    profile = profiling.profile(PEERS[TUTORIAL], profiling.Handshakes(members=7))

    assert profile.times == 7
    assert [call.calls for call in profile.calls if call.function.endswith("ConnectionManager.connect")] == [7]


def test_only_python_programs_are_profiled() -> None:
    require_tool("cc", "gcc")

    with pytest.raises(CannotMeasure, match="c-loop is not a Python program"):
        profiling.profile(PEERS["c-loop"], profiling.Handshakes(members=1))


def test_without_picows_one_line_says_what_to_install() -> None:
    program = "import sys; sys.modules['picows'] = None; from gateroom.cli.main import main; main()"
    ended = subprocess.run(
        [sys.executable, "-c", program, "bench"],
        env=environment({}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        "gateroom: picows, which makes the load, is not installed: pip install gateroom[bench]"
    ]
