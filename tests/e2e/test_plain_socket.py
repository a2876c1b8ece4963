"""Sockets that an embedding application serves itself, without handing them over."""

import asyncio
import threading
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from gateroom.server.profile import ServerProfile
from support.asgi import accept, by_path, echo
from support.raw_client import (
    BINARY,
    CONT,
    PING,
    PONG,
    TEXT,
    Closed,
    RawFrame,
    masked,
    masked_close,
    upgrade,
)
from support.serving import App, Receive, Scope, Send, Serving, serving

LOOPS = ["uvloop", "asyncio"]
HASTY = ServerProfile(close_timeout=0.2, stall_timeout=0.2)


@pytest.fixture(scope="module", params=LOOPS)
def server(request: pytest.FixtureRequest) -> Iterator[Serving]:
    with serving(by_path(echo=echo), ServerProfile(max_message_bytes=1000), loop=request.param) as server:
        yield server


def listening(heard: list[object]) -> App:
    """Accept, and write down what `receive` gives until the end."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await accept(receive, send)
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                heard.append(message["code"])
                return
            heard.append(message.get("text", message.get("bytes")))

    return app


def test_messages_of_every_kind_come_and_go(server: Serving) -> None:
    with server.client() as client:
        client.open("/echo")
        client.send(masked(TEXT, "text") + masked(BINARY, b"\xff") + masked(TEXT, "a", fin=False) + masked(CONT, "ç"))
        assert [client.read_frame() for _ in range(3)] == [
            RawFrame(TEXT, b"text"),
            RawFrame(BINARY, b"\xff"),
            RawFrame(TEXT, "aç".encode()),
        ]
        client.send(masked(PING, "p"))
        assert client.read_frame() == RawFrame(PONG, b"p")
        client.send(masked_close(3000, "bye"))
        assert client.read_close() == Closed(3000, "bye")
        assert client.read_to_end() == b""


def test_frames_right_behind_the_upgrade_are_answered_after_the_101(server: Serving) -> None:
    with server.client() as client:
        client.send(upgrade("/echo") + masked(PING, "p") + masked(TEXT, "early"))
        assert client.read_response().status == 101
        assert client.read_frame() == RawFrame(PONG, b"p")
        assert client.read_text() == "early"


@pytest.mark.parametrize(
    ("frames", "closed"),
    [
        (masked(TEXT, b"\xed\xa0\x80"), Closed(1007)),
        (masked(TEXT, b"\xc3", fin=False) + masked(CONT, b"\x28"), Closed(1007)),
        (masked(BINARY, bytes(1001)), Closed(1009)),
        (masked(PING) * 1000, Closed(1008, "protocol_violation")),
        (masked(BINARY, fin=False) + masked(CONT, fin=False) * 2000, Closed(1008, "protocol_violation")),
        (b"\x81\x00", Closed(1002, "incorrect masking")),
    ],
    ids=["half a surrogate pair", "broken text in fragments", "too long", "pings", "fragments", "not masked"],
)
def test_a_peer_that_breaks_the_protocol_is_told(server: Serving, frames: bytes, closed: Closed) -> None:
    with server.client() as client:
        client.open("/echo")
        client.send_as_far_as_possible(frames + masked(TEXT, "ignored") * 100)
        assert client.read_close() == closed
        assert client.read_to_end() == b""
        client.close()
        server.wait_for_connections(0)


@pytest.mark.parametrize(
    ("frames", "heard"),
    [
        (masked(TEXT, "a") + masked(TEXT, b"\xff") + masked(TEXT, "b"), ["a", 1007]),
        (masked(TEXT, "a") + masked(BINARY, bytes(65537)), ["a", 1009]),
        (masked(TEXT, "a") + masked_close(3000), ["a", 3000]),
        (masked(TEXT, "a") + masked(0x8), ["a", 1005]),
    ],
    ids=["bad text", "too long", "a close", "a close without a code"],
)
def test_the_application_hears_all_that_came_before_the_end(frames: bytes, heard: list[object]) -> None:
    actually: list[object] = []
    with serving(listening(actually)) as server, server.client() as client:
        client.open()
        client.send(frames)
        client.read_close()
    assert actually == heard


def test_sending_to_a_peer_that_broke_the_protocol_tells_the_application_that_it_is_gone() -> None:
    outcomes: list[type[BaseException]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await accept(receive, send)
        assert (await receive())["code"] == 1007
        try:
            await send({"type": "websocket.send", "text": "x"})
        except OSError as fault:  # what Starlette takes for a disconnect
            outcomes.append(type(fault))
            raise

    with capture_logs() as lines, serving(app) as server, server.client() as client:
        client.open()
        client.send(masked(TEXT, b"\xff"))
        assert client.read_close() == Closed(1007)
    assert len(outcomes) == 1
    assert [line["event"] for line in lines if line["log_level"] == "error"] == []


def test_the_application_closes_and_the_server_waits_for_the_peer() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await accept(receive, send)
        await send({"type": "websocket.close", "code": 4001, "reason": "done"})
        await send({"type": "websocket.close"})  # again, as Starlette's clean-up may do

    with serving(app) as server, server.client() as client:
        client.open()
        assert client.read_close() == Closed(4001, "done")
        client.send(masked(TEXT, "late") + masked_close(4001))
        assert client.read_to_end() == b""


def test_a_close_is_heard_even_if_the_application_left_messages_unread() -> None:
    go_on = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await accept(receive, send)
        await go_on.wait()

    with serving(app, ServerProfile(close_timeout=600)) as server, server.client() as client:
        client.open()
        client.send(masked(PING, "read") + masked(TEXT, "unread"))
        assert client.read_frame() == RawFrame(PONG, b"read")
        client.send(masked(TEXT, "unread") * 1000)
        server.call(go_on.set)
        assert client.read_close() == Closed(1000)
        client.send(masked_close(1000))
        assert client.read_to_end() == b""


def test_nothing_follows_a_close() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await accept(receive, send)

    with (
        serving(app, ServerProfile(close_timeout=0.3), ws_ping_interval=0.1) as server,
        server.client() as client,
    ):
        client.open()
        assert client.read_close() == Closed(1000)
        client.send(masked(PING, "unanswered"))
        assert client.read_to_end() == b""


def test_a_close_code_that_may_not_be_sent_is_a_mistake_of_the_application() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await accept(receive, send)
        await send({"type": "websocket.close", "code": 1006})

    with capture_logs() as lines, serving(app) as server, server.client() as client:
        client.open()
        closed = client.read_close()
    assert closed.code == 1011
    errors = [line for line in lines if line["log_level"] == "error"]
    assert [closed.reason] == [f"internal_error {line['error_id']}" for line in errors]


def test_an_application_that_fails_before_the_accept_gives_a_problem_with_the_id_of_the_log() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError("canary")

    with capture_logs() as lines, serving(app) as server, server.client() as client:
        response = client.request(upgrade())
    errors = [line for line in lines if line["log_level"] == "error"]
    assert response.status == 500
    assert [line["event"] for line in errors] == ["endpoint_failed"]
    assert errors[0]["error_id"].encode() in response.body
    assert b"canary" not in response.body


def test_an_application_that_does_not_answer_the_handshake_gives_the_same() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()

    with serving(app) as server, server.client() as client:
        assert client.request(upgrade()).status == 500


def test_an_application_may_refuse_with_a_response_of_its_own() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.http.response.start", "status": 418, "headers": [(b"x-own", b"1")]})
        await send({"type": "websocket.http.response.body", "body": b"short", "more_body": True})
        await send({"type": "websocket.http.response.body", "body": b" and stout"})

    with serving(app) as server, server.client() as client:
        response = client.request(upgrade())
        assert (response.status, response.headers["x-own"], response.body) == (418, "1", b"short and stout")
        assert client.read_to_end() == b""


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("behaviour", ["reads nothing", "answers no close", "sends on for ever"])
def test_a_peer_that_does_not_go_is_dropped(loop: str, behaviour: str) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await accept(receive, send)
        while behaviour == "reads nothing":
            await send({"type": "websocket.send", "bytes": bytes(65536)})

    with serving(app, HASTY, loop=loop) as server, server.client(receive_buffer=4096) as client:
        client.open()
        if behaviour == "sends on for ever":
            assert client.send_until_refused(masked(TEXT, "and on"))
        server.wait_for_connections(0)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_shutdown_says_restarting(loop: str) -> None:
    heard: list[object] = []
    with serving(listening(heard), loop=loop) as server, server.client() as client:
        client.open()
        server.begin_to_stop()
        assert client.read_close() == Closed(1012, "restarting")
        client.send(masked_close(1012))
        assert server.ends_within(10)
    assert heard == [1012]


def test_a_shutdown_refuses_a_handshake_that_is_under_way() -> None:
    asked = threading.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        asked.set()
        assert (await receive())["type"] == "websocket.disconnect"
        await send({"type": "websocket.accept"})

    with capture_logs() as lines, serving(app) as server, server.client() as client:
        client.send(upgrade())
        assert asked.wait(10)
        server.begin_to_stop()
        response = client.read_response()
        assert response.status == 503
        assert b'"restarting"' in response.body
        assert response.headers["retry-after"] == "1"
    assert [line for line in lines if line["log_level"] == "error"] == []
