"""Who gets a socket and who does not, as a user's own tests see it (contract section 3)."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlencode

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from gateroom import create_app
from gateroom.auth.key_files import load_or_create
from support.attacks import Attack, attacks
from support.in_process import HOST, SUBPROTOCOL, Account, InProcess, Peer, running_in_process, settings_for
from support.tokens import claims_of, forge

OWN = f"http://{HOST}"
ENDPOINTS = ("/ws", "/ws/rooms/lobby", "/ws/users/me")
every_endpoint = pytest.mark.parametrize("path", ENDPOINTS)


@pytest.fixture(scope="module")
def user(gateway: InProcess) -> Account:
    return gateway.user()


@pytest.fixture(scope="module")
def other(gateway: InProcess) -> Account:
    return gateway.user()


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(create_app(settings_for(tmp_path))) as started:
        yield started


def with_token(path: str, token: str) -> str:
    return f"{path}?{urlencode({'token': token})}"


# As a user of Gateroom would write them


def test_no_token(client: TestClient) -> None:
    with pytest.raises(WebSocketDisconnect) as e, client.websocket_connect("/ws"):
        pass
    assert (e.value.code, e.value.reason) == (1008, "missing_token")


def test_a_bad_token(client: TestClient) -> None:
    with pytest.raises(WebSocketDisconnect) as e, client.websocket_connect("/ws?token=bad"):
        pass
    assert (e.value.code, e.value.reason) == (1008, "invalid_token")


def test_a_good_token(client: TestClient) -> None:
    form = {"grant_type": "password", "username": "admin", "password": "a password for tests only"}
    token = client.post("/auth/token", data=form).json()["access_token"]
    with client.websocket_connect(f"/ws?token={token}") as websocket:
        assert websocket.receive_json()["type"] == "welcome"


# Every place a credential can be in


@every_endpoint
def test_the_query_is_read(gateway: InProcess, user: Account, path: str) -> None:
    with gateway.socket(path=with_token(path, user.token)) as peer:
        assert peer.subprotocol is None


@every_endpoint
def test_the_header_is_read(gateway: InProcess, user: Account, path: str) -> None:
    with gateway.socket(user, path) as peer:
        assert peer.subprotocol is None


@every_endpoint
def test_the_subprotocol_is_read_and_never_echoed(gateway: InProcess, user: Account, path: str) -> None:
    with gateway.socket(path=path, offer=[SUBPROTOCOL, f"bearer.{user.token}"]) as peer:
        assert peer.subprotocol == SUBPROTOCOL
        assert user.token not in str(peer.session.extra_headers)
        assert peer.event("welcome")["user"] == user.person


@every_endpoint
def test_the_order_of_the_offers_does_not_matter(gateway: InProcess, user: Account, path: str) -> None:
    with gateway.socket(path=path, offer=[f"bearer.{user.token}", "other", SUBPROTOCOL]) as peer:
        assert peer.subprotocol == SUBPROTOCOL


@every_endpoint
def test_the_cookie_is_read_on_a_page_of_ours(gateway: InProcess, user: Account, path: str) -> None:
    with gateway.socket(path=path, Origin=OWN, Cookie=f"a=b; gateroom_access={user.token}; c=d") as peer:
        assert peer.subprotocol is None


def test_a_browser_uses_its_cookie_by_itself(tmp_path: Path) -> None:
    """The jar of the client that logged in, on https, where the cookie is bound to its host."""
    with TestClient(create_app(settings_for(tmp_path)), base_url="https://chat.example.org") as browser:
        body = {"username": "admin", "password": "a password for tests only", "cookie": True}
        assert browser.post("/auth/login", json=body).status_code == 200
        assert list(browser.cookies) == ["__Host-gateroom_access", "__Secure-gateroom_refresh"]
        url, headers = "wss://chat.example.org/ws", {"Origin": "https://chat.example.org"}
        with browser.websocket_connect(url, headers=headers) as session:
            assert Peer(session).event("welcome")["user"]["name"] == "admin"


def test_the_same_credential_in_two_places_is_one(gateway: InProcess, user: Account) -> None:
    offer = [SUBPROTOCOL, f"bearer.{user.token}"]
    with gateway.socket(user, with_token("/ws", user.token), offer=offer) as peer:
        assert peer.event("welcome")["user"] == user.person


def test_an_explicit_credential_wins_over_the_cookie(gateway: InProcess, user: Account, other: Account) -> None:
    cookie = f"gateroom_access={other.token}"
    for by, path, offer in (
        (user, "/ws", ()),
        (None, with_token("/ws", user.token), ()),
        (None, "/ws", (SUBPROTOCOL, f"bearer.{user.token}")),
    ):
        with gateway.socket(by, path, offer=offer, Cookie=cookie, Origin=OWN) as peer:
            assert peer.event("welcome")["user"] == user.person


# What is refused


@every_endpoint
@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "missing_token"),
        ("?", "missing_token"),
        ("?token", "missing_token"),
        ("?token=", "missing_token"),
        ("?Token=bad", "missing_token"),
        ("?access_token=bad", "missing_token"),
        ("?token=bad", "invalid_token"),
        ("?token=a.b.c", "invalid_token"),
        ("?token=%00", "invalid_token"),
        ("?token=%ff", "invalid_token"),
        ("?token=%ED%A0%80.a.b", "invalid_token"),
        ("?token=" + "a" * 5000, "invalid_token"),
        ("?token=bad&token=bad", "ambiguous_credentials"),
        ("?token=bad&token=", "ambiguous_credentials"),
        ("?token=bad;token=worse", "invalid_token"),
        ("?" + "&".join(["a=1"] * 60), "invalid_token"),
    ],
)
def test_a_wrong_query_is_refused(gateway: InProcess, path: str, query: str, reason: str) -> None:
    assert gateway.refusal(path + query) == (1008, reason)


@every_endpoint
@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"Authorization": "Bearer bad"}, "invalid_token"),
        ({"Authorization": "Bearer"}, "missing_token"),
        ({"Authorization": "Basic YTpi"}, "missing_token"),
        ({"Cookie": "gateroom_access=bad", "Origin": OWN}, "invalid_token"),
        ({"Cookie": "gateroom_access=", "Origin": OWN}, "missing_token"),
        ({"Cookie": "session=bad", "Origin": OWN}, "missing_token"),
        ({"Cookie": "gateroom_access=bad; gateroom_access=bad", "Origin": OWN}, "ambiguous_credentials"),
        ({"Sec-WebSocket-Protocol": "gateroom.v1, bearer.bad"}, "invalid_token"),
        ({"Sec-WebSocket-Protocol": "gateroom.v1, bearer."}, "missing_token"),
        ({"Sec-WebSocket-Protocol": "gateroom.v1, Bearer.bad"}, "missing_token"),
        ({"Sec-WebSocket-Protocol": "gateroom.v1, bearer.bad, bearer.bad"}, "ambiguous_credentials"),
    ],
    ids=str,
)
def test_a_wrong_header_is_refused(gateway: InProcess, path: str, headers: Mapping[str, str], reason: str) -> None:
    assert gateway.refusal(path, headers=headers) == (1008, reason)


@every_endpoint
def test_two_explicit_credentials_that_differ_are_refused(
    gateway: InProcess, path: str, user: Account, other: Account
) -> None:
    ambiguous = (1008, "ambiguous_credentials")
    offer = [SUBPROTOCOL, f"bearer.{other.token}"]
    assert gateway.refusal(with_token(path, other.token), headers=user.headers) == ambiguous
    assert gateway.refusal(with_token(path, user.token), offer=offer) == ambiguous
    assert gateway.refusal(path, offer=offer, headers=user.headers) == ambiguous
    assert gateway.refusal(with_token(path, "bad"), headers=user.headers) == ambiguous
    assert gateway.refusal(f"{with_token(path, user.token)}&token={user.token}") == ambiguous


@every_endpoint
@pytest.mark.parametrize(
    "offer", [["other"], ["graphql-ws", "chat"], ["bearer.bad"], ["gateroom.v2"], ["Gateroom.v1"]], ids=str
)
def test_offers_of_which_we_speak_none_are_refused(
    gateway: InProcess, user: Account, path: str, offer: Sequence[str]
) -> None:
    assert gateway.refusal(path, offer=offer, headers=user.headers) == (1008, "protocol_violation")


@every_endpoint
def test_no_forged_token_gets_a_socket(tmp_path: Path, path: str) -> None:
    with running_in_process(tmp_path) as gateway:
        forged = attacks(load_or_create(tmp_path / "keys"), gateway.admin.token)
        sendable = [attack for attack in forged if attack.sendable]
        assert len(sendable) > 200
        assert [wrong for attack in sendable if (wrong := let_in(gateway, path, attack))] == []


def let_in(gateway: InProcess, path: str, attack: Attack) -> str | None:
    """Return what is wrong with the answer to a forged token; None when it was refused as it should be."""
    got = gateway.refusal(with_token(path, attack.token))
    return None if got == (1008, attack.code) else f"{attack.name}: {got}"


def test_an_expired_token_is_told_apart(tmp_path: Path) -> None:
    with running_in_process(tmp_path) as gateway:
        claims = claims_of(gateway.admin.token)
        key = load_or_create(tmp_path / "keys").current
        expired = forge(key, claims | {"iat": claims["iat"] - 1000, "exp": claims["iat"] - 100})
        assert gateway.refusal(with_token("/ws", expired)) == (1008, "token_expired")


@every_endpoint
def test_a_disabled_or_deleted_account_gets_no_socket(gateway: InProcess, path: str) -> None:
    disabled, deleted = gateway.user(), gateway.user()
    gateway.patch(f"/api/users/{disabled.id}", gateway.admin, {"disabled": True})
    gateway.delete(f"/api/users/{deleted.id}", gateway.admin)
    for account in (disabled, deleted):
        assert gateway.refusal(path, headers=account.headers) == (1008, "user_disabled")


FOREIGN_ORIGINS = (
    "https://evil.example",
    "null",
    "",
    "https://127.0.0.1",
    "http://127.0.0.1:8000",
    "http://127.0.0.1:80",
    "http://127.0.0.1.evil.example",
    "http://evil.example/http://127.0.0.1",
    "http://localhost",
    "HTTP://127.0.0.1",
    "http://127.0.0.1/",
    "ws://127.0.0.1",
)


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
def test_a_foreign_page_gets_no_socket_by_whatever_credential(gateway: InProcess, user: Account, origin: str) -> None:
    foreign = (1008, "origin_not_allowed")
    offer = [SUBPROTOCOL, f"bearer.{user.token}"]
    assert gateway.refusal("/ws", headers={"Cookie": f"gateroom_access={user.token}", "Origin": origin}) == foreign
    assert gateway.refusal(with_token("/ws", user.token), headers={"Origin": origin}) == foreign
    assert gateway.refusal("/ws", headers={**user.headers, "Origin": origin}) == foreign
    assert gateway.refusal("/ws", offer=offer, headers={"Origin": origin}) == foreign
    assert gateway.refusal("/ws", headers={"Origin": origin}) == foreign  # whoever it is


@every_endpoint
def test_a_cookie_without_an_origin_is_refused(gateway: InProcess, user: Account, path: str) -> None:
    cookie = {"Cookie": f"gateroom_access={user.token}"}
    assert gateway.refusal(path, headers=cookie) == (1008, "origin_not_allowed")
    assert gateway.refusal(path, headers={**cookie, "Sec-Fetch-Site": "same-origin"}) == (1008, "origin_not_allowed")


def test_two_origins_are_none(gateway: InProcess, user: Account) -> None:
    headers = {**user.headers, "Origin": OWN, "origin": OWN}
    assert gateway.refusal("/ws", headers=headers) == (1008, "origin_not_allowed")


def test_a_configured_origin_is_allowed(tmp_path: Path) -> None:
    app = "https://app.example.org"
    with running_in_process(tmp_path, auth={"allowed_origins": [app]}) as gateway:
        for origin in (app, OWN):
            with gateway.socket(gateway.admin, Origin=origin) as peer:
                peer.event("welcome")
        for origin in ("https://app.example.org.evil.example", "http://app.example.org", "https://example.org"):
            headers = {**gateway.admin.headers, "Origin": origin}
            assert gateway.refusal("/ws", headers=headers) == (1008, "origin_not_allowed")


def test_a_place_that_is_switched_off_is_not_looked_at(tmp_path: Path) -> None:
    with running_in_process(tmp_path, auth={"credentials": ["header"]}) as gateway:
        token = gateway.admin.token
        assert gateway.refusal(with_token("/ws", token)) == (1008, "missing_token")
        cookie = {"Cookie": f"gateroom_access={token}", "Origin": OWN}
        assert gateway.refusal("/ws", headers=cookie) == (1008, "missing_token")
        offer = [SUBPROTOCOL, f"bearer.{token}"]
        assert gateway.refusal("/ws", offer=offer) == (1008, "missing_token")
        with gateway.connected(gateway.admin):
            pass


# Rooms


@pytest.mark.parametrize("room", ["no-such-room", "Upper", "a%20b", "x" * 101, "%00", "lobby%0a", "%ff"])
def test_a_room_that_is_not_there_is_refused_as_a_private_one(
    gateway: InProcess, user: Account, other: Account, room: str
) -> None:
    private = gateway.room(other)
    refused = gateway.refusal(f"/ws/rooms/{private}", headers=user.headers)
    assert refused == (1008, "forbidden")
    assert gateway.refusal(f"/ws/rooms/{room}", headers=user.headers) == refused
    gateway.delete(f"/api/rooms/{private}", gateway.admin)


def test_a_member_gets_into_a_private_room(gateway: InProcess, user: Account, other: Account) -> None:
    private = gateway.room(other, viewer=user)
    with gateway.socket(user, f"/ws/rooms/{private}"):
        pass


def test_an_endpoint_that_is_not_there_has_no_socket(gateway: InProcess, user: Account) -> None:
    for path in ("/", "/ws/", "/ws/rooms", "/ws/rooms/lobby/more", "/ws/users/someone", "/auth/me", "/docs"):
        with pytest.raises(WebSocketDisconnect), gateway.socket(user, path):
            pass


# In which order


def test_the_first_thing_that_is_wrong_is_told(gateway: InProcess, other: Account) -> None:
    """Form, Origin, credential, room: contract section 3."""
    private = f"/ws/rooms/{gateway.room(other)}"
    evil = {"Origin": "https://evil.example"}
    assert gateway.refusal(f"{private}?token=bad", offer=["other"], headers=evil)[1] == "protocol_violation"
    assert gateway.refusal(f"{private}?token=bad", headers=evil)[1] == "origin_not_allowed"
    assert gateway.refusal(f"{private}?token=bad&token=bad", headers=evil)[1] == "origin_not_allowed"
    assert gateway.refusal(f"{private}?token=bad")[1] == "invalid_token"
    assert gateway.refusal("/ws/rooms/Upper")[1] == "missing_token"
