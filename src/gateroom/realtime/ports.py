"""What the live path needs from outside. Its values are msgspec structs: made per message, five times as fast."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from gateroom.errors import GateroomError
from gateroom.protocol.frame import Segment
from gateroom.protocol.patches import Change, State
from gateroom.rooms.model import Durability, RoomKind

KEY_WINDOW = 600.0  # seconds within which the same key means the same message


class Position(Struct, frozen=True):
    """Where a message stands in its stream: `seq` rises by one per message, from 1; 0 is before the first."""

    epoch: str
    seq: int


class Repeated(Position, frozen=True):
    """The position of the message that was published before with the same key."""


class Kind(StrEnum):
    """What a record is; messages and directs are numbered, events are not; `STATE` changes a room's shared document."""

    MESSAGE = "message"
    DIRECT = "direct"
    EVENT = "event"
    STATE = "state"


class Retention(Struct, frozen=True):
    """How much of a stream is kept: up to `size` messages (0: none), none older than `ttl` seconds (0: no limit).

    With `durable` each of them is stored before anybody hears of it.
    """

    size: int
    ttl: float
    durable: bool = False


def retention_of(kind: RoomKind) -> Retention:
    """Return how rooms of the kind keep their messages."""
    size = 0 if kind.durability is Durability.NONE else kind.history_size
    return Retention(size, kind.history_ttl, kind.durability is Durability.DURABLE)


class Key(Struct, frozen=True):
    """What a user calls a message, so that sending it again does not publish it again (`KEY_WINDOW`)."""

    user_id: str
    key: str


class Record(Struct, frozen=True):
    """One thing to be carried to everybody on a topic.

    `body` is the JSON text of the event without its opening brace for numbered kinds, since type and position are put
    in front of it (`protocol.events.numbered`); for `EVENT` it is the whole text. `skip_user` does not get it. What is
    `ephemeral` is the first that a reader who lags goes without. `key` is for numbered kinds.

    A `STATE` has its `change`; it is delivered as an `EVENT` whose text says the new version (`protocol.events.state`).
    """

    topic: str
    kind: Kind
    body: bytes
    retention: Retention = Retention(0, 0)
    skip_user: str | None = None
    ephemeral: bool = False
    key: Key | None = None
    change: Change | None = None


class Opened(Struct, frozen=True):
    """Where a stream stands: its newest position, and the state of the room it is of."""

    head: Position
    state: State


class Page(Struct, frozen=True):
    """A part of a stream, oldest first: `texts` are whole events.

    `position` is that of the last one, or where the reader stands when there are none; `more` says that the stream goes
    on after it; `recovered` is false when something between `since` and the first one is no longer held.
    """

    texts: Sequence[bytes]
    position: Position
    more: bool
    recovered: bool


class Stored(Struct, frozen=True):
    """A numbered record as a stream keeps it."""

    position: Position
    kind: Kind
    body: bytes


# `Repeated`: it was published before, and not again. `State`: what a change has made. None: of an event.
Outcome = Position | State | None | GateroomError
Done = Callable[[Outcome], None]
Deliver = Callable[[Record, Position | None], None]


