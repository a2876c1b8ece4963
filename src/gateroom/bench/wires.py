"""What each kind of server says on its socket: how to get in, how to publish, and what is not a delivery."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

MESSAGE_BYTES = 130  # what the application publishes, the same for every server
_BEFORE, _BETWEEN, _AFTER = b'{"t":"', b'","text":"', b'"}'
_STAMP_DIGITS = 16
_TEXT = (b"the quick brown fox jumps over the lazy dog, " * 3)[
    : MESSAGE_BYTES - len(_BEFORE) - len(_BETWEEN) - len(_AFTER) - _STAMP_DIGITS
]


def message(stamp: int) -> bytes:
    """Build one application message, a JSON object of MESSAGE_BYTES bytes; `stamp` is in microseconds."""
    return b'%b%016d","text":"%b"}' % (_BEFORE, stamp, _TEXT)


def stamp_of(delivery: bytes) -> int:
    """Read the stamp back out of whatever envelope a server put around the message."""
    at = delivery.index(_BEFORE) + len(_BEFORE)
    return int(delivery[at : at + _STAMP_DIGITS])


def client_frame(payload: bytes) -> bytes:
    """Frame a text of at most 65,535 bytes as a client does (RFC 6455 section 5.2).

    The masking key is zero: servers unmask it all the same, and the load side need not compute anything.
    """
    size = len(payload)
    head = bytes((0x81, 0x80 | size)) if size < 126 else bytes((0x81, 0x80 | 126, size >> 8, size & 255))
    return head + b"\0\0\0\0" + payload


class RefusedByServer(Exception):
    """The server answered a command with an error; carries the answer."""


@dataclass(frozen=True, slots=True)
class Said:
    """What to do about a text that is not a delivery: send `answer` if any; `ready` ends the opening."""

    answer: bytes | None = None
    ready: bool = False


class Wire(Protocol):
    """One server's language. Whatever has at least MESSAGE_BYTES bytes once a connection is ready is a delivery."""

    path: str
    ready_at_once: bool

    def headers(self, token: str | None) -> Sequence[tuple[str, str]]: ...

    def publish(self, number: int, message: bytes) -> bytes: ...

    def heard(self, text: bytes) -> Said:
        """Judge a text that came during the opening, or is too short for a delivery. Raises RefusedByServer."""
        ...


class EchoWire:
    """Whatever is sent comes back to everybody as it is: the tutorial loop and the C loop."""

    path = "/ws/1"
    ready_at_once = True

    def headers(self, token: str | None) -> Sequence[tuple[str, str]]:
        return ()

    def publish(self, number: int, message: bytes) -> bytes:
        return message

    def heard(self, text: bytes) -> Said:
        return Said()


class SocketIOWire:
    """Engine.IO 4 straight on its WebSocket transport, Socket.IO 5 packets inside, one event named `msg`."""

    path = "/socket.io/?EIO=4&transport=websocket"
    ready_at_once = False

    def headers(self, token: str | None) -> Sequence[tuple[str, str]]:
        return ()

    def publish(self, number: int, message: bytes) -> bytes:
        return b'42["msg",' + message + b"]"

    def heard(self, text: bytes) -> Said:
        if text == b"2":
            return Said(answer=b"3")
        if text.startswith(b"44"):
            raise RefusedByServer(text.decode("utf-8", "replace"))
        if text.startswith(b"40"):
            return Said(ready=True)
        return Said(answer=b"40") if text.startswith(b"0") else Said()


class GateroomWire:
    """`gateroom.v1` on `/ws`: the access token in a header, a join, then publishes that are all answered."""

    path = "/ws"
    ready_at_once = False

    def __init__(self, room: str = "lobby") -> None:
        self._room = room.encode("ascii")

    def headers(self, token: str | None) -> Sequence[tuple[str, str]]:
        return () if token is None else (("Authorization", f"Bearer {token}"),)

    def publish(self, number: int, message: bytes) -> bytes:
        return b'{"type":"publish","id":%d,"room":"%b","data":%b}' % (number, self._room, message)

    def heard(self, text: bytes) -> Said:
        if text.startswith(b'{"type":"error"'):
            raise RefusedByServer(text.decode("utf-8", "replace"))
        if text.startswith(b'{"type":"welcome"'):
            return Said(answer=b'{"type":"join","id":0,"room":"%b"}' % self._room)
        return Said(ready=text.startswith(b'{"type":"reply"'))


WIRES: Mapping[str, Wire] = {"echo": EchoWire(), "socketio": SocketIOWire(), "gateroom": GateroomWire()}
