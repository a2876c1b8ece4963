"""This process's connections by topic: who is where, and one write per connection and tick."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from time import perf_counter

from msgspec import Struct

from gateroom.protocol import events
from gateroom.protocol.events import Person
from gateroom.protocol.frame import Segment
from gateroom.realtime.connection import Connection
from gateroom.realtime.counts import Counts
from gateroom.realtime.ports import Position, Record
from gateroom.realtime.topics import room_of


class _Prepared(Struct, frozen=True):
    """An event, encoded once for everybody who gets it."""

    text: bytes
    skip_user: str | None
    ephemeral: bool


class _Topic:
    """The connections on one topic; `plain` ones get bare data instead of events."""

    __slots__ = ("members", "name", "pending", "plain", "users")

    def __init__(self, name: str) -> None:
        self.name = name
        self.members: dict[Connection, None] = {}
        self.plain: dict[Connection, None] | None = None
        self.pending: list[_Prepared] = []
        self.users: dict[str, tuple[Person, int]] = {}

    def everybody(self) -> Iterator[Connection]:
        yield from self.members
        yield from self.plain or ()


class Hub:
    """Knows every connection of this process. All of it runs on the event loop and none of it waits.

    It needs no check for gaps: within one process a broker hands over each position right after the one before, and
    whoever joins is told the head at that moment, in the same callback.
    """

    def __init__(self, wake: Callable[[], None], counts: Counts) -> None:
        self._wake = wake
        self._counts = counts
        self._topics: dict[str, _Topic] = {}
        self._by_user: dict[str, list[Connection]] = {}
        self._stirred: list[_Topic] = []
        self._dirty: list[Connection] = []

    # Who is where

    def attach(self, connection: Connection) -> None:
        """Know the connection as one of its user's."""
        self._by_user.setdefault(connection.person.id, []).append(connection)

    def detach(self, connection: Connection) -> None:
        """Know it no more; it must have left its topics."""
        theirs = self._by_user[connection.person.id]
        theirs.remove(connection)
        if not theirs:
            del self._by_user[connection.person.id]

    def join(self, name: str, connection: Connection, *, plain: bool = False) -> bool:
        """Add the connection to a topic; true when it is that user's first one in a room.

        What was delivered before goes out first, to those who were there.
        """
        topic = self._topics.get(name)
        if topic is None:
            topic = self._topics[name] = _Topic(name)
        elif topic.pending:
            self._spread(topic)
        if plain:
            topic.plain = topic.plain or {}
            topic.plain[connection] = None
        else:
            topic.members[connection] = None
        if not room_of(name):
            return False
        person, count = topic.users.get(connection.person.id, (connection.person, 0))
        topic.users[person.id] = (person, count + 1)
        return count == 0

    def leave(self, name: str, connection: Connection) -> bool:
        """Take the connection out of a topic; true when it was that user's last one in a room."""
        topic = self._topics.get(name)
        if topic is None:
            return False
        if topic.pending:
            self._spread(topic)
        topic.members.pop(connection, None)
        if topic.plain:
            topic.plain.pop(connection, None)
        if not topic.members and not topic.plain:
            del self._topics[name]
        if not room_of(name):
            return False
        person, count = topic.users.pop(connection.person.id)
        if count > 1:
            topic.users[person.id] = (person, count - 1)
        return count == 1

    def people(self, name: str) -> Sequence[tuple[Person, int]]:
        """Return who is on a topic, each with the number of their connections."""
        topic = self._topics.get(name)
        return list(topic.users.values()) if topic else []

    def user_count(self, name: str) -> int:
        topic = self._topics.get(name)
        return len(topic.users) if topic else 0

    def is_full(self, name: str, user_id: str, capacity: int) -> bool:
        """Say whether a user who is not on a topic yet would be one more than `capacity` (0: no limit)."""
        topic = self._topics.get(name)
        return capacity > 0 and topic is not None and len(topic.users) >= capacity and user_id not in topic.users

    @property
    def room_count(self) -> int:
        """How many rooms have a connection here."""
        return sum(1 for name in self._topics if room_of(name))

    def on(self, name: str) -> Sequence[Connection]:
        """Return the connections on a topic, as they are now."""
        topic = self._topics.get(name)
        return list(topic.everybody()) if topic else []

    def connections_of(self, user_id: str) -> Sequence[Connection]:
        return tuple(self._by_user.get(user_id, ()))

    # What goes out

    def deliver(self, record: Record, position: Position | None) -> None:
        """Take what the broker brings; it leaves at the end of the tick."""
        topic = self._topics.get(record.topic)
        if topic is None:
            return
        text = record.body
        if position is not None:
            text = events.numbered(record.kind, position.epoch, position.seq, text)
        if not topic.pending:
            self._stirred.append(topic)
            self._wake()
        topic.pending.append(_Prepared(text, record.skip_user, record.ephemeral))

    def catch_up(self, name: str) -> None:
        """Have what was delivered so far go out before whatever is posted from now on."""
        topic = self._topics.get(name)
        if topic is not None and topic.pending:
            self._spread(topic)

    def touch(self, connection: Connection) -> None:
        """Note that the connection has something to write."""
        self._dirty.append(connection)
        self._wake()

    def flush(self) -> None:
        """Join what each topic got during the tick, and write each connection once."""
        began = perf_counter()
        for topic in self._stirred:
            if topic.pending:
                self._spread(topic)
        self._stirred.clear()
        for connection in self._dirty:  # may grow meanwhile, when a flush ends somebody's connection
            connection.flush()
        self._dirty.clear()
        self._counts.flushes.observe(perf_counter() - began)

    def _spread(self, topic: _Topic) -> None:
        pending, topic.pending = topic.pending, []
        if any(prepared.ephemeral for prepared in pending):
            for _, run in groupby(pending, lambda prepared: prepared.ephemeral):
                self._send(topic, list(run))
        else:
            self._send(topic, pending)

    def _send(self, topic: _Topic, pending: list[_Prepared]) -> None:
        """Send what is all ephemeral, or all not."""
        ephemeral = pending[0].ephemeral
        segment = Segment(topic.name, [prepared.text for prepared in pending], ephemeral=ephemeral)
        skipped = {prepared.skip_user for prepared in pending if prepared.skip_user}
        if skipped:
            self._post_but(topic, pending, segment, skipped)
        else:
            self._post(segment, topic.members)
        if topic.plain:
            texts = [text for prepared in pending if (text := events.plain(prepared.text)) is not None]
            if texts:
                self._post(Segment(topic.name, texts, ephemeral=ephemeral), topic.plain)

    def _post(self, segment: Segment, connections: Iterable[Connection]) -> None:
        """The hot loop: `Connection.post` written out, since nobody here is closing."""
        dirty = self._dirty  # nobody need be woken: what is pending has the flush of this tick before it
        reached = 0
        for connection in connections:
            outbox = connection.outbox
            if not outbox:
                dirty.append(connection)
            outbox.append(segment)
            reached += 1
        self._counts.deliveries += reached * len(segment.texts)
        self._counts.bytes_out += reached * len(segment.frames)

    def _post_but(self, topic: _Topic, pending: list[_Prepared], whole: Segment, skipped: set[str]) -> None:
        self._post(whole, [member for member in topic.members if member.person.id not in skipped])
        for user_id in skipped:
            texts = [prepared.text for prepared in pending if prepared.skip_user != user_id]
            theirs = [member for member in topic.members if member.person.id == user_id]
            if texts and theirs:
                self._post(Segment(topic.name, texts, ephemeral=whole.ephemeral), theirs)