class Broker(Protocol):
    """Carries records to every process and keeps the history of streams.

    Order: records of one topic are delivered in the order they were submitted in, in every process alike; `done` is
    called once for each, right after it was delivered here or as soon as it failed. Nothing blocks: `submit` only
    notes the record, `step` (called once at the end of an event-loop tick) numbers, stores and delivers what was
    noted; what is to be durable is stored off the loop first. Everything is called on the event loop only.
    """

    def submit(self, record: Record, done: Done) -> None: ...

    def step(self) -> None: ...

    def head(self, topic: str) -> Position | None:
        """Return the position of the newest message that was delivered here; None when the stream must be opened."""
        ...

    def state(self, topic: str) -> State | None:
        """Return the shared document as those on the topic have been told; None when the stream must be opened.

        Versions follow each other without gap, unless one could not be told when it was made: then an event that
        replaces the whole document takes its place.
        """
        ...

    async def open(self, topic: str, retention: Retention) -> None:
        """Have `head` and `state` know the stream for a while. Raises `NotFound` when its room or user is gone,
        `Unavailable`."""
        ...

    async def history(
        self, topic: str, retention: Retention, since: Position | None, limit: int, max_bytes: int
    ) -> Page:
        """Read after `since` (None: from the oldest kept) up to `limit` messages and `max_bytes`, at least one.

        Nothing beyond `head`, as it is when this returns, is in it. Raises what `open` raises.
        """
        ...

    def forget(self, topic: str) -> None:
        """Drop the stream: its room is gone, and nobody hears what is still on its way. Numbering starts again in a
        new epoch."""
        ...

    @property
    def pending(self) -> bool:
        """Whether something that was stepped is still to be answered."""
        ...

    async def settled(self) -> None:
        """Return once everything submitted until now is answered."""
        ...

    async def close(self) -> None:
        """Store what was submitted, then let go of everything. Later submits fail with `Unavailable`."""
        ...


class StreamLog(Protocol):
    """Durable streams, each belonging to a room or a user and gone with it; it numbers what is appended.

    A room's stream has its shared state with it, which a record of kind `STATE` changes.

    Every call is one transaction and raises `Unavailable` when the store does not do its part; then it is not known
    whether an append was stored.
    """

    async def open(self, topics: Sequence[str]) -> Mapping[str, Opened]:
        """Return where each stream stands, made where missing; without those whose room or user is gone."""
        ...

    async def append(self, records: Sequence[Record]) -> Sequence[Outcome]:
        """Store the records in order, all or none, and return their positions; None where the stream is gone.

        One whose key was used in its stream within `KEY_WINDOW` is `Repeated`, and not stored. Of a `STATE` it is the
        state that its change makes of what those before it made, or the error for which that stays as it was.
        """
        ...

    async def read(
        self, topic: str, retention: Retention, since: Position | None, limit: int, max_bytes: int
    ) -> Sequence[Stored]:
        """Return what is kept after `since`, oldest first, up to `limit` messages and `max_bytes`, at least one.

        From the oldest kept when `since` is None or of another epoch. Empty when the stream is gone, too.
        """
        ...

    async def trim(self) -> bool:
        """Delete a bounded amount of what streams no longer keep, by the retention last appended with, and of keys
        whose time is over; true when there is more."""
        ...


class FrameSink(Protocol):
    """One peer's socket, as the session sees it. Never blocks and never raises.

    `paused` is true while the peer does not take what was written; the connection then keeps its segments, and is
    told by its `resume` when the sink writes again.
    """

    paused: bool

    def write(self, segments: Sequence[Segment]) -> None:
        """Send the segments, in order, in one write where the transport allows it."""
        ...

    def ping(self) -> bool:
        """Send a ping frame (RFC 6455 section 5.5.2); false when the server does its own keepalive, so that no
        pong will be reported."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Send a close frame after everything written, then end; the first call counts.

        The reason is at most 123 bytes.
        """
        ...

    def abort(self) -> None:
        """Drop the socket at once, with whatever is still unsent."""
        ...


class Feed(Protocol):
    """A session as its server sees it: what the peer did, in order, on the event loop. None of it blocks or raises."""

    def start(self, sink: FrameSink) -> None:
        """Take over the accepted socket; the first call."""
        ...

    def text(self, data: bytes) -> None:
        """Take one whole text message, not yet checked as UTF-8."""
        ...

    def binary(self) -> None:
        """Take note that the peer sent a binary message."""
        ...

    def pong(self) -> None:
        """Take note that the peer is alive."""
        ...

    def writable(self) -> None:
        """Go on writing: the sink is no longer paused."""
        ...

    def stop(self) -> None:
        """Close with 1012 `restarting`: the server shuts down."""
        ...

    def lost(self, code: int = 1006, reason: str = "") -> None:
        """Let go of everything: the peer is gone; the last call.

        `code` and `reason` are what the server itself closed with, because the peer broke the protocol; 1006 otherwise.
        """
        ...
