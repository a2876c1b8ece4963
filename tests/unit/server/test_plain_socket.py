"""What cannot be shown over a real socket without luck, on a transport without one."""

import asyncio

from uvicorn import Config
from uvicorn.server import ServerState

from gateroom.protocol.frame import pong_frame
from gateroom.server.frame_protocol import FrameProtocol
from support.asgi import accept
from support.raw_client import BINARY, PING, masked, upgrade
from support.serving import App, Receive, Scope, Send
from support.transports import RecordingTransport


def upgraded(app: App) -> tuple[FrameProtocol, RecordingTransport, ServerState]:
    config = Config(app, log_config=None, lifespan="off")
    config.load()
    transport, state = RecordingTransport(), ServerState()
    socket = FrameProtocol(config, state, {})
    socket.connection_made(transport)
    socket.data_received(upgrade("/"))
    return socket, transport, state


async def test_a_peer_that_takes_nothing_gets_no_pongs() -> None:
    opened = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await accept(receive, send)
        opened.set()
        assert (await receive())["type"] == "websocket.disconnect"

    socket, transport, state = upgraded(app)
    await asyncio.wait_for(opened.wait(), 10)
    transport.written = b""
    socket.pause_writing()
    socket.data_received(masked(PING, "lost"))
    assert transport.written == b""
    socket.resume_writing()
    socket.data_received(masked(PING, "answered"))
    assert transport.written == pong_frame(b"answered")
    socket.connection_lost(None)
    await asyncio.wait_for(asyncio.gather(*state.tasks), 10)


async def test_a_flood_ahead_of_the_accept_is_left_to_the_kernel() -> None:
    go_on, done = asyncio.Event(), asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await go_on.wait()
        await accept(receive, send)
        for _ in range(7):
            assert len((await receive())["bytes"]) == 10_000
        done.set()
        assert (await receive())["type"] == "websocket.disconnect"

    socket, transport, state = upgraded(app)
    for _ in range(6):
        socket.data_received(masked(BINARY, bytes(10_000)))
    assert transport.reading
    socket.data_received(masked(BINARY, bytes(10_000)))
    assert not transport.reading
    assert transport.written == b""
    go_on.set()
    await asyncio.wait_for(done.wait(), 10)
    assert transport.reading
    socket.connection_lost(None)
    await asyncio.wait_for(asyncio.gather(*state.tasks), 10)
