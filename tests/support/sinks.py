"""A sink that remembers, and what a client makes of its bytes."""

from collections.abc import Sequence
from typing import NamedTuple

from websockets.frames import CLOSE, TEXT, Close, Frame
from websockets.streams import StreamReader

from gateroom.protocol.frame import MAX_REASON_BYTES, Segment, close_frame, ping_frame


class Closed(NamedTuple):
    """What a close frame said."""

    code: int
    reason: str


class RecordingSink:
    """Implements `realtime.ports.FrameSink` by writing down what it is given; a test pauses it."""

    def __init__(self, *, answers_pings: bool = True) -> None:
        """`answers_pings` is false for a server that does its own keepalive."""
        self.paused = False
        self.writes: list[bytes] = []  # what each `write` sent
        self.texts: list[bytes] = []
        self.pings = 0
        self.closed: Closed | None = None
        self.aborted = False
        self._answers_pings = answers_pings
        self._unread = bytearray()

    def write(self, segments: Sequence[Segment]) -> None:
        if self.closed is None and not self.aborted:
            frames = b"".join(segment.frames for segment in segments)
            self.writes.append(frames)
            self.texts.extend(text for segment in segments for text in segment.texts)
            self._unread += frames

    def ping(self) -> bool:
        self.pings += 1
        if self._answers_pings:
            self._unread += ping_frame()
        return self._answers_pings

    def close(self, code: int, reason: str) -> None:
        if self.closed is None and not self.aborted:
            self.closed = Closed(code, reason[:MAX_REASON_BYTES])
            self._unread += close_frame(code, reason)

    def abort(self) -> None:
        self.aborted = True

    def read(self) -> list[str | Closed]:
        """Return what a client sees since the last call: texts, and a close at the end."""
        unread, self._unread = bytes(self._unread), bytearray()
        seen: list[str | Closed] = []
        for frame in frames_in(unread):
            if frame.opcode is TEXT:
                seen.append(bytes(frame.data).decode())
            elif frame.opcode is CLOSE:
                close = Close.parse(bytes(frame.data))
                seen.append(Closed(close.code, close.reason))
        return seen


def frames_in(data: bytes) -> list[Frame]:
    """Parse whole frames as a client does, by the library. Raises what the library raises."""
    reader = StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    frames = []
    while reader.buffer:
        parser = Frame.parse(reader.read_exact, mask=False)
        try:
            next(parser)
        except StopIteration as done:
            frames.append(done.value)
    return frames
