"""The sink for any ASGI server: texts queued for one writer task, since `send` must be awaited."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from gateroom.protocol.frame import MAX_REASON_BYTES, Segment
from gateroom.realtime.ports import Feed

HIGH_WATER, LOW_WATER = 65536, 16384  # bytes queued at which the sink pauses and goes on
CLOSE_PATIENCE = 5.0  # seconds a close may wait for what is queued before it

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class AsgiSink:
    """Implements `realtime.ports.FrameSink` on an ASGI `send` channel; `run` is its writer."""

    def __init__(self, send: Send, feed: Feed, stop: Callable[[], None]) -> None:
        """`stop` cancels the task that `run` is in, whatever it waits for."""
        self.paused = False
        self._stop = stop
        self._aborted = False
        self._send = send
        self._feed = feed
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._closing: tuple[int, str] | None = None
        self._work = asyncio.Event()

    def write(self, segments: Sequence[Segment]) -> None:
        if self._closing is not None or self._aborted:
            return
        for segment in segments:
            self._queue.extend(segment.texts)
            self._queued += sum(map(len, segment.texts))
        self.paused = self.paused or self._queued > HIGH_WATER
        self._work.set()

    def ping(self) -> bool:
        return False

    def close(self, code: int, reason: str) -> None:
        if self._closing is None:
            self._closing = (code, reason[:MAX_REASON_BYTES])
            self._work.set()
            asyncio.get_running_loop().call_later(CLOSE_PATIENCE, self._stop)

    def abort(self) -> None:
        self._aborted = True
        self._stop()

    async def run(self) -> None:
        """Write until closed; a peer that does not read has `CLOSE_PATIENCE` for what is queued before a close."""
        while self._closing is None:
            await self._work.wait()
            self._work.clear()
            await self._drain()
        await self._drain()  # what was written before this began, if it was closed by then
        code, reason = self._closing
        await self._send({"type": "websocket.close", "code": code, "reason": reason})

    async def _drain(self) -> None:
        while self._queue:
            text = self._queue.popleft()
            await self._send({"type": "websocket.send", "text": text.decode()})
            self._queued -= len(text)
            if self.paused and self._queued <= LOW_WATER:
                self.paused = False
                self._feed.writable()
