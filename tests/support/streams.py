"""The `StreamLog` for tests: in memory, and held to the same conformance suite as the SQL one."""

from collections.abc import Mapping, Sequence

from gateroom.auth.ports import Clock, UserStore
from gateroom.protocol.events import new_epoch
from gateroom.protocol.patches import State, changed
from gateroom.realtime.ports import (
    KEY_WINDOW,
    Key,
    Kind,
    Opened,
    Outcome,
    Position,
    Record,
    Repeated,
    Retention,
    Stored,
)
from gateroom.realtime.topics import room_of, user_of
from gateroom.rooms.ports import RoomStore
from support.gates import Gate


class _Stream:
    def __init__(self) -> None:
        self.epoch = new_epoch()
        self.seq = 0
        self.retention = Retention(0, 0, durable=True)
        self.kept: list[tuple[float, Stored]] = []
        self.keys: dict[Key, tuple[float, int]] = {}
        self.state = State()

    def held(self, retention: Retention, now: float) -> list[Stored]:
        return [
            stored
            for at, stored in self.kept
            if stored.position.seq > self.seq - retention.size and (not retention.ttl or at >= now - retention.ttl)
        ]


class InMemoryStreamLog:
    """Streams in a dict; `gate` is in front of every call, `told` behind what opens and appends."""

    def __init__(self, rooms: RoomStore, users: UserStore, clock: Clock) -> None:
        self.gate, self.told = Gate(), Gate()
        self.unheard: Exception | None = None  # raised to who appends, after it was stored
        self.batches: list[int] = []  # how many records each append had
        self._rooms = rooms
        self._users = users
        self._clock = clock
        self._streams: dict[str, _Stream] = {}

    async def open(self, topics: Sequence[str]) -> Mapping[str, Opened]:
        await self.gate.passage()
        opened = {}
        for topic in topics:
            if await self._belongs(topic):
                stream = self._streams.setdefault(topic, _Stream())
                opened[topic] = Opened(Position(stream.epoch, stream.seq), stream.state)
        await self.told.passage()
        return opened

    async def append(self, records: Sequence[Record]) -> Sequence[Outcome]:
        self.batches.append(len(records))
        await self.gate.passage()
        outcomes = [self._append(record) for record in records]
        await self.told.passage()
        if self.unheard is not None:
            raise self.unheard
        return outcomes

    async def read(
        self, topic: str, retention: Retention, since: Position | None, limit: int, max_bytes: int
    ) -> Sequence[Stored]:
        stream = self._streams.get(topic)
        found: list[Stored] = []
        if stream is not None:
            start = since.seq if since and since.epoch == stream.epoch else 0
            size = 0
            for stored in stream.held(retention, self._clock()):
                if stored.position.seq > start:
                    size += len(stored.body) + 64
                    if len(found) >= limit or (found and size > max_bytes):
                        break
                    found.append(stored)
        await self.gate.passage()
        return found

    async def trim(self) -> bool:
        await self.gate.passage()
        now = self._clock()
        for stream in self._streams.values():
            held = stream.held(stream.retention, now)
            stream.kept = [(at, stored) for at, stored in stream.kept if stored in held]
            stream.keys = {key: found for key, found in stream.keys.items() if found[0] >= now - KEY_WINDOW}
        return False

    def drop(self, topic: str) -> None:
        """Delete the stream of a room or user that is gone."""
        self._streams.pop(topic, None)

    def kept(self, topic: str) -> list[Stored]:
        """Return what is there of a stream, trimmed or not."""
        stream = self._streams.get(topic)
        return [stored for _, stored in stream.kept] if stream else []

    def _append(self, record: Record) -> Outcome:
        stream = self._streams.get(record.topic)
        if stream is None:
            return None
        if record.change:
            outcome = changed(stream.state, record.change)
            if isinstance(outcome, State):
                stream.state = outcome
            return outcome
        now = self._clock()
        first = stream.keys.get(record.key) if record.key else None
        if first is not None and first[0] >= now - KEY_WINDOW:
            return Repeated(stream.epoch, first[1])
        stream.seq += 1
        position = Position(stream.epoch, stream.seq)
        stream.retention = record.retention
        stream.kept.append((now, Stored(position, Kind(record.kind), record.body)))
        if record.key:
            stream.keys[record.key] = (now, stream.seq)
        return position

    async def _belongs(self, topic: str) -> bool:
        room_id, user_id = room_of(topic), user_of(topic)
        return await (self._rooms.by_id(room_id) if room_id else self._users.by_id(user_id)) is not None
