"""An ASGI WebSocket that ends as it should, whatever its peer and its application do.

Stock uvicorn's, except that every end is explicit (a close frame with a code, or an abort by a deadline), and that
nothing a peer sends is unbounded or leaves a traceback.
"""

import asyncio
from functools import partial
from typing import Any, cast

from uvicorn._types import ASGISendEvent
from uvicorn.config import Config
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.exceptions import InvalidState
from websockets.frames import CloseCode, Frame
from websockets.protocol import State

from gateroom.errors import InternalError, PingTimeout, Restarting
from gateroom.incidents import blame, note
from gateroom.protocol.frame import MAX_REASON_BYTES
from gateroom.server.access_log import keep_logs_safe
from gateroom.server.deadline import Deadline
from gateroom.server.dropping import drop
from gateroom.server.lingering import answer_and_end
from gateroom.server.problem import Problem
from gateroom.server.profile import profile_of
from gateroom.server.wire import Wire, slices

_MAX_EARLY_BYTES = 65536  # what a peer may send ahead of the answer to its handshake


class PlainSocket(WebSocketsSansIOProtocol):
    """One WebSocket; the profile rules, not uvicorn's `ws_*` options, except for keepalive."""

    conn: Wire

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        keep_logs_safe()
        self.profile = profile_of(app_state)
        self.everybody = cast(set[object], server_state.connections)
        self.deadline = Deadline()
        self.early = b""
        self.lost = False
        self.conn = Wire(self.profile)  # the one that uvicorn made logs heads and frames, and offers compression

    # What the transport calls

    def data_received(self, data: bytes) -> None:
        if self.handshake_complete:
            self._read(data)
            return
        # Parsed once accepted: to a ping the parser would answer before the 101.
        self.early += data
        if len(self.early) > _MAX_EARLY_BYTES and not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()

    def eof_received(self) -> None:
        self.deadline.set(self.profile.close_timeout, partial(drop, self.transport))

    def pause_writing(self) -> None:
        super().pause_writing()
        if not self.close_sent:
            self.deadline.set(self.profile.stall_timeout, self._stalled)

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.close_sent:
            self.deadline.clear()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.lost = True
        self.deadline.clear()
        self.conn.let_go()

    def shutdown(self) -> None:
        """End with 1012, or 503 before the accept: uvicorn calls this when the server stops."""
        if self.close_sent or self.transport.is_closing():
            return
        if self.handshake_complete:
            self.end(Restarting.close_code, Restarting.code)
        else:
            self.answer(Problem.of(Restarting))
        self.disconnected = True  # for the application, from here on

    # What the peer sends

    def read_early(self) -> None:
        """Read what came before the accept."""
        early, self.early = self.early, b""
        if early and not self.transport.is_closing():
            self._read(early)
        if self.queue.empty():
            self._resume_reading()

    def _read(self, data: bytes) -> None:
        for piece in slices(data):
            self.conn.receive_data(piece)
            self.handle_events()
            if self.conn.parser_exc is not None:
                self.handle_parser_exception()
                return

    def send_receive_event_to_app(self) -> None:
        """Queue the message that is complete; 1007 where it should be text and is not (RFC 6455 section 8.1)."""
        if self.curr_msg_data_type == "text" and not self.close_sent:
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError as fault:
                self.frames = []
                self.conn.fail(CloseCode.INVALID_DATA)
                self.conn.parser_exc = fault
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()

    def handle_ping(self) -> None:
        # A peer that takes nothing gets no pongs either: it could let them pile up.
        answers = b"".join(self.conn.data_to_send())
        if not self.close_sent and (self.writable.is_set() or self.conn.state is not State.OPEN):
            self.transport.write(answers)

    def handle_close(self, event: Frame) -> None:
        if self.close_sent:
            self.transport.close()
        else:
            super().handle_close(event)
        self.deadline.set(self.profile.close_timeout, partial(drop, self.transport))

    def handle_parser_exception(self) -> None:
        """End a socket whose peer broke the protocol: the parser has the close frame ready."""
        if not self.close_sent:
            code = int(self.conn.close_sent.code) if self.conn.close_sent else CloseCode.ABNORMAL_CLOSURE
            note("socket_broke_protocol", code=code, peer=self.scope["client"])  # as trusted proxies tell it
            self._begin_end(code)
            self.disconnected = True
        if self.transport.can_write_eof() and not self.transport.is_closing():
            self.transport.write_eof()

    def keepalive_timeout(self) -> None:
        """End a socket that no longer answers pings."""
        self.pong_timer = None
        if not self.close_sent and not self.transport.is_closing():
            note("ping_timeout", peer=self.scope["client"])
            self.end(PingTimeout.close_code, PingTimeout.code)
            self.disconnected = True

    def _stalled(self) -> None:
        note("slow_consumer", peer=self.scope["client"])
        drop(self.transport)

    # How it ends

    def end(self, code: int, reason: str) -> None:
        """Send a close frame, and wait for the peer's until the deadline.

        Raises websockets' `ProtocolError` for a code that may not be sent, `InvalidState` when it has closed already.
        """
        self.conn.send_close(code, reason.encode(errors="replace")[:MAX_REASON_BYTES].decode(errors="ignore"))
        self._begin_end(code, reason)

    def answer(self, problem: Problem) -> None:
        """Answer the handshake with an HTTP response, and be done with the connection; the first answer counts."""
        if self.close_sent:
            return
        self.close_sent = self.handshake_complete = True
        self.deadline.clear()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": CloseCode.ABNORMAL_CLOSURE})
        if not self.transport.is_closing():
            self.everybody.discard(self)
            answer = problem.response(self.default_headers)
            answer_and_end(self.transport, answer, self.everybody, self.profile.close_timeout)
            self.conn.let_go()

    def _begin_end(self, code: int, reason: str = "") -> None:
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self._resume_reading()
        self.deadline.set(self.profile.close_timeout, partial(drop, self.transport))

    def _resume_reading(self) -> None:
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()

    # What the application does

    async def send(self, message: ASGISendEvent) -> None:
        if self.disconnected:
            raise ClientDisconnected
        if message["type"] == "websocket.close" and self.handshake_complete and not self.close_sent:
            # Without waiting for what is unsent: that has a deadline.
            if not self.transport.is_closing():
                try:
                    self.end(message.get("code", CloseCode.NORMAL_CLOSURE), message.get("reason") or "")
                except InvalidState:
                    raise ClientDisconnected from None
            return
        await super().send(message)
        if self.transport.is_closing():
            self.deadline.set(self.profile.close_timeout, partial(drop, self.transport))

    async def run_asgi(self) -> None:
        """Run the application on this socket, and end the socket with it."""
        try:
            await self.app(self.scope, self.receive, self.send)
        except ClientDisconnected:
            pass
        except asyncio.CancelledError:
            self.transport.abort()
            raise
        except BaseException as fault:
            self.fail(fault)
        else:
            self.finish()

    def finish(self) -> None:
        """End a socket whose application has returned."""
        if self.close_sent or self.transport.is_closing():
            return
        if self.handshake_complete:
            self.end(CloseCode.NORMAL_CLOSURE, "")
        else:
            self.fail(RuntimeError("the application returned without answering the handshake"))

    def fail(self, fault: BaseException) -> None:
        """End a socket whose application has failed; the peer gets an error id that the log has too."""
        if self.close_sent or self.transport.is_closing():
            # Often no more than a way to say that the peer has gone, which peers can do at will.
            note("endpoint_failed_after_the_end", exc_info=fault)
            return
        reason = blame("endpoint_failed", fault)
        if self.handshake_complete:
            self.end(InternalError.close_code, reason)
        else:
            error_id = reason.removeprefix(InternalError.code).strip()
            self.answer(Problem.of(InternalError, f"{InternalError.sentence} The error id is {error_id}."))
