"""Every kind of secret at every place that takes one: none stands in for another (TV-3)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from starlette.websockets import WebSocketDisconnect

from gateroom.auth.key_files import load_or_create
from support.in_process import Account, InProcess, running_in_process
from support.pairs import OWN_ORIGIN, Pair, grant, log_in, refresh
from support.tokens import claims_of, forge, proper_header

KINDS = ["access", "refresh", "ticket", "csrf", "session id", "token id", "identity token", "untyped token"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def gateway(folder: Path) -> Iterator[InProcess]:
    with running_in_process(folder) as running:
        yield running


@pytest.fixture
def secret(gateway: InProcess, ada: Account, folder: Path) -> Callable[[str], str]:
    """Return what makes one of each kind, all of the same new session."""
    pair = log_in(gateway, ada)
    claims = claims_of(pair.access)
    key = load_or_create(folder / "keys").current
    header = proper_header(key)
    untyped = {name: value for name, value in header.items() if name != "typ"}

    def made(kind: str) -> str:
        if kind == "ticket":
            return str(gateway.client.post("/auth/tickets", headers=pair.headers).json()["ticket"])
        if kind == "csrf":
            cookie = {"Cookie": f"gateroom_access={pair.access}"}
            return str(gateway.client.get("/auth/me", headers=cookie).json()["csrf_token"])
        return {
            "access": pair.access,
            "refresh": pair.refresh,
            "session id": pair.session,
            "token id": str(claims["jti"]),
            "identity token": forge(key, claims, {**header, "typ": "JWT"}),
            "untyped token": forge(key, claims, untyped),
        }[kind]

    return made


def bearer(gateway: InProcess, text: str) -> bool:
    return gateway.client.get("/auth/me", headers={"Authorization": f"Bearer {text}"}).status_code == 200


def access_cookie(gateway: InProcess, text: str) -> bool:
    return gateway.client.get("/auth/me", headers={"Cookie": f"gateroom_access={text}"}).status_code == 200


def refresh_cookie(gateway: InProcess, text: str, csrf: str) -> bool:
    headers = {"Cookie": f"gateroom_refresh={text}", "Origin": OWN_ORIGIN, "X-CSRF-Token": csrf}
    return gateway.client.post("/auth/refresh", headers=headers).status_code == 200


def refresh_body(gateway: InProcess, text: str) -> bool:
    return refresh(gateway, text).status_code == 200


def refresh_grant(gateway: InProcess, text: str) -> bool:
    return grant(gateway, text).status_code == 200


def introspection(gateway: InProcess, text: str) -> bool:
    answer = gateway.client.post("/auth/introspect", data={"token": text}, headers=gateway.admin.headers)
    return bool(answer.json()["active"])


def socket_by(path: str = "/ws", offer: Sequence[str] = (), **headers: str) -> Callable[[InProcess, str], bool]:
    def attempt(gateway: InProcess, text: str) -> bool:
        filled = {name: value.format(text) for name, value in headers.items()}
        offered = [each.format(text) for each in offer]
        try:
            with gateway.socket(None, path.format(text), offer=offered, **filled) as peer:
                peer.event("welcome")
                return True
        except WebSocketDisconnect as refused:
            return refused.code != 1008

    return attempt


def refresh_command(gateway: InProcess, text: str, by: Pair, ada: Account) -> bool:
    with gateway.connected(by.account(ada)) as peer:
        return bool(peer.ask("refresh", token=text)["type"] == "reply")


# Which kind each place takes; everything else is refused there.
PLACES: Mapping[str, tuple[Callable[[InProcess, str], bool], str]] = {
    "Authorization": (bearer, "access"),
    "access cookie": (access_cookie, "access"),
    "refresh body": (refresh_body, "refresh"),
    "refresh grant": (refresh_grant, "refresh"),
    "introspection": (introspection, "access"),
    "socket ?token=": (socket_by("/ws?token={}"), "access"),
    "socket ?ticket=": (socket_by("/ws?ticket={}"), "ticket"),
    "socket Authorization": (socket_by(Authorization="Bearer {}"), "access"),
    "socket cookie": (socket_by(Cookie="gateroom_access={}", Origin=OWN_ORIGIN), "access"),
    "socket subprotocol": (socket_by(offer=["gateroom.v1", "bearer.{}"]), "access"),
}


@pytest.fixture(autouse=True)
def fresh_browser(gateway: InProcess) -> Iterator[None]:
    yield
    gateway.client.cookies.clear()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", PLACES)
def test_each_place_takes_one_kind(gateway: InProcess, secret: Callable[[str], str], place: str, kind: str) -> None:
    attempt, taken = PLACES[place]
    assert attempt(gateway, secret(kind)) is (kind == taken)


@pytest.mark.parametrize("kind", KINDS)
def test_the_refresh_cookie_takes_refresh_tokens(gateway: InProcess, secret: Callable[[str], str], kind: str) -> None:
    assert refresh_cookie(gateway, secret(kind), secret("csrf")) is (kind == "refresh")


@pytest.mark.parametrize("kind", KINDS)
def test_a_socket_is_refreshed_by_an_access_token_of_its_own_session(
    gateway: InProcess, ada: Account, secret: Callable[[str], str], kind: str
) -> None:
    own = Pair(secret("access"), secret("refresh"))
    assert refresh_command(gateway, secret(kind), own, ada) is (kind == "access")


@pytest.mark.parametrize("kind", KINDS)
def test_only_access_and_refresh_tokens_can_be_revoked(
    gateway: InProcess, secret: Callable[[str], str], kind: str
) -> None:
    access = secret("access")
    assert gateway.client.post("/auth/revoke", data={"token": secret(kind)}).status_code == 200
    assert bearer(gateway, access) is (kind not in ("access", "refresh"))


@pytest.mark.parametrize("path", ["/ws?token={}", "/ws?ticket={}", "/auth/me?token={}", "/auth/me?refresh_token={}"])
def test_a_refresh_token_in_a_url_is_good_for_nothing_and_not_used_up(
    gateway: InProcess, secret: Callable[[str], str], path: str
) -> None:
    """RR-3: never accepted in a query or on a socket."""
    token = secret("refresh")
    if path.startswith("/ws"):
        assert gateway.refusal(path.format(token))[0] == 1008
    else:
        assert gateway.client.get(path.format(token)).status_code == 401
    assert refresh_body(gateway, token)
