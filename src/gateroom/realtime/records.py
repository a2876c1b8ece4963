"""What is published, judged and made into the records that the broker carries."""

from msgspec import Raw

from gateroom.errors import NotJoined
from gateroom.protocol import events
from gateroom.protocol.events import Person
from gateroom.protocol.patches import Change, parse, written
from gateroom.realtime.live import Live
from gateroom.realtime.ports import Key, Kind, Record, retention_of
from gateroom.realtime.subscription import Subscription
from gateroom.realtime.topics import room_topic, user_topic
from gateroom.rooms import policy
from gateroom.rooms.model import Action, RoomKind


def room_message(live: Live, lane: Subscription, sender: Person, data: Raw | bytes, key: str | None = None) -> Record:
    """Judge and prepare a message to a room. Raises `NotJoined`, `Muted` or `Forbidden`."""
    body = _judged_body(live, lane, sender, data)
    return Record(lane.topic, Kind.MESSAGE, body, lane.retention, key=_named(sender, key))


def ephemeral_message(live: Live, lane: Subscription, sender: Person, data: Raw | bytes) -> Record:
    """Judge and prepare a message that is not numbered and not kept. Raises `NotJoined`, `Muted` or `Forbidden`."""
    text = events.ephemeral(Kind.MESSAGE, _judged_body(live, lane, sender, data))
    return Record(lane.topic, Kind.EVENT, text, ephemeral=True)


def direct_message(live: Live, user_id: str, sender: Person, data: Raw | bytes, key: str | None = None) -> Record:
    """Prepare a message to a user's inbox."""
    body = events.direct_body(sender, user_id, data, live.now())
    return Record(user_topic(user_id), Kind.DIRECT, body, live.inbox, key=_named(sender, key))


def state_change(room_id: str, kind: RoomKind, by: Person, patch: Raw | bytes, version: int | None) -> Record:
    """Prepare a change of a room's shared state; `patch` is RFC 6902. Raises `InvalidCommand`."""
    operations = parse(patch)
    body = events.state_body(room_id, written(operations), by)
    change = Change(operations, version, kind.max_state_bytes)
    return Record(room_topic(room_id), Kind.STATE, body, retention_of(kind), change=change)


def judged_change(live: Live, lane: Subscription, by: Person, patch: Raw | bytes, version: int | None) -> Record:
    """Judge and prepare a change of the state of a room that one is in.

    Raises `NotJoined`, `Muted`, `Forbidden` or `InvalidCommand`.
    """
    _judge(live, lane, Action.PATCH, live.now())
    return state_change(lane.room_id, lane.kind, by, patch, version)


def _judged_body(live: Live, lane: Subscription, sender: Person, data: Raw | bytes) -> bytes:
    now = live.now()
    _judge(live, lane, Action.WRITE, now)
    return events.message_body(lane.room_id, sender, data, now)


def _judge(live: Live, lane: Subscription, action: Action, now: float) -> None:
    if not lane.joined:
        raise NotJoined
    granted = lane.grants
    policy.require(action, granted if now < granted.until else granted.at(now))  # a call less for each message
    if lane.ttl:
        live.activity.note(lane.room_id, lane.ttl)


def _named(sender: Person, key: str | None) -> Key | None:
    return Key(sender.id, key) if key is not None else None
