"""Changes of rights, as they reach live sockets: at once, and in order with what the rooms carry."""

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import replace

from gateroom.auth.ports import User
from gateroom.auth.principal import Principal
from gateroom.errors import (
    Disconnected,
    GateroomError,
    Kicked,
    Refusal,
    RoomClosed,
    SessionRevoked,
    TokenRevoked,
    UserDisabled,
)
from gateroom.realtime.live import Live
from gateroom.realtime.rights import judge_anew, judge_rooms
from gateroom.realtime.session import Session
from gateroom.realtime.subscription import Subscription
from gateroom.realtime.topics import room_topic
from gateroom.rooms.ports import Places


class Control:
    """Implements `rooms.ports.Watcher` and `auth.ports.SessionWatcher`, and what administrators may do to connections.

    An order may come twice, or for somebody who is not here. How long it took from being asked for to the close is
    measured.
    """

    def __init__(self, live: Live, places: Places) -> None:
        self._live = live
        self._places = places

    async def standing_changed(self, room_id: str, user_id: str | None) -> None:
        """Judge anew what the user (None: everybody) may do there; who may no longer read is removed."""
        found = self._in_room(room_id, user_id)
        with suppress(GateroomError):  # else each is judged by a read of their own
            user_ids = {session.principal.user_id for session, _ in found}
            await self._live.standings.prepare(room_id, user_ids, self._places)
        for session, subscription in found:
            await judge_anew(session, subscription)

    async def kicked(self, room_id: str, user_id: str) -> int:
        """Remove the user with `kicked`; returns how many connections were in the room."""
        found = self._in_room(room_id, user_id)
        for session, subscription in found:
            session.expel(subscription, Kicked())
        return len(found)

    async def room_made(self, room_id: str) -> None:
        """Do what the removal of an earlier room of that id would have done; nobody is in the new one yet."""
        await self.room_removed(room_id)

    async def room_removed(self, room_id: str) -> None:
        """Remove everybody with `room_closed`, and forget the room's stream."""
        for session, subscription in self._in_room(room_id, None):
            session.expel(subscription, RoomClosed())
        self._live.broker.forget(room_topic(room_id))

    def stop(self) -> None:
        """Let nobody in any more and close every socket with `restarting`; what was submitted is still answered."""
        for session in list(self._live.sessions.values()):
            session.stop()
        self._live.door.shut = True

    def user_gone(self, user_id: str, at: float | None = None) -> int:
        """End all sockets of a user who was disabled or deleted; returns how many."""
        return self._end(self._of(user_id), UserDisabled, at)

    async def account_changed(self, user: User, at: float | None = None) -> None:
        """End the sockets of a disabled user and those that came with a token from before `valid_from`; of others take
        away roles and scopes that the account has lost, and judge anew."""
        if user.disabled:
            self.user_gone(user.id, at)
            return
        dead = [session for session in self._of(user.id) if session.principal.issued_at < user.valid_from]
        self._end(dead, TokenRevoked, at)
        theirs = self._of(user.id)
        for session in theirs:
            was = session.principal
            session.principal = replace(was, roles=was.roles & user.roles, scopes=was.scopes & user.scopes)
        for session in theirs:
            await judge_rooms(session)

    def sessions_ended(self, user_id: str, session_ids: Collection[str], at: float | None = None) -> None:
        theirs = [session for session in self._of(user_id) if session.principal.session_id in session_ids]
        self._end(theirs, SessionRevoked, at)

    def token_revoked(self, user_id: str, token_id: str, at: float | None = None) -> None:
        theirs = [session for session in self._of(user_id) if session.principal.token_id == token_id]
        self._end(theirs, TokenRevoked, at)

    async def session_renewed(self, principal: Principal) -> None:
        """Let the session's sockets live on; none gets powers that the token it came with had not."""
        theirs = [
            session for session in self._of(principal.user_id) if session.principal.session_id == principal.session_id
        ]
        for session in theirs:
            session.renew(principal)
        for session in theirs:
            await judge_rooms(session)

    def disconnect(self, user_id: str) -> int:
        """End all sockets of a user, who may come back; returns how many."""
        return self._end(self._of(user_id), Disconnected)

    def _end(self, sessions: Collection[Session], refusal: Callable[[], Refusal], at: float | None = None) -> int:
        """End sessions; `at` (seconds since the epoch) is when that was asked for, where it is known."""
        for session in sessions:
            session.end(refusal())
            if at is not None:
                self._live.counts.orders.observe(max(0.0, self._live.now() - at))
        return len(sessions)

    def _of(self, user_id: str) -> list[Session]:
        return [self._live.sessions[found.id] for found in self._live.hub.connections_of(user_id)]

    def _in_room(self, room_id: str, user_id: str | None) -> list[tuple[Session, Subscription]]:
        found = []
        for connection in self._live.hub.on(room_topic(room_id)):
            session = self._live.sessions[connection.id]
            if user_id is None or session.principal.user_id == user_id:
                found.append((session, session.subscriptions[room_id]))
        return found
