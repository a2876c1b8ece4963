"""WebSocket frames as a server sends them (RFC 6455 section 5.2), and what several of them make together."""

from collections.abc import Sequence

MAX_REASON_BYTES = 123  # RFC 6455 section 5.5: a control frame carries at most 125 bytes, two of them the code

_TEXT, _CLOSE, _PING, _PONG = 0x81, 0x88, 0x89, 0x8A  # with FIN set


def _frame(first: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 65536:
        return bytes((first, 126, size >> 8, size & 255)) + payload
    return bytes((first, 127)) + size.to_bytes(8, "big") + payload


def text_frame(payload: bytes) -> bytes:
    """Frame UTF-8 text of any size as one unfragmented, unmasked text message."""
    return _frame(_TEXT, payload)


def close_frame(code: int, reason: str = "") -> bytes:
    """Frame a close with an ASCII reason, cut to the 123 bytes a control frame has room for."""
    return _frame(_CLOSE, code.to_bytes(2, "big") + reason.encode("ascii", "replace")[:MAX_REASON_BYTES])


def ping_frame(payload: bytes = b"") -> bytes:
    return _frame(_PING, payload)


def pong_frame(payload: bytes) -> bytes:
    """Answer a ping with its own payload of at most 125 bytes (RFC 6455 section 5.5.3)."""
    return _frame(_PONG, payload)


class Segment:
    """Consecutive texts of one topic, framed and joined once for everybody who gets them.

    `topic` is "" for what belongs to one connection only. `texts` serves servers that frame themselves. What is
    `ephemeral` is the first to be left out for a peer that lags.
    """

    __slots__ = ("ephemeral", "frames", "texts", "topic")

    def __init__(self, topic: str, texts: Sequence[bytes], *, ephemeral: bool = False) -> None:
        self.ephemeral = ephemeral
        self.topic = topic
        self.texts = texts
        self.frames = text_frame(texts[0]) if len(texts) == 1 else b"".join(map(text_frame, texts))
