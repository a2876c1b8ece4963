"""One connection's place in one room, and the order of what it asks there."""

from collections import deque
from collections.abc import Callable

from gateroom.protocol import events
from gateroom.protocol.events import Person
from gateroom.realtime.live import Live
from gateroom.realtime.ports import Kind, Outcome, Record, retention_of
from gateroom.realtime.topics import room_topic
from gateroom.rooms.model import RoomKind
from gateroom.rooms.policy import NOTHING
from gateroom.rooms.standings import Standing

CROWD = 100  # users in a room beyond which comings and goings are told as counts


class Subscription:
    """Rights in a room, and the lane that keeps its answers in the order of its commands.

    Publishes run side by side; everything else waits until those before it are answered, and what comes later waits
    behind it. While `settling` (a join that waits for SQL) everything waits.
    """

    __slots__ = (
        "_going_on",
        "_in_flight",
        "_waiting",
        "grants",
        "joined",
        "kind",
        "retention",
        "room_id",
        "settling",
        "topic",
        "ttl",
    )

    def __init__(self, room_id: str) -> None:
        self.room_id = room_id
        self.topic = room_topic(room_id)
        self.joined = False
        self.settling = False
        self.grants = NOTHING
        self.kind = _NO_KIND
        self.retention = _NO_RETENTION
        self.ttl = 0.0  # seconds that the room lives after it was last used; 0: for good
        self._in_flight = 0
        self._going_on = False
        self._waiting: deque[tuple[bool, Callable[[], None]]] | None = None

    def judge(self, standing: Standing) -> None:
        """Take over what the standing allows."""
        self.grants = standing.grants
        self.ttl = standing.ttl
        if self.kind is not standing.kind:
            self.kind = standing.kind
            self.retention = retention_of(standing.kind)

    @property
    def busy(self) -> bool:
        """Whether something is still to be answered."""
        return self.settling or self._in_flight > 0 or bool(self._waiting)

    @property
    def waiting(self) -> int:
        """How many commands wait for their turn."""
        return len(self._waiting or ())

    def in_turn(self, act: Callable[[], None]) -> None:
        """Run when everything before is answered."""
        if self.busy:
            self._wait(True, act)
        else:
            act()

    @property
    def clear(self) -> bool:
        """Whether a publish may run now, beside those in flight."""
        return not self.settling and not self._waiting

    def beside(self, act: Callable[[], None]) -> None:
        """Run beside the publishes in flight, but after whatever waits already."""
        if self.clear:
            act()
        else:
            self._wait(False, act)

    def next_up(self, act: Callable[[], None]) -> None:
        """Run as the next thing after the publishes in flight: the answer to a command whose turn has come."""
        if self._in_flight:
            self._waiting = self._waiting or deque()
            self._waiting.appendleft((True, act))
        else:
            act()

    def started(self) -> None:
        """Note a publish that will be answered."""
        self._in_flight += 1

    def settled(self) -> None:
        """Note its answer."""
        self._in_flight -= 1
        if self._waiting:
            self.go_on()

    def go_on(self) -> None:
        """Run what may run now; one that is answered at once leaves the next to this same loop."""
        if self._going_on:
            return
        self._going_on = True
        try:
            while self._waiting and not self.settling and not (self._waiting[0][0] and self._in_flight):
                self._waiting.popleft()[1]()
        finally:
            self._going_on = False

    def _wait(self, alone: bool, act: Callable[[], None]) -> None:
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append((alone, act))


_NO_KIND = RoomKind()
_NO_RETENTION = retention_of(_NO_KIND)


def announce(live: Live, subscription: Subscription, name: str, person: Person) -> None:
    """Tell the room that a user's first connection came (`joined`) or the last one went (`left`)."""
    if live.door.shut or not subscription.kind.join_leave:
        return
    topic = subscription.topic
    most = live.hub.user_count(topic) + (name == "left")  # of before and after
    if most > CROWD:
        live.crowded.add(subscription.room_id)
        return
    body = events.event(name, {"room": subscription.room_id, "user": person})
    live.broker.submit(Record(topic, Kind.EVENT, body, skip_user=person.id), unheard)


def unheard(_: Outcome) -> None:
    """Take the outcome of a record that nobody waits for."""
