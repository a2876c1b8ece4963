"""What the live path needs from outside. Its values are msgspec structs: made per message, five times as fast."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from gateroom.errors import GateroomError
from gateroom.protocol.frame import Segment


class Position(Struct, frozen=True):
    """Where a message stands in its stream: `seq` rises by one per message, from 1; 0 is before the first."""

    epoch: str
    seq: int


class Kind(StrEnum):
    """What a record is; messages and directs are numbered, events are not."""

    MESSAGE = "message"
    DIRECT = "direct"
    EVENT = "event"


class Retention(Struct, frozen=True):
    """How much of a stream is kept: up to `size` messages (0: none), none older than `ttl` seconds (0: no limit)."""

    size: int
    ttl: float


class Record(Struct, frozen=True):
    """One thing to be carried to everybody on a topic.

    `body` is the JSON text of the event without its opening brace for numbered kinds, since type and position are put
    in front of it (`protocol.events.numbered`); for `EVENT` it is the whole text. `skip_user` does not get it.
    """

    topic: str
    kind: Kind
    body: bytes
    retention: Retention = Retention(0, 0)
    skip_user: str | None = None


class Page(Struct, frozen=True):
    """A part of a stream, oldest first: `texts` are whole events.

    `position` is that of the last one, or where the reader stands when there are none; `more` says that the stream goes
    on after it; `recovered` is false when something between `since` and the first one is no longer held.
    """

    texts: Sequence[bytes]
    position: Position
    more: bool
    recovered: bool


Outcome = Position | None | GateroomError
Done = Callable[[Outcome], None]
Deliver = Callable[[Record, Position | None], None]


class Broker(Protocol):
    """Carries records to every process and keeps the history of streams.

    Order: records of one topic are delivered in the order they were submitted in, in every process alike; `done` is
    called once for each, right after it was delivered here or as soon as it failed. Nothing blocks: `submit` only
    notes the record, `step` (called once at the end of an event-loop tick) numbers, stores and delivers all that was
    noted; both are called on the event loop only.
    """

    def submit(self, record: Record, done: Done) -> None: ...

    def step(self) -> None: ...

    def head(self, topic: str) -> Position:
        """Return the position of the newest message that was delivered here."""
        ...

    async def history(self, topic: str, since: Position | None, limit: int, max_bytes: int) -> Page:
        """Read after `since` (None: from the oldest kept) up to `limit` messages and `max_bytes`, at least one."""
        ...

    def forget(self, topic: str) -> None:
        """Drop the stream: its room is gone. Numbering starts again in a new epoch."""
        ...

    async def close(self) -> None:
        """Store what was submitted, then let go of everything. Later submits fail with `Unavailable`."""
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
