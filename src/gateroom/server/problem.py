"""Problem responses (RFC 9457) as bytes, for what is refused before an application sees it."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from http import HTTPStatus

from gateroom.errors import BY_CODE, ProtocolViolation, Refusal, TooLarge
from gateroom.names import SECURITY_HEADERS, STRICT_TRANSPORT

_HEADERS = (
    (b"content-type", b"application/problem+json"),
    (b"cache-control", b"no-store"),
    *((name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()),
    (b"connection", b"close"),
)
_STRICT_TRANSPORT = (STRICT_TRANSPORT[0].lower().encode(), STRICT_TRANSPORT[1].encode())


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a request. `detail` never contains what the client sent; `retry_after` is in seconds."""

    status: int
    code: str
    detail: str
    retry_after: int | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()

    @classmethod
    def of(cls, refusal: type[Refusal], detail: str | None = None, *, over_tls: bool = False) -> "Problem":
        """Say a refusal as a handshake is answered."""
        headers = (_STRICT_TRANSPORT,) if over_tls else ()
        return cls(refusal.handshake_status, refusal.code, detail or refusal.sentence, refusal.retry_after, headers)

    def response(self, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        """Make the whole HTTP/1.1 response; `headers` are those that the server puts on everything."""
        body = json.dumps(BY_CODE[self.code](self.detail).document(self.status)).encode()
        lines = [b"HTTP/1.1 %d %s\r\n" % (self.status, HTTPStatus(self.status).phrase.encode())]
        lines += [b"%s: %s\r\n" % pair for pair in (*headers, *_HEADERS, *self.headers)]
        if self.retry_after is not None:
            lines.append(b"retry-after: %d\r\n" % self.retry_after)
        return b"%scontent-length: %d\r\n\r\n%s" % (b"".join(lines), len(body), body)


MALFORMED = Problem(400, ProtocolViolation.code, "The request is malformed.")
# RFC 6455 section 4.2.2: the answer names the version that would be understood.
MALFORMED_UPGRADE = replace(MALFORMED, headers=((b"sec-websocket-version", b"13"),))
TOO_SLOW = Problem(408, ProtocolViolation.code, "The request did not arrive in time.")
BODY_TOO_LARGE = Problem(413, TooLarge.code, "The body is too large.")
HEAD_TOO_LARGE = Problem(431, TooLarge.code, "The request line or the headers are too large.")
