"""What the HTTP side refuses, in size and in time, and what it leaves alone."""

import asyncio
import json
import os
import threading
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from gateroom.server.profile import ServerProfile
from support.asgi import by_path, echo, hello
from support.raw_client import BINARY, PING, PONG, RawClient, RawFrame, RawResponse, masked, upgrade
from support.serving import Receive, Scope, Send, Serving, serving

LOOPS = ["uvloop", "asyncio"]
GET = "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = "POST /hello HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture(scope="module", params=LOOPS)
def server(request: pytest.FixtureRequest) -> Iterator[Serving]:
    app = by_path(hello=hello, echo=echo, trailers=tell_headers)
    with serving(app, ServerProfile(max_body_bytes=1000, max_head_bytes=4000), loop=request.param) as server:
        yield server


@pytest.fixture(scope="module", params=LOOPS)
def hasty(request: pytest.FixtureRequest) -> Iterator[Serving]:
    profile = ServerProfile(header_timeout=0.3, body_timeout=0.3, stall_timeout=0.3, close_timeout=0.3)
    app = by_path(hello=hello, echo=echo, endless=endless, early=answering_early)
    with serving(app, profile, loop=request.param, timeout_keep_alive=1) as server:
        yield server


async def tell_headers(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the body, then name the headers there are."""
    while (await receive()).get("more_body"):
        pass
    body = b",".join(name for name, _ in scope["headers"])
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


async def endless(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with more than any buffer holds."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(1000):
        await send({"type": "http.response.body", "body": bytes(65536), "more_body": True})


async def answering_early(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer without having read the body."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def assert_problem(response: RawResponse, status: int, code: str) -> None:
    assert response.status == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["connection"] == "close"
    body = json.loads(response.body)
    assert (body["status"], body["code"]) == (status, code)


def chunk(data: str) -> str:
    return f"{len(data):x}\r\n{data}\r\n"


# Sizes


def test_requests_within_bounds_are_served_one_after_the_other(server: Serving) -> None:
    with server.client() as client:
        assert client.request(GET).body == b"0 bytes"
        assert client.request(f"{POST}Content-Length: 1000\r\n\r\n{'x' * 1000}").body == b"1000 bytes"
        chunks = chunk("x" * 400) + chunk("y" * 600) + chunk("")
        assert client.request(f"{POST}Transfer-Encoding: chunked\r\n\r\n{chunks}").body == b"1000 bytes"
        assert client.request(f"{POST}X-Padding: {'x' * 3900}\r\n\r\n").body == b"0 bytes"


def test_pipelined_requests_are_answered_in_order(server: Serving) -> None:
    post = f"{POST}Content-Length: 3\r\n\r\nabc"
    with server.client() as client:
        client.send((GET + post) * 100)
        assert [client.read_response().body for _ in range(200)] == [b"0 bytes", b"3 bytes"] * 100


HEADS = {
    "a long path": f"GET /{'x' * 5000} HTTP/1.1\r\nHost: x\r\n\r\n",
    "a long header": f"{POST}X-Long: {'x' * 5000}\r\n\r\n",
    "many bytes of headers": POST + "".join(f"X-{n}: {'y' * 90}\r\n" for n in range(50)) + "\r\n",
    "many headers": POST + "".join(f"X-{n}: y\r\n" for n in range(140)) + "\r\n",
    "a header without an end": f"{POST}X-Long: {'x' * 5000}",
    "a header name without an end": f"{POST}{'x' * 5000}",
    "a path without an end": f"GET /{'x' * 5000}",
    "many bytes of trailers": f"{POST}Transfer-Encoding: chunked\r\n\r\n0\r\n" + f"X: {'y' * 90}\r\n" * 50,
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS.keys())
def test_a_head_over_the_bound_gives_431(server: Serving, head: str) -> None:
    with server.client() as client:
        client.send(head)
        assert_problem(client.read_response(), 431, "too_large")
        assert client.read_to_end() == b""


@pytest.mark.parametrize("piece", [1, 1000], ids=["byte by byte", "piece by piece"])
def test_a_head_over_the_bound_in_pieces_gives_431(server: Serving, piece: int) -> None:
    head = f"{POST}X-Long: {'x' * 4100}".encode()
    with server.client() as client:
        for start in range(0, len(head), piece):
            client.send_as_far_as_possible(head[start : start + piece])
        assert_problem(client.read_response(), 431, "too_large")


def test_a_head_behind_a_body_is_not_charged_for_it(server: Serving) -> None:
    with server.client() as client:
        for _ in range(10):
            client.send(f"{POST}Content-Length: 1000\r\n\r\n{'x' * 1000}" * 5 + "GET /hello HT")
            assert [client.read_response().status for _ in range(5)] == [200] * 5
            assert client.request("TP/1.1\r\nHost: x\r\n\r\n").status == 200


@pytest.mark.parametrize(
    "request_text",
    [
        f"{POST}Content-Length: 1001\r\n\r\n",
        f"{POST}Content-Length: 1001\r\nExpect: 100-continue\r\n\r\n",
        f"{POST}Content-Length: 300000\r\n\r\n" + "x" * 300_000,
        f"{POST}Transfer-Encoding: chunked\r\n\r\n" + chunk("x" * 500) * 3,
        f"{POST}Transfer-Encoding: chunked\r\n\r\nfffffff\r\n" + "x" * 300_000,
    ],
    ids=["announced", "announced, to be continued", "announced and sent", "in chunks", "in one chunk"],
)
def test_a_body_over_the_bound_gives_413(server: Serving, request_text: str) -> None:
    with server.client() as client:
        client.send_as_far_as_possible(request_text.encode())
        assert_problem(client.read_response(), 413, "too_large")
        client.close()
        server.wait_for_connections(0)


def test_a_body_over_the_bound_ends_for_the_application_as_if_the_client_had_gone(server: Serving) -> None:
    with capture_logs() as lines, server.client() as client:
        client.send(f"{POST}Transfer-Encoding: chunked\r\n\r\n{chunk('x' * 900)}")
        client.send(chunk("x" * 900))
        assert_problem(client.read_response(), 413, "too_large")
        assert client.read_to_end() == b""
    assert [line for line in lines if line["log_level"] == "error"] == []


def test_a_refused_client_may_finish_what_it_says(server: Serving) -> None:
    with server.client() as client:
        client.send(f"{POST}Content-Length: 20000000\r\n\r\n" + "x" * 20_000_000)
        assert_problem(client.read_response(), 413, "too_large")


def test_trailers_do_not_become_headers(server: Serving) -> None:
    with server.client() as client:
        client.send("POST /trailers HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        response = client.request(f"{chunk('x')}0\r\nAuthorization: Bearer canary\r\n\r\n")
        assert response.body == b"host,transfer-encoding"


@pytest.mark.parametrize(
    "request_text",
    [
        "nonsense\r\n\r\n",
        "GET /hello HTTP/1.1\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: a/b\r\n\r\n",
        "GET /hello HTTP/1.0\r\nHost: <script>\r\n\r\n",
        f"{POST}Content-Length: x\r\n\r\n",
        f"{POST}Content-Length: -1\r\n\r\n",
        f"{POST}Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        f"{POST}Content-Length: 99999999999999999999999999\r\n\r\n",
        f"{POST}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        f"{POST}Transfer-Encoding: chunked\r\n\r\nnot a size\r\n",
        "CONNECT other:443 HTTP/1.1\r\nHost: other:443\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_a_malformed_request_gives_400_without_a_warning_each(server: Serving, request_text: str) -> None:
    with server.client() as client:
        assert_problem(client.request(request_text), 400, "protocol_violation")
        assert client.read_to_end() == b""


def test_http_1_0_needs_no_host(server: Serving) -> None:
    with server.client() as client:
        assert client.request("GET /hello HTTP/1.0\r\n\r\n").body == b"0 bytes"


def test_an_upgrade_to_something_else_is_ignored_and_so_is_not_what_follows(server: Serving) -> None:
    other = "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    with server.client() as client:
        client.send((other + GET) * 2000)
        assert [client.read_response().status for _ in range(4000)] == [200] * 4000


# Times


@pytest.mark.parametrize(
    ("beginning", "status"),
    [
        ("", None),
        ("\r\n", 408),
        ("G", 408),
        ("GET /hello HTTP/1.1\r\nHost: x\r\n", 408),
        (f"{POST}Content-Length: 10\r\n\r\n", 408),
        (f"{POST}Content-Length: 10\r\n\r\nhalf", 408),
        (f"{POST}Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", 408),
    ],
)
def test_what_does_not_arrive_in_time_ends_the_connection(hasty: Serving, beginning: str, status: int | None) -> None:
    with hasty.client() as client:
        client.send(beginning)
        if status is not None:
            assert_problem(client.read_response(), status, "protocol_violation")
        assert client.read_to_end() == b""
        hasty.wait_for_connections(0)


@pytest.mark.parametrize("trickle", ["\r\n", "X-More: x\r\n"], ids=["line breaks", "headers"])
def test_a_trickle_does_not_buy_time(hasty: Serving, trickle: str) -> None:
    with hasty.client() as client:
        assert client.request(GET).status == 200
        if trickle != "\r\n":
            client.send("GET /hello HTTP/1.1\r\n")
        assert client.trickle_until_answered(trickle)
        assert_problem(client.read_response(), 408, "protocol_violation")


def test_two_hundred_idle_connections_give_their_file_descriptors_back(hasty: Serving) -> None:
    def open_files() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = hasty.call(open_files)
    clients: list[RawClient] = []
    for number in range(200):
        client = hasty.client()
        client.send(["", "GET / HTTP/1.1\r\n", f"{POST}Content-Length: 9\r\n\r\nx"][number % 3])
        clients.append(client)
    for client in clients:
        client.read_to_end()
        client.close()
    hasty.wait_for_connections(0)
    assert hasty.call(open_files) <= before


def test_a_body_that_stops_ends_for_the_application_as_if_the_client_had_gone(hasty: Serving) -> None:
    with capture_logs() as lines, hasty.client() as client:
        assert_problem(client.request(f"{POST}Content-Length: 10\r\n\r\nhalf"), 408, "protocol_violation")
    assert [line for line in lines if line["log_level"] == "error"] == []


@pytest.mark.parametrize("loop", LOOPS)
def test_a_client_that_was_not_yet_told_to_continue_is_not_told_after_its_408(loop: str) -> None:
    go_on = asyncio.Event()
    heard: list[str] = []

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await go_on.wait()
        heard.append((await receive())["type"])

    profile = ServerProfile(body_timeout=0.1)
    with capture_logs() as lines, serving(slow, profile, loop=loop) as server, server.client() as client:
        client.send(f"{POST}Content-Length: 10\r\nExpect: 100-continue\r\n\r\n")
        assert_problem(client.read_response(), 408, "protocol_violation")
        server.call(go_on.set)
        assert client.read_to_end() == b""
    assert heard == ["http.disconnect"]
    assert [line for line in lines if line["log_level"] == "error"] == []


@pytest.mark.parametrize("loop", LOOPS)
def test_a_body_that_waits_for_the_application_is_not_overdue(loop: str) -> None:
    go_on = asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await go_on.wait()
        await hello(scope, receive, send)

    profile = ServerProfile(body_timeout=0.2, max_body_bytes=0)
    with serving(slow, profile, loop=loop) as server, server.client() as client, server.client() as other:
        client.send(f"{POST}Content-Length: 300000\r\n\r\n" + "x" * 200_000)
        # The other connection's deadline is as long, and begins later.
        other.send(f"{POST}Content-Length: 10\r\n\r\nhalf")
        assert other.read_response().status == 408
        server.call(go_on.set)
        client.send("x" * 100_000)
        assert client.read_response().body == b"300000 bytes"


def test_an_answer_given_before_the_whole_body_came_is_left_alone(hasty: Serving) -> None:
    with hasty.client() as client:
        client.send("POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
        assert client.read_response().body == b"ok"
        assert client.read_to_end() == b""


def test_a_peer_that_does_not_read_its_response_is_dropped(hasty: Serving) -> None:
    with hasty.client(receive_buffer=4096) as client:
        client.send("GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
        hasty.wait_for_connections(1)
        hasty.wait_for_connections(0)


def test_an_idle_connection_is_kept_as_long_as_uvicorn_says(hasty: Serving) -> None:
    with hasty.client() as client:
        assert client.request(GET).status == 200
        assert client.read_to_end() == b""


@pytest.mark.parametrize("loop", LOOPS)
def test_half_a_request_behind_a_slow_one_does_not_disturb_its_answer(loop: str) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        begun.set()
        await go_on.wait()
        await hello(scope, receive, send)

    with (
        serving(slow, ServerProfile(header_timeout=0.2), loop=loop) as server,
        server.client() as client,
        server.client() as other,
    ):
        client.send(GET + "GET /hello HT")
        # The other connection's deadline is as long, and begins later.
        other.send("GET /hello HT")
        assert other.read_response().status == 408
        server.call(go_on.set)
        assert client.read_response().status == 200
        assert client.request("TP/1.1\r\nHost: x\r\n\r\n").status == 200


@pytest.mark.parametrize("behind", ["nonsense\r\n\r\n", upgrade().decode()], ids=["nonsense", "an upgrade"])
def test_what_may_not_follow_an_unanswered_request_ends_the_connection_without_an_answer(behind: str) -> None:
    begun = threading.Event()
    heard: list[str] = []

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        heard.append((await receive())["type"])
        begun.set()
        heard.append((await receive())["type"])

    with serving(slow) as server, server.client() as client:
        client.send(GET)
        assert begun.wait(10)
        client.send(behind)
        assert client.read_to_end() == b""
    assert heard == ["http.request", "http.disconnect"]


# Upgrades


def test_frames_right_behind_an_upgrade_on_a_used_connection_are_read(server: Serving) -> None:
    with server.client() as client:
        assert client.request(GET).status == 200
        client.send(upgrade("/echo") + masked(BINARY, b"x") + masked(PING, b"p"))
        assert client.read_response().status == 101
        assert client.read_frame() == RawFrame(PONG, b"p")
        assert client.read_frame() == RawFrame(BINARY, b"x")
