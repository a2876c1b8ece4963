"""The broker of a single process: streams in memory, delivered within the tick."""

from collections import deque
from collections.abc import Callable
from itertools import islice

import structlog

from gateroom.errors import InternalError, Unavailable
from gateroom.protocol.events import new_epoch, numbered
from gateroom.realtime.ports import Deliver, Done, Kind, Outcome, Page, Position, Record, Retention

_log = structlog.get_logger("gateroom.broker")

MAX_SUBMITTED = 100_000  # records waiting for one step; more is refused with `unavailable`


class _Stream:
    """A stream's numbering and what is kept of it: (seq, kind, stored at, body), oldest first."""

    __slots__ = ("epoch", "kept", "retention", "seq")

    def __init__(self) -> None:
        self.epoch = new_epoch()
        self.seq = 0
        self.kept: deque[tuple[int, Kind, float, bytes]] = deque()
        self.retention = Retention(0, 0)

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


class LocalBroker:
    """Implements `realtime.ports.Broker` without a network; history lives as long as the process."""

    def __init__(self, deliver: Deliver, wake: Callable[[], None], now: Callable[[], float]) -> None:
        """`now` is in seconds of a monotonic clock."""
        self._deliver = deliver
        self._wake = wake
        self._now = now
        self._streams: dict[str, _Stream] = {}
        self._submitted: list[tuple[Record, Done]] = []
        self._closed = False

    def submit(self, record: Record, done: Done) -> None:
        if self._closed or len(self._submitted) >= MAX_SUBMITTED:
            done(Unavailable())
            return
        if not self._submitted:
            self._wake()
        self._submitted.append((record, done))

    def step(self) -> None:
        batch, self._submitted = self._submitted, []
        now = self._now()
        for record, done in batch:
            outcome = self._carry(record, now)
            try:
                done(outcome)
            except Exception:  # of one who submitted; the others are still to be answered
                _log.exception("answer_failed")

    def _carry(self, record: Record, now: float) -> Outcome:
        try:
            position = None if record.kind is Kind.EVENT else self._stream(record.topic).append(record, now)
            self._deliver(record, position)
        except Exception:
            _log.exception("delivery_failed")
            return InternalError()
        return position

    def head(self, topic: str) -> Position:
        stream = self._stream(topic)
        return Position(stream.epoch, stream.seq)

    async def history(self, topic: str, since: Position | None, limit: int, max_bytes: int) -> Page:
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
        self.step()  # what was submitted before belongs to the old stream, not to a new one of the same name
        self._streams.pop(topic, None)

    def trim(self) -> None:
        """Drop what has outlived its retention; a stream keeps its numbering as long as its room exists."""
        now = self._now()
        for stream in self._streams.values():
            stream.trim(now)

    async def close(self) -> None:
        self._closed = True  # first: what is submitted in answer to the last step would be left unanswered
        self.step()

    def _stream(self, topic: str) -> _Stream:
        stream = self._streams.get(topic)
        if stream is None:
            stream = self._streams[topic] = _Stream()
        return stream
