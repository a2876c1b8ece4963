"""The WebSocket class for uvicorn (`--ws gateroom.server.frame_protocol:FrameProtocol`): handshakes and handing over.

A socket that its endpoint hands over goes on as a `LiveSocket`; one that is not stays a `PlainSocket`.
"""

import asyncio
import contextlib
import contextvars
import socket
from collections.abc import Sequence
from typing import cast
from urllib.parse import quote

from uvicorn._types import ASGISendEvent, WebSocketAcceptEvent
from uvicorn.protocols.utils import get_client_addr
from websockets.datastructures import Headers
from websockets.exceptions import SecurityError
from websockets.http11 import Request

from gateroom.errors import BY_CODE, Forbidden, Refusal
from gateroom.incidents import blame, note
from gateroom.realtime.ports import Feed
from gateroom.server.live_socket import LiveSocket
from gateroom.server.plain_socket import PlainSocket
from gateroom.server.problem import HEAD_TOO_LARGE, MALFORMED_UPGRADE, Problem
from gateroom.server.wire import MalformedUpgrade

SUBPROTOCOL = "gateroom.v1"
EXTENSION = "gateroom.handover"

_MAX_LINE_BYTES = 8190  # of a head, as the library has it that reads those of other HTTP classes
_MAX_UNSENT_BYTES = 65536  # in the kernel, and then in the transport, before writing counts as paused


