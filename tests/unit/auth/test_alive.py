"""What a process knows of sessions, and how seldom it asks."""

import pytest

from gateroom.auth.alive import RECHECK, Alive
from gateroom.auth.ports import AuthSession, Link
from gateroom.auth.principal import Principal
from gateroom.errors import SessionRevoked, TokenRevoked
from support.back_ends import InMemoryApiKeys
from support.clock import FrozenClock
from support.sessions import InMemoryRevocations, InMemorySessions
from support.stores import InMemoryUsers, a_session, a_user


class CountedSessions(InMemorySessions):
    """Counts the reads that a handshake may cost."""

    def __init__(self) -> None:
        super().__init__({"u-ada": a_user("ada")}, {})
        self.reads = 0

    async def by_id(self, session_id: str) -> AuthSession | None:
        self.reads += 1
        return await super().by_id(session_id)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
async def sessions() -> CountedSessions:
    made = CountedSessions()
    await made.add(a_session("s-1", "u-ada"), Link(b"1", b""))
    return made


@pytest.fixture
def alive(sessions: CountedSessions, clock: FrozenClock) -> Alive:
    return Alive(sessions, InMemoryRevocations(), InMemoryApiKeys(InMemoryUsers()), clock, clock)


def principal(session_id: str = "s-1") -> Principal:
    return Principal("u-ada", "ada", frozenset(), frozenset(), session_id, "t-1", 0.0)


async def test_a_session_is_read_at_first_sight_only(alive: Alive, sessions: CountedSessions) -> None:
    assert not alive.is_known(principal())
    for _ in range(100):
        await alive.require("u-ada", "s-1", "t-1")
    assert sessions.reads == 1
    assert alive.is_known(principal())


async def test_a_session_that_began_here_is_never_read(alive: Alive, sessions: CountedSessions) -> None:
    alive.begun(a_session("s-1", "u-ada"))
    await alive.require("u-ada", "s-1", "t-1")
    assert sessions.reads == 0


async def test_that_there_is_none_is_remembered_too(alive: Alive, sessions: CountedSessions) -> None:
    for _ in range(3):
        with pytest.raises(SessionRevoked):
            await alive.require("u-ada", "s-2", "t-1")
    assert sessions.reads == 1
    assert not alive.is_known(principal("s-2"))


async def test_a_session_is_read_again_after_a_while_unless_it_was_confirmed(
    alive: Alive, sessions: CountedSessions, clock: FrozenClock
) -> None:
    await alive.require("u-ada", "s-1", "t-1")
    clock.advance(RECHECK - 1)
    alive.confirm("u-ada", "s-1")
    clock.advance(RECHECK - 1)
    await alive.require("u-ada", "s-1", "t-1")
    assert sessions.reads == 1
    clock.advance(2)
    await alive.require("u-ada", "s-1", "t-1")
    assert sessions.reads == 2


async def test_confirming_what_is_not_known_makes_nobody_believed(alive: Alive, sessions: CountedSessions) -> None:
    alive.confirm("u-ada", "s-2")
    with pytest.raises(SessionRevoked):
        await alive.require("u-ada", "s-2", "t-1")


async def test_who_has_no_session_depends_on_none_but_on_the_token(alive: Alive, sessions: CountedSessions) -> None:
    await alive.require("u-ada", "", "t-1")
    assert (sessions.reads, alive.is_known(principal(""))) == (0, True)
    alive.revoke("t-1", 2_000_000_000.0)
    with pytest.raises(TokenRevoked):
        await alive.require("u-ada", "", "t-1")
    assert not alive.is_known(principal(""))


async def test_no_more_sessions_are_kept_than_there_is_room_for(sessions: CountedSessions, clock: FrozenClock) -> None:
    alive = Alive(sessions, InMemoryRevocations(), InMemoryApiKeys(InMemoryUsers()), clock, clock, capacity=10)
    for number in range(30):
        alive.begun(a_session(f"s-{number}", "u-ada"))
    assert sum(alive.is_known(principal(f"s-{number}")) for number in range(30)) == 10
