"""The moment of handing over, and feeds that fail."""

import contextlib
import contextvars
import gc
import json
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from gateroom.protocol.frame import Segment
from gateroom.server.frame_protocol import FrameProtocol
from gateroom.server.http_protocol import HttpProtocol
from gateroom.server.live_socket import LiveSocket
from gateroom.server.wire import Wire
from support.asgi import EXTENSION, accept
from support.feeds import RecordingFeed
from support.raw_client import PONG, TEXT, Closed, RawFrame, masked, masked_close
from support.serving import Receive, Scope, Send, serving
from support.stage import Stage, staged

LOOPS = ["uvloop", "asyncio"]


@pytest.fixture(scope="module", params=LOOPS)
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    with staged(loop=request.param) as stage:
        yield stage


def say(feed: RecordingFeed, text: str) -> None:
    feed.sink.write([Segment("", (text.encode(),))])


def echo(feed: RecordingFeed) -> None:
    say(feed, feed.texts[-1].decode())


def fail(feed: RecordingFeed) -> None:
    raise ValueError("a mistake in a session")


# Feeds that fail: a session handles its own mistakes, this is for those it did not think of


@pytest.mark.parametrize("call", ["start", "text", "binary", "pong"])
def test_a_mistake_in_a_feed_ends_its_socket_with_an_id_that_the_log_has(stage: Stage, call: str) -> None:
    feed = RecordingFeed(**{call: fail})
    with capture_logs() as lines, stage.connect(feed) as client:
        client.send(masked(TEXT, "x") + masked(0x2, b"x") + masked(PONG))
        closed = client.read_close()
        client.send_as_far_as_possible(masked_close(closed.code))
        feed.wait_for("lost")
    name, error_id = closed.reason.split(" ")
    assert (closed.code, name) == (1011, "internal_error")
    errors = [line for line in lines if line["log_level"] == "error"]
    assert [(line["event"], line["error_id"]) for line in errors] == [("feed_failed", error_id)]
    assert isinstance(errors[0]["exc_info"], ValueError)


def test_a_mistake_at_the_end_is_logged_and_harms_nobody(stage: Stage) -> None:
    feed = RecordingFeed(lost=fail)
    with capture_logs() as lines, stage.connect(feed) as client, stage.connect(RecordingFeed(text=echo)) as other:
        client.send(masked_close(1000))
        assert client.read_close() == Closed(1000)
        assert client.read_to_end() == b""
        other.send_text("fine")
        assert other.read_text() == "fine"
    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["feed_failed"]
    assert feed.events == ["start", "lost"]


def test_a_mistake_while_going_on_to_write_ends_the_socket(stage: Stage) -> None:
    feed = RecordingFeed(text=lambda feed: say(feed, "x" * 8_000_000), writable=fail)
    with stage.connect(feed, receive_buffer=4096) as client:
        client.send_text("go")
        assert client.read_close().code == 1011


def test_a_feed_that_fails_at_shutdown_is_ended_too() -> None:
    with staged() as stage, stage.connect(RecordingFeed(stop=fail)) as client:
        stage.server.begin_to_stop()
        assert client.read_close().code == 1011


# The moment itself


def test_a_socket_is_handed_over_after_its_accept_and_once() -> None:
    feed = RecordingFeed(text=echo)
    refused: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        hand_over = scope["extensions"][EXTENSION]

        def try_it(unwanted: RecordingFeed) -> None:
            try:
                hand_over(unwanted)
            except RuntimeError as fault:
                refused.append(str(fault))

        try_it(RecordingFeed())
        await accept(receive, send)
        hand_over(feed)
        try_it(RecordingFeed())

    with serving(app) as server, server.client() as client:
        client.open()
        client.send_text("fine")
        assert client.read_text() == "fine"
    assert refused == ["hand over a socket once, after accepting it"] * 2


