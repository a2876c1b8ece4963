"""The writing half of a handed-over socket: framed bytes to the transport and nothing between."""

import asyncio
from collections.abc import Sequence
from functools import partial

from gateroom.protocol.frame import Segment, close_frame, ping_frame
from gateroom.server.deadline import Deadline
from gateroom.server.dropping import drop

_PING = ping_frame()


def _nowhere(data: object) -> None:
    """Take the place of the transport's `write` once nothing may follow."""


class RawSink:
    """A `FrameSink` on a transport of asyncio or uvloop."""

    __slots__ = ("_close_timeout", "_deadline", "_send", "_transport", "paused")

    def __init__(self, transport: asyncio.Transport, close_timeout: float) -> None:
        """`close_timeout`: seconds for the peer to take what is unsent and to answer our close."""
        self.paused = False
        self._transport = transport
        self._send = transport.write
        self._close_timeout = close_timeout
        self._deadline = Deadline()

    @property
    def ended(self) -> bool:
        """Whether nothing that is written goes out any more."""
        return self._send is _nowhere

    def begin(self, head: bytes) -> None:
        """Have `head` leave in front of what is written first."""
        if not self.ended:
            self._send = partial(self._send_behind, head)

    def begun(self) -> None:
        """Write the head by itself if nothing has come to take it along."""
        if isinstance(self._send, partial):
            self._send(b"")

    def _send_behind(self, head: bytes, data: bytes) -> None:
        self._send = self._transport.write
        self._send(head + data)

    def write(self, segments: Sequence[Segment]) -> None:
        if len(segments) == 1:
            self._send(segments[0].frames)
        else:
            self._send(b"".join([segment.frames for segment in segments]))

    def ping(self) -> bool:
        self._send(_PING)
        return True

    def close(self, code: int, reason: str) -> None:
        if not self.ended:
            self._send(close_frame(code, reason))
            self.end()

    def abort(self) -> None:
        self.end()
        drop(self._transport)

    def answer(self, frames: bytes) -> None:
        """Send control frames that answer the peer's."""
        self._send(frames)

    def end(self) -> None:
        """Write nothing more, and give the peer a while to take the rest and to go by itself."""
        self._send = _nowhere
        self.give(self._close_timeout)

    def give(self, seconds: float) -> None:
        """Abort after `seconds` if the socket is still there."""
        self._deadline.set(seconds, partial(drop, self._transport))

    def release(self) -> None:
        """Let go: the socket is gone."""
        self._send = _nowhere
        self._deadline.clear()
