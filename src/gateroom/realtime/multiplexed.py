"""`/ws`: JSON commands for any number of rooms, the caller's inbox, and everything that is for everybody."""

from gateroom.auth.principal import Principal
from gateroom.errors import Refusal
from gateroom.protocol import codec, events
from gateroom.realtime.dispatch import Dispatch
from gateroom.realtime.door import Place
from gateroom.realtime.greeting import welcome
from gateroom.realtime.live import Live
from gateroom.realtime.session import Session
from gateroom.realtime.subscription import Subscription
from gateroom.realtime.topics import user_topic


class MultiplexedSession(Session):
    """Reads commands (contract section 4) and hands them to the dispatch."""

    __slots__ = ("_dispatch",)

    plain = False

    def __init__(self, live: Live, principal: Principal, place: Place, dispatch: Dispatch) -> None:
        super().__init__(live, principal, place)
        self._dispatch = dispatch

    def opened(self) -> None:
        topic = user_topic(self.principal.user_id)
        self.live.hub.join(topic, self.connection)
        self.answer(welcome(self))

    def take(self, text: bytes) -> None:
        try:
            command = codec.decode(text)
        except codec.Unreadable as problem:
            self.answer(events.error(problem.command_id, problem))
            self.live.counts.commands["unreadable", problem.code] += 1
            self.violation()
        else:
            self._dispatch.run(self, command)

    def room_lost(self, subscription: Subscription, refusal: Refusal) -> None:
        self.answer(events.event("removed", {"room": subscription.room_id, "reason": refusal.code}))

    def left(self) -> None:
        self.live.hub.leave(user_topic(self.principal.user_id), self.connection)
