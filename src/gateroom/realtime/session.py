"""One peer from accept to end: a state machine, sans I/O; frames in, effects on hub, broker and sink out."""

import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace

from gateroom.auth.principal import Principal
from gateroom.errors import (
    GateroomError,
    InternalError,
    Overloaded,
    PingTimeout,
    ProtocolViolation,
    RateLimited,
    Refusal,
    Restarting,
    RoomFull,
    SlowConsumer,
    TokenExpired,
)
from gateroom.incidents import blame, note
from gateroom.protocol import events
from gateroom.protocol.events import Person
from gateroom.protocol.frame import Segment
from gateroom.realtime.connection import Connection
from gateroom.realtime.door import Place
from gateroom.realtime.limits import Allowance, Cost
from gateroom.realtime.live import Live
from gateroom.realtime.patience import Patience
from gateroom.realtime.ports import FrameSink
from gateroom.realtime.subscription import Subscription, announce
from gateroom.realtime.topics import EVERYONE
from gateroom.rooms.policy import NOTHING
from gateroom.rooms.standings import Standing

UNSUPPORTED_DATA, INVALID_TEXT, TOO_BIG = 1003, 1007, 1009  # RFC 6455 section 7.4.1
VANISHED = 1006  # never on the wire: the peer ended without a close, or with its own


