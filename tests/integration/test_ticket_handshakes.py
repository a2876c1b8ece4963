"""`POST /auth/tickets`, `?ticket=`: one socket for one ticket, with the rights of the token behind it (TI-5, HS-4)."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.in_process import Account, InProcess, running_in_process

REFUSED = (1008, "invalid_ticket")
SOCKETS = ["/ws", "/ws/rooms/lobby", "/ws/users/me"]


@pytest.fixture(autouse=True)
def fresh_browser(gateway: InProcess) -> Iterator[None]:
    yield
    gateway.client.cookies.clear()


def ticket_of(gateway: InProcess, account: Account, **body: str) -> str:
    answer = gateway.post("/auth/tickets", account, body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["ticket"])


def test_a_ticket_comes_with_its_time_and_is_not_cached(gateway: InProcess, ada: Account) -> None:
    answer = gateway.post("/auth/tickets", ada, {})
    assert answer.status_code == 201
    assert (set(answer.json()), answer.json()["expires_in"]) == ({"ticket", "expires_in"}, 30)
    assert answer.headers["Cache-Control"] == "no-store"
    assert gateway.client.post("/auth/tickets", headers=ada.headers).status_code == 201  # a body is not needed


@pytest.mark.parametrize("path", SOCKETS)
def test_it_opens_each_socket_once(gateway: InProcess, ada: Account, path: str) -> None:
    ticket = ticket_of(gateway, ada)
    with gateway.socket(None, f"{path}?ticket={ticket}", offer=["gateroom.v1"]) as peer:
        assert peer.event("welcome")["user"] == ada.person
    assert gateway.refusal(f"{path}?ticket={ticket}") == REFUSED


@pytest.mark.parametrize("path", SOCKETS)
@pytest.mark.parametrize("ticket", ["", "x", "grt_" + "a" * 43])
def test_what_is_no_ticket_opens_nothing(gateway: InProcess, path: str, ticket: str) -> None:
    expected = REFUSED if ticket else (1008, "missing_token")
    assert gateway.refusal(f"{path}?ticket={ticket}") == expected


@pytest.mark.parametrize("path", ["/ws", "/ws/users/me", "/ws/rooms/kitchen", "/ws/rooms/lobby"])
def test_bound_to_a_room_it_opens_that_room_only(gateway: InProcess, ada: Account, path: str) -> None:
    address = f"{path}?ticket={ticket_of(gateway, ada, room='lobby')}"
    if path.endswith("lobby"):
        with gateway.socket(None, address, offer=["gateroom.v1"]) as peer:
            peer.event("welcome")
    else:
        assert gateway.refusal(address) == REFUSED


def test_kinds_of_credentials_do_not_stand_in_for_each_other(gateway: InProcess, ada: Account) -> None:
    ticket = ticket_of(gateway, ada)
    assert gateway.refusal(f"/ws?token={ticket}") == (1008, "invalid_token")
    assert gateway.refusal(headers={"Authorization": f"Bearer {ticket}"}) == (1008, "invalid_token")
    assert gateway.refusal(offer=["gateroom.v1", f"bearer.{ticket}"]) == (1008, "invalid_token")
    assert gateway.refusal(f"/ws?ticket={ada.token}") == REFUSED
    answer = gateway.client.get("/auth/me", headers={"Authorization": f"Bearer {ticket}"})
    assert answer.json()["code"] == "invalid_token"
    assert gateway.client.get(f"/auth/me?ticket={ticket}").json()["code"] == "missing_token"


def test_a_ticket_beside_another_credential_is_ambiguous(gateway: InProcess, ada: Account) -> None:
    ticket = ticket_of(gateway, ada)
    ambiguous = (1008, "ambiguous_credentials")
    assert gateway.refusal(f"/ws?ticket={ticket}&token={ada.token}") == ambiguous
    assert gateway.refusal(f"/ws?ticket={ticket}&ticket={ticket}") == ambiguous
    assert gateway.refusal(f"/ws?ticket={ticket}", headers=ada.headers) == ambiguous


def test_it_gives_no_more_than_the_token_did(gateway: InProcess) -> None:
    user = gateway.user(scopes=["users:send"])
    form = {"grant_type": "password", "username": user.name, "password": user.password, "scope": "rooms:create"}
    token = gateway.client.post("/auth/token", data=form).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    expires = gateway.client.get("/auth/me", headers=headers).json()["expires_at"]
    ticket = gateway.client.post("/auth/tickets", headers=headers).json()["ticket"]
    with gateway.socket(None, f"/ws?ticket={ticket}") as peer:
        assert peer.event("welcome")["expires_at"] == expires
        assert peer.ask("send", user=user.id, data=1)["code"] == "forbidden"


def test_a_disabled_account_is_refused(gateway: InProcess) -> None:
    user = gateway.user()
    ticket = ticket_of(gateway, user)
    gateway.patch(f"/api/users/{user.id}", gateway.admin, {"disabled": True})
    assert gateway.refusal(f"/ws?ticket={ticket}") == (1008, "user_disabled")


def test_a_foreign_page_does_not_get_in_with_one(gateway: InProcess, ada: Account) -> None:
    ticket = ticket_of(gateway, ada)
    origin = {"Origin": "https://evil.example"}
    assert gateway.refusal(f"/ws?ticket={ticket}", headers=origin) == (1008, "origin_not_allowed")
    with gateway.socket(None, f"/ws?ticket={ticket}", Origin="http://127.0.0.1") as peer:
        peer.event("welcome")


def test_a_browser_asks_with_its_cookie_and_csrf_token(gateway: InProcess) -> None:
    body = {"username": "admin", "password": gateway.admin.password, "cookie": True}
    csrf = gateway.client.post("/auth/login", json=body, headers={"Origin": "http://127.0.0.1"}).json()["csrf_token"]
    origin = {"Origin": "http://127.0.0.1"}
    assert gateway.client.post("/auth/tickets", json={}, headers=origin).json()["code"] == "invalid_csrf"
    answer = gateway.client.post("/auth/tickets", json={}, headers={**origin, "X-CSRF-Token": csrf})
    assert answer.status_code == 201


def test_of_twenty_sockets_with_one_ticket_one_opens(gateway: InProcess, ada: Account) -> None:
    address = f"/ws?ticket={ticket_of(gateway, ada)}"

    def knock(_: int) -> str:
        try:
            return gateway.refusal(address)[1]
        except AssertionError:
            return "accepted"

    with ThreadPoolExecutor(20) as crowd:
        outcomes = sorted(crowd.map(knock, range(20)))
    assert outcomes == ["accepted", *["invalid_ticket"] * 19]


def test_it_survives_a_restart_of_the_process(tmp_path: Path) -> None:
    with running_in_process(tmp_path) as before:
        ticket = ticket_of(before, before.admin)
    with running_in_process(tmp_path) as after, after.socket(None, f"/ws?ticket={ticket}") as peer:
        peer.event("welcome")


@pytest.mark.parametrize("off", ["query", "ticket"])
def test_each_place_in_the_url_can_be_switched_off_by_itself(tmp_path: Path, off: str) -> None:
    credentials = [place for place in ("query", "cookie", "header", "subprotocol", "ticket") if place != off]
    with running_in_process(tmp_path, auth={"credentials": credentials}) as gateway:
        ticket = ticket_of(gateway, gateway.admin)
        for name, value, place in (("token", gateway.admin.token, "query"), ("ticket", ticket, "ticket")):
            address = f"/ws?{name}={value}"
            if place == off:
                assert gateway.refusal(address) == (1008, "missing_token")
            else:
                with gateway.socket(None, address) as peer:
                    peer.event("welcome")


def test_tokens_in_urls_are_counted_and_tickets_are_not(tmp_path: Path) -> None:
    with running_in_process(tmp_path) as gateway:
        for query in (f"token={gateway.admin.token}", f"ticket={ticket_of(gateway, gateway.admin)}"):
            with gateway.socket(None, f"/ws?{query}") as peer:
                peer.event("welcome")
        assert gateway.refusal("/ws?token=bad")[1] == "invalid_token"
        assert "gateroom_url_tokens_total 2.0" in gateway.client.get("/metrics").text
