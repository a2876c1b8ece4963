"""Handshakes with a real `gateroom serve`: every place a credential can be in, every refusal in both of its forms."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

import pytest

from gateroom.auth.key_files import load_or_create
from gateroom.auth.keys import SigningKey
from support.gateway import RunningGateway, running_gateway
from support.raw_client import Closed, RawClient, upgrade
from support.tokens import as_json, claims_of, forge, proper_header, seal_with_hmac, to_base64url
from support.visitors import SUBPROTOCOL, refused, turned_away, visiting

ENDPOINTS = ("/ws", "/ws/rooms/lobby", "/ws/users/me")
every_endpoint = pytest.mark.parametrize("path", ENDPOINTS)


@pytest.fixture(scope="module")
def alice(gateway: RunningGateway) -> str:
    """A token of hers."""
    return gateway.token("alice")


@pytest.fixture(scope="module")
def bob(gateway: RunningGateway) -> str:
    return gateway.token("bob")


@pytest.fixture(scope="module")
def private_room(gateway: RunningGateway, bob: str) -> str:
    with gateway.client() as client:
        answer = client.post("/api/rooms", json={"id": "bobs"}, headers={"Authorization": f"Bearer {bob}"})
    assert answer.status_code == 201
    return "bobs"


def with_token(path: str, *tokens: str) -> str:
    return f"{path}?{urlencode([('token', token) for token in tokens])}"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


# Let in


@every_endpoint
def test_every_place_of_a_credential_is_read(gateway: RunningGateway, alice: str, path: str) -> None:
    cookie = {"Cookie": f"gateroom_access={alice}", "Origin": gateway.url}
    for query, headers in ((with_token(path, alice), {}), (path, bearer(alice)), (path, cookie)):
        with visiting(gateway.ws_url, query, headers=headers) as visitor:
            assert visitor.subprotocol is None
            assert alice not in visitor.response_headers
        with visiting(gateway.ws_url, query, headers=headers, offer=[SUBPROTOCOL]) as visitor:
            assert visitor.subprotocol == SUBPROTOCOL
            assert visitor.event("welcome")["user"]["name"] == "alice"


@every_endpoint
def test_a_token_as_subprotocol_is_read_and_never_echoed(gateway: RunningGateway, alice: str, path: str) -> None:
    for offer in ([SUBPROTOCOL, f"bearer.{alice}"], [f"bearer.{alice}", "other", SUBPROTOCOL]):
        with visiting(gateway.ws_url, path, offer=offer) as visitor:
            assert visitor.subprotocol == SUBPROTOCOL
            assert alice not in visitor.response_headers
            assert visitor.event("welcome")["user"]["name"] == "alice"


def test_a_browsers_login_opens_its_socket(gateway: RunningGateway) -> None:
    with gateway.client() as browser:
        body = {"username": "alice", "password": gateway.passwords["alice"], "cookie": True}
        assert browser.post("/auth/login", json=body, headers={"Origin": gateway.url}).status_code == 200
        cookie = f"gateroom_access={browser.cookies['gateroom_access']}"
    with visiting(gateway.ws_url, headers={"Cookie": cookie, "Origin": gateway.url}) as visitor:
        assert visitor.event("welcome")["user"]["name"] == "alice"


def test_an_explicit_credential_wins_over_the_cookie(gateway: RunningGateway, alice: str, bob: str) -> None:
    cookie = {"Cookie": f"gateroom_access={bob}", "Origin": gateway.url}
    for path, offer, headers in (
        (with_token("/ws", alice), (), cookie),
        ("/ws", (), {**cookie, **bearer(alice)}),
        ("/ws", (SUBPROTOCOL, f"bearer.{alice}"), cookie),
    ):
        with visiting(gateway.ws_url, path, offer=offer, headers=headers) as visitor:
            assert visitor.event("welcome")["user"]["name"] == "alice"


def test_the_same_credential_in_every_place_is_one(gateway: RunningGateway, alice: str) -> None:
    headers = {**bearer(alice), "Cookie": f"gateroom_access={alice}", "Origin": gateway.url}
    offer = [SUBPROTOCOL, f"bearer.{alice}"]
    with visiting(gateway.ws_url, with_token("/ws", alice), offer=offer, headers=headers) as visitor:
        assert visitor.event("welcome")["user"]["name"] == "alice"


# Refused


@dataclass(frozen=True, slots=True)
class Attempt:
    """A handshake that must fail, and with which code."""

    code: str
    path: str = "/ws"
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = field(default_factory=dict)

    @property
    def tellable(self) -> bool:
        """Whether it fails at the credentials or later."""
        return self.code != "origin_not_allowed"


def attempts(gateway: RunningGateway, alice: str, bob: str, private_room: str) -> Iterator[tuple[str, Attempt]]:
    """Yield the attempts of the contract's table that do not need another configuration."""
    key = load_or_create(gateway.data_dir / "keys").current
    claims, (header, payload, signature) = claims_of(alice), alice.split(".")
    foreign, late = SigningKey.generate(), {"iat": claims["iat"] - 2000, "exp": claims["iat"] - 1100}
    none = to_base64url(as_json({**proper_header(key), "alg": "none"}))
    promoted = to_base64url(as_json(claims | {"scope": "users:admin"}))
    jwk = as_json(key.jwk() or {})
    flipped = signature[:-3] + ("A" if signature[-3] != "A" else "B") + signature[-2:]
    tokens = {
        "garbage": ("invalid_token", "garbage"),
        "expired": ("token_expired", forge(key, claims | late)),
        "alg none": ("invalid_token", f"{none}.{payload}."),
        "flipped signature": ("invalid_token", f"{header}.{payload}.{flipped}"),
        "changed payload": ("invalid_token", f"{header}.{promoted}.{signature}"),
        "foreign key under our kid": ("invalid_token", forge(foreign, claims, proper_header(foreign, kid=key.kid))),
        "HS256 with our public key": ("invalid_token", seal_with_hmac(jwk, proper_header(key, alg="HS256"), claims)),
        "embedded jwk": ("invalid_token", forge(foreign, claims, proper_header(foreign, jwk=foreign.jwk()))),
    }
    for name, (code, token) in tokens.items():
        yield name, Attempt(code, with_token("/ws", token))
        yield f"{name}, in the header", Attempt(code, headers=bearer(token))
        cookie = {"Cookie": f"gateroom_access={token}", "Origin": gateway.url}
        yield f"{name}, as cookie", Attempt(code, headers=cookie)
    yield "missing", Attempt("missing_token")
    yield "empty", Attempt("missing_token", "/ws?token=")
    yield "empty cookie", Attempt("missing_token", headers={"Cookie": "gateroom_access=", "Origin": gateway.url})
    yield "two that differ", Attempt("ambiguous_credentials", with_token("/ws", bob), bearer(alice))
    yield "one twice in the query", Attempt("ambiguous_credentials", with_token("/ws", alice, alice))
    yield "one twice in headers", Attempt("ambiguous_credentials", headers=[*bearer(alice).items()] * 2)
    twice = {"Cookie": f"gateroom_access={alice}; gateroom_access={alice}", "Origin": gateway.url}
    yield "one twice in cookies", Attempt("ambiguous_credentials", headers=twice)
    cookie_alone = {"Cookie": f"gateroom_access={alice}"}
    evil = {"Origin": "https://evil.example"}
    yield "cookie without Origin", Attempt("origin_not_allowed", headers=cookie_alone)
    yield "cookie, foreign Origin", Attempt("origin_not_allowed", headers={**cookie_alone, **evil})
    yield "token, foreign Origin", Attempt("origin_not_allowed", with_token("/ws", alice), evil)
    yield "private room", Attempt("forbidden", with_token(f"/ws/rooms/{private_room}", alice))
    yield "unknown room", Attempt("forbidden", with_token("/ws/rooms/no-such-room", alice))
    yield "no room's name", Attempt("forbidden", with_token("/ws/rooms/No%20Room", alice))