class FrameProtocol(PlainSocket):
    """One WebSocket from its upgrade until it is handed over, or until its end."""

    handed_over = False

    def data_received(self, data: bytes) -> None:
        if self.handshake_initiated:
            super().data_received(data)
        else:
            self._read_head(data)

    def upgrade(self, url: bytes, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Begin with the head of a GET that `HttpProtocol` has read and judged, instead of reading it a second time."""
        self.conn.skip_head()
        if any(len(name) + len(value) > _MAX_LINE_BYTES for name, value in headers) or len(url) > _MAX_LINE_BYTES:
            self._malformed(HEAD_TOO_LARGE)
            return
        fields = Headers([(name.decode("ascii"), value.decode("latin-1")) for name, value in headers])
        try:
            self.handle_connect(Request(url.decode("ascii"), fields))
        except (MalformedUpgrade, UnicodeDecodeError):
            self._malformed(MALFORMED_UPGRADE)

    def handle_connect(self, event: Request) -> None:
        """Start the application on a well-formed upgrade. Raises `MalformedUpgrade`."""
        super().handle_connect(event)
        cast(dict[str, object], self.scope["extensions"])[EXTENSION] = self.hand_over

    def hand_over(self, feed: Feed) -> None:
        """Give the socket to the feed for good; the endpoint returns after this.

        Raises `RuntimeError` when it was not accepted, or was handed over before.
        """
        if not self.handshake_complete or self.handed_over:
            raise RuntimeError("hand over a socket once, after accepting it")
        self.handed_over = True
        self.stop_keepalive()
        self.deadline.clear()
        self.everybody.discard(self)
        live = LiveSocket(self.transport, self.conn, feed, self.everybody, self.profile)
        if self.close_sent or self.transport.is_closing():
            live.sink.end()
        if not self.lost:
            self.transport.set_protocol(live)
        head = b"".join(self.conn.data_to_send())
        live.start(self._unread(), self.frames if self.curr_msg_data_type == "text" else None, head)
        if self.lost:
            live.connection_lost(None)
        elif self.read_paused:
            # asyncio's reader keeps the context it is started in: not that of the endpoint's task.
            self.loop.call_soon(self.transport.resume_reading, context=contextvars.Context())

    async def send(self, message: ASGISendEvent) -> None:
        if self.handed_over:
            raise RuntimeError("the socket was handed over: only its session writes to it")
        open_question = not self.handshake_complete and not self.disconnected and self.initial_response is None
        if open_question and message["type"] == "websocket.accept":
            await self._accept(message)
            self.read_early()
        elif open_question and message["type"] == "websocket.close":
            await self._refuse(message.get("reason") or "")
        else:
            await super().send(message)

    def finish(self) -> None:
        if not self.handed_over:
            super().finish()

    def fail(self, fault: BaseException) -> None:
        if self.handed_over:
            blame("endpoint_failed_after_handover", fault)  # the session lives on: it has all it needs
        else:
            super().fail(fault)

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        super().on_task_complete(task)
        cast(dict[str, object], self.scope["extensions"]).pop(EXTENSION, None)  # or the scope keeps this object alive

    def _read_head(self, data: bytes) -> None:
        self.conn.receive_data(data)
        events = self.conn.events_received()
        try:
            if not events:
                raise MalformedUpgrade
            self.handle_connect(cast(Request, events[0]))
        except MalformedUpgrade:
            too_large = isinstance(self.conn.handshake_exc, SecurityError)
            self._malformed(HEAD_TOO_LARGE if too_large else MALFORMED_UPGRADE)

    def _malformed(self, problem: Problem) -> None:
        note("upgrade_refused", code=problem.code, status=problem.status, peer=self.client)
        self.handshake_initiated = True
        # Not at once: uvicorn's own HTTP classes put this protocol on the transport only after it has the head.
        self.loop.call_soon(self.answer, problem)

    async def _accept(self, message: WebSocketAcceptEvent) -> None:
        # A subprotocol is named in one place only, or a credential that was offered as one might be echoed.
        headers = [pair for pair in message.get("headers", ()) if pair[0].lower() != b"sec-websocket-protocol"]
        accept: WebSocketAcceptEvent = {**message, "headers": headers}
        self.conn.holding = True
        await super().send(accept)
        self.conn.holding = False
        self.loop.call_soon(self._write_held)
        _limit_unsent(self.transport)

    def _write_held(self) -> None:
        """Write the 101 if nothing has taken it along, as the greeting of a session or a first message does."""
        held = b"".join(self.conn.data_to_send())
        if held and not self.transport.is_closing():
            self.transport.write(held)

    async def _refuse(self, reason: str) -> None:
        error, known = _refusal(reason)
        offered = SUBPROTOCOL in self.scope["subprotocols"]
        form = self.profile.refusal
        if known and error.tellable and (form == "close" or (form == "auto" and offered)):
            await self._accept({"type": "websocket.accept", "subprotocol": SUBPROTOCOL if offered else None})
            if self.handshake_complete:
                self.end(error.close_code, error.code)
                self.read_early()
        else:
            path = quote(self.scope["path"])
            self.logger.info('%s - "WebSocket %s" %d', get_client_addr(self.scope), path, error.handshake_status)
            self.answer(Problem.of(error, over_tls=self.scope["scheme"] == "wss"))

    def _unread(self) -> list[str | None]:
        """Take the messages that came since the accept, None for a binary one."""
        unread: list[str | None] = []
        while not self.queue.empty():
            event = self.queue.get_nowait()
            if event["type"] == "websocket.receive":
                unread.append(event.get("text"))
        self.queue.put_nowait({"type": "websocket.disconnect", "code": 1000})  # for whoever still waits for a message
        return unread


def _refusal(reason: str) -> tuple[type[Refusal], bool]:
    """Find what a close before accept means; one that is not ours is `Forbidden`, its text stays unsaid."""
    found = BY_CODE.get(reason)
    return (found, True) if found is not None and issubclass(found, Refusal) else (Forbidden, False)


def _limit_unsent(transport: asyncio.Transport) -> None:
    transport.set_write_buffer_limits(_MAX_UNSENT_BYTES)
    # Otherwise megabytes wait in the kernel before a peer that does not read is noticed.
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    sock = transport.get_extra_info("socket")
    if option is not None and sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError):  # it may be gone already
            sock.setsockopt(socket.IPPROTO_TCP, option, _MAX_UNSENT_BYTES)
