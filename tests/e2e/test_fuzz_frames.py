"""Bad frames and bad commands at a real server: each socket is answered or ends properly, and nobody else notices.

Some thousands of frames; `GATEROOM_FUZZ=<count>` says how many. `pytest -s` shows what became of them. Without the
network there are more, and stricter ones: `tests/unit/server/test_live_socket_fuzz.py`.
"""

import os
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.frames import Frame
from websockets.http11 import Request

from gateroom.server.profile import ServerProfile
from gateroom.server.wire import Wire
from support import chaos
from support.chaos import Chance
from support.gateway import RunningGateway, running_gateway
from support.gauges import Gauges, closes, faults_in, gauges_of
from support.raw_client import CLOSE, TEXT, Closed, RawClient, masked, upgrade
from support.v1_client import V1Client, said_by

COUNT = int(os.environ.get("GATEROOM_FUZZ", "3000"))  # frames, and as many commands
AT_ONCE = 5  # of them on one socket
SOCKETS = chaos.ITEMS // AT_ONCE  # of one example
PATHS = ("/ws", "/ws", "/ws", "/ws/rooms/lobby", "/ws/users/me")
OURS = {1002, 1003, 1007, 1008, 1009}  # codes that the server may end such a socket with
SENTINEL = b'{"type":"ping","id":"sentinel"}'
UNLIMITED = {
    "GATEROOM_REALTIME__PUBLISH_RATE": "0",
    "GATEROOM_REALTIME__MAX_VIOLATIONS": "0",
    "GATEROOM_REALTIME__MAX_CONNECTIONS_PER_USER": "0",
}
SLACK = 16_000_000  # bytes that the process may grow by
EXAMPLES = settings(
    max_examples=max(1, COUNT // chaos.ITEMS), suppress_health_check=list(HealthCheck), deadline=None, database=None
)
ENTROPY = st.binary(min_size=chaos.ENTROPY, max_size=chaos.ENTROPY)


class Target:
    """A gateway, somebody with a token, and somebody who is not to notice."""

    def __init__(self, gateway: RunningGateway, gauges: Gauges, other: V1Client) -> None:
        self.gauges = gauges
        self.other = other
        self.became: Counter[str] = Counter()
        self._address = ("127.0.0.1", gateway.port)
        self._gateway = gateway
        self._token = gateway.token("alice")
        self._headers = [f"Authorization: Bearer {self._token}"]

    def attack(self, path: str, data: bytes) -> None:
        """Send all that to a new socket, and see that it is answered, or ended as it should."""
        reachable, echoed = foreseen(data)
        with RawClient(self._address) as client:
            client.open(path, headers=self._headers)
            client.send_as_far_as_possible(data + masked(TEXT, SENTINEL))
            if not reachable:
                client.half_close()  # our end of it: the server may be in the middle of a frame for ever
            end = outcome(client, reachable)
        self.became[end.reason if end.code == 0 else str(end.code)] += 1
        assert end.code in OURS or end.code in echoed or end.code == 0, (end, data)

    def ask(self, texts: list[bytes]) -> None:
        """Send commands to a new socket in one write, and see that each gets just one answer."""
        with V1Client(self._gateway, self._token) as client:
            client.send(b"".join(masked(TEXT, text) for text in texts))
            for _ in texts:
                answer = client.answer()
                self.became[answer.get("code", "reply")] += 1
                assert answer.get("code") not in ("internal_error", "unavailable"), texts
            assert client.ask("ping") == {"type": "reply"}


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    with (
        running_gateway(demo=True, environment=UNLIMITED) as gateway,
        gauges_of(gateway) as gauges,
        V1Client(gateway, gateway.token("bob")) as other,
    ):
        found = Target(gateway, gauges, other)
        for path in PATHS:
            found.attack(path, b"")
        before = gauges.memory
        yield found
        assert other.ask("ping") == {"type": "reply"}
        other.close()
        gauges.wait_until_empty()
        assert not [name for name in gauges.read() if name.startswith('gateroom_closes_total{code="1011"')]
        assert gauges[closes(1008, "slow_consumer")] == 0
        assert gauges.memory - before < SLACK
        assert faults_in(gateway) == []
        print(f"\n{dict(found.became.most_common())}")  # noqa: T201


@EXAMPLES
@given(ENTROPY)
def test_any_frames_end_as_they_should_and_disturb_nobody(target: Target, entropy: bytes) -> None:
    chance = Chance(entropy)
    for _ in range(SOCKETS):
        target.attack(chance.one_of(PATHS), b"".join(chaos.frames(chance) for _ in range(AT_ONCE)))
    assert target.other.ask("ping") == {"type": "reply"}


@EXAMPLES
@given(ENTROPY)
def test_any_commands_are_answered_just_once(target: Target, entropy: bytes) -> None:
    chance = Chance(entropy)
    texts = [chaos.command(chance) for _ in range(chaos.ITEMS)]
    target.ask([text for text in texts if chaos.is_utf8(text)])
    assert target.other.ask("ping") == {"type": "reply"}


def foreseen(data: bytes) -> tuple[bool, set[int]]:
    """Say whether the server will read the sentinel behind the data or end before it, and what close it may echo."""
    wire = Wire(ServerProfile())
    wire.receive_data(upgrade("/"))
    (request,) = wire.events_received()
    assert isinstance(request, Request)
    wire.send_response(wire.accept(request))
    wire.receive_data(data + masked(TEXT, SENTINEL))
    frames = [event for event in wire.events_received() if isinstance(event, Frame)]
    seen = bool(frames) and bytes(frames[-1].data) == SENTINEL
    echoed = {int(wire.close_rcvd.code)} if wire.close_rcvd is not None else set()
    return seen or wire.eof_sent, echoed


def outcome(client: RawClient, reachable: bool) -> Closed:
    """Read on to a close, to the sentinel's answer, or to the end that we began; code 0 for the last two."""
    while True:
        try:
            frame = client.read_frame()
        except ConnectionError:
            return Closed(1006) if reachable else Closed(0, "incomplete")
        if frame.opcode == CLOSE:
            return said_by(frame)
        if b"sentinel" in frame.payload:
            return Closed(0, "answered")