@pytest.fixture(scope="module")
def refusals(gateway: RunningGateway, alice: str, bob: str, private_room: str) -> list[tuple[str, Attempt]]:
    return list(attempts(gateway, alice, bob, private_room))


def test_a_refusal_is_a_problem_with_its_code(gateway: RunningGateway, refusals: Sequence[tuple[str, Attempt]]) -> None:
    for name, attempt in refusals:
        answer = refused(gateway.ws_url, attempt.path, headers=attempt.headers)
        assert (answer.status, answer.code) == (403, attempt.code), name
        assert answer.headers["content-type"] == "application/problem+json"
        assert set(answer.problem) == {"type", "title", "status", "detail", "code"}
        assert answer.problem["status"] == 403
        assert "retry-after" not in answer.headers
        assert "server" not in answer.headers


def test_a_client_that_offers_the_protocol_is_told_by_a_close(
    gateway: RunningGateway, refusals: Sequence[tuple[str, Attempt]]
) -> None:
    """Since a browser hides an HTTP refusal; but not what fails before the credentials."""
    for name, attempt in refusals:
        if attempt.tellable:
            got = turned_away(gateway.ws_url, attempt.path, offer=[SUBPROTOCOL], headers=attempt.headers)
            assert got == (SUBPROTOCOL, 1008, attempt.code), name
        else:
            answer = refused(gateway.ws_url, attempt.path, offer=[SUBPROTOCOL], headers=attempt.headers)
            assert (answer.status, answer.code) == (403, attempt.code), name


def test_a_private_room_and_none_at_all_cannot_be_told_apart(
    gateway: RunningGateway, alice: str, private_room: str
) -> None:
    private, unknown = (
        refused(gateway.ws_url, f"/ws/rooms/{room}", headers=bearer(alice)) for room in (private_room, "no-such-room")
    )
    assert private == unknown


