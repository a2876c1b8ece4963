"""The broker of a single process: what is not durable is delivered within the tick, the rest once it is stored."""

from collections.abc import Callable

import structlog

from gateroom.broker.durable import DurableStreams, answer
from gateroom.broker.memory import MemoryStreams
from gateroom.errors import GateroomError, InternalError, Unavailable
from gateroom.protocol import events
from gateroom.protocol.patches import State
from gateroom.realtime.ports import Deliver, Done, Kind, Outcome, Page, Position, Record, Repeated, Retention, StreamLog

_log = structlog.get_logger("gateroom.broker")

MAX_SUBMITTED = 100_000  # records waiting for one step; more is refused with `unavailable`


class LocalBroker:
    """Implements `realtime.ports.Broker` without a network.

    A durable record waits for its transaction, and whatever is submitted to the same topic meanwhile waits behind it;
    all other topics go on. Only durable records touch the log.
    """

    def __init__(self, deliver: Deliver, wake: Callable[[], None], now: Callable[[], float], log: StreamLog) -> None:
        """`now` is in seconds of a monotonic clock."""
        self._deliver = deliver
        self._wake = wake
        self._now = now
        self._memory = MemoryStreams(now)
        self._durable = DurableStreams(log, deliver, now)
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
        durable = self._durable
        for record, done in batch:
            if (record.retention.durable and record.kind is not Kind.EVENT) or durable.waits(record.topic):
                durable.add(record, done)
            else:
                answer(done, self._carry(record, now))

    def _carry(self, record: Record, now: float) -> Outcome:
        try:
            if record.change is not None:
                outcome = self._memory.change(record.topic, record.change)
                if isinstance(outcome, State):
                    self._deliver(Record(record.topic, Kind.EVENT, events.state(outcome.version, record.body)), None)
                return outcome
            position = None if record.kind is Kind.EVENT else self._memory.append(record, now)
            if not isinstance(position, Repeated):
                self._deliver(record, position)
        except GateroomError as error:
            return error
        except Exception:
            _log.exception("delivery_failed")
            return InternalError()
        return position

    def head(self, topic: str) -> Position | None:
        return self._memory.head(topic) or self._durable.head(topic)

    def state(self, topic: str) -> State | None:
        return self._memory.state(topic) or self._durable.state(topic)

    async def open(self, topic: str, retention: Retention) -> None:
        if retention.durable:
            await self._durable.open(topic)
        else:
            self._memory.open(topic)

    async def history(
        self, topic: str, retention: Retention, since: Position | None, limit: int, max_bytes: int
    ) -> Page:
        if retention.durable:
            return await self._durable.history(topic, retention, since, limit, max_bytes)
        return self._memory.history(topic, since, limit, max_bytes)

    def forget(self, topic: str) -> None:
        self.step()  # what was submitted before belongs to the old stream, not to a new one of the same name
        self._memory.forget(topic)
        self._durable.forget(topic)

    def trim(self) -> None:
        """Drop what has outlived its retention; called about once a second."""
        self._memory.trim()
        self._durable.trim()

    @property
    def pending(self) -> bool:
        return self._durable.pending

    async def settled(self) -> None:
        self.step()
        await self._durable.settled()

    async def close(self) -> None:
        self._closed = True  # first: what is submitted in answer to the last step would be left unanswered
        await self.settled()
        await self._durable.close()
