"""Sessions as their owners and administrators see and end them; an end reaches tokens and sockets (RR-4, PW-6)."""

import json
from collections.abc import Callable, Iterator

import httpx2 as httpx
import pytest

from support.in_process import Account, InProcess
from support.pairs import Pair, code_of, log_in, log_in_by_cookie, proof, refresh, renewed

REVOKED = (401, "session_revoked")
CLOSED = (1008, "session_revoked")


@pytest.fixture
def user(gateway: InProcess) -> Account:
    return gateway.user()


@pytest.fixture(autouse=True)
def fresh_browser(gateway: InProcess) -> Iterator[None]:
    yield
    gateway.client.cookies.clear()


def assert_over(gateway: InProcess, pair: Pair) -> None:
    """Nothing of an ended session is good for anything."""
    assert code_of(gateway.client.get("/auth/me", headers=pair.headers)) == REVOKED
    assert code_of(refresh(gateway, pair.refresh)) == REVOKED
    assert gateway.refusal("/ws", headers=pair.headers) == CLOSED


def assert_alive(gateway: InProcess, pair: Pair) -> None:
    assert gateway.client.get("/auth/me", headers=pair.headers).status_code == 200
    renewed(gateway, pair.refresh)


# Ends, of one session or of all


def log_out(gateway: InProcess, pair: Pair) -> httpx.Response:
    return gateway.client.post("/auth/logout", headers=pair.headers)


def end_from_the_list(gateway: InProcess, pair: Pair) -> httpx.Response:
    return gateway.client.delete(f"/auth/sessions/{pair.session}", headers=pair.headers)


def revoke_the_refresh_token(gateway: InProcess, pair: Pair) -> httpx.Response:
    return gateway.client.post("/auth/revoke", data={"token": pair.refresh})


def use_a_refresh_token_twice(gateway: InProcess, pair: Pair) -> httpx.Response:
    renewed(gateway, pair.refresh)
    return refresh(gateway, pair.refresh)


@pytest.mark.parametrize("end", [log_out, end_from_the_list, revoke_the_refresh_token, use_a_refresh_token_twice])
def test_the_end_of_a_session_is_the_end_of_its_tokens_and_sockets(
    gateway: InProcess, user: Account, end: Callable[[InProcess, Pair], httpx.Response]
) -> None:
    ended, other = log_in(gateway, user), log_in(gateway, user)
    room = gateway.room(user, "public")
    with (
        gateway.connected(ended.account(user)) as first,
        gateway.socket(ended.account(user), f"/ws/rooms/{room}") as second,
        gateway.connected(other.account(user)) as bystander,
    ):
        assert end(gateway, ended).status_code in (200, 204, 401)
        assert first.closed() == CLOSED
        assert second.closed() == CLOSED
        assert bystander.ask("ping")["type"] == "reply"
    assert_over(gateway, ended)
    assert_alive(gateway, other)


def administrator_logs_the_user_out(gateway: InProcess, user: Account) -> httpx.Response:
    answer = gateway.delete(f"/api/users/{user.id}/sessions", gateway.admin)
    assert answer.json() == {"sessions": 3}  # the one of the fixture too
    return answer


@pytest.mark.parametrize("end", [administrator_logs_the_user_out])
def test_all_sessions_of_a_user_end_together(
    gateway: InProcess, user: Account, end: Callable[[InProcess, Account], httpx.Response]
) -> None:
    first, second = log_in(gateway, user), log_in(gateway, user)
    with gateway.connected(first.account(user)) as one, gateway.connected(second.account(user)) as two:
        assert end(gateway, user).status_code == 200
        assert [one.closed(), two.closed()] == [CLOSED] * 2
    for pair in (first, second):
        assert_over(gateway, pair)
    assert_alive(gateway, log_in(gateway, user))  # who may come back, but has to log in


def test_only_an_administrator_logs_others_out(gateway: InProcess, user: Account, ada: Account) -> None:
    assert code_of(gateway.delete(f"/api/users/{user.id}/sessions", ada)) == (403, "forbidden")
    assert code_of(gateway.delete("/api/users/nobody/sessions", gateway.admin)) == (404, "not_found")
    assert gateway.get("/auth/me", user).status_code == 200


def test_a_disabled_user_is_out_and_comes_back_by_a_new_login_only(gateway: InProcess, user: Account) -> None:
    pair = log_in(gateway, user)
    with gateway.connected(pair.account(user)) as socket:
        gateway.patch(f"/api/users/{user.id}", gateway.admin, {"disabled": True})
        assert socket.closed() == (1008, "user_disabled")
    gateway.patch(f"/api/users/{user.id}", gateway.admin, {"disabled": False})
    assert_over(gateway, pair)
    assert_alive(gateway, log_in(gateway, user))


def test_a_deleted_users_sessions_are_gone(gateway: InProcess, user: Account) -> None:
    pair = log_in(gateway, user)
    with gateway.connected(pair.account(user)) as socket:
        gateway.delete(f"/api/users/{user.id}", gateway.admin)
        assert socket.closed() == (1008, "user_disabled")
    assert code_of(gateway.client.get("/auth/me", headers=pair.headers)) == (401, "user_disabled")
    assert code_of(refresh(gateway, pair.refresh)) == REVOKED


# Logging out


def test_a_browser_that_logs_out_forgets_its_cookies(gateway: InProcess) -> None:
    csrf_token = log_in_by_cookie(gateway)
    assert code_of(gateway.client.post("/auth/logout")) == (403, "invalid_csrf")
    answer = gateway.client.post("/auth/logout", headers=proof(csrf_token))
    assert (answer.status_code, dict(gateway.client.cookies)) == (204, {})
    assert gateway.client.get("/auth/me").json()["code"] == "missing_token"


