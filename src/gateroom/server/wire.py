"""The WebSocket parser of one connection: that of websockets, bounded and silent."""

import logging
import time
from base64 import b64decode
from collections.abc import Iterable
from typing import Any

from websockets.datastructures import Headers, MultipleValuesError
from websockets.exceptions import ProtocolError
from websockets.frames import CONT, CTRL_OPCODES, CloseCode, Frame
from websockets.http11 import Request, Response
from websockets.protocol import OPEN, Protocol
from websockets.server import ServerProtocol
from websockets.speedups import apply_mask
from websockets.utils import accept_key

from gateroom.errors import ProtocolViolation
from gateroom.server.heads import is_host
from gateroom.server.profile import ServerProfile

_MAX_CONTROL_BYTES = 125  # RFC 6455 section 5.5
_SLICE = 16384
# What browsers and libraries say in Connection, Upgrade and Sec-WebSocket-Version.
_USUAL = {(option, "websocket", "13") for option in ("Upgrade", "upgrade", "keep-alive, Upgrade")}
_WHOLE_TEXT, _MASKED, _TWO_BYTES_MORE = 0x81, 0x80, 126  # RFC 6455 section 5.2: FIN and text; the mask bit; a length


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
        self.holding = False  # what is to be sent, until it leaves in one write with what comes next
        self._profile = profile
        self._fragments = 0
        self._rates: tuple[Rate, Rate] | None = None  # of fragments and control frames, from the first of them on

    def skip_head(self) -> None:
        """Parse frames from here on: somebody else has read the head."""
        self.parser.close()
        self.parser = Protocol.parse(self)
        next(self.parser)

    def accept(self, request: Request) -> Response:
        """Make the 101 response. Raises `MalformedUpgrade`."""
        hosts = [value.encode("latin-1") for value in request.headers.get_all("Host")]
        if not is_host(hosts) or not request.path.startswith("/"):
            raise MalformedUpgrade
        response = _usual(request) or super().accept(request)
        if response.status_code != 101:
            raise MalformedUpgrade
        return response

    def data_to_send(self) -> list[bytes]:
        """Take what is to be written now."""
        return [] if self.holding else super().data_to_send()

    def whole_text(self, data: bytes) -> bytes | None:
        """Return the payload when `data` is one unfragmented text frame, neither more nor less, between two messages.

        It is what a peer nearly always sends, and this is a sixth of the parser's work. None leaves it to the parser.
        """
        if len(data) < 6 or data[0] != _WHOLE_TEXT or not self._between_messages():
            return None
        size, start = data[1] - _MASKED, 2
        if size == _TWO_BYTES_MORE:
            size, start = data[2] << 8 | data[3], 4
        elif size > _TWO_BYTES_MORE:
            return None  # eight bytes of length follow
        if size < 0 or size != len(data) - start - 4 or size > self._profile.max_message_bytes > 0:
            return None
        return apply_mask(data[start + 4 :], data[start : start + 4])

    def _between_messages(self) -> bool:
        if self.state is not OPEN or self.current_size is not None:
            return False
        # Only the innermost generator tells where the parser stands: between frames it waits for the end of the stream.
        waiting: Any = self.parser
        while waiting.gi_yieldfrom is not None:
            waiting = waiting.gi_yieldfrom
        return bool(waiting.__name__ == "at_eof")

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


def _usual(request: Request) -> Response | None:
    """Make the 101 for what nearly every client asks, word for word; None leaves it to the library, at ten times the
    cost (RFC 6455 section 4.2.2)."""
    headers = request.headers
    plain_get = request.method == "GET" and request.protocol == "HTTP/1.1"
    if not plain_get or len(headers.get_all("Origin")) > 1 or "Sec-WebSocket-Protocol" in headers:
        return None
    try:
        key = headers["Sec-WebSocket-Key"]
        asked = (headers["Connection"], headers["Upgrade"].lower(), headers["Sec-WebSocket-Version"])
        if asked not in _USUAL or len(b64decode(key, validate=True)) != 16:
            return None
    except (KeyError, MultipleValuesError, ValueError):
        return None
    # The library gives a date, which uvicorn takes away again.
    accepted = [("Date", ""), ("Upgrade", "websocket"), ("Connection", "Upgrade")]
    return Response(101, "Switching Protocols", Headers([*accepted, ("Sec-WebSocket-Accept", accept_key(key))]))


def slices(data: bytes) -> Iterable[bytes]:
    """Cut what was read, so that a flood of small frames is noticed before all of it has been parsed."""
    if len(data) <= _SLICE:
        return (data,)
    return (data[start : start + _SLICE] for start in range(0, len(data), _SLICE))
