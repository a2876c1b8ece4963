"""A transport without a socket: it remembers what was done to it."""

import asyncio
from typing import Any


class RecordingTransport(asyncio.Transport):
    """Calls nothing by itself: a test says when the peer reads, writes or goes."""

    def __init__(self, *, half_closes: bool = True) -> None:
        """`half_closes` is false for a transport like that of TLS."""
        super().__init__()
        self.written = b""
        self.writes = 0
        self.closed = self.aborted = self.ended = False
        self.reading = True
        self.limits: tuple[int | None, int | None] = (None, None)
        self.protocol: asyncio.BaseProtocol | None = None
        self._half_closes = half_closes

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.ended, "written after the end"
        self.written += data
        self.writes += 1

    def write_eof(self) -> None:
        assert self._half_closes
        self.ended = True

    def can_write_eof(self) -> bool:
        return self._half_closes

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True

    def is_closing(self) -> bool:
        return self.closed

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.limits = (high, low)

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_reading(self) -> bool:
        return self.reading

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        assert self.protocol is not None
        return self.protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default
