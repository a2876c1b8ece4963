"""Streams that are stored before anybody hears of them: group commit, one transaction at a time, in order."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence

import structlog

from gateroom.broker.known import KnownStreams, Moved, Reader
from gateroom.errors import Forbidden, GateroomError, InternalError, NotFound, Unavailable
from gateroom.protocol.events import numbered, state, whole_state
from gateroom.protocol.patches import State
from gateroom.realtime.ports import (
    Deliver,
    Done,
    Kind,
    Opened,
    Outcome,
    Page,
    Position,
    Record,
    Repeated,
    Retention,
    Stored,
    StreamLog,
)
from gateroom.realtime.topics import room_of

_log = structlog.get_logger("gateroom.broker")

MAX_BATCH = 1000  # records in one transaction
MAX_WAITING_BYTES = 64 * 1024 * 1024  # of bodies waiting for theirs; more is refused with `unavailable`
TRIM_INTERVAL = 10.0  # seconds
PAGE = 500  # messages read at once to catch up
PAGE_BYTES = 4 * 1024 * 1024

Waiting = tuple[Record, Done]


def answer(done: Done, outcome: Outcome) -> None:
    """Call `done`; a failure there is of one who submitted, and the others are still to be answered."""
    try:
        done(outcome)
    except Exception:
        _log.exception("answer_failed")


class DurableStreams:
    """Appends to the log and delivers what it has stored.

    While one batch is being committed the next one gathers. The log numbers, so a failed commit leaves nothing to roll
    back here; whether it was stored nobody can tell, so its streams are suspect until the log was read beyond their
    heads. A head is what was delivered, never more: whoever subscribes at it misses nothing and hears nothing twice.
    So is a room's state; one that was stored unheard is made up for by an event with the whole document.
    """

    def __init__(self, log: StreamLog, deliver: Deliver, now: Callable[[], float]) -> None:
        """`now` is in seconds of a monotonic clock."""
        self._store = log
        self._deliver = deliver
        self._now = now
        self._known = KnownStreams(now)
        self._reader = Reader(log, self._read)
        self._suspects: dict[str, Retention] = {}
        self._stale: set[str] = set()  # topics whose state may be another than is known
        self._recheck = False
        self._queue: deque[Waiting] = deque()
        self._bytes = 0
        self._behind: Counter[str] = Counter()  # records queued or being committed, by topic
        self._committing = False
        self._forgotten: set[str] = set()  # during the commit that is under way
        self._added = self._answered = 0
        self._worker: asyncio.Task[None] | None = None
        self._turn = asyncio.Event()  # set when the batch that is under way has ended; each batch has its own
        self._trimmer: asyncio.Task[None] | None = None
        self._trimmed_at = now()

    # What is submitted

    def waits(self, topic: str) -> bool:
        """Tell whether what is submitted to the topic has to wait for what is there already."""
        return topic in self._behind

    def add(self, record: Record, done: Done) -> None:
        if self._bytes > MAX_WAITING_BYTES and (record.kind is not Kind.EVENT or record.ephemeral):
            answer(done, Unavailable())
            return
        self._queue.append((record, done))
        self._bytes += len(record.body)
        self._behind[record.topic] += 1
        self._added += 1
        self._work()

    def forget(self, topic: str) -> None:
        """Drop the stream's head and what waits for it; what is being committed is delivered to nobody."""
        self._known.drop(topic)
        self._reader.forget(topic)
        self._suspects.pop(topic, None)
        self._stale.discard(topic)
        if self._committing:
            self._forgotten.add(topic)
        if topic in self._behind:
            waiting, self._queue = self._queue, deque()
            for record, done in waiting:
                if record.topic != topic:
                    self._queue.append((record, done))
                else:
                    self._settle(record, done, None if record.kind is Kind.EVENT else Forbidden())

    @property
    def pending(self) -> bool:
        return self._answered < self._added

    async def settled(self) -> None:
        """Return once what was added until now is answered."""
        until = self._added
        while self._answered < until:
            await self._turn.wait()

    async def close(self) -> None:
        """End what runs in the background; everything added was answered before."""
        running = [task for task in (*self._reader.running, self._trimmer) if task is not None]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _work(self) -> None:
        if self._worker is None:
            self._worker = asyncio.get_running_loop().create_task(self._commit_all())

    async def _commit_all(self) -> None:
        while self._queue or self._recheck:
            batch = self._take()
            self._committing = True
            try:
                outcomes: Sequence[Outcome] = await self._stored(batch)
            except Exception as failure:
                if not isinstance(failure, GateroomError):
                    _log.exception("commit_failed")
                error = failure if isinstance(failure, GateroomError) else InternalError()
                outcomes = [None if record.kind is Kind.EVENT else error for record, _ in batch]
            self._committing = False
            for (record, done), outcome in zip(batch, outcomes, strict=True):
                self._settle(record, done, self._carried(record, outcome))
            self._forgotten.clear()
            self._end_turn()
        self._worker = None
        self._end_turn()

    def _end_turn(self) -> None:
        turn, self._turn = self._turn, asyncio.Event()
        turn.set()

    def _take(self) -> list[Waiting]:
        queue = self._queue
        return [queue.popleft() for _ in range(min(len(queue), MAX_BATCH))]

    async def _stored(self, batch: Sequence[Waiting]) -> Sequence[Outcome]:
        """Store what is numbered, and deliver what turns out to have been stored before it unheard of."""
        if self._stale:
            await self._refresh_states()
        if self._recheck:
            self._recheck = False
            for topic, retention in list(self._suspects.items()):
                await self._catch_up(topic, retention, None)
        records = [record for record, _ in batch if record.kind is not Kind.EVENT]
        if not records:
            return [None] * len(batch)
        retentions = {record.topic: record.retention for record in records if record.kind is not Kind.STATE}
        changing = {record.topic for record in records if record.kind is Kind.STATE}
        unknown = sorted(topic for topic in retentions.keys() | changing if self._known.head(topic) is None)
        if unknown:
            for topic, opened in (await self._store.open(unknown)).items():
                self._learn(topic, opened)
        suspects = {topic: retention for topic, retention in retentions.items() if topic not in self._suspects}
        self._suspects.update(suspects)
        self._stale |= changing
        found = await self._store.append(records)
        self._stale -= changing
        for topic, first in self._holes(records, found).items():
            await self._catch_up(topic, retentions[topic], first)
        for topic in retentions:
            self._suspects.pop(topic, None)
        outcomes = iter(found)
        return [None if record.kind is Kind.EVENT else next(outcomes) or Forbidden() for record, _ in batch]

    def _holes(self, records: Sequence[Record], outcomes: Sequence[Outcome]) -> dict[str, Position]:
        """Return the topics that have more in the log than was delivered, each with the position to catch up before."""
        reached: dict[str, Position] = {}
        holes: dict[str, Position] = {}
        for record, position in zip(records, outcomes, strict=True):
            topic = record.topic
            head = reached.get(topic) or self._known.head(topic)
            if not isinstance(position, Position) or head is None:
                continue
            if head.epoch != position.epoch:  # made anew by another program
                reached[topic] = position
                self._stale.add(topic)
            elif not isinstance(position, Repeated):
                if position.seq != head.seq + 1:  # of the topic's first one only
                    holes[topic] = position
                reached[topic] = position
            elif position.seq > head.seq:
                known = holes.get(topic, head)
                holes[topic] = Position(position.epoch, max(known.seq, position.seq + 1))
        return holes

    async def _catch_up(self, topic: str, retention: Retention, before: Position | None) -> None:
        """Deliver what is stored after the head and before that position, in order."""
        while (head := self._known.head(topic)) is not None:
            if before is not None and head.seq + 1 >= before.seq:
                return
            stored = await self._store.read(topic, retention, head, PAGE, PAGE_BYTES)
            if topic in self._forgotten:
                return
            if not stored:
                break
            if stored[0].position != Position(head.epoch, head.seq + 1):
                _log.warning("stream_gap", topic=topic, after=head.seq)
            for found in stored:
                if before is None or found.position.seq < before.seq:
                    self._pass_on(topic, found)
        self._suspects.pop(topic, None)

    async def _refresh_states(self) -> None:
        """Tell those on the topics the whole state where it turns out to be another than they know."""
        for topic, opened in (await self._store.open(sorted(self._stale))).items():
            if topic not in self._forgotten and self._known.state(topic) not in (None, opened.state):
                self._tell_state(topic, opened.state, None)
        self._stale.clear()

    def _tell_state(self, topic: str, new: State, body: bytes | None) -> None:
        """Deliver the change that `body` describes, or the whole state where others were not heard before it."""
        known = self._known.state(topic)
        self._known.change(topic, new)
        if body is not None and known is not None and new.version == known.version + 1:
            text = state(new.version, body)
        else:
            text = whole_state(room_of(topic), new.version, new.text)
        self._deliver(Record(topic, Kind.EVENT, text), None)

    def _pass_on(self, topic: str, stored: Stored) -> None:
        self._known.reach(topic, stored.position)
        self._deliver(Record(topic, stored.kind, stored.body), stored.position)

    def _carried(self, record: Record, outcome: Outcome) -> Outcome:
        """Deliver what is new, unless its stream was forgotten meanwhile."""
        topic = record.topic
        if isinstance(outcome, GateroomError | Repeated):
            if isinstance(outcome, Forbidden):
                self._known.drop(topic)
            return outcome
        if topic in self._forgotten:
            return outcome
        try:
            if isinstance(outcome, State):
                self._tell_state(topic, outcome, record.body)
                return outcome
            if outcome is not None:
                self._known.reach(topic, outcome)
                self._known.use(topic)
            self._deliver(record, outcome)
        except Exception:
            _log.exception("delivery_failed")
            return InternalError()
        return outcome

    def _settle(self, record: Record, done: Done, outcome: Outcome) -> None:
        self._bytes -= len(record.body)
        self._answered += 1
        self._behind[record.topic] -= 1
        if not self._behind[record.topic]:
            del self._behind[record.topic]
        answer(done, outcome)

    # What is asked

    def head(self, topic: str) -> Position | None:
        head = self._known.head(topic)
        if head is not None:
            self._known.use(topic)
        return head

    def state(self, topic: str) -> State | None:
        return self._known.state(topic)

    async def open(self, topic: str) -> Position:
        """Learn where the stream stands, and return its head; whoever asks at the same time shares one read."""
        while (head := self._known.head(topic)) is None:
            if topic in self._behind:  # the next batch reads it, and says what of it is delivered
                await self._turn.wait()
                continue
            try:
                opened = await self._reader.read(topic)
            except Moved:
                continue
            if opened is None:
                raise NotFound
        self._known.use(topic)
        return head

    async def history(
        self, topic: str, retention: Retention, since: Position | None, limit: int, max_bytes: int
    ) -> Page:
        before = await self.open(topic)
        known = since is None or (since.epoch == before.epoch and since.seq <= before.seq)
        stored = await self._store.read(topic, retention, since if known else None, limit, max_bytes)
        head = self._known.head(topic) or before
        if head.epoch != before.epoch:  # made anew meanwhile
            return Page([], head, more=False, recovered=False)
        heard = [found for found in stored if found.position.epoch == head.epoch and found.position.seq <= head.seq]
        whole = known
        if since is not None and known:
            first = heard[0].position.seq if heard else before.seq + 1
            whole = first == since.seq + 1
        last = heard[-1].position if heard else before
        texts = [numbered(found.kind, found.position.epoch, found.position.seq, found.body) for found in heard]
        return Page(texts, last, more=last.seq < head.seq, recovered=whole)

    def _read(self, topic: str, opened: Opened) -> None:
        if topic not in self._behind:  # else it may be of what is about to be delivered
            self._known.learn(topic, opened)

    def _learn(self, topic: str, opened: Opened) -> None:
        if topic not in self._forgotten:
            self._known.learn(topic, opened)

    # What time brings

    def trim(self) -> None:
        """Have the log trimmed and suspects looked after, in the background; forget streams that nobody uses."""
        now = self._now()
        self._known.sweep(lambda topic: topic in self._behind or topic in self._suspects or topic in self._stale)
        if (self._suspects or self._stale) and self._worker is None:
            self._recheck = True
            self._work()
        if now - self._trimmed_at >= TRIM_INTERVAL and self._trimmer is None:
            self._trimmed_at = now
            self._trimmer = asyncio.get_running_loop().create_task(self._trim())

    async def _trim(self) -> None:
        try:
            while await self._store.trim():
                pass
        except GateroomError:
            _log.warning("trim_failed")
        except Exception:
            _log.exception("trim_failed")
        finally:
            self._trimmer = None
