"""The WebSocket parser of one connection: that of websockets, bounded and silent."""

import logging
import time
from collections.abc import Iterable

from websockets.exceptions import ProtocolError
from websockets.frames import CONT, CTRL_OPCODES, CloseCode, Frame
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

from gateroom.errors import ProtocolViolation
from gateroom.server.heads import is_host
from gateroom.server.profile import ServerProfile

_MAX_CONTROL_BYTES = 125  # RFC 6455 section 5.5
_SLICE = 16384


class MalformedUpgrade(Exception):
    """A request that asks for a WebSocket but may not have one (RFC 6455 section 4.2.1)."""


class _Silent(logging.LoggerAdapter[logging.Logger]):
    """Lets only errors through: below, websockets logs whole heads and frames, tokens and messages included."""

    def isEnabledFor(self, level: int) -> bool:
        return level >= logging.ERROR and super().isEnabledFor(level)


_SILENT = _Silent(logging.getLogger("gateroom.server.wire"))


class Rate:
    """Counts towards so many a second, and reads the clock once per so many."""

    __slots__ = ("_count", "_limit", "_since")

    def __init__(self, limit: int) -> None:
        """Allow `limit` a second; 0: no limit."""
        self._limit = limit
        self._count = 0
        self._since = 0.0

    def exceeded(self, now: float | None = None) -> bool:
        """Count one, and tell whether the last `limit` came within a second; `now` is in seconds."""
        self._count += 1
        if self._count <= self._limit or not self._limit:
            return False
        now = time.monotonic() if now is None else now
        if now - self._since < 1.0:
            return True
        self._count, self._since = 1, now
        return False


class Wire(ServerProtocol):
    """Fails a peer that sends too much: 1009 for its size, 1008 for its number of frames."""

    def __init__(self, profile: ServerProfile) -> None:
        limit = profile.max_message_bytes
        # The library holds control frames between fragments to what is left for the message: make room for one.
        super().__init__(max_size=limit + _MAX_CONTROL_BYTES if limit else None, logger=_SILENT)
        self._profile = profile
        self._fragments = 0
        self._rates: tuple[Rate, Rate] | None = None  # of fragments and control frames, from the first of them on

    def accept(self, request: Request) -> Response:
        """Make the 101 response. Raises `MalformedUpgrade`."""
        hosts = [value.encode("latin-1") for value in request.headers.get_all("Host")]
        if not is_host(hosts) or not request.path.startswith("/"):
            raise MalformedUpgrade
        response = super().accept(request)
        if response.status_code != 101:
            raise MalformedUpgrade
        return response

    def recv_frame(self, frame: Frame) -> None:
        """Take a frame from the parser, unless there is too much of it."""
        code = self._objection(frame)
        if code is None:
            super().recv_frame(frame)
        else:
            # As the library does after its own checks: a close frame, then nothing more is parsed.
            reason = ProtocolViolation.code if code == CloseCode.POLICY_VIOLATION else ""
            self.fail(code, reason)
            self.parser_exc = ProtocolError(reason)

    def fail(self, code: CloseCode | int, reason: str = "") -> None:
        """Send a close frame and parse nothing more."""
        # The library would name a limit that is not quite ours.
        super().fail(code, "" if code == CloseCode.MESSAGE_TOO_BIG else reason)

    def let_go(self) -> None:
        """End the parser, which otherwise keeps itself alive by a reference cycle."""
        self.parser.close()

    def _objection(self, frame: Frame) -> CloseCode | None:
        if frame.opcode in CTRL_OPCODES:
            return CloseCode.POLICY_VIOLATION if self._limits()[1].exceeded() else None
        limit = self._profile.max_message_bytes
        if limit and len(frame.data) + (self.current_size or 0) > limit:
            return CloseCode.MESSAGE_TOO_BIG
        if (not frame.fin or frame.opcode is CONT) and self._too_fragmented(frame.fin):
            return CloseCode.POLICY_VIOLATION
        return None

    def _too_fragmented(self, last: bool) -> bool:
        self._fragments += 1
        most = self._profile.max_fragments
        excess = self._limits()[0].exceeded() or (most > 0 and self._fragments > most)
        if last:
            self._fragments = 0
        return excess

    def _limits(self) -> tuple[Rate, Rate]:
        if self._rates is None:
            self._rates = (Rate(self._profile.max_fragment_rate), Rate(self._profile.max_control_rate))
        return self._rates


def slices(data: bytes) -> Iterable[bytes]:
    """Cut what was read, so that a flood of small frames is noticed before all of it has been parsed."""
    if len(data) <= _SLICE:
        return (data,)
    return (data[start : start + _SLICE] for start in range(0, len(data), _SLICE))
