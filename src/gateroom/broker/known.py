"""What was delivered here of durable streams: the newest position and the room's state, kept while it is used."""

import asyncio
from collections.abc import Callable, Sequence

import structlog

from gateroom.errors import GateroomError, Unavailable
from gateroom.protocol.patches import State
from gateroom.realtime.ports import Opened, Position, StreamLog

_log = structlog.get_logger("gateroom.broker")

MAX_OPENED = 500  # streams read at once
IDLE = 300.0  # seconds after which a stream that nobody asks for is forgotten; at most twice that


class KnownStreams:
    """Heads and states by topic: both are known, or neither is. They move only as something is delivered."""

    def __init__(self, now: Callable[[], float]) -> None:
        """`now` is in seconds of a monotonic clock."""
        self._now = now
        self._heads: dict[str, Position] = {}
        self._states: dict[str, State] = {}
        self._asked: set[str] = set()  # topics that were used since `_swept_at`
        self._swept_at = now()

    def head(self, topic: str) -> Position | None:
        return self._heads.get(topic)

    def state(self, topic: str) -> State | None:
        return self._states.get(topic)

    def use(self, topic: str) -> None:
        """Keep the stream for a while."""
        self._asked.add(topic)

    def learn(self, topic: str, opened: Opened) -> None:
        """Take over where the stream stands, unless it is known."""
        if topic not in self._heads:
            self._heads[topic] = opened.head
            self._states[topic] = opened.state

    def reach(self, topic: str, head: Position) -> None:
        self._heads[topic] = head

    def change(self, topic: str, state: State) -> None:
        self._states[topic] = state

    def drop(self, topic: str) -> None:
        """Have the stream read anew."""
        self._heads.pop(topic, None)
        self._states.pop(topic, None)

    def sweep(self, keep: Callable[[str], bool]) -> None:
        """Drop what nobody has used for `IDLE` seconds, except what is to be kept."""
        now = self._now()
        if now - self._swept_at >= IDLE:
            self._swept_at = now
            used, self._asked = self._asked, set()
            for topic in [topic for topic in self._heads if topic not in used and not keep(topic)]:
                self.drop(topic)


class Moved(Exception):
    """The stream was forgotten while it was read: what comes of that may be of one that is gone."""


class Reader:
    """Opens streams in the log; whoever asks for the same one at the same time shares one read."""

    def __init__(self, log: StreamLog, learn: Callable[[str, Opened], None]) -> None:
        """`learn` is told at once what was read: by the time that those who wait run, it may be over."""
        self._store = log
        self._learn = learn
        self._wanted: dict[str, asyncio.Future[Opened | None]] = {}
        self._task: asyncio.Task[None] | None = None

    async def read(self, topic: str) -> Opened | None:
        """Return where the stream stands; None when its room or user is gone. Raises `Unavailable` or `Moved`."""
        wanted = self._wanted.get(topic)
        if wanted is None:
            wanted = self._wanted[topic] = asyncio.get_running_loop().create_future()
            if self._task is None:
                self._task = asyncio.get_running_loop().create_task(self._read_all())
        return await asyncio.shield(wanted)

    def forget(self, topic: str) -> None:
        """Have those who wait for this stream, and nobody else, begin again."""
        self._answer(topic, self._wanted.get(topic), Moved())

    @property
    def running(self) -> Sequence[asyncio.Task[None]]:
        return [self._task] if self._task else []

    async def _read_all(self) -> None:
        await asyncio.sleep(0)  # let those who ask in the same tick come along
        while self._wanted:
            wanted = dict(list(self._wanted.items())[:MAX_OPENED])
            try:
                opened = await self._store.open(sorted(wanted))
            except Exception as failure:
                if not isinstance(failure, GateroomError):
                    _log.exception("open_failed")
                for topic, future in wanted.items():
                    self._answer(topic, future, Unavailable())
            else:
                for topic, future in wanted.items():
                    self._answer(topic, future, opened.get(topic))
        self._task = None

    def _answer(
        self, topic: str, future: asyncio.Future[Opened | None] | None, found: Opened | Exception | None
    ) -> None:
        """Answer those who wait for a stream, unless they were answered before."""
        if future is None or self._wanted.get(topic) is not future:
            return
        del self._wanted[topic]
        if isinstance(found, Exception):
            future.set_exception(found)
            future.exception()  # whoever asked may be gone
        else:
            if found is not None:
                self._learn(topic, found)
            future.set_result(found)
