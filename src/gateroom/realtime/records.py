"""What is published, judged and made into the records that the broker carries."""

from msgspec import Raw

from gateroom.errors import NotJoined
from gateroom.protocol import events
from gateroom.protocol.events import Person
from gateroom.realtime.live import Live
from gateroom.realtime.ports import Key, Kind, Record
from gateroom.realtime.subscription import Subscription
from gateroom.realtime.topics import user_topic
from gateroom.rooms import policy
from gateroom.rooms.model import Action


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


def _judged_body(live: Live, lane: Subscription, sender: Person, data: Raw | bytes) -> bytes:
    if not lane.joined:
        raise NotJoined
    now = live.now()
    policy.require(Action.WRITE, lane.grants.at(now))
    if lane.ttl:
        live.activity.note(lane.room_id, lane.ttl)
    return events.message_body(lane.room_id, sender, data, now)


def _named(sender: Person, key: str | None) -> Key | None:
    return Key(sender.id, key) if key is not None else None
