"""One accepted socket as the hub knows it: who it is, and its one ordered outbox."""

from collections import deque
from collections.abc import Callable

from gateroom.protocol.events import Person
from gateroom.protocol.frame import Segment
from gateroom.realtime.ports import FrameSink


def _unheard() -> None:
    """Take the place of `overflow` once nobody is to be told."""


class Connection:
    """Everything for the peer goes through `outbox` and leaves in one write at the end of the tick, the close last.

    While the sink is paused, segments are held. With more than `max_backlog` bytes of them (0: no limit) the ephemeral
    ones are left out, and where that is not enough `overflow` is called.
    """

    __slots__ = (
        "_closing",
        "_held",
        "_overflow",
        "_touch",
        "held_bytes",
        "id",
        "max_backlog",
        "outbox",
        "person",
        "sink",
    )

    def __init__(
        self,
        connection_id: str,
        person: Person,
        sink: FrameSink,
        touch: Callable[["Connection"], None],
        max_backlog: int,
        overflow: Callable[[], None],
    ) -> None:
        self.id = connection_id
        self.person = person
        self.sink = sink
        self._touch = touch
        self.max_backlog = max_backlog
        self._overflow = overflow
        self.outbox: list[Segment] = []
        self.held_bytes = 0
        self._held: deque[Segment] | None = None
        self._closing: tuple[int, str] | None = None

    def post(self, segment: Segment) -> None:
        """Put a segment at the end of the outbox; nothing goes out after `close`."""
        if self._closing is None:
            if not self.outbox:
                self._touch(self)
            self.outbox.append(segment)

    def close(self, code: int, reason: str) -> None:
        """Close after what is in the outbox; the first call counts."""
        if self._closing is None:
            if not self.outbox:
                self._touch(self)
            self._closing = (code, reason)

    def flush(self) -> None:
        """Write the outbox, or hold it while the sink is paused. Called once per tick by the hub."""
        if self.sink.paused or self._held:
            self._hold()
        elif self.outbox:
            self.sink.write(self.outbox)
            self.outbox.clear()
        if self._closing is not None:
            self._write_held()
            self.sink.close(*self._closing)

    def resume(self) -> None:
        """Write what was held; called when the sink is no longer paused."""
        if self._closing is None:
            self._write_held()

    def release(self) -> None:
        """Report no overflow any more: the session has ended, and the two must not keep each other alive."""
        self._overflow = _unheard

    def drop(self, topic: str) -> None:
        """Forget what is still unwritten of a topic."""
        self.outbox[:] = [segment for segment in self.outbox if segment.topic != topic]
        if self._held:
            self._keep(lambda segment: segment.topic != topic)

    def _hold(self) -> None:
        if self._held is None:
            self._held = deque()
        self._held.extend(self.outbox)
        self.held_bytes += sum(len(segment.frames) for segment in self.outbox)
        self.outbox.clear()
        if self.held_bytes > self.max_backlog > 0:
            self._keep(lambda segment: not segment.ephemeral)
            if self.held_bytes > self.max_backlog:
                self._overflow()

    def _keep(self, condition: Callable[[Segment], bool]) -> None:
        self._held = deque(filter(condition, self._held or ()))
        self.held_bytes = sum(len(segment.frames) for segment in self._held)

    def _write_held(self) -> None:
        if self._held:
            self.sink.write(self._held)
        self._held = None
        self.held_bytes = 0
