"""A TCP client that can send any bytes, so that a server is judged by what is on the wire."""

import base64
import select
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
KEY = base64.b64encode(bytes(range(16))).decode()
_MASK = b"\x01\x02\x03\x04"


@dataclass(frozen=True, slots=True)
class RawResponse:
    """An HTTP response: header names in lower case, the last of equal ones."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class RawFrame:
    """A WebSocket frame as it came."""

    opcode: int
    payload: bytes
    fin: bool = True


@dataclass(frozen=True, slots=True)
class Closed:
    """What a close frame said; 1006 stands for an end without one (RFC 6455 section 7.1.5)."""

    code: int
    reason: str = ""


def masked(opcode: int, payload: bytes | str = b"", *, fin: bool = True) -> bytes:
    """Frame as a client does (RFC 6455 section 5.2)."""
    data = payload.encode() if isinstance(payload, str) else payload
    first = opcode | (0x80 if fin else 0)
    if len(data) < 126:
        head = bytes((first, 0x80 | len(data)))
    elif len(data) < 65536:
        head = bytes((first, 0x80 | 126)) + len(data).to_bytes(2, "big")
    else:
        head = bytes((first, 0x80 | 127)) + len(data).to_bytes(8, "big")
    mask = (_MASK * (len(data) // 4 + 1))[: len(data)]
    body = (int.from_bytes(data, "big") ^ int.from_bytes(mask, "big")).to_bytes(len(data), "big")
    return head + _MASK + body


def masked_close(code: int, reason: str = "") -> bytes:
    return masked(CLOSE, code.to_bytes(2, "big") + reason.encode())


def upgrade(
    path: str = "/", *, headers: Sequence[str] = (), protocols: Sequence[str] = (), leave_out: Sequence[str] = ()
) -> bytes:
    """Ask for a WebSocket. `headers` are further lines; `leave_out` names usual ones that are not to be there."""
    usual = {
        "Host": "localhost",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Version": "13",
    }
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in usual.items() if name not in leave_out)]
    if protocols:
        lines.append(f"Sec-WebSocket-Protocol: {', '.join(protocols)}")
    return ("\r\n".join([*lines, *headers]) + "\r\n\r\n").encode("latin-1")


class RawClient:
    """One connection. Everything that waits fails with `TimeoutError` after `patience` seconds."""

    def __init__(
        self,
        address: tuple[str, int],
        *,
        patience: float = 10.0,
        receive_buffer: int | None = None,
        source: str | None = None,
    ) -> None:
        """`source`: the address of ours to connect from."""
        self._socket = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        if source is not None:
            self._socket.bind((source, 0))
        if receive_buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(patience)
        try:
            self._socket.connect(address)
        except OSError:
            self._socket.close()
            raise
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._unread = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def peer(self) -> tuple[str, int]:
        host, port = self._socket.getpeername()[:2]
        return host, port

    def send(self, data: bytes | str) -> None:
        self._socket.sendall(data.encode("latin-1") if isinstance(data, str) else data)

    def send_as_far_as_possible(self, data: bytes) -> None:
        """Send to a peer that may end the connection meanwhile."""
        try:
            self._socket.sendall(data)
        except (ConnectionResetError, BrokenPipeError):
            return

    def send_until_refused(self, data: bytes) -> bool:
        """Send the same again and again until the server has ended the connection."""
        try:
            while True:
                self._socket.sendall(data)
        except (ConnectionResetError, BrokenPipeError):
            return True

    def trickle_until_answered(self, data: str) -> bool:
        """Send the same every 20 ms until the server says something; tell whether it did in time."""
        patience = self._socket.gettimeout() or 0.0
        try:
            for _ in range(int(patience / 0.02)):
                readable, _, _ = select.select([self._socket], [], [], 0.02)
                if readable:
                    return True
                self.send(data)
        except (ConnectionResetError, BrokenPipeError):
            return True
        return False

    def half_close(self) -> None:
        """Say that nothing more comes, and go on reading."""
        self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._socket.close()

    def reset(self) -> None:
        """End without a goodbye."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        self._socket.close()

    # HTTP

    def request(self, data: bytes | str) -> RawResponse:
        self.send(data)
        return self.read_response()

    def read_response(self) -> RawResponse:
        while b"\r\n\r\n" not in self._unread:
            self._receive()
        head, _, self._unread = self._unread.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        status = int(first.split(" ")[1])
        size = 0 if status == 101 else int(headers.get("content-length", "0"))
        return RawResponse(status, headers, self._exactly(size))

    def open(self, path: str = "/", *, headers: Sequence[str] = (), protocols: Sequence[str] = ()) -> RawResponse:
        """Upgrade to a WebSocket, and expect to get one."""
        response = self.request(upgrade(path, headers=headers, protocols=protocols))
        assert response.status == 101, response
        return response

    # WebSocket

    def send_text(self, text: str) -> None:
        self.send(masked(TEXT, text))

    def read_frame(self) -> RawFrame:
        first, second = self._exactly(2)
        assert not second & 0x80, "a server does not mask"
        size = second & 0x7F
        if size >= 126:
            size = int.from_bytes(self._exactly(2 if size == 126 else 8), "big")
        return RawFrame(first & 0x0F, self._exactly(size), bool(first & 0x80))

    def read_text(self) -> str:
        frame = self.read_frame()
        assert frame.opcode == TEXT, frame
        return frame.payload.decode()

    def read_close(self) -> Closed:
        """Read on to the close frame, or to an end without one."""
        try:
            while (frame := self.read_frame()).opcode != CLOSE:
                pass
        except ConnectionError:
            return Closed(1006)
        if not frame.payload:
            return Closed(1005)
        return Closed(int.from_bytes(frame.payload[:2], "big"), frame.payload[2:].decode())

    def read_to_end(self) -> bytes:
        """Read until the server ends the connection, by whatever means."""
        try:
            while True:
                self._receive()
        except ConnectionError:
            unread, self._unread = self._unread, b""
            return unread

    def _exactly(self, size: int) -> bytes:
        while len(self._unread) < size:
            self._receive()
        data, self._unread = self._unread[:size], self._unread[size:]
        return data

    def _receive(self) -> None:
        data = self._socket.recv(262144)
        if not data:
            raise ConnectionError("the server ended the connection")
        self._unread += data
