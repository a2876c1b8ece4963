"""A handshake that an endpoint refuses, as it looks on the wire."""

import json
from collections.abc import Iterator
from typing import Literal

import pytest

from gateroom.errors import BY_CODE, Refusal
from gateroom.server.profile import ServerProfile
from support.asgi import by_path, refusing
from support.raw_client import TEXT, Closed, RawResponse, masked, masked_close, upgrade
from support.serving import App, Receive, Scope, Send, Serving, serving

Form = Literal["auto", "handshake", "close"]

REFUSALS = sorted(code for code, error in BY_CODE.items() if issubclass(error, Refusal))
OFFER = ["gateroom.v1", "bearer.canary"]


def apps() -> dict[str, App]:
    return {code: refusing(code) for code in REFUSALS}


async def strange(scope: Scope, receive: Receive, send: Send) -> None:
    await refusing("the input was canary", 4000)(scope, receive, send)


async def silent(scope: Scope, receive: Receive, send: Send) -> None:
    await refusing(None, 1000)(scope, receive, send)


@pytest.fixture(scope="module", params=["auto", "handshake", "close"])
def form(request: pytest.FixtureRequest) -> Form:
    form: Form = request.param
    return form


@pytest.fixture(scope="module")
def server(form: Form) -> Iterator[Serving]:
    app = by_path(**apps(), strange=strange, silent=silent)
    with serving(app, ServerProfile(refusal=form), server_header=False) as server:
        yield server


def assert_problem(response: RawResponse, status: int, code: str) -> None:
    assert response.status == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["connection"] == "close"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "sec-websocket-protocol" not in response.headers
    assert "server" not in response.headers
    body = json.loads(response.body)
    assert sorted(body) == ["code", "detail", "status", "title", "type"]
    assert (body["status"], body["code"]) == (status, code)
    assert b"canary" not in response.body


@pytest.mark.parametrize("offers", [True, False], ids=["gateroom.v1 offered", "nothing offered"])
@pytest.mark.parametrize("code", REFUSALS)
def test_a_refusal_takes_the_form_that_the_client_can_see(server: Serving, form: Form, code: str, offers: bool) -> None:
    error = BY_CODE[code]
    assert issubclass(error, Refusal)
    told = error.tellable and (form == "close" or (form == "auto" and offers))
    with server.client() as client:
        client.send(upgrade(f"/{code}", protocols=OFFER if offers else []))
        response = client.read_response()
        if told:
            assert response.status == 101
            assert response.headers.get("sec-websocket-protocol") == ("gateroom.v1" if offers else None)
            assert client.read_close() == Closed(error.close_code, code)
            client.send(masked_close(error.close_code))
        else:
            assert_problem(response, error.handshake_status, code)
            retry_after = response.headers.get("retry-after")
            assert retry_after == (None if error.retry_after is None else str(error.retry_after))
        assert client.read_to_end() == b""


@pytest.mark.parametrize("path", ["/strange", "/silent"])
def test_a_refusal_that_is_not_ours_is_forbidden_without_its_text(server: Serving, path: str) -> None:
    with server.client() as client:
        response = client.request(upgrade(path, protocols=OFFER))
        assert_problem(response, 403, "forbidden")
        assert client.read_to_end() == b""


def test_what_was_sent_behind_a_refused_upgrade_does_not_cost_the_answer(server: Serving) -> None:
    with server.client() as client:
        client.send(upgrade("/rate_limited") + masked(TEXT, "x" * 60_000) * 5)
        assert_problem(client.read_response(), 429, "rate_limited")


def test_a_told_refusal_hears_nothing_of_what_the_client_sends() -> None:
    with serving(refusing("token_expired")) as server, server.client() as client:
        client.send(upgrade(protocols=["gateroom.v1"]) + masked(TEXT, "x") + masked_close(1000))
        assert client.read_response().status == 101
        assert client.read_close() == Closed(1008, "token_expired")
        assert client.read_to_end() == b""


def test_a_peer_that_stays_after_its_refusal_is_dropped() -> None:
    profile = ServerProfile(close_timeout=0.2)
    with serving(refusing("token_expired"), profile) as server, server.client() as told, server.client() as answered:
        told.open(protocols=["gateroom.v1"])
        assert answered.request(upgrade()).status == 403
        server.wait_for_connections(0)


def test_a_subprotocol_is_echoed_only_as_the_application_names_it() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert list(scope["subprotocols"]) == OFFER
        await receive()
        headers = [(b"Sec-WebSocket-Protocol", b"bearer.canary"), (b"x-more", b"kept")]
        await send({"type": "websocket.accept", "subprotocol": "gateroom.v1", "headers": headers})

    with serving(app) as server, server.client() as client:
        client.send(upgrade(protocols=OFFER))
        head = client.read_to_end().partition(b"\r\n\r\n")[0].lower()
    assert head.count(b"sec-websocket-protocol: ") == 1
    assert b"sec-websocket-protocol: gateroom.v1" in head
    assert b"x-more: kept" in head
    assert b"canary" not in head