def test_an_endpoint_has_no_say_after_handing_over() -> None:
    outcomes: list[str] = []
    feed = RecordingFeed(text=echo)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await accept(receive, send)
        scope["extensions"][EXTENSION](feed)
        try:
            await send({"type": "websocket.send", "text": "unwanted"})
        except RuntimeError as fault:
            outcomes.append(str(fault))
        outcomes.append((await receive())["type"])
        raise ValueError("after all was done")

    with capture_logs() as lines, serving(app) as server, server.client() as client:
        client.open()
        client.send_text("fine")
        assert client.read_text() == "fine"
        client.send_text("still fine")
        assert client.read_text() == "still fine"
    assert outcomes == ["the socket was handed over: only its session writes to it", "websocket.disconnect"]
    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["endpoint_failed_after_handover"]


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("how", ["a close", "a reset"])
def test_a_socket_whose_peer_has_gone_is_started_and_lost(loop: str, how: str) -> None:
    feed = RecordingFeed(start=lambda feed: say(feed, "into nothing"))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await accept(receive, send)
        while (await receive())["type"] != "websocket.disconnect":
            pass
        scope["extensions"][EXTENSION](feed)

    with serving(app, loop=loop) as server, server.client() as client:
        client.open()
        if how == "a close":
            client.send(masked_close(1000))
        else:
            client.reset()
        feed.wait_for("lost")
        server.wait_for_connections(0)
    assert feed.events == ["start", "lost"]


def test_a_socket_handed_over_while_the_server_stops_is_started_and_lost() -> None:
    feed = RecordingFeed()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await accept(receive, send)
        assert (await receive())["code"] == 1012
        scope["extensions"][EXTENSION](feed)

    with serving(app) as server, server.client() as client:
        client.open()
        server.begin_to_stop()
        assert client.read_close() == Closed(1012, "restarting")
        client.send(masked_close(1012))
        assert client.read_to_end() == b""
        feed.wait_for("lost")
    assert feed.events == ["start", "lost"]


def alive(*kinds: type) -> int:
    return sum(isinstance(thing, kinds) for thing in gc.get_objects())


def of_handshakes() -> int:
    return alive(FrameProtocol, HttpProtocol)


def of_sockets() -> int:
    return alive(FrameProtocol, HttpProtocol, LiveSocket, Wire)


@contextlib.contextmanager
def without_garbage_collector(stage: Stage) -> Iterator[None]:
    stage.server.call(gc.collect)
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def test_what_a_handshake_needed_is_freed_with_its_endpoint(stage: Stage) -> None:
    with without_garbage_collector(stage):
        before, before_all = stage.server.call(of_handshakes), stage.server.call(of_sockets)
        clients = [stage.connect(RecordingFeed(text=echo)) for _ in range(10)]
        for client in clients:  # once an answer is there, the endpoint has returned
            client.send_text("x")
            assert client.read_text() == "x"
        assert stage.server.call(of_handshakes) == before
        for client in clients:
            client.close()
        stage.server.wait_for_connections(0)
        assert stage.server.call(of_sockets) == before_all


def test_what_a_plain_socket_needed_is_freed_with_it(stage: Stage) -> None:
    with without_garbage_collector(stage):
        before = stage.server.call(of_sockets)
        for _ in range(10):
            with stage.server.client() as client:
                client.open("/echo")
                client.send(masked_close(1000))
                assert client.read_to_end()
        stage.server.wait_for_connections(0)
        assert stage.server.call(of_sockets) == before


@pytest.mark.parametrize("loop", LOOPS)
def test_reading_goes_on_outside_of_the_endpoints_context(loop: str) -> None:
    request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="none")
    feed = RecordingFeed(text=lambda feed: say(feed, json.dumps([feed.texts[-1].decode(), request_id.get()])))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request_id.set("of the endpoint")
        await accept(receive, send)
        await send({"type": "websocket.send", "text": "say when"})
        await receive()
        scope["extensions"][EXTENSION](feed)

    with serving(app, loop=loop) as server, server.client() as client:
        client.open()
        assert client.read_text() == "say when"
        client.send(masked(TEXT, "when") + masked(TEXT, "held"))
        assert json.loads(client.read_text())[0] == "held"
        client.send_text("later")
        assert client.read_frame() == RawFrame(TEXT, b'["later", "none"]')
