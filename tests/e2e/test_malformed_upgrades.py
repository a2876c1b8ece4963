"""Upgrades that are not well-formed: each gets an answer, and its connection an end."""

import json
import socket
from collections.abc import Iterator

import pytest

from gateroom.server.frame_protocol import FrameProtocol
from gateroom.server.http_protocol import HttpProtocol
from gateroom.server.profile import ServerProfile
from support.asgi import by_path, echo
from support.raw_client import KEY, upgrade
from support.serving import Serving, serving

GOOD = upgrade("/echo").decode()


def without(name: str) -> str:
    return upgrade("/echo", leave_out=[name]).decode()


def with_(*headers: str, instead_of: str = "") -> str:
    return upgrade("/echo", headers=headers, leave_out=[instead_of]).decode("latin-1")


KEYS = {
    "no key": without("Sec-WebSocket-Key"),
    "an empty key": with_("Sec-WebSocket-Key:", instead_of="Sec-WebSocket-Key"),
    "a short key": with_("Sec-WebSocket-Key: AAAA", instead_of="Sec-WebSocket-Key"),
    "a long key": with_("Sec-WebSocket-Key: " + "A" * 44, instead_of="Sec-WebSocket-Key"),
    "a key that is not base64": with_("Sec-WebSocket-Key: " + "!" * 24, instead_of="Sec-WebSocket-Key"),
    "a key beyond ASCII": with_("Sec-WebSocket-Key: " + "é" * 24, instead_of="Sec-WebSocket-Key"),
    "two keys": with_(f"Sec-WebSocket-Key: {KEY}"),
}
VERSIONS = {
    "no version": without("Sec-WebSocket-Version"),
    "version 8": with_("Sec-WebSocket-Version: 8", instead_of="Sec-WebSocket-Version"),
    "version 13, 8": with_("Sec-WebSocket-Version: 13, 8", instead_of="Sec-WebSocket-Version"),
    "a version that is no number": with_("Sec-WebSocket-Version: x", instead_of="Sec-WebSocket-Version"),
    "two versions": with_("Sec-WebSocket-Version: 13"),
}
HOSTS = {
    "no host": without("Host"),
    "an empty host": with_("Host:", instead_of="Host"),
    "two hosts": with_("Host: other"),
    "a host with a path": with_("Host: localhost/other", instead_of="Host"),
    "a host with a user": with_("Host: user@localhost", instead_of="Host"),
    "a host with a query": with_("Host: localhost?x", instead_of="Host"),
    "a host with a space": with_("Host: local host", instead_of="Host"),
    "a host with a strange port": with_("Host: localhost:http", instead_of="Host"),
    "a host beyond ASCII": with_("Host: é", instead_of="Host"),
}
REQUESTS = {
    "POST": GOOD.replace("GET", "POST"),
    "HEAD": GOOD.replace("GET", "HEAD"),
    "a whole URL as target": GOOD.replace("/echo", "http://other/echo"),
    "no target": GOOD.replace("/echo ", ""),
    "a star as target": GOOD.replace("/echo", "*"),
    "a target beyond ASCII": GOOD.replace("/echo", "/\xe9"),
    "a header without a colon": with_("Strange"),
    "a header with a zero": with_("Strange: \x00"),
    "a folded header": with_("Strange: a\r\n b"),
    "a space in a header name": with_("Str ange: a"),
}
BODIES = {
    "a length and a body": with_("Content-Length: 5") + "12345",
    "a length without its body": with_("Content-Length: 5"),
    "a body in chunks": with_("Transfer-Encoding: chunked") + "0\r\n\r\n",
}
LISTS = {
    "two origins": with_("Origin: http://a", "Origin: http://b"),
    "a subprotocol beyond ASCII": with_("Sec-WebSocket-Protocol: gateroom.v1, é"),
    "a subprotocol with a space": with_("Sec-WebSocket-Protocol: gateroom v1"),
    "an empty subprotocol": with_("Sec-WebSocket-Protocol: ,"),
}
TOO_LARGE = {
    "a line over 8 KiB": with_("X-Long: " + "x" * 8200),
    "a target over 8 KiB": GOOD.replace("/echo", "/echo?token=" + "x" * 8200),
    "over 128 headers": with_(*(f"X-{number}: x" for number in range(130))),
}
# What uvicorn's own HTTP classes do not tell the WebSocket class.
SEEN_BY_THE_HTTP_CLASS = {
    "HTTP/1.0": (GOOD.replace("HTTP/1.1", "HTTP/1.0"), 400),
    "HTTP/2.0": (GOOD.replace("HTTP/1.1", "HTTP/2.0"), 400),
    "a head over 16 KiB": (with_(*(f"X-{number}: {'x' * 4000}" for number in range(5))), 431),
}
MALFORMED = {**KEYS, **VERSIONS, **HOSTS, **REQUESTS, **BODIES, **LISTS}

