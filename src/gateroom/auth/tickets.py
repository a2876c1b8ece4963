"""Tickets: opaque, good once and for half a minute, they stand in for an access token in a WebSocket's URL.

Query strings end up in histories and in the logs of proxies (RFC 9700 section 4.3.2), where a used ticket is of no use.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass

from gateroom.auth.claims import Claims
from gateroom.auth.ports import Clock, Ticket, TicketStore
from gateroom.errors import InvalidTicket, RateLimited
from gateroom.rates import Buckets

PREFIX = "grt_"
LIFETIME = 30.0  # seconds
BURST, RATE = 100, 2.0  # how many a session may ask for at once, and for good in a second: twice its sockets
_SECRET_BYTES = 32
_FORM = re.compile(r"grt_[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True, repr=False)
class IssuedTicket:
    """A new ticket, shown this once; `expires_in` is in whole seconds."""

    text: str
    expires_in: int


class Tickets:
    """Issues tickets for whoever has an access token, and redeems each once, on any process that has the store."""

    def __init__(self, store: TicketStore, now: Clock, monotonic: Clock) -> None:
        """`now` is in seconds since the epoch, `monotonic` in seconds of a clock that is never set back."""
        self._store = store
        self._now = now
        self._monotonic = monotonic
        self._rates: Buckets[str] = Buckets(RATE, BURST, monotonic)

    async def issue(self, claims: Claims, room: str | None) -> IssuedTicket:
        """Make a ticket for what the token with these claims allows, only in `room` if one is named.

        Raises `RateLimited`, or what the store raises.
        """
        if not self._rates.of(claims.sid).take(self._monotonic()):
            raise RateLimited
        now, text = self._now(), PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
        expires_at = min(now + LIFETIME, float(claims.exp))
        await self._store.add(Ticket(_digest(text), claims, room, expires_at), now)
        return IssuedTicket(text, max(1, int(expires_at - now)))

    async def redeem(self, text: str, room: str | None) -> Claims:
        """Return the claims of the token it was asked for with; `room` is that of the socket's path.

        However it ends, the ticket is used. Raises `InvalidTicket`, or what the store raises.
        """
        ticket = await self._store.take(_digest(text)) if _FORM.fullmatch(text) else None
        now = self._now()
        if ticket is None or now >= ticket.expires_at:
            raise InvalidTicket
        if ticket.room is not None and ticket.room != room:
            raise InvalidTicket
        return ticket.claims


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("ascii")).digest()