class Session(ABC):
    """Implements `realtime.ports.Feed`. Subclasses say what a text means; life, limits and end are here."""

    __slots__ = (
        "_alive_at",
        "_allowance",
        "_ended",
        "_leaving",
        "_own_scopes",
        "_patience",
        "_paused_at",
        "_pinged_at",
        "_size",
        "_started_at",
        "_warned_of",
        "connection",
        "live",
        "place",
        "principal",
        "subscriptions",
    )

    connection: Connection

    def __init__(self, live: Live, principal: Principal, place: Place) -> None:
        """`place` was entered at the door for this socket, and is given back at the end."""
        limits, now = live.limits, live.monotonic()
        self.live = live
        self.principal = principal
        self.place = place
        self.subscriptions: dict[str, Subscription] = {}  # by room id
        self._own_scopes = principal.scopes
        self._warned_of = 0.0  # the expiry that was announced
        self._ended = self._leaving = False
        self._started_at = self._alive_at = now
        self._pinged_at = self._paused_at = 0.0
        self._allowance = Allowance(limits, 1, now)
        self._size = 0  # of the text that is being taken, in bytes
        self._patience = Patience(limits, now)

    # What the server feeds

    def start(self, sink: FrameSink) -> None:
        live = self.live
        person = Person(self.principal.user_id, self.principal.username)
        self.connection = Connection(
            secrets.token_urlsafe(12), person, sink, live.hub.touch, live.limits.max_backlog_bytes, self._overflow
        )
        live.sessions[self.connection.id] = self
        self.place.taken = True
        live.hub.attach(self.connection)
        live.hub.join(EVERYONE, self.connection, plain=self.plain)
        live.counts.handshakes["accepted"] += 1
        self._guarded(self.opened)
        if live.door.shut:
            self.stop()
        elif not live.accounts.is_known(self.principal):  # something changed since the dependencies judged
            live.tasks.spawn(self._judge_again())

    def text(self, data: bytes) -> None:
        if self._ended or self._leaving:
            return
        self._alive_at = self.live.monotonic()
        self._size = len(data)
        self.live.counts.bytes_in += self._size
        if len(data) > self.live.limits.max_message_bytes > 0:
            self.close(TOO_BIG, "")
            return
        try:
            data.decode()
        except UnicodeDecodeError:
            self.close(INVALID_TEXT, "")
            return
        try:
            self.take(data)
        except Refusal as refusal:
            self.end(refusal)
        except Exception as fault:
            self.fault(fault)

    def binary(self) -> None:
        self.close(UNSUPPORTED_DATA, "")

    def pong(self) -> None:
        self._alive_at = self.live.monotonic()

    def writable(self) -> None:
        self._paused_at = 0.0
        self.connection.resume()

    def stop(self) -> None:
        if not self.live.door.shut:  # the first to hear of it: what was submitted is still answered
            self.live.door.shut = True
            self.live.broker.step()
        if self.live.broker.pending and not self._ended:
            self._leaving = True
            self.live.tasks.spawn(self._end_answered())
        else:
            self.end(Restarting())

    def lost(self, code: int = VANISHED, reason: str = "") -> None:
        self._finish(code, reason)

    # What a subclass says

    plain: bool  # whether the peer gets bare data instead of events

    @abstractmethod
    def opened(self) -> None:
        """Greet the peer and join what it is here for."""

    @abstractmethod
    def take(self, text: bytes) -> None:
        """Act on one text message; a `Refusal` raised here ends the session."""

    @abstractmethod
    def room_lost(self, subscription: Subscription, refusal: Refusal) -> None:
        """Tell the peer that a subscription, already taken away, has ended."""

    # What the live path does with a session

    @property
    def ended(self) -> bool:
        return self._ended

    @property
    def rooms(self) -> list[str]:
        """The ids of the rooms this socket is in."""
        return [room_id for room_id, subscription in self.subscriptions.items() if subscription.joined]

    def answer(self, text: bytes) -> None:
        """Send one text of the peer's own."""
        self.connection.post(Segment("", (text,)))

    def end(self, refusal: Refusal) -> None:
        """Close with the refusal's code and reason, after what is in the outbox."""
        self.close(refusal.close_code, refusal.code)

    def fault(self, fault: BaseException) -> None:
        """End because of a mistake of ours; the peer gets an error id that the log has too."""
        self.close(InternalError.close_code, blame("session_failed", fault, connection=self.connection.id))

    def charge(self, cost: Cost) -> None:
        """Take one command from what this connection, and the user, may ask for. Raises `RateLimited`, and ends who
        goes on regardless."""
        now, user_id, size = self.live.monotonic(), self.principal.user_id, self._size
        if not (self._allowance.take(cost, size, now) and self.live.allowances.take(user_id, cost, size, now)):
            if not self._patience.bears_excess(now):
                self.end(RateLimited())
            raise RateLimited

    def violation(self) -> None:
        """Count a frame that no proper client sends; too many end the session."""
        if not self._patience.bears_violation(self.live.monotonic()):
            self.end(ProtocolViolation())

    def renew(self, principal: Principal, scopes: frozenset[str] | None = None) -> None:
        """Live on as this newer principal of the same session, with those of its scopes that this socket's own token
        had, or with `scopes`, those of a token it was given since. Rights in rooms are to be judged anew."""
        self._own_scopes = self._own_scopes if scopes is None else scopes
        expires_at = max(principal.expires_at, self.principal.expires_at)
        self.principal = replace(principal, scopes=principal.scopes & self._own_scopes, expires_at=expires_at)

    def tell(self, kind: str, code: str | int, **fields: object) -> None:
        """Log what this peer did or was refused, and who it is."""
        who = {"user": self.principal.user_id, "session": self.principal.session_id, "connection": self.connection.id}
        note(kind, code=code, **who, peer=self.place.address, **fields)

    def sweep(self, now: float, monotonic: float) -> None:
        """Look after time: token expiry, age, keepalive and stalled writes. Called about once a second."""
        limits = self.live.limits
        expires_at = self.principal.expires_at
        if now >= expires_at:
            self.end(TokenExpired())
            return
        if now >= expires_at - limits.expiry_notice and self._warned_of != expires_at:
            self._warned_of = expires_at
            if not self.plain:
                self.answer(events.event("expiring", {"expires_at": events.rfc3339(expires_at)}))
        if limits.max_connection_age and monotonic - self._started_at > limits.max_connection_age:
            self.end(Restarting())
        elif self.connection.sink.paused:
            self._paused_at = self._paused_at or monotonic
            if monotonic - self._paused_at > limits.stall_timeout > 0:
                self._overflow()
        elif limits.ping_interval:
            self._keep_alive(monotonic)

    def subscribe(self, subscription: Subscription, standing: Standing) -> None:
        """Enter the room with these rights, or take them over where already there. Raises `RoomFull`."""
        hub = self.live.hub
        if not subscription.joined and hub.is_full(subscription.topic, self.principal.user_id, standing.capacity):
            raise RoomFull
        subscription.judge(standing)
        self.live.activity.used(standing)
        if subscription.joined:
            hub.catch_up(subscription.topic)  # the answer counts it: it must not come after that
            return
        subscription.joined = True
        first = hub.join(subscription.topic, self.connection, plain=self.plain)
        if first:
            announce(self.live, subscription, "joined", self.connection.person)

    def unsubscribe(self, subscription: Subscription) -> None:
        """Leave the room."""
        if subscription.joined:
            subscription.joined = False
            last = self.live.hub.leave(subscription.topic, self.connection)
            if last:
                announce(self.live, subscription, "left", self.connection.person)

    def tidy(self, subscription: Subscription) -> None:
        """Forget a subscription that is neither joined nor has anything left to answer."""
        if not subscription.joined and not subscription.busy:
            self.subscriptions.pop(subscription.room_id, None)

    def expel(self, subscription: Subscription, refusal: Refusal) -> None:
        """End a subscription from outside: what is still unsent of the room is dropped, nothing of it follows."""
        if subscription.joined:
            self.unsubscribe(subscription)
            subscription.grants = NOTHING
            self.connection.drop(subscription.topic)
            self.room_lost(subscription, refusal)
            self.tidy(subscription)

    async def standing_in(self, room_id: str) -> Standing:
        """Judge what this socket may do in a room by what holds when this returns. Raises `Unavailable`."""
        while True:
            principal = self.principal
            standing = await self.live.standings.of(principal, room_id)
            if principal is self.principal:  # else scopes were taken away meanwhile
                return standing

    async def _end_answered(self) -> None:
        """End once what is being stored was delivered and answered."""
        await self.live.broker.settled()
        self.end(Restarting())

    async def _judge_again(self) -> None:
        try:
            judged = await self.live.accounts.judge(self.principal)
        except Refusal as refusal:
            self.end(refusal)
        except GateroomError:  # nobody is let in on trust
            self.end(Overloaded())
        except Exception as fault:
            self.fault(fault)
        else:
            was = self.principal
            if (was.roles, was.scopes) != (judged.roles, judged.scopes):
                self.end(Overloaded())  # it came in with powers that are gone: it may come again without them

    def _keep_alive(self, monotonic: float) -> None:
        limits = self.live.limits
        if self._pinged_at and self._alive_at >= self._pinged_at:
            self._pinged_at = 0.0
        if self._pinged_at:
            if monotonic - self._pinged_at > limits.ping_timeout:
                self.end(PingTimeout())
        elif monotonic - self._alive_at >= limits.ping_interval and self.connection.sink.ping():
            self._pinged_at = monotonic

    def _overflow(self) -> None:
        if self._finish(SlowConsumer.close_code, SlowConsumer.code):
            self.connection.sink.abort()

    def close(self, code: int, reason: str) -> None:
        """Let go of everything and send a close frame; the first call counts."""
        if self._finish(code, reason):
            self.connection.close(code, reason)

    def _finish(self, code: int, reason: str) -> bool:
        """Count and log the end, and let go of everything; false when that was done before."""
        if self._ended:
            return False
        self._ended = True
        slug = reason.partition(" ")[0]  # without an error id
        self.live.counts.closes[code, slug] += 1
        if code != VANISHED:
            self.tell("socket_ended", slug or code, status=code)
        self._let_go()
        return True

    def _let_go(self) -> None:
        live = self.live
        for subscription in self.subscriptions.values():
            self.unsubscribe(subscription)
        self.subscriptions.clear()
        self.left()
        live.hub.leave(EVERYONE, self.connection)
        live.hub.detach(self.connection)
        live.sessions.pop(self.connection.id, None)
        self.connection.release()
        live.door.leave(self.place)

    @abstractmethod
    def left(self) -> None:
        """Leave what `opened` joined besides rooms."""

    def _guarded(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Refusal as refusal:
            self.end(refusal)
        except Exception as fault:
            self.fault(fault)