def test_a_browser_whose_access_token_ran_out_logs_out_by_its_refresh_cookie(gateway: InProcess) -> None:
    csrf_token = log_in_by_cookie(gateway)
    refresh_token = gateway.client.cookies["gateroom_refresh"]
    gateway.client.cookies.delete("gateroom_access")
    assert code_of(gateway.client.post("/auth/logout")) == (403, "invalid_csrf")
    assert gateway.client.post("/auth/logout", headers=proof(csrf_token)).status_code == 204
    assert dict(gateway.client.cookies) == {}
    assert code_of(refresh(gateway, refresh_token)) == REVOKED


def test_logging_out_of_what_has_ended_forgets_the_cookies_too(gateway: InProcess) -> None:
    csrf_token = log_in_by_cookie(gateway)
    revoke_the_refresh_token(gateway, Pair("", gateway.client.cookies["gateroom_refresh"]))
    assert code_of(gateway.client.post("/auth/logout", headers=proof(csrf_token))) == REVOKED
    assert dict(gateway.client.cookies) == {}


# The list


def test_the_list_shows_where_one_is_logged_in_newest_first(gateway: InProcess, user: Account) -> None:
    agent = "Mozilla/5.0 (Test) " + "x" * 300
    old, new = log_in(gateway, user), log_in(gateway, user, **{"User-Agent": agent})
    items = gateway.client.get("/auth/sessions", headers=old.headers).json()["items"]
    assert [item["id"] for item in items[:2]] == [new.session, old.session]
    assert [item["current"] for item in items] == [False, True, False]
    shown = items[0]
    assert set(shown) == {
        "id", "client", "user_agent", "address", "created_at", "last_used_at", "expires_at", "current"
    }  # fmt: skip
    assert (shown["client"], shown["address"], shown["user_agent"]) == ("gateroom", "127.0.0.1", agent[:200])
    assert shown["last_used_at"] == shown["created_at"] < shown["expires_at"]


def test_a_refresh_is_a_use(gateway: InProcess, user: Account) -> None:
    pair = renewed(gateway, log_in(gateway, user).refresh)
    newest = gateway.client.get("/auth/sessions", headers=pair.headers).json()["items"][0]
    assert newest["last_used_at"] > newest["created_at"]


def test_the_list_comes_in_pages(gateway: InProcess, user: Account) -> None:
    pairs = [log_in(gateway, user) for _ in range(4)]
    found: list[str] = []
    path = "/auth/sessions?limit=2"
    while True:
        page = gateway.client.get(path, headers=pairs[0].headers).json()
        found += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        path = f"/auth/sessions?limit=2&cursor={page['next']}"
    assert found[:4] == [pair.session for pair in reversed(pairs)]
    assert len(found) == len(set(found)) == 5
    for cursor in ("x", "bm8gcG9zaXRpb24="):
        answer = gateway.client.get(f"/auth/sessions?cursor={cursor}", headers=pairs[0].headers)
        assert code_of(answer) == (422, "invalid_command")


def test_nobody_sees_or_ends_the_sessions_of_others(gateway: InProcess, user: Account, ada: Account) -> None:
    hers, his = log_in(gateway, ada), log_in(gateway, user)
    listed = gateway.client.get("/auth/sessions?limit=200", headers=his.headers).json()["items"]
    assert hers.session not in {item["id"] for item in listed}
    for session in (hers.session, "unknown"):
        answer = gateway.client.delete(f"/auth/sessions/{session}", headers=his.headers)
        assert code_of(answer) == (404, "not_found")
    assert_alive(gateway, hers)


# A new password


def change(gateway: InProcess, pair: Pair, current: str, new: str) -> httpx.Response:
    body = {"current_password": current, "new_password": new}
    return gateway.client.put("/auth/me/password", json=body, headers=pair.headers)


def test_a_new_password_ends_the_other_sessions_and_their_sockets(gateway: InProcess, user: Account) -> None:
    own, other = log_in(gateway, user), log_in(gateway, user)
    with gateway.connected(own.account(user)) as mine, gateway.connected(other.account(user)) as theirs:
        assert change(gateway, own, user.password, "an even better password").status_code == 204
        assert theirs.closed() == CLOSED
        assert mine.ask("ping")["type"] == "reply"
    assert_over(gateway, other)
    assert_alive(gateway, own)
    for password, status in ((user.password, 401), ("an even better password", 200)):
        login = {"username": user.name, "password": password}
        assert gateway.client.post("/auth/login", json=login).status_code == status


def test_the_current_password_is_needed(gateway: InProcess, user: Account) -> None:
    own, other = log_in(gateway, user), log_in(gateway, user)
    assert code_of(change(gateway, own, "not the password", "an even better password")) == (401, "invalid_credentials")
    assert_alive(gateway, other)
    assert_alive(gateway, log_in(gateway, user))


@pytest.mark.parametrize("new", ["short", "password1", "x" * 1025, "a password \ud800"], ids=ascii)
def test_a_new_password_keeps_to_the_rules(gateway: InProcess, user: Account, new: str) -> None:
    own, other = log_in(gateway, user), log_in(gateway, user)
    body = json.dumps({"current_password": user.password, "new_password": new})
    headers = {**own.headers, "Content-Type": "application/json"}
    answer = gateway.client.put("/auth/me/password", content=body, headers=headers)
    assert answer.status_code in (400, 422)
    assert_alive(gateway, other)
