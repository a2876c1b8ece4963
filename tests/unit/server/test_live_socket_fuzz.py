"""Bad frames and bad commands at a session behind its socket, without the network.

Some thousands of each; `GATEROOM_FUZZ=<count>` says how many. `pytest -s` shows what became of them.
"""

import asyncio
import gc
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs
from websockets.frames import CLOSE, PONG, TEXT, Close, Frame
from websockets.http11 import Request

from gateroom.auth.principal import Principal
from gateroom.realtime.limits import Limits
from gateroom.realtime.multiplexed import MultiplexedSession
from gateroom.realtime.session import Session
from gateroom.realtime.single import InboxSession, RoomSession
from gateroom.realtime.topics import EVERYONE, user_topic
from gateroom.rooms.model import Visibility
from gateroom.server.live_socket import LiveSocket
from gateroom.server.profile import ServerProfile
from gateroom.server.wire import Wire
from support import chaos
from support.chaos import Chance
from support.live import LiveWorld, settle
from support.raw_client import TEXT as RAW_TEXT
from support.raw_client import masked, upgrade
from support.sinks import frames_in
from support.transports import RecordingTransport

COUNT = int(os.environ.get("GATEROOM_FUZZ", "4000"))  # frames, and as many commands
EXAMPLES = settings(
    max_examples=max(1, COUNT // chaos.ITEMS), suppress_health_check=list(HealthCheck), deadline=None, database=None
)
ENTROPY = st.binary(min_size=chaos.ENTROPY, max_size=chaos.ENTROPY)
# What would make an outcome depend on the time it takes is switched off, and has tests of its own.
LIMITS = Limits(publish_rate=0, command_rate=0, costly_rate=0, max_violations=0)
PROFILE = ServerProfile(max_control_rate=0, max_fragment_rate=0)
KINDS = ("multiplexed", "multiplexed", "multiplexed", "room", "inbox")

Said = tuple[str, object, object]


class Flow(Enum):
    """What a peer does to our writing."""

    STOPS, GOES_ON = range(2)


Item = Sequence[bytes | Literal[Flow.STOPS, Flow.GOES_ON]]


class Life:
    """One socket from its accept on, as its peer sees it."""

    def __init__(self, session: Session) -> None:
        wire = Wire(PROFILE)
        wire.receive_data(upgrade("/"))
        (request,) = wire.events_received()
        assert isinstance(request, Request)
        wire.send_response(wire.accept(request))
        wire.data_to_send()
        self.session = session
        self.transport = RecordingTransport()
        self._socket = LiveSocket(self.transport, wire, session, set(), PROFILE)
        self._socket.start([], None)

    @property
    def over(self) -> bool:
        return self.session.ended

    async def send(self, pieces: Item) -> None:
        for piece in pieces:
            if self.transport.closed:
                break
            if piece is Flow.STOPS:
                self._socket.pause_writing()
            elif piece is Flow.GOES_ON:
                self._socket.resume_writing()
            else:
                self._socket.data_received(piece)
        await settle()

    def lose(self) -> list[Frame]:
        """End the connection, and return all that the peer has got: whole frames, a close at most as the last."""
        self._socket.connection_lost(None)
        got = frames_in(self.transport.written)
        assert [frame.opcode for frame in got[:-1]].count(CLOSE) == 0
        return got


class Fuzzed:
    """A world with two public rooms, in which sockets come and go."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        self.world = LiveWorld(LIMITS)
        self.became: Counter[str] = Counter()
        self.alice: Principal = self.runner.run(self._prepare())

    async def _prepare(self) -> Principal:
        for room in ("lobby", "side"):
            await self.world.room(room, visibility=Visibility.PUBLIC)
        await self.world.user("bob")
        return await self.world.user("alice")

    async def begin_anew(self) -> None:
        """Have a lobby whose state nobody has changed."""
        await self.world.remove_room("lobby")
        await self.world.room("lobby", visibility=Visibility.PUBLIC)

    async def born(self, kind: str = "multiplexed") -> Life:
        world, alice = self.world, self.alice
        await world.accounts.get(alice.user_id)
        await world.broker.open(user_topic(alice.user_id), world.live.inbox)
        place = world.door.enter("127.0.0.1")
        world.door.identify(place, alice.user_id)
        session: Session
        if kind == "multiplexed":
            session = MultiplexedSession(world.live, alice, place, world.dispatch)
        elif kind == "room":
            await world.standings.of(alice, "lobby")
            session = RoomSession(world.live, alice, place, "lobby", as_events=False)
        else:
            session = InboxSession(world.live, alice, place, as_events=False)
        life = Life(session)
        await settle()
        return life

    def assert_as_before(self) -> None:
        """Nobody is there, and nothing of those who were."""
        world = self.world
        assert not world.live.sessions
        assert world.door.inside == 0
        assert world.hub.room_count == 0
        assert not world.hub.on(EVERYONE)
        assert not world.hub.connections_of(self.alice.user_id)
        assert not [code for code, _ in world.counts.closes if code == 1011]


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[Fuzzed]:
    before = alive()
    found = Fuzzed()
    with found.runner:
        yield found
    assert alive() == before
    print(f"\n{dict(found.became.most_common())}")  # noqa: T201


def alive() -> int:
    """Count the sockets and sessions that something still holds."""
    gc.collect()
    return sum(isinstance(thing, LiveSocket | Session) for thing in gc.get_objects())


@contextmanager
def without_faults() -> Iterator[None]:
    """Fail when something is logged that is a fault of ours."""
    with capture_logs() as lines:
        yield
    assert [line for line in lines if line["log_level"] not in ("debug", "info")] == []


# Frames


@EXAMPLES
@given(ENTROPY)
def test_any_frames_are_answered_or_end_the_socket_properly(fuzzed: Fuzzed, entropy: bytes) -> None:
    chance = Chance(entropy)
    kind = chance.one_of(KINDS)
    whole: list[Item] = []
    in_pieces: list[Item] = []
    for _ in range(chaos.ITEMS):
        if chance.once_in(12):
            in_pieces.append([chance.one_of(list(Flow))])
            whole.append(in_pieces[-1])
        frames = chaos.frames(chance)
        whole.append([frames])
        in_pieces.append(chance.pieces(frames, 6))
    with without_faults():
        one_way = fuzzed.runner.run(lives(fuzzed, kind, whole))
        other_way = fuzzed.runner.run(lives(fuzzed, kind, in_pieces))
    assert list(map(but_pongs, one_way)) == list(map(but_pongs, other_way))
    fuzzed.became.update(f"{said[-1][0]} {said[-1][1]}" for said in one_way if said[-1:] and said[-1][0] == "close")
    fuzzed.assert_as_before()


async def lives(fuzzed: Fuzzed, kind: str, items: list[Item]) -> list[list[Said]]:
    """Send the items, each in its pieces, to one socket after the other: a new one as soon as one has ended."""
    found: list[list[Said]] = []
    await fuzzed.begin_anew()
    life = await fuzzed.born(kind)
    for item in items:
        await life.send(item)
        if life.over:
            found.append([said(frame, life.session.plain) for frame in life.lose()])
            assert found[-1][-1][0] == "close", "a close of our own, or the answer to theirs"
            life = await fuzzed.born(kind)
    found.append([said(frame, life.session.plain) for frame in life.lose()])
    return found


def but_pongs(all_said: list[Said]) -> list[Said]:
    """Leave out what a peer that takes nothing may or may not get."""
    return [each for each in all_said if each[0] != "pong"]


def said(frame: Frame, plain: bool = False) -> Said:
    """Return what a frame says as far as it is the same each time; `plain`: to a client that gets bare data."""
    data = bytes(frame.data)
    if frame.opcode is CLOSE:
        close = Close.parse(data)
        assert close.code not in (1006, 1011)
        return "close", int(close.code), close.reason
    if frame.opcode is PONG:
        return "pong", data, None
    assert frame.opcode is TEXT
    if plain:
        return "data", data, None
    value: Any = json.loads(data)
    kind = value["type"]
    return kind, value.get("id") if kind in ("reply", "error") else None, value.get("code")


# Commands


@EXAMPLES
@given(ENTROPY)
def test_any_command_is_answered_just_once(fuzzed: Fuzzed, entropy: bytes) -> None:
    chance = Chance(entropy)
    texts = [chaos.command(chance) for _ in range(chaos.ITEMS)]
    at_once = 1 + chance.below(6)
    with without_faults():
        fuzzed.runner.run(ask(fuzzed, texts, at_once))
    fuzzed.assert_as_before()


async def ask(fuzzed: Fuzzed, texts: list[bytes], at_once: int) -> None:
    """Send commands, some of them at once, and compare the answers with what is to be expected."""
    life = await fuzzed.born()
    expected: list[object] = []
    for start in range(0, len(texts), at_once):
        group = texts[start : start + at_once]
        legible = [text for text in group if chaos.is_utf8(text)]
        await life.send([b"".join(masked(RAW_TEXT, text) for text in legible)])
        assert not life.over
        expected.extend(id_of(text) for text in legible)
        if len(legible) < len(group):
            await life.send([masked(RAW_TEXT, next(text for text in group if not chaos.is_utf8(text)))])
            assert life.over
            fuzzed.became["1007"] += 1
            judge(fuzzed, life, expected, ("close", 1007, ""))
            life, expected = await fuzzed.born(), []
    judge(fuzzed, life, expected, None)


def judge(fuzzed: Fuzzed, life: Life, expected: list[object], end: Said | None) -> None:
    got = [said(frame) for frame in life.lose()]
    if end is not None:
        assert got.pop() == end
    answers = [(kind, number, code) for kind, number, code in got if kind in ("reply", "error")]
    fuzzed.became.update(str(code or "reply") for _, _, code in answers)
    assert Counter(map(repr, expected)) == Counter(repr(number) for _, number, _ in answers)
    assert not [code for _, _, code in answers if code in ("internal_error", "unavailable")]


def id_of(text: bytes) -> int | str | None:
    """Return the id that the answer must have: that of a JSON object with a proper one.

    A number that is none, or half a surrogate pair anywhere, makes the whole text unreadable.
    """
    try:
        value = json.loads(text, parse_constant=_no_json)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    number = value.get("id") if isinstance(value, dict) else None
    if type(number) is int:
        return number if abs(number) < 2**53 else None
    return number if isinstance(number, str) and 1 <= len(number) <= 64 else None


def _no_json(name: str) -> None:
    raise ValueError(name)
