"""Streams that live as long as the process: their numbering, what is kept of them, and the keys used in them."""

from collections import deque
from collections.abc import Callable
from itertools import islice

from gateroom.errors import GateroomError, RateLimited
from gateroom.protocol.events import new_epoch, numbered
from gateroom.protocol.patches import Change, State, changed
from gateroom.realtime.ports import KEY_WINDOW, Kind, Page, Position, Record, Repeated, Retention

MAX_KEYS = 500_000  # used within `KEY_WINDOW`, in all streams together; more is refused with `rate_limited`


class _Stream:
    """A stream's numbering, what is kept of it: (seq, kind, stored at, body), oldest first, and its room's state."""

    __slots__ = ("epoch", "kept", "retention", "seq", "state")

    def __init__(self) -> None:
        self.epoch = new_epoch()
        self.seq = 0
        self.kept: deque[tuple[int, Kind, float, bytes]] = deque()
        self.retention = Retention(0, 0)
        self.state = State()

    def append(self, record: Record, now: float) -> Position:
        self.seq += 1
        self.retention = record.retention
        self.kept.append((self.seq, record.kind, now, record.body))
        while len(self.kept) > self.retention.size:
            self.kept.popleft()
        return Position(self.epoch, self.seq)

    def trim(self, now: float) -> None:
        ttl = self.retention.ttl
        while ttl and self.kept and self.kept[0][2] < now - ttl:
            self.kept.popleft()

    def text(self, kept: tuple[int, Kind, float, bytes]) -> bytes:
        seq, kind, _, body = kept
        return numbered(kind, self.epoch, seq, body)


class _Keys:
    """Which position (of the epoch) a key stands for: two generations, so that each is known for a whole window."""

    def __init__(self, now: float) -> None:
        self._turned_at = now
        self._recent: dict[tuple[str, str, str], int] = {}
        self._older: dict[tuple[str, str, str], int] = {}

    def find(self, name: tuple[str, str, str]) -> int | None:
        return self._recent.get(name) or self._older.get(name)

    def put(self, name: tuple[str, str, str], seq: int) -> None:
        self._recent[name] = seq

    def turn(self, now: float) -> None:
        if now - self._turned_at >= KEY_WINDOW:
            self._turned_at = now
            self._recent, self._older = {}, self._recent

    def __len__(self) -> int:
        return len(self._recent) + len(self._older)


class MemoryStreams:
    """Numbers and keeps records without waiting for anything."""

    def __init__(self, now: Callable[[], float]) -> None:
        """`now` is in seconds of a monotonic clock."""
        self._now = now
        self._streams: dict[str, _Stream] = {}
        self._keys = _Keys(now())

    def append(self, record: Record, now: float) -> Position:
        """Number and keep the record, or return the position of the one with the same key. Raises `RateLimited`."""
        stream = self._stream(record.topic)
        if record.key is None:
            return stream.append(record, now)
        name = (stream.epoch, record.key.user_id, record.key.key)
        first = self._keys.find(name)
        if first is not None:
            return Repeated(stream.epoch, first)
        if len(self._keys) >= MAX_KEYS:
            raise RateLimited
        position = stream.append(record, now)
        self._keys.put(name, position.seq)
        return position

    def change(self, topic: str, change: Change) -> State | GateroomError:
        """Change the state of the stream's room, or return the error for which it stays as it was."""
        stream = self._stream(topic)
        outcome = changed(stream.state, change)
        if isinstance(outcome, State):
            stream.state = outcome
        return outcome

    def state(self, topic: str) -> State | None:
        stream = self._streams.get(topic)
        return stream.state if stream else None

    def head(self, topic: str) -> Position | None:
        stream = self._streams.get(topic)
        return Position(stream.epoch, stream.seq) if stream else None

    def open(self, topic: str) -> None:
        self._stream(topic)

    def history(self, topic: str, since: Position | None, limit: int, max_bytes: int) -> Page:
        stream = self._stream(topic)
        stream.trim(self._now())
        oldest = stream.seq - len(stream.kept)  # everything after this position is held
        start = oldest if since is None else since.seq
        known = since is None or (since.epoch == stream.epoch and oldest <= since.seq <= stream.seq)
        if not known:
            start = oldest
        texts: list[bytes] = []
        size = 0
        for kept in islice(stream.kept, start - oldest, None):
            text = stream.text(kept)
            size += len(text)
            if len(texts) >= limit or (texts and size > max_bytes):
                break
            texts.append(text)
        last = start + len(texts)
        return Page(texts, Position(stream.epoch, last), more=last < stream.seq, recovered=known)

    def forget(self, topic: str) -> None:
        self._streams.pop(topic, None)

    def trim(self) -> None:
        """Drop what has outlived its retention; a stream keeps its numbering as long as its room exists."""
        now = self._now()
        self._keys.turn(now)
        for stream in self._streams.values():
            stream.trim(now)

    def _stream(self, topic: str) -> _Stream:
        stream = self._streams.get(topic)
        if stream is None:
            stream = self._streams[topic] = _Stream()
        return stream
