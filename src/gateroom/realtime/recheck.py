"""What no order told: accounts, sessions, tokens and rights of live sockets, read again every half minute.

Orders are what makes a change felt at once. One that is lost, or a change that another program made in the database, is
found here: in batches, off the message path, and only what differs from what a socket has is judged anew.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from typing import TypeVar

import structlog

from gateroom.auth.alive import Alive
from gateroom.auth.ports import SessionPages, User, UserPages
from gateroom.auth.principal import is_kept, is_key
from gateroom.errors import GateroomError, UserDisabled
from gateroom.realtime.control import Control
from gateroom.realtime.live import Live
from gateroom.realtime.session import Session
from gateroom.realtime.subscription import Subscription
from gateroom.repeating import repeating
from gateroom.rooms.review import Review

_log = structlog.get_logger("gateroom.recheck")

INTERVAL = 20.0  # seconds between the end of one round and the next
BATCH = 200  # rows asked for at once: as much as the event loop hardly feels

T = TypeVar("T")


class Recheck:
    """Compares what live sockets were granted with what is stored."""

    def __init__(
        self,
        live: Live,
        control: Control,
        alive: Alive,
        users: UserPages,
        sessions: SessionPages,
        review: Review,
        prunes: Sequence[Callable[[float], Awaitable[None]]] = (),
    ) -> None:
        """`prunes` are told the time (seconds since the epoch) each round, to delete what has expired."""
        self._live = live
        self._control = control
        self._alive = alive
        self._users = users
        self._sessions = sessions
        self._review = review
        self._prunes = prunes

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Check as long as the block runs."""
        async with repeating("recheck", INTERVAL, self.once):
            yield

    async def once(self) -> None:
        """Check everything once; a part that fails is tried again in the next round."""
        for part in (self._accounts, self._sessions_and_tokens, self._rooms, self._prune):
            try:
                await part()
            except GateroomError as error:
                _log.warning("recheck_failed", part=part.__name__.strip("_"), code=error.code)
            except Exception:
                _log.exception("recheck_failed", part=part.__name__.strip("_"))

    def _sockets(self) -> list[Session]:
        return list(self._live.sessions.values())

    async def _accounts(self) -> None:
        by_user: dict[str, list[Session]] = {}
        for socket in self._sockets():
            by_user.setdefault(socket.principal.user_id, []).append(socket)
        for user_ids in _batches(by_user):
            found = {user.id: user for user in await self._users.by_ids(user_ids)}
            for user_id in user_ids:
                user = found.get(user_id)
                if user is not None and all(_still_holds(socket, user) for socket in by_user[user_id]):
                    self._live.accounts.confirm(user)
                else:
                    await self._follow(user_id)

    async def _follow(self, user_id: str) -> None:
        """Read once more, by the way on which no change can come in between."""
        self._live.accounts.forget(user_id)
        try:
            user = await self._live.accounts.get(user_id)
        except UserDisabled:
            self._control.user_gone(user_id)
        else:
            await self._control.account_changed(user)

    async def _sessions_and_tokens(self) -> None:
        await self._alive.load()
        owners: dict[str, str] = {}
        for socket in self._sockets():
            principal = socket.principal
            if self._alive.is_revoked(principal.token_id):
                self._control.token_revoked(principal.user_id, principal.token_id)
            elif is_kept(principal.session_id):
                owners[principal.session_id] = principal.user_id
            elif is_key(principal.session_id) and await self._alive.key(principal.token_id) is None:
                self._control.token_revoked(principal.user_id, principal.token_id)
        for session_ids in _batches(owners):
            found = await self._sessions.alive(session_ids)
            for session_id in session_ids:
                user_id = owners[session_id]
                if session_id in found:
                    self._alive.confirm(user_id, session_id)
                else:
                    self._alive.forget(user_id, [session_id])
                    self._control.sessions_ended(user_id, [session_id])

    async def _rooms(self) -> None:
        places = [
            (socket, subscription)
            for socket in self._sockets()
            for subscription in socket.subscriptions.values()
            if subscription.joined
        ]
        for batch in _batches(places):
            asked = [(socket.principal, subscription.room_id) for socket, subscription in batch]
            standings = await self._review.of(asked)
            now = self._live.now()
            for (socket, subscription), standing in zip(batch, standings, strict=True):
                if subscription.joined and subscription.grants.at(now) != standing.grants.at(now):
                    await self._judge(socket, subscription, gone=standing.room is None)

    async def _judge(self, socket: Session, subscription: Subscription, *, gone: bool) -> None:
        room_id, user_id = subscription.room_id, socket.principal.user_id
        self._live.standings.forget(room_id, None if gone else user_id)
        if gone:
            await self._control.room_removed(room_id)
        else:
            await self._control.standing_changed(room_id, user_id)

    async def _prune(self) -> None:
        for prune in self._prunes:
            await prune(self._live.now())


def _still_holds(socket: Session, user: User) -> bool:
    """Tell whether the account allows what the socket has."""
    has = socket.principal
    return (
        not user.disabled and has.issued_at >= user.valid_from and has.scopes <= user.scopes and has.roles <= user.roles
    )


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH)):
        yield batch
