"""What stock uvicorn leaves open, each probed on both pairs of classes.

The stock half shows that the probe finds the gap. When it fails, uvicorn has mended something: see whether ours is
still needed.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from gateroom.server.access_log import LOGGERS
from gateroom.server.frame_protocol import FrameProtocol
from gateroom.server.http_protocol import HttpProtocol
from gateroom.server.profile import ServerProfile
from support.asgi import accept, by_path, echo, hello
from support.raw_client import BINARY, CONT, TEXT, Closed, RawClient, masked, upgrade
from support.serving import Receive, Scope, Send, Serving, serving

PROFILE = ServerProfile(header_timeout=0.3, body_timeout=0.3, stall_timeout=0.3, close_timeout=0.3)
LONG_ENOUGH = 1.5  # seconds in which our classes have acted long ago


@dataclass(frozen=True, slots=True)
class Pair:
    """A pair of protocol classes, and whether it has the gaps."""

    options: dict[str, Any]
    has_gaps: bool


STOCK = Pair({"http": "httptools", "ws": "websockets-sansio"}, True)
OURS = Pair({"http": HttpProtocol, "ws": FrameProtocol}, False)

on_both = pytest.mark.parametrize("pair", [STOCK, OURS], ids=["stock", "gateroom"])


async def flooding(scope: Scope, receive: Receive, send: Send) -> None:
    await accept(receive, send)
    while True:
        await send({"type": "websocket.send", "bytes": bytes(65536)})


async def raising(scope: Scope, receive: Receive, send: Send) -> None:
    await accept(receive, send)
    raise ValueError("a mistake")


async def returning(scope: Scope, receive: Receive, send: Send) -> None:
    await accept(receive, send)


async def closing_at_length(scope: Scope, receive: Receive, send: Send) -> None:
    await accept(receive, send)
    await send({"type": "websocket.close", "code": 4000, "reason": "é" * 100})


APP = by_path(
    hello=hello, echo=echo, flooding=flooding, raising=raising, returning=returning, closing=closing_at_length
)


def ends(client: RawClient) -> bool:
    """Tell whether the server ends the connection by itself."""
    try:
        client.read_to_end()
    except TimeoutError:
        return False
    return True


def empties(server: Serving) -> bool:
    """Tell whether the server lets go of all connections by itself."""
    try:
        server.wait_for_connections(0, LONG_ENOUGH)
    except TimeoutError:
        return False
    return True


@pytest.fixture
def loggers_as_uvicorn_makes_them() -> Iterator[None]:
    """Take away what our classes have put on uvicorn's loggers in earlier tests, for one test."""
    before = {name: logging.getLogger(name).filters for name in LOGGERS}
    for name in LOGGERS:
        logging.getLogger(name).filters = []
    yield
    for name, filters in before.items():
        logging.getLogger(name).filters = filters


@on_both
@pytest.mark.usefixtures("loggers_as_uvicorn_makes_them")
def test_gap_1_a_token_in_a_url_is_logged(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with serving(APP, **pair.options) as server, server.client() as client:
        client.open("/echo?token=canary")
    assert "/echo" in caplog.text
    assert ("canary" in caplog.text) is pair.has_gaps


@on_both
@pytest.mark.parametrize(
    "beginning",
    ["", "GET /hello HTTP/1.1\r\nHost: x\r\n", "POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf"],
    ids=["nothing", "half a head", "half a body"],
)
def test_gap_2_an_unfinished_request_keeps_its_connection(pair: Pair, beginning: str) -> None:
    with serving(APP, PROFILE, **pair.options) as server, server.client(patience=LONG_ENOUGH) as client:
        client.send(beginning)
        assert ends(client) is not pair.has_gaps


@on_both
def test_gap_3_a_peer_that_does_not_read_is_kept(pair: Pair) -> None:
    keepalive = {"ws_ping_interval": 0.2, "ws_ping_timeout": 0.2}
    with (
        serving(APP, PROFILE, **keepalive, **pair.options) as server,
        server.client(receive_buffer=4096) as client,
    ):
        client.open("/flooding")
        assert empties(server) is not pair.has_gaps


@on_both
@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("X-Long: " + "x" * 9000, 431),
        ("\r\n".join(f"X-{number}: y" for number in range(130)), 431),
        ("Content-Length: 5", 400),
    ],
    ids=["long line", "many headers", "a body"],
)
def test_gap_4_a_malformed_upgrade_gets_no_answer(pair: Pair, header: str, status: int) -> None:
    with serving(APP, PROFILE, **pair.options) as server, server.client(patience=LONG_ENOUGH) as client:
        client.send(upgrade("/echo", headers=[header]))
        if header.startswith("Content-Length"):
            client.send("12345")
        if pair.has_gaps:
            assert not ends(client)
        else:
            assert client.read_response().status == status
            assert ends(client)


@on_both
def test_gap_5_a_head_of_any_size_is_taken(pair: Pair) -> None:
    head = "GET /hello HTTP/1.1\r\nHost: x\r\n" + f"X-Long: {'x' * 2_000_000}\r\n\r\n"
    with serving(APP, PROFILE, **pair.options) as server, server.client() as client:
        client.send_as_far_as_possible(head.encode())
        assert client.read_response().status == (200 if pair.has_gaps else 431)


@on_both
def test_gap_6_empty_fragments_are_not_counted(pair: Pair) -> None:
    with serving(APP, PROFILE, **pair.options) as server, server.client() as client:
        client.open("/echo")
        fragments = masked(TEXT, "begun", fin=False) + masked(CONT, fin=False) * 50_000
        client.send_as_far_as_possible(fragments + masked(CONT, " and ended"))
        if pair.has_gaps:
            assert client.read_text() == "begun and ended"
        else:
            assert client.read_close() == Closed(1008, "protocol_violation")


@on_both
def test_gap_7_a_peer_that_does_not_read_holds_up_the_shutdown(pair: Pair) -> None:
    with (
        serving(APP, PROFILE, **pair.options) as server,
        server.client(receive_buffer=4096) as client,
    ):
        client.open("/flooding")
        client.read_frame()
        server.begin_to_stop()
        assert server.ends_within(LONG_ENOUGH) is not pair.has_gaps


@on_both
def test_gap_8_invalid_text_leaves_a_traceback(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    with serving(APP, PROFILE, **pair.options) as server, server.client() as client:
        client.open("/echo")
        client.send(masked(TEXT, b"\xed\xa0\x80"))
        assert client.read_close() == Closed(1007)
    assert any(record.exc_info for record in caplog.records) is pair.has_gaps


@on_both
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/returning", lambda closed: closed == Closed(1000)),
        ("/raising", lambda closed: closed.code == 1011 and closed.reason.startswith("internal_error ")),
        ("/closing", lambda closed: closed == Closed(4000, "é" * 61)),
    ],
    ids=["a return", "an exception", "a long reason"],
)
def test_gap_9_an_end_after_the_accept_comes_without_a_close_frame(
    pair: Pair, path: str, expected: Callable[[Closed], bool]
) -> None:
    with serving(APP, PROFILE, **pair.options) as server, server.client() as client:
        client.open(path)
        closed = client.read_close()
        assert closed == Closed(1006) if pair.has_gaps else expected(closed)


@on_both
def test_frames_right_behind_the_upgrade_are_lost(pair: Pair) -> None:
    with serving(APP, PROFILE, **pair.options) as server, server.client(patience=LONG_ENOUGH) as client:
        client.send(upgrade("/echo") + masked(BINARY, b"early"))
        assert client.read_response().status == 101
        if pair.has_gaps:
            assert not ends(client)
        else:
            assert client.read_frame().payload == b"early"
