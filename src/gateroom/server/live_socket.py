"""The reading half of a handed-over socket: what the peer does, told to its feed within the same callback."""

import asyncio
from collections.abc import Callable, Iterable
from typing import cast

from websockets.frames import BINARY, CONT, PONG, TEXT, Frame

from gateroom.errors import InternalError, ProtocolViolation
from gateroom.incidents import blame, note
from gateroom.realtime.ports import Feed
from gateroom.server.profile import ServerProfile
from gateroom.server.raw_sink import RawSink
from gateroom.server.wire import Wire, slices


class LiveSocket(asyncio.Protocol):
    """Takes the place of `FrameProtocol` on the transport.

    It holds a parser, a sink and the feed, and no task, queue, future or timer. Stalled writes are the feed's to judge:
    it sees `sink.paused`.
    """

    __slots__ = ("_connections", "_feed", "_parts", "_profile", "_wire", "sink", "transport")

    def __init__(
        self, transport: asyncio.Transport, wire: Wire, feed: Feed, connections: set[object], profile: ServerProfile
    ) -> None:
        self.transport = transport
        self.sink = RawSink(transport, profile.close_timeout)
        self._wire = wire
        self._feed: Feed | None = feed
        self._connections = connections
        self._profile = profile
        self._parts: list[bytes] | None = None  # of a text message whose end has not come
        connections.add(self)

    def start(self, early: Iterable[str | None], parts: list[bytes] | None, head: bytes = b"") -> None:
        """Give the feed its sink, then what came since the accept.

        `early` are whole messages, None for a binary one; `parts` is a text message that is not complete.
        `head` leaves in front of what the feed writes first.
        """
        self._parts = parts
        if self._feed is not None:
            feed = self._feed
            if head:
                self.sink.begin(head)
            self._tell(feed.start, self.sink)
            if head:
                asyncio.get_running_loop().call_soon(self.sink.begun)  # after the tick that writes a greeting
            for message in early:
                if self.sink.ended:
                    break
                if message is None:
                    self._tell(feed.binary)
                else:
                    self._tell(feed.text, message.encode())

    # What the transport calls

    def data_received(self, data: bytes) -> None:
        for piece in slices(data):
            if self._feed is not None:
                self._take(piece, self._feed)

    def eof_received(self) -> None:
        self.sink.end()
        self._lose()

    def pause_writing(self) -> None:
        self.sink.paused = True

    def resume_writing(self) -> None:
        self.sink.paused = False
        if self._feed is not None and not self.sink.ended:
            self._tell(self._feed.writable)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self.sink.release()
        self._wire.let_go()
        self._lose()

    def shutdown(self) -> None:
        """Let the feed close: uvicorn calls this when the server stops."""
        if self._feed is not None:
            self.sink.give(self._profile.shutdown_grace)
            self._tell(self._feed.stop)

    # What the frames mean

    def _take(self, data: bytes, feed: Feed) -> None:
        wire = self._wire
        text = wire.whole_text(data) if self._parts is None else None
        if text is not None:
            if not self.sink.ended:
                self._tell(feed.text, text)
            return
        wire.receive_data(data)
        try:
            for frame in cast("list[Frame]", wire.events_received()):
                if self.sink.ended:
                    break
                opcode = frame.opcode
                if opcode is TEXT and frame.fin:
                    feed.text(bytes(frame.data))
                elif opcode is PONG:
                    feed.pong()
                else:
                    self._take_rare(frame, feed)
        except Exception as fault:
            self._failed(fault)
        if wire.writes:
            self._answer()
        if wire.eof_sent:
            self._over()

    def _take_rare(self, frame: Frame, feed: Feed) -> None:
        if frame.opcode is TEXT:
            self._parts = [bytes(frame.data)]
        elif frame.opcode is BINARY:
            self._parts = None
        elif frame.opcode is not CONT:
            return  # the parser answered a ping; a close shows in `wire.eof_sent`
        elif self._parts is not None:
            self._parts.append(bytes(frame.data))
        if frame.fin:
            parts, self._parts = self._parts, None
            if parts is None:
                feed.binary()
            else:
                feed.text(b"".join(parts))

    def _answer(self) -> None:
        answers = b"".join(self._wire.data_to_send())
        # A peer that takes nothing gets no pongs either: it could let them pile up.
        if self._wire.eof_sent or not self.sink.paused:
            self.sink.answer(answers)

    def _over(self) -> None:
        """End: the peer closed, or answered our close, or broke the protocol, of which the parser told it."""
        said = self._wire.close_sent if self._wire.parser_exc is not None else None
        self.sink.end()
        if said is None:
            self._lose()
            self.transport.close()
            return
        code = int(said.code)
        self._lose(code, said.reason if code == ProtocolViolation.close_code else "")  # others are the parser's words
        note("socket_broke_protocol", code=code)
        if self.transport.can_write_eof() and not self.transport.is_closing():
            self.transport.write_eof()

    def _lose(self, *said: int | str) -> None:
        feed, self._feed = self._feed, None
        if feed is not None:
            self._tell(feed.lost, *said)

    def _tell(self, call: Callable[..., None], *arguments: object) -> None:
        try:
            call(*arguments)
        except Exception as fault:
            self._failed(fault)

    def _failed(self, fault: Exception) -> None:
        self.sink.close(InternalError.close_code, blame("feed_failed", fault))