PAIRS: dict[str, object] = {"both classes": HttpProtocol, "only the WebSocket class": "httptools"}


@pytest.fixture(scope="module", params=PAIRS.values(), ids=list(PAIRS))
def server(request: pytest.FixtureRequest) -> Iterator[Serving]:
    with serving(by_path(echo=echo), ServerProfile(close_timeout=0.05), http=request.param, ws=FrameProtocol) as server:
        yield server


@pytest.mark.parametrize("request_text", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_upgrade_is_answered_and_ended(server: Serving, request_text: str) -> None:
    with server.client(patience=5) as client:
        client.send(request_text)
        response = client.read_response()
        assert 400 <= response.status < 500
        if server.config.http is HttpProtocol:
            assert response.status == 400
            assert response.headers["content-type"] == "application/problem+json"
            assert json.loads(response.body)["code"] == "protocol_violation"
        client.read_to_end()
        server.wait_for_connections(0)


@pytest.mark.parametrize("request_text", TOO_LARGE.values(), ids=TOO_LARGE.keys())
def test_a_large_upgrade_is_answered_and_ended(server: Serving, request_text: str) -> None:
    with server.client(patience=5) as client:
        client.send(request_text)
        response = client.read_response()
        assert response.status == 431
        assert json.loads(response.body)["code"] == "too_large"
        assert client.read_to_end() == b""
        server.wait_for_connections(0)


@pytest.mark.parametrize(("request_text", "status"), SEEN_BY_THE_HTTP_CLASS.values(), ids=SEEN_BY_THE_HTTP_CLASS.keys())
def test_an_upgrade_is_also_judged_as_a_request(request_text: str, status: int) -> None:
    with serving(by_path(echo=echo)) as server, server.client() as client:
        assert client.request(request_text).status == status
        assert client.read_to_end() == b""


def test_the_version_that_would_be_understood_is_named(server: Serving) -> None:
    with server.client() as client:
        assert client.request(VERSIONS["version 8"]).headers["sec-websocket-version"] == "13"


def test_well_formed_upgrades_of_other_shapes_are_taken(server: Serving) -> None:
    for request in (
        GOOD,
        GOOD.replace("Connection: Upgrade", "connection: keep-alive, upgrade"),
        GOOD.replace("websocket", "WebSocket"),
        with_("Content-Length: 0"),
        with_("Host: [::1]:8000", instead_of="Host"),
        with_("Host: my_service.internal:", instead_of="Host"),
        with_("Origin: null"),
    ):
        with server.client() as client:
            assert client.request(request).status == 101, request


def test_a_client_that_leaves_in_the_middle_of_its_upgrade_costs_nothing(server: Serving) -> None:
    for cut in range(1, len(GOOD), 25):
        with socket.create_connection(server.address) as client:
            client.sendall(GOOD[:cut].encode())
    server.wait_for_connections(0)