@every_endpoint
def test_offers_of_which_we_speak_none_are_a_bad_request(gateway: RunningGateway, alice: str, path: str) -> None:
    for offer in (["graphql-ws"], [f"bearer.{alice}"], ["gateroom.v2", "chat"]):
        answer = refused(gateway.ws_url, path, offer=offer, headers=bearer(alice))
        assert (answer.status, answer.code) == (400, "protocol_violation")
        assert alice not in str(answer)


@pytest.mark.parametrize(
    "offer", ["gateroom.v1, bearer.\xe9", "gateroom.v1, bearer.\xff\xfe", "gateroom.v1,, ,bearer.x"]
)
def test_an_offer_that_is_no_token_is_answered_and_not_a_fault(gateway: RunningGateway, offer: str) -> None:
    with RawClient(("127.0.0.1", gateway.port)) as raw:
        answer = raw.request(upgrade("/ws", protocols=[offer]))
        assert answer.status in (101, 400)
        if answer.status == 101:
            assert answer.headers["sec-websocket-protocol"] == SUBPROTOCOL
            assert raw.read_close() == Closed(1008, "invalid_token")


def test_no_answer_names_the_server_software(gateway: RunningGateway) -> None:
    with gateway.client() as client:
        for path in ("/healthz", "/nowhere"):
            assert "server" not in client.get(path).headers
            assert client.get(path).headers["x-content-type-options"] == "nosniff"


def test_a_refused_handshake_does_not_cost_the_next_one(gateway: RunningGateway, alice: str) -> None:
    for _ in range(60):  # more than one user may have open
        refused(gateway.ws_url, with_token("/ws/rooms/no-such-room", alice))
        turned_away(gateway.ws_url, with_token("/ws/rooms/no-such-room", alice), offer=[SUBPROTOCOL])
    with visiting(gateway.ws_url, with_token("/ws", alice)) as visitor:
        visitor.event("welcome")


# The other forms, and what another configuration refuses


def test_every_refusal_may_be_an_http_one() -> None:
    with running_gateway(environment={"GATEROOM_REALTIME__REFUSAL": "handshake"}) as gateway:
        for path in ("/ws", "/ws?token=bad", with_token("/ws/rooms/no-such-room", gateway.token())):
            answer = refused(gateway.ws_url, path, offer=[SUBPROTOCOL])
            assert (answer.status, answer.headers["content-type"]) == (403, "application/problem+json")


def test_every_refusal_that_may_be_told_may_be_a_close() -> None:
    with running_gateway(environment={"GATEROOM_REALTIME__REFUSAL": "close"}) as gateway:
        for path, reason in (
            ("/ws", "missing_token"),
            ("/ws?token=bad", "invalid_token"),
            (with_token("/ws/rooms/no-such-room", gateway.token()), "forbidden"),
        ):
            assert turned_away(gateway.ws_url, path) == (None, 1008, reason)
            assert turned_away(gateway.ws_url, path, offer=[SUBPROTOCOL]) == (SUBPROTOCOL, 1008, reason)
        answer = refused(gateway.ws_url, "/ws?token=bad", headers={"Origin": "https://evil.example"})
        assert (answer.status, answer.code) == (403, "origin_not_allowed")


def test_a_full_house_says_when_to_come_again() -> None:
    limits = {"GATEROOM_REALTIME__MAX_CONNECTIONS": "2", "GATEROOM_REALTIME__MAX_CONNECTIONS_PER_USER": "1"}
    with running_gateway(demo=True, environment=limits) as gateway:
        alice, bob = gateway.token("alice"), gateway.token("bob")
        with visiting(gateway.ws_url, headers=bearer(alice)):
            assert_comes_again(gateway, bearer(alice))  # one for each user
            with visiting(gateway.ws_url, headers=bearer(bob)):
                assert_comes_again(gateway, {})  # two in all, whoever comes
                with gateway.client() as client:
                    assert client.get("/healthz").status_code == 200
                    assert gateway.token("carol")


def assert_comes_again(gateway: RunningGateway, headers: Mapping[str, str]) -> None:
    for offer in ((), (SUBPROTOCOL,)):
        answer = refused(gateway.ws_url, offer=offer, headers=headers)
        assert (answer.status, answer.code) == (429, "connection_limit")
        assert int(answer.headers["retry-after"]) > 0


def test_too_many_handshakes_at_once_are_refused_until_later() -> None:
    with running_gateway(environment={"GATEROOM_REALTIME__HANDSHAKE_RATE": "0.001"}) as gateway:
        headers = bearer(gateway.token())
        with visiting(gateway.ws_url, headers=headers):
            answer = refused(gateway.ws_url, headers=headers)
        assert (answer.status, answer.code) == (429, "rate_limited")
        assert int(answer.headers["retry-after"]) > 0
