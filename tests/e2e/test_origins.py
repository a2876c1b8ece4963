"""Which web pages may connect: twelve origins by every kind of credential, at a real `gateroom serve` (HS-2)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

import pytest

from support.gateway import RunningGateway, running_gateway
from support.visitors import SUBPROTOCOL, Headers, refused, visiting

ALLOWED = "https://app.example.org"

# What a browser sends as Origin, and whether its page may connect to a gateway at http://127.0.0.1:{port}.
ORIGINS: Mapping[str, bool] = {
    "http://127.0.0.1:{port}": True,
    ALLOWED: True,
    "https://evil.example": False,
    "null": False,
    "": False,
    "https://127.0.0.1:{port}": False,
    "http://127.0.0.1": False,
    "http://127.0.0.1:{port}.evil.example": False,
    "http://127.0.0.1:{port}/": False,
    "HTTP://127.0.0.1:{port}": False,
    "http://localhost:{port}": False,
    "https://app.example.org.evil.example": False,
    "https://evil.example/https://app.example.org": False,
    "https://APP.example.org": False,
    "http://app.example.org": False,
    "https://app.example.org:8443": False,
    "https://sub.app.example.org": False,
}


@dataclass(frozen=True, slots=True)
class Handshake:
    """What a client sends besides Origin."""

    path: str = "/ws"
    headers: Mapping[str, str] = field(default_factory=dict)
    offer: Sequence[str] = ()


@pytest.fixture(scope="module")
def gateway() -> Iterator[RunningGateway]:
    with running_gateway(environment={"GATEROOM_AUTH__ALLOWED_ORIGINS": ALLOWED}) as running:
        yield running


@pytest.fixture(scope="module")
def handshakes(gateway: RunningGateway) -> Mapping[str, Handshake]:
    token = gateway.token()
    return {
        "cookie": Handshake(headers={"Cookie": f"gateroom_access={token}"}),
        "query": Handshake(f"/ws?{urlencode({'token': token})}"),
        "header": Handshake(headers={"Authorization": f"Bearer {token}"}),
        "subprotocol": Handshake(offer=(SUBPROTOCOL, f"bearer.{token}")),
        "room by query": Handshake(f"/ws/rooms/lobby?{urlencode({'token': token})}"),
        "inbox by cookie": Handshake("/ws/users/me", {"Cookie": f"gateroom_access={token}"}),
    }


@pytest.mark.parametrize("origin", ORIGINS)
def test_only_pages_of_ours_connect(gateway: RunningGateway, handshakes: Mapping[str, Handshake], origin: str) -> None:
    for name, handshake in handshakes.items():
        headers = {**handshake.headers, "Origin": origin.format(port=gateway.port)}
        if ORIGINS[origin]:
            with visiting(gateway.ws_url, handshake.path, offer=handshake.offer, headers=headers):
                pass
        else:
            assert_refused(gateway, name, handshake, headers)


def test_without_an_origin_only_the_cookie_is_refused(
    gateway: RunningGateway, handshakes: Mapping[str, Handshake]
) -> None:
    for name, handshake in handshakes.items():
        if "cookie" in name:
            assert_refused(gateway, name, handshake, handshake.headers)
        else:
            with visiting(gateway.ws_url, handshake.path, offer=handshake.offer, headers=handshake.headers):
                pass


def test_two_origins_make_a_malformed_request(gateway: RunningGateway, handshakes: Mapping[str, Handshake]) -> None:
    for name, handshake in handshakes.items():
        for pair in ((gateway.url, gateway.url), (gateway.url, "https://evil.example")):
            headers = [*handshake.headers.items(), *(("Origin", origin) for origin in pair)]
            answer = refused(gateway.ws_url, handshake.path, offer=handshake.offer, headers=headers)
            assert (answer.status, answer.code) == (400, "protocol_violation"), name


def test_whoever_it_is_the_page_is_judged_first(gateway: RunningGateway) -> None:
    for path in ("/ws", "/ws?token=bad", "/ws?token=a&token=b", "/ws/rooms/no-such-room"):
        answer = refused(gateway.ws_url, path, headers={"Origin": "https://evil.example"})
        assert (answer.status, answer.code) == (403, "origin_not_allowed")


def test_another_host_name_is_another_origin(gateway: RunningGateway, handshakes: Mapping[str, Handshake]) -> None:
    """A page that a foreign name leads here sends that name as Host too; its cookies are that name's own."""
    cookie = handshakes["cookie"].headers
    with gateway.client() as client:
        answer = client.get("/auth/me", headers={**cookie, "Host": "evil.example"})
    assert answer.json()["code"] == "missing_token"


def assert_refused(gateway: RunningGateway, name: str, handshake: Handshake, headers: Headers) -> None:
    answer = refused(gateway.ws_url, handshake.path, offer=handshake.offer, headers=headers)
    assert (answer.status, answer.code) == (403, "origin_not_allowed"), name
    assert "access-control-allow-origin" not in answer.headers
