"""The HTTP class for uvicorn (`--http gateroom.server.http_protocol:HttpProtocol`): heads and bodies bounded in size
and time, and upgrades passed on whole."""

import asyncio
from functools import partial
from typing import Any, cast

from httptools import HttpParserError, HttpParserUpgrade
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from gateroom.incidents import note
from gateroom.server.access_log import keep_logs_safe
from gateroom.server.deadline import Deadline
from gateroom.server.dropping import drop
from gateroom.server.frame_protocol import FrameProtocol
from gateroom.server.heads import MAX_HEADERS, is_host
from gateroom.server.lingering import answer_and_end
from gateroom.server.problem import BODY_TOO_LARGE, HEAD_TOO_LARGE, MALFORMED, MALFORMED_UPGRADE, TOO_SLOW, Problem
from gateroom.server.profile import profile_of


class _Refused(Exception):
    """Leaves the parser's callbacks: they cannot end the connection themselves."""


class HttpProtocol(HttpToolsProtocol):
    """One connection: its requests, until it ends or becomes a WebSocket."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        keep_logs_safe()
        self._profile = profile_of(app_state)
        self._arrival = Deadline()  # of the head, or of the body, that should be complete by then
        self._departure = Deadline()  # of what the peer does not take
        self._problem: Problem | None = None
        self._silent = True  # no byte has come
        self._ended = False
        self._in_head = self._in_body = False
        self._heads_begun = 0  # in what was read last
        self._head_bytes = self._field_bytes = self._body_bytes = 0

    # What the transport calls

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn narrows it
        super().connection_made(transport)
        self._arrival.set(self._profile.header_timeout, self._head_overdue)

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        self._silent = False
        self._heads_begun = 0
        size, idle = len(data), not (self._in_head or self._in_body)
        while data:
            data = self._feed(data)
        if self._ended:
            return
        if self._in_head:
            # A head that is not complete: its bytes count where it is known that all of these belong to it.
            if self._heads_begun == (1 if idle else 0):
                self._head_bytes += size
            if self._head_bytes > self._profile.max_head_bytes > 0:
                self._refuse(HEAD_TOO_LARGE)
        elif not self._in_body and not self._busy() and not self._arrival.pending:
            self._arrival.set(self._profile.header_timeout, self._head_overdue)  # line breaks that begin nothing

    def pause_writing(self) -> None:
        super().pause_writing()
        self._departure.set(self._profile.stall_timeout, partial(drop, self.transport))

    def resume_writing(self) -> None:
        super().resume_writing()
        self._departure.clear()

    def connection_lost(self, exc: Exception | None) -> None:
        self._release()
        super().connection_lost(exc)

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection, whatever of the last response its peer has not taken."""
        super().timeout_keep_alive_handler()
        self._departure.set(self._profile.stall_timeout, partial(drop, self.transport))

    # What the parser calls

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._heads_begun += 1
        self._head_bytes = self._field_bytes = self._body_bytes = 0
        if not self._arrival.pending:
            self._arrival.set(self._profile.header_timeout, self._head_overdue)

    def on_url(self, url: bytes) -> None:
        self._count_fields(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count_fields(len(name) + len(value) + 4)
        if self._in_head:  # a trailer is not a header: it comes after the application has judged those
            super().on_header(name, value)
            if len(self.headers) > MAX_HEADERS:
                self._stop(HEAD_TOO_LARGE)

    def on_headers_complete(self) -> None:
        self._arrival.clear()
        has_body = self._check_head()
        self._in_head = False
        super().on_headers_complete()
        if has_body:
            self._in_body = True
            self._arrival.set(self._profile.body_timeout, self._body_overdue)

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._body_bytes > self._profile.max_body_bytes > 0:
            self._stop(BODY_TOO_LARGE)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_body = False
        self._arrival.clear()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on with the next request; uvicorn's response calls this when all of it is written."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._departure.set(self._profile.stall_timeout, partial(drop, self.transport))

    # Bounds

    def _check_head(self) -> bool:
        """Tell whether a body follows."""
        hosts: list[bytes] = []
        length, coded = 0, False
        for name, value in self.headers:
            if name == b"host":
                hosts.append(value)
            elif name == b"content-length":
                length = int(value)  # the parser takes digits only, once
            elif name == b"transfer-encoding":
                coded = True
        version = self.parser.get_http_version()
        if (hosts or version != "1.0") and not is_host(hosts):
            self._stop(MALFORMED)
        if length > self._profile.max_body_bytes > 0:
            self._stop(BODY_TOO_LARGE)
        has_body = length > 0 or coded
        if self.parser.should_upgrade() and self._should_upgrade():
            plain_get = self.parser.get_method() == b"GET" and version == "1.1" and not has_body
            if not plain_get or self._busy():
                self._stop(MALFORMED_UPGRADE)
        return has_body

    def _count_fields(self, size: int) -> None:
        self._field_bytes += size
        if self._field_bytes > self._profile.max_head_bytes > 0:
            self._stop(HEAD_TOO_LARGE)

    def _stop(self, problem: Problem) -> None:
        self._problem = problem
        raise _Refused

    def _head_overdue(self) -> None:
        if self._silent:
            self.transport.close()
        elif self._busy():  # with a request before this one: its response is not to be disturbed
            self._arrival.set(self._profile.header_timeout, self._head_overdue)
        else:
            self._refuse(TOO_SLOW)

    def _body_overdue(self) -> None:
        if self.flow.read_paused:  # the application's fault, not the peer's
            self._arrival.set(self._profile.body_timeout, self._body_overdue)
        else:
            self._refuse(TOO_SLOW)

    # What becomes of the connection

    @property
    def _newest(self) -> RequestResponseCycle | None:
        return self.cycle

    def _busy(self) -> bool:
        """Tell whether a response is under way, or waits for its turn."""
        return self._newest is not None and not self._newest.response_complete

    def _feed(self, data: bytes) -> bytes:
        """Parse, and return what comes after an upgrade that we do not offer."""
        try:
            self.parser.feed_data(data)
        except HttpParserUpgrade as stop:
            rest = data[stop.args[0] :]
            if not self._should_upgrade():
                return rest
            self._become_websocket(rest)
        except HttpParserError:
            self._refuse(self._problem or MALFORMED)
        return b""

    def _become_websocket(self, rest: bytes) -> None:
        """Give the connection to uvicorn's `--ws` class; `rest` is what came right behind the head."""
        self._release()
        self.connections.discard(self)
        make = cast(Any, self.ws_protocol_class)
        protocol = make(config=self.config, server_state=self.server_state, app_state=self.app_state)
        protocol.connection_made(self.transport)
        self.transport.set_protocol(protocol)
        if isinstance(protocol, FrameProtocol):
            protocol.upgrade(self.url, self.headers)
        else:
            lines = [b"GET %s HTTP/1.1\r\n" % self.url, *(b"%s: %s\r\n" % pair for pair in self.headers), b"\r\n"]
            protocol.data_received(b"".join(lines))
        if rest and not self.transport.is_closing():
            cast(asyncio.Protocol, self.transport.get_protocol()).data_received(rest)
        self.parser = cast(Any, None)  # or the two keep each other alive

    def _refuse(self, problem: Problem) -> None:
        """Answer instead of the application, unless something of an answer is under way; then end."""
        note("request_refused", code=problem.code, status=problem.status, peer=self.client)
        cycle = self._newest
        if cycle is not None:
            cycle.waiting_for_100_continue = False
        own_answer = self._in_body and cycle is not None and cycle.response_started
        disturbing = self._busy() and (bool(self.pipeline) or own_answer or not self._in_body)
        # The applications' side of it, as if the peer had gone: they may go on, and write into nothing.
        self.connection_lost(ConnectionAbortedError())
        if disturbing:
            self.transport.abort()
        else:
            answer = b"" if own_answer else problem.response(self.server_state.default_headers)
            everybody = cast(set[object], self.connections)
            answer_and_end(self.transport, answer, everybody, self._profile.close_timeout)

    def _release(self) -> None:
        self._ended = True
        self._unset_keepalive_if_required()
        self._arrival.clear()
        self._departure.clear()
