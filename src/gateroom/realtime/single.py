"""`/ws/rooms/{room}` and `/ws/users/me`: one stream on a socket, for clients too simple for commands.

They get bare data, or with the subprotocol `gateroom.v1` the events of the contract; there is no reply channel: what
may not be done closes the socket with its reason.
"""

from functools import partial

import msgspec

from gateroom.auth.principal import Principal
from gateroom.errors import Forbidden, GateroomError, LimitReached, Overloaded, RateLimited, Refusal, RoomFull
from gateroom.realtime.dispatch import MAX_WAITING
from gateroom.realtime.door import Place
from gateroom.realtime.greeting import welcome
from gateroom.realtime.limits import Cost
from gateroom.realtime.live import Live
from gateroom.realtime.ports import Outcome, Position
from gateroom.realtime.records import room_message
from gateroom.realtime.session import Session
from gateroom.realtime.subscription import Subscription
from gateroom.realtime.topics import room_topic, user_topic
from gateroom.rooms import policy
from gateroom.rooms.model import Action
from gateroom.rooms.standings import Standing

POLICY_VIOLATION = 1008


class _SingleSession(Session):
    __slots__ = ("plain",)

    def __init__(self, live: Live, principal: Principal, place: Place, *, as_events: bool) -> None:
        super().__init__(live, principal, place)
        self.plain = not as_events

    def opened(self) -> None:
        if not self.plain:
            self.answer(welcome(self))

    def room_lost(self, subscription: Subscription, refusal: Refusal) -> None:
        self.end(refusal)


class RoomSession(_SingleSession):
    """Publishes each text as one string, and delivers what the room hears."""

    __slots__ = ("_lane", "_refused")

    def __init__(self, live: Live, principal: Principal, place: Place, room_id: str, *, as_events: bool) -> None:
        """The principal was just judged to be allowed to read the room."""
        super().__init__(live, principal, place, as_events=as_events)
        self._lane = Subscription(room_id)
        self._refused = False  # what was said before is still carried, then the socket ends

    def opened(self) -> None:
        super().opened()
        lane = self._lane
        self.subscriptions[lane.room_id] = lane
        standing = self.live.standings.known(self.principal, lane.room_id)
        if standing is None:  # rights may have moved since then: nothing is heard before they are judged again
            lane.settling = True
            self.live.tasks.spawn(self._enter_later())
        else:
            self._enter(standing)

    def take(self, text: bytes) -> None:
        if self._refused:
            return
        try:
            self.charge(Cost.PUBLISH)
            if self._lane.waiting >= MAX_WAITING:
                raise RateLimited
        except GateroomError as error:
            self._refused = True
            self._lane.in_turn(partial(self._refuse, error))
        else:
            self._lane.beside(partial(self._publish, text))

    def left(self) -> None:
        """There is nothing but the room."""

    async def _enter_later(self) -> None:
        try:
            standing = await self.standing_in(self._lane.room_id)
            if not self.ended:
                self._lane.settling = False
                self._enter(standing)
                self._lane.go_on()
        except Refusal as refusal:
            self.end(refusal)
        except GateroomError:  # nobody is let in on trust
            self.end(Overloaded())
        except Exception as fault:
            self.fault(fault)

    def _enter(self, standing: Standing) -> None:
        policy.require(Action.READ, standing.grants)
        self.subscribe(self._lane, standing)

    def _publish(self, text: bytes) -> None:
        try:
            record = room_message(self.live, self._lane, self.connection.person, msgspec.json.encode(text.decode()))
        except GateroomError as error:
            self._refused = True
            self._lane.next_up(partial(self._refuse, error))
        else:
            self._lane.started()
            self.live.broker.submit(record, self._published)

    def _published(self, outcome: Outcome) -> None:
        counts = self.live.counts.commands
        if isinstance(outcome, Position):
            counts["publish", "ok"] += 1
        elif isinstance(outcome, GateroomError):
            counts["publish", outcome.code] += 1
            self._refuse(outcome)
        self._lane.settled()

    def _refuse(self, error: GateroomError) -> None:
        if isinstance(error, Refusal):
            self.end(error)
        else:
            self.close(POLICY_VIOLATION, error.code)


async def admit(live: Live, principal: Principal, room_id: str) -> None:
    """Judge whether the caller may open a socket for the room, which a template may bring into being now.

    Raises the refusal, or `Unavailable`. It is judged once more when the session enters.
    """
    try:
        await live.arrivals.arrive(principal, room_id)
    except LimitReached:  # which a handshake has no word for
        raise Forbidden from None
    standing = await live.standings.of(principal, room_id)
    policy.require(Action.READ, standing.grants)
    if live.hub.is_full(room_topic(room_id), principal.user_id, standing.capacity):
        raise RoomFull


class InboxSession(_SingleSession):
    """Delivers what is sent to the caller; takes nothing."""

    __slots__ = ()

    def opened(self) -> None:
        self.live.hub.join(user_topic(self.principal.user_id), self.connection, plain=self.plain)
        super().opened()  # after that: `left` leaves the inbox even where there is no greeting

    def take(self, text: bytes) -> None:
        raise Forbidden

    def left(self) -> None:
        self.live.hub.leave(user_topic(self.principal.user_id), self.connection)
