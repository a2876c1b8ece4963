"""Durable streams in SQL: numbered where they are stored, with the keys their messages were published with."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from gateroom.auth.ports import Clock
from gateroom.protocol.events import new_epoch
from gateroom.protocol.patches import State
from gateroom.realtime.ports import KEY_WINDOW, Kind, Opened, Outcome, Position, Record, Repeated, Retention, Stored
from gateroom.realtime.topics import room_of, user_of
from gateroom.storage.database import Database
from gateroom.storage.schema import publish_keys, rooms, stream_messages, stream_states, streams, users
from gateroom.storage.states import States

AT_ONCE = 500  # values in one statement
TRIM_ROWS = 5000  # deleted in one transaction
TRIM_STREAMS = 20  # looked at in one transaction
ENVELOPE = 64  # bytes that type and position add to a body, about

_HEADS = select(streams.c.topic, streams.c.epoch, streams.c.seq)
_UNTOUCHED = State()
_OPENED = select(
    streams.c.topic,
    streams.c.epoch,
    streams.c.seq,
    func.coalesce(stream_states.c.version, _UNTOUCHED.version),
    func.coalesce(stream_states.c.document, _UNTOUCHED.text),
).outerjoin(stream_states, stream_states.c.epoch == streams.c.epoch)
_STATES = select(
    streams.c.topic,
    streams.c.epoch,
    streams.c.seq,
    streams.c.floor,
    streams.c.keep,
    streams.c.ttl,
    streams.c.due,
)
_MOVE = (
    update(streams)
    .where(streams.c.topic == bindparam("of"))
    .values({name: bindparam(f"new_{name}") for name in ("seq", "keep", "ttl", "due")})
)


@dataclass(slots=True)
class _State:
    """A stream's row, as it is being changed."""

    topic: str
    epoch: str
    seq: int
    floor: int
    keep: int
    ttl: float
    due: float | None

    def take(self, retention: Retention, now: float) -> Position:
        """Number one more message."""
        self.seq += 1
        self.keep, self.ttl = retention.size, retention.ttl
        if self.seq - self.floor > self.keep + max(50, self.keep // 4):  # not for every single one
            self.due = now
        elif self.ttl and self.due is None:
            self.due = now + self.ttl
        return Position(self.epoch, self.seq)


class SqlStreams:
    """The `StreamLog` on a SQL database; a stream goes with its room or user by the database's own rules."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def open(self, topics: Sequence[str]) -> Mapping[str, Opened]:
        opened = await self._opened(topics)
        missing = [topic for topic in topics if topic not in opened]
        if missing:

            async def work(connection: AsyncConnection) -> None:
                await _make(connection, missing)

            await self._database.write(work)
            opened.update(await self._opened(missing))
        return opened

    async def append(self, records: Sequence[Record]) -> Sequence[Outcome]:
        now = self._clock()

        async def work(connection: AsyncConnection) -> Sequence[Outcome]:
            return await _append(connection, records, now)

        return await self._database.write(work)

    async def read(
        self, topic: str, retention: Retention, since: Position | None, limit: int, max_bytes: int
    ) -> Sequence[Stored]:
        found = await self._database.rows(_HEADS.where(streams.c.topic == topic))
        if not found:
            return ()
        _, epoch, head = found[0]
        start = since.seq if since and since.epoch == epoch else 0
        messages = stream_messages.c
        size = func.length(messages.body) + ENVELOPE
        window = select(messages.seq, size.label("size"), func.sum(size).over(order_by=messages.seq).label("total"))
        window = window.where(messages.epoch == epoch, messages.seq > max(start, head - retention.size))
        if retention.ttl:
            window = window.where(messages.at >= self._clock() - retention.ttl)
        page = window.order_by(messages.seq).limit(limit).subquery()
        wanted = (
            select(messages.seq, messages.kind, messages.body)
            .join(page, page.c.seq == messages.seq)
            .where(messages.epoch == epoch, (page.c.total <= max_bytes) | (page.c.total == page.c.size))
            .order_by(messages.seq)
        )
        rows = await self._database.rows(wanted)
        return _without_holes([Stored(Position(epoch, row[0]), Kind(row[1]), row[2]) for row in rows])

    async def trim(self) -> bool:
        now = self._clock()

        async def work(connection: AsyncConnection) -> bool:
            more = await _trim_keys(connection, now)
            due = _STATES.where(streams.c.due <= now).order_by(streams.c.due).limit(TRIM_STREAMS)
            # Whoever appends holds the row: it can wait, and so nobody waits here while holding another.
            found = await connection.execute(due.with_for_update(skip_locked=True))
            states = [_State(*row) for row in found]
            left = TRIM_ROWS
            for state in states:
                left -= await _trim_stream(connection, state, now, left)
            return more or left <= 0 or len(states) == TRIM_STREAMS

        return await self._database.write(work)

    async def _opened(self, topics: Sequence[str]) -> dict[str, Opened]:
        opened: dict[str, Opened] = {}
        for some in _batches(topics):
            for topic, epoch, seq, version, document in await self._database.rows(
                _OPENED.where(streams.c.topic.in_(some))
            ):
                opened[topic] = Opened(Position(epoch, seq), State(version, document))
        return opened


async def _make(connection: AsyncConnection, topics: Sequence[str]) -> None:
    """Add the streams whose room or user is there.

    In the order that all of storage keeps: users before rooms before streams.
    """
    user_ids = await _there(connection, users, [user_id for topic in topics if (user_id := user_of(topic))])
    room_ids = await _there(connection, rooms, [room_id for topic in topics if (room_id := room_of(topic))])
    rows = [
        {
            "topic": topic,
            "epoch": new_epoch(),
            "seq": 0,
            "floor": 0,
            "keep": 0,
            "ttl": 0.0,
            "due": None,
            "room_id": room_of(topic) or None,
            "user_id": user_of(topic) or None,
        }
        for topic in sorted(topics)
        if room_of(topic) in room_ids or user_of(topic) in user_ids
    ]
    if rows:
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        await connection.execute(dialect.insert(streams).on_conflict_do_nothing(index_elements=["topic"]), rows)


async def _there(connection: AsyncConnection, table: Any, ids: Sequence[str]) -> set[str]:
    """Return which of the ids exist, and keep them from being removed meanwhile."""
    found: set[str] = set()
    for some in _batches(sorted(ids)):
        chosen = select(table.c.id).where(table.c.id.in_(some)).order_by(table.c.id)
        found.update((await connection.execute(chosen.with_for_update(read=True, key_share=True))).scalars())
    return found


async def _append(connection: AsyncConnection, records: Sequence[Record], now: float) -> Sequence[Outcome]:
    states: dict[str, _State] = {}
    for some in _batches(sorted({record.topic for record in records})):
        chosen = _STATES.where(streams.c.topic.in_(some)).order_by(streams.c.topic).with_for_update()
        states.update({row[0]: _State(*row) for row in await connection.execute(chosen)})
    names = [_name(states[record.topic].epoch, record) if record.topic in states else None for record in records]
    known = await _known(connection, [name for name in names if name], now)
    documents = await _documents(connection, [record.topic for record in records if record.change], states)
    outcomes: list[Outcome] = []
    messages: list[dict[str, Any]] = []
    keys: list[dict[str, Any]] = []
    for record, name in zip(records, names, strict=True):
        state = states.get(record.topic)
        if state is None:
            outcomes.append(None)
        elif record.change:
            outcomes.append(documents.change(state.epoch, record.change))
        elif name in known:
            outcomes.append(Repeated(state.epoch, known[name]))
        else:
            position = state.take(record.retention, now)
            outcomes.append(position)
            messages.append(
                {"epoch": state.epoch, "seq": state.seq, "kind": record.kind.value, "at": now, "body": record.body}
            )
            if name:
                known[name] = state.seq
                keys.append({"id": name, "seq": state.seq, "at": now})
    if messages:
        await connection.execute(insert(stream_messages), messages)
        moved = [
            {"of": topic, "new_seq": state.seq, "new_keep": state.keep, "new_ttl": state.ttl, "new_due": state.due}
            for topic, state in states.items()
        ]
        await connection.execute(_MOVE, moved)
    if keys:
        await connection.execute(insert(publish_keys), keys)
    await documents.write(connection)
    return outcomes


async def _documents(connection: AsyncConnection, topics: Sequence[str], states: Mapping[str, _State]) -> States:
    documents = States()
    for some in _batches(sorted({states[topic].epoch for topic in topics if topic in states})):
        await documents.read(connection, some)
    return documents


def _name(epoch: str, record: Record) -> bytes | None:
    if record.key is None:
        return None
    parts = (epoch, record.key.user_id, record.key.key)
    return blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).digest()


async def _known(connection: AsyncConnection, names: Sequence[bytes], now: float) -> dict[bytes | None, int]:
    """Return what the keys stand for; those whose time is over are deleted, to be used again."""
    known: dict[bytes | None, int] = {}
    over: list[bytes] = []
    for some in _batches(sorted(set(names))):
        chosen = select(publish_keys.c.id, publish_keys.c.seq, publish_keys.c.at).where(publish_keys.c.id.in_(some))
        for name, seq, at in await connection.execute(chosen):
            if at < now - KEY_WINDOW:
                over.append(name)
            else:
                known[name] = seq
    for some in _batches(over):
        await connection.execute(delete(publish_keys).where(publish_keys.c.id.in_(some)))
    return known


async def _trim_keys(connection: AsyncConnection, now: float) -> bool:
    over = select(publish_keys.c.id).where(publish_keys.c.at < now - KEY_WINDOW).order_by(publish_keys.c.at)
    chosen = over.limit(TRIM_ROWS).with_for_update(skip_locked=True)
    names = (await connection.execute(chosen)).scalars().all()
    for some in _batches(names):
        await connection.execute(delete(publish_keys).where(publish_keys.c.id.in_(some)))
    return len(names) == TRIM_ROWS


async def _trim_stream(connection: AsyncConnection, state: _State, now: float, most: int) -> int:
    """Delete up to `most` of what the stream no longer keeps; returns how many numbers it looked at."""
    messages = stream_messages.c
    mine = messages.epoch == state.epoch
    over = state.seq - state.keep
    if state.ttl:
        alive = select(messages.seq).where(mine, messages.seq > state.floor, messages.at >= now - state.ttl)
        first = await connection.scalar(alive.order_by(messages.seq).limit(1))
        over = max(over, state.seq if first is None else first - 1)
    upto = max(state.floor, min(over, state.floor + max(most, 0)))
    await connection.execute(delete(stream_messages).where(mine, messages.seq <= upto))
    oldest = await connection.scalar(select(messages.at).where(mine).order_by(messages.seq).limit(1))
    due: float | None = None
    if upto < over:
        due = now
    elif state.ttl and oldest is not None:
        due = math.nextafter(oldest + state.ttl, math.inf)  # what is exactly that old is still kept
    await connection.execute(update(streams).where(streams.c.topic == state.topic).values(floor=upto, due=due))
    return upto - state.floor


def _without_holes(stored: list[Stored]) -> Sequence[Stored]:
    """Return the end of a page that is whole: where clocks went back, older ones may have outlived newer ones."""
    for index in range(len(stored) - 1, 0, -1):
        if stored[index].position.seq != stored[index - 1].position.seq + 1:
            return stored[index:]
    return stored


def _batches(values: Iterable[Any]) -> Iterator[list[Any]]:
    remaining = iter(values)
    while some := list(islice(remaining, AT_ONCE)):
        yield some
