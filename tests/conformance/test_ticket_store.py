"""What `TicketStore` promises."""

import asyncio

from gateroom.auth.claims import Claims
from gateroom.auth.ports import Ticket
from support.stores import Stores

pytest_plugins = ["support.databases"]

CLAIMS = Claims(
    iss="issuer",
    sub="u-ada",
    aud="gateroom",
    exp=1_800_000_900,
    iat=1_800_000_000,
    jti="t1",
    sid="s1",
    client_id="app",
    scope=frozenset({"rooms:create", "users:send"}),
    roles=frozenset({"staff"}),
)


def a_ticket(number: int, expires_at: float = 130.0, room: str | None = None) -> Ticket:
    return Ticket(bytes([number]) * 32, CLAIMS, room, expires_at)


async def test_a_ticket_is_taken_as_it_was_added_and_only_once(stores: Stores) -> None:
    bound, free = a_ticket(1, room="lobby"), a_ticket(2)
    for ticket in (bound, free):
        await stores.tickets.add(ticket, now=100.0)
    assert await stores.tickets.take(bound.digest) == bound
    assert await stores.tickets.take(bound.digest) is None
    assert await stores.tickets.take(free.digest) == free
    assert await stores.tickets.take(b"\x09" * 32) is None


async def test_of_twenty_who_take_one_at_once_exactly_one_gets_it(stores: Stores) -> None:
    ticket = a_ticket(3)
    await stores.tickets.add(ticket, now=100.0)
    taken = await asyncio.gather(*(stores.tickets.take(ticket.digest) for _ in range(20)))
    assert [found for found in taken if found is not None] == [ticket]


async def test_what_has_ended_is_forgotten_when_another_is_added(stores: Stores) -> None:
    await stores.tickets.add(a_ticket(4, expires_at=130.0), now=100.0)
    await stores.tickets.add(a_ticket(5, expires_at=160.5), now=130.5)
    assert await stores.tickets.take(a_ticket(4).digest) is None
    assert await stores.tickets.take(a_ticket(5).digest) is not None
