"""A session that writes down what its server tells it."""

import threading
from collections.abc import Callable

from gateroom.realtime.ports import FrameSink

PATIENCE = 10.0  # seconds


class RecordingFeed:
    """A `Feed`. `on` gives acts by the name of a call, run after it was written down; they may raise."""

    sink: FrameSink
    ended: tuple[int, str]  # what `lost` was told

    def __init__(self, **on: Callable[["RecordingFeed"], None]) -> None:
        self._on = on
        self._events: list[tuple[str, bytes]] = []
        self._changed = threading.Condition()

    @property
    def events(self) -> list[str]:
        """The names of the calls so far, in order."""
        with self._changed:
            return [name for name, _ in self._events]

    @property
    def texts(self) -> list[bytes]:
        with self._changed:
            return [data for name, data in self._events if name == "text"]

    def wait_for(self, name: str, times: int = 1) -> None:
        """Wait until there were so many calls of that name. Raises `TimeoutError`."""
        with self._changed:
            if not self._changed.wait_for(lambda: [n for n, _ in self._events].count(name) >= times, PATIENCE):
                raise TimeoutError(f"{name} has not come {times} times: {self._events[-20:]}")

    # What a server calls

    def start(self, sink: FrameSink) -> None:
        self.sink = sink
        self._note("start")

    def text(self, data: bytes) -> None:
        self._note("text", data)

    def binary(self) -> None:
        self._note("binary")

    def pong(self) -> None:
        self._note("pong")

    def writable(self) -> None:
        self._note("writable")

    def stop(self) -> None:
        self._note("stop")

    def lost(self, code: int = 1006, reason: str = "") -> None:
        self.ended = (code, reason)
        self._note("lost")

    def _note(self, name: str, data: bytes = b"") -> None:
        with self._changed:
            self._events.append((name, data))
            self._changed.notify_all()
        if name in self._on:
            self._on[name](self)
