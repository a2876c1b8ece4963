"""How long a ticket is good, what it opens, and how many one may ask for."""

from dataclasses import replace

import pytest

from gateroom.auth.claims import Claims
from gateroom.auth.tickets import BURST, Tickets
from gateroom.errors import InvalidTicket, RateLimited
from support.clock import FrozenClock
from support.stores import InMemoryTickets


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def tickets(clock: FrozenClock) -> Tickets:
    return Tickets(InMemoryTickets(), clock, clock)


def claims(clock: FrozenClock, lifetime: int = 900) -> Claims:
    now = int(clock())
    scope = frozenset({"users:send"})
    return Claims("issuer", "u-ada", "gateroom", now + lifetime, now, "t1", "s1", "app", scope, frozenset())


async def test_it_stands_for_the_token_it_was_asked_for_with(tickets: Tickets, clock: FrozenClock) -> None:
    issued = await tickets.issue(claims(clock), None)
    assert issued.expires_in == 30
    assert len(issued.text) == 4 + 43
    assert issued.text not in repr(issued)
    assert await tickets.redeem(issued.text, "any-room") == claims(clock)


async def test_it_is_good_once(tickets: Tickets, clock: FrozenClock) -> None:
    text = (await tickets.issue(claims(clock), None)).text
    await tickets.redeem(text, None)
    with pytest.raises(InvalidTicket):
        await tickets.redeem(text, None)


async def test_it_is_good_for_thirty_seconds(tickets: Tickets, clock: FrozenClock) -> None:
    early, late = [(await tickets.issue(claims(clock), None)).text for _ in range(2)]
    clock.advance(29.5)
    await tickets.redeem(early, None)
    clock.advance(0.5)
    with pytest.raises(InvalidTicket):
        await tickets.redeem(late, None)


async def test_it_does_not_outlive_the_token(tickets: Tickets, clock: FrozenClock) -> None:
    issued = await tickets.issue(claims(clock, lifetime=10), None)
    assert issued.expires_in == 10
    clock.advance(10)
    with pytest.raises(InvalidTicket):
        await tickets.redeem(issued.text, None)


@pytest.mark.parametrize("room", [None, "kitchen"])
async def test_bound_to_a_room_it_opens_nothing_else_and_is_used_by_the_try(
    tickets: Tickets, clock: FrozenClock, room: str | None
) -> None:
    right, wrong = [(await tickets.issue(claims(clock), "lobby")).text for _ in range(2)]
    assert await tickets.redeem(right, "lobby") == claims(clock)
    for place in (room, "lobby"):
        with pytest.raises(InvalidTicket):
            await tickets.redeem(wrong, place)


@pytest.mark.parametrize("text", ["", "grt_", "grt_" + "a" * 42, "grt_" + "a" * 43, "grt_" + "ä" * 43, "x" * 100_000])
async def test_anything_else_is_no_ticket(tickets: Tickets, text: str) -> None:
    with pytest.raises(InvalidTicket):
        await tickets.redeem(text, None)


async def test_a_session_may_ask_for_so_many_and_another_is_not_touched(tickets: Tickets, clock: FrozenClock) -> None:
    for _ in range(BURST):
        await tickets.issue(claims(clock), None)
    with pytest.raises(RateLimited):
        await tickets.issue(claims(clock), None)
    await tickets.issue(replace(claims(clock), sid="s2"), None)
    clock.advance(1)
    await tickets.issue(claims(clock), None)
