"""The members of one room as picows clients: how they get in, what they count, and how one of them publishes."""

import asyncio
import os
import time
from collections.abc import Sequence
from itertools import count, cycle

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from gateroom.bench import CannotMeasure
from gateroom.bench.wires import MESSAGE_BYTES, RefusedByServer, Wire, client_frame, message, stamp_of

_AT_ONCE = 16  # handshakes under way at the same time
_PER_ADDRESS = 10_000  # connections from one loopback address: there are some 28,000 ports for each
_SAMPLERS = 20  # members whose deliveries are timed
_OPENING_SECONDS = 30.0
_CLOSING_SECONDS = 10.0
_NEVER = 1 << 62


class Crowd:
    """Everybody this process keeps in the room, with the one count they share."""

    def __init__(self, port: int, wire: Wire) -> None:
        self.wire = wire
        self.deliveries = 0
        self.published = 0
        self.latencies: list[int] | None = None  # microseconds, while they are wanted
        self.failure: str | None = None
        self.members: list[Member] = []
        self.publisher: Publisher | None = None
        self._url = f"ws://127.0.0.1:{port}{wire.path}"
        self._opened = count()
        self._closing = False

    def fail(self, what: str) -> None:
        if self.failure is None and not self._closing:
            self.failure = what

    def check(self) -> None:
        """Raise CannotMeasure if a member was refused or lost."""
        if self.failure is not None:
            raise CannotMeasure(self.failure)

    async def open(self, members: int, tokens: Sequence[str]) -> None:
        """Connect so many more and wait until all are in the room.

        The last one in is the publisher, so that a server that serves in order serves it last.
        """
        self._closing = False
        every = max(1, members // _SAMPLERS)
        kinds = [Sampler if index % every == 0 else Member for index in range(members - 1)]
        turn: cycle[str | None] = cycle(tokens or (None,))
        todo = zip(kinds, turn, strict=False)

        async def usher() -> None:
            for kind, token in todo:
                self.members.append(await self._admit(kind(self), token))

        await asyncio.gather(*(usher() for _ in range(_AT_ONCE)))
        self.publisher = Publisher(self)
        self.members.append(await self._admit(self.publisher, next(turn)))

    async def _admit(self, member: "Member", token: str | None) -> "Member":
        async with asyncio.timeout(_OPENING_SECONDS):
            await ws_connect(
                lambda: member,
                self._url,
                websocket_handshake_timeout=_OPENING_SECONDS,
                extra_headers=self.wire.headers(token),
                local_addr=(_source(next(self._opened)), 0),
            )
            await member.ready
        return member

    async def close(self) -> None:
        """Disconnect everybody, politely as far as the server answers in time."""
        self._closing = True
        for member in self.members:
            member.leave()
        gone = asyncio.gather(*(member.gone for member in self.members))
        try:
            async with asyncio.timeout(_CLOSING_SECONDS):
                await gone
        except TimeoutError:
            for member in self.members:
                member.drop()
        self.members, self.publisher = [], None


def _source(index: int) -> str:
    """Pick a loopback address of this process's own for its connection number `index`."""
    pid = os.getpid()
    return f"127.{1 + pid % 250}.{pid // 250 % 250}.{1 + index // _PER_ADDRESS % 250}"


class Member(WSListener):
    """One connection; it counts what is large enough to be a delivery and does next to nothing else."""

    transport: WSTransport  # from the end of the HTTP handshake on

    def __init__(self, crowd: Crowd) -> None:
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = loop.create_future()
        self.gone: asyncio.Future[None] = loop.create_future()
        self.crowd = crowd
        self.least = _NEVER  # bytes that make a delivery; none counts before this member is in the room

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        if self.crowd.wire.ready_at_once:
            self._is_in()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.payload_size >= self.least:
            self.crowd.deliveries += 1
        else:
            self.other(transport, frame)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.crowd.fail(f"the server closed a connection: {_farewell(transport)}")
        if not self.ready.done():
            self.ready.set_exception(CannotMeasure(f"refused: {_farewell(transport)}"))
        if not self.gone.done():
            self.gone.set_result(None)

    def other(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take a frame that is not a delivery: the opening, a reply, a ping of the server's own."""
        if frame.msg_type is WSMsgType.CLOSE:
            transport.send_close()
            transport.disconnect()
            return
        try:
            said = self.crowd.wire.heard(frame.get_payload_as_bytes())
        except RefusedByServer as refusal:
            self.crowd.fail(f"the server refused: {refusal}")
            return
        if said.answer is not None:
            transport.send(WSMsgType.TEXT, said.answer)
        if said.ready and not self.ready.done():
            self._is_in()

    def leave(self) -> None:
        self.transport.send_close(WSCloseCode.OK)

    def drop(self) -> None:
        self.transport.disconnect(graceful=False)

    def _is_in(self) -> None:
        self.least = MESSAGE_BYTES
        self.ready.set_result(None)


class Sampler(Member):
    """A member who also times its deliveries while the crowd wants to know."""

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.payload_size < self.least:
            self.other(transport, frame)
            return
        self.crowd.deliveries += 1
        if self.crowd.latencies is not None:
            now = time.monotonic_ns() // 1000
            self.crowd.latencies.append(now - stamp_of(frame.get_payload_as_bytes()))


class Publisher(Member):
    """The member who publishes: as many at once as came back in one read, while its loop is to go on."""

    def __init__(self, crowd: Crowd) -> None:
        super().__init__(crowd)
        self.goes_on = False
        self._back = 0

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.payload_size >= self.least:
            self.crowd.deliveries += 1
            self._back += 1
        else:
            self.other(transport, frame)
        if frame.last_in_buffer and self._back:
            back, self._back = self._back, 0
            if self.goes_on:
                self.publish(back)

    def publish(self, publishes: int) -> None:
        """Publish so many messages in one write, all stamped with this moment."""
        wire, first = self.crowd.wire, self.crowd.published + 1
        self.crowd.published += publishes
        text = message(time.monotonic_ns() // 1000)
        frames = [client_frame(wire.publish(number, text)) for number in range(first, first + publishes)]
        self.transport.underlying_transport.write(b"".join(frames))


def _farewell(transport: WSTransport) -> str:
    heard = getattr(transport.close_handshake, "recv", None)  # None before either side closed, whatever its type says
    return "without a close frame" if heard is None else f"{heard.code} {heard.reason}"
