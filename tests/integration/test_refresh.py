"""Refresh tokens: each good once, for its own session, and by nobody twice (RFC 9700 section 4.14; RR-1 to RR-3)."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.in_process import Account, InProcess, running_in_process
from support.pairs import code_of, grant, log_in, log_in_by_cookie, pair_of, proof, refresh, renewed
from support.tokens import claims_of

REVOKED = (401, "session_revoked")


@pytest.fixture(autouse=True)
def fresh_browser(gateway: InProcess) -> Iterator[None]:
    yield
    gateway.client.cookies.clear()


def test_a_refresh_gives_a_new_pair_of_the_same_session(gateway: InProcess) -> None:
    first = log_in(gateway)
    second = renewed(gateway, first.refresh)
    assert second.session == first.session
    assert second.refresh != first.refresh
    assert claims_of(second.access)["jti"] != claims_of(first.access)["jti"]
    assert claims_of(second.access)["scope"] == claims_of(first.access)["scope"]
    assert gateway.client.get("/auth/me", headers=second.headers).json()["session"] == first.session


def test_the_access_token_from_before_lives_on(gateway: InProcess) -> None:
    first = log_in(gateway)
    renewed(gateway, first.refresh)
    assert gateway.client.get("/auth/me", headers=first.headers).status_code == 200


def test_a_chain_goes_on_and_on(gateway: InProcess) -> None:
    pair = log_in(gateway)
    tokens = {pair.refresh}
    for _ in range(5):
        pair = renewed(gateway, pair.refresh)
        tokens.add(pair.refresh)
    assert len(tokens) == 6


def test_a_token_used_twice_ends_its_session_and_no_other(gateway: InProcess) -> None:
    first, other = log_in(gateway), log_in(gateway)
    second = renewed(gateway, first.refresh)
    assert code_of(refresh(gateway, first.refresh)) == REVOKED
    assert code_of(refresh(gateway, second.refresh)) == REVOKED
    assert code_of(gateway.client.get("/auth/me", headers=second.headers)) == REVOKED
    assert gateway.client.get("/auth/me", headers=other.headers).status_code == 200
    renewed(gateway, other.refresh)


def test_an_old_token_of_a_long_chain_is_known_for_what_it_is(gateway: InProcess) -> None:
    first = log_in(gateway)
    newest = first
    for _ in range(4):
        newest = renewed(gateway, newest.refresh)
    assert code_of(grant(gateway, first.refresh)) == (400, "invalid_grant")
    assert code_of(refresh(gateway, newest.refresh)) == REVOKED


def test_a_token_used_twice_closes_the_sessions_sockets(gateway: InProcess, ada: Account) -> None:
    first, other = log_in(gateway, ada), log_in(gateway, ada)
    with gateway.connected(first.account(ada)) as victim, gateway.connected(other.account(ada)) as bystander:
        renewed(gateway, first.refresh)
        assert victim.ask("ping")["type"] == "reply"
        assert code_of(refresh(gateway, first.refresh)) == REVOKED
        assert victim.closed() == (1008, "session_revoked")
        assert bystander.ask("ping")["type"] == "reply"


def test_nothing_else_is_a_refresh_token(gateway: InProcess) -> None:
    pair = log_in(gateway)
    for text in ("", "x", pair.access[:200], pair.refresh[:-1], f"{pair.refresh}=", pair.refresh.swapcase()):
        assert code_of(refresh(gateway, text)) == (401, "invalid_token"), text
    unknown = f"grr_{'A' * 65}"
    assert code_of(refresh(gateway, unknown)) == REVOKED
    renewed(gateway, pair.refresh)


def test_a_refresh_is_never_cached(gateway: InProcess) -> None:
    answer = refresh(gateway, log_in(gateway).refresh)
    assert (answer.headers["Cache-Control"], "Set-Cookie" in answer.headers) == ("no-store", False)


def test_a_refresh_follows_the_accounts_powers(gateway: InProcess) -> None:
    user = gateway.user(["rooms:create", "users:send"])
    pair = log_in(gateway, user)
    gateway.patch(f"/api/users/{user.id}", gateway.admin, {"scopes": ["users:send", "broadcast"]})
    narrower = renewed(gateway, pair.refresh)
    assert claims_of(narrower.access)["scope"] == "users:send"  # what was granted and is still there
    gateway.patch(f"/api/users/{user.id}", gateway.admin, {"scopes": ["rooms:create", "users:send"]})
    assert claims_of(renewed(gateway, narrower.refresh).access)["scope"] == "rooms:create users:send"


def test_a_disabled_account_refreshes_nothing(gateway: InProcess) -> None:
    user = gateway.user()
    pair = log_in(gateway, user)
    gateway.patch(f"/api/users/{user.id}", gateway.admin, {"disabled": True})
    assert code_of(refresh(gateway, pair.refresh)) == REVOKED
    assert code_of(grant(gateway, pair.refresh)) == (400, "invalid_grant")


# OAuth


def test_oauth_gives_a_new_pair_too(gateway: InProcess) -> None:
    first = log_in(gateway)
    answer = grant(gateway, first.refresh)
    assert set(answer.json()) == {"access_token", "token_type", "expires_in", "refresh_token", "scope"}
    assert answer.headers["Cache-Control"] == "no-store"
    second = pair_of(answer)
    assert second.session == first.session
    assert code_of(grant(gateway, first.refresh)) == (400, "invalid_grant")
    assert code_of(grant(gateway, second.refresh)) == (400, "invalid_grant")


def test_a_narrower_scope_is_the_access_tokens_only(gateway: InProcess) -> None:
    """RFC 6749 section 6: the refresh token keeps the scope it was granted with."""
    narrow = pair_of(grant(gateway, log_in(gateway).refresh, scope="rooms:create"))
    assert claims_of(narrow.access)["scope"] == "rooms:create"
    assert "users:admin" in claims_of(renewed(gateway, narrow.refresh).access)["scope"]


def test_a_wider_scope_is_refused_and_costs_nothing(gateway: InProcess) -> None:
    form = {"grant_type": "password", "username": "admin", "password": gateway.admin.password, "scope": "rooms:create"}
    pair = pair_of(gateway.client.post("/auth/token", data=form))
    for scope in ("users:admin", "rooms:create users:admin", "unheard-of"):
        assert code_of(grant(gateway, pair.refresh, scope=scope)) == (400, "invalid_scope")
    assert claims_of(pair_of(grant(gateway, pair.refresh)).access)["scope"] == "rooms:create"


def test_a_refresh_token_is_its_clients_own(gateway: InProcess) -> None:
    form = {"grant_type": "password", "username": "admin", "password": gateway.admin.password, "client_id": "cli"}
    pair = pair_of(gateway.client.post("/auth/token", data=form))
    assert claims_of(pair.access)["client_id"] == "cli"
    assert code_of(grant(gateway, pair.refresh, client_id="other")) == (400, "invalid_grant")
    assert claims_of(pair_of(grant(gateway, pair.refresh, client_id="cli")).access)["client_id"] == "cli"


@pytest.mark.parametrize("fields", [{}, {"refresh_token": ""}, {"username": "admin", "password": "x"}], ids=str)
def test_the_grant_needs_its_parameter(gateway: InProcess, fields: dict[str, str]) -> None:
    answer = gateway.client.post("/auth/token", data={"grant_type": "refresh_token", **fields})
    assert code_of(answer) == (400, "invalid_request")


@pytest.mark.parametrize("text", ["x", "grr_", f"grr_{'A' * 65}", "é" * 69])
def test_what_is_no_refresh_token_is_no_grant(gateway: InProcess, text: str) -> None:
    assert code_of(grant(gateway, text)) == (400, "invalid_grant")


# Cookies


def test_a_browser_refreshes_by_its_cookie(gateway: InProcess) -> None:
    csrf_token = log_in_by_cookie(gateway)
    before = dict(gateway.client.cookies)
    assert set(before) == {"gateroom_access", "gateroom_refresh"}
    answer = gateway.client.post("/auth/refresh", headers=proof(csrf_token))
    assert answer.status_code == 200
    assert set(answer.json()) == {"user", "expires_in", "csrf_token"}
    assert answer.json()["csrf_token"] == csrf_token  # it is the session's
    after = dict(gateway.client.cookies)
    assert all(after[name] != value for name, value in before.items())
    assert not any(value in answer.text for value in after.values())
    assert gateway.client.get("/auth/me").json()["username"] == "admin"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://127.0.0.1"},
        {"X-CSRF-Token": "{csrf}"},
        {"X-CSRF-Token": "x", "Origin": "http://127.0.0.1"},
    ]
    + [{"X-CSRF-Token": "{csrf}", "Origin": origin} for origin in ("https://evil.example", "null")],
    ids=str,
)
def test_a_foreign_page_refreshes_nothing(gateway: InProcess, headers: dict[str, str]) -> None:
    csrf_token = log_in_by_cookie(gateway)
    filled = {name: value.format(csrf=csrf_token) for name, value in headers.items()}
    assert code_of(gateway.client.post("/auth/refresh", headers=filled)) == (403, "invalid_csrf")
    assert gateway.client.post("/auth/refresh", headers=proof(csrf_token)).status_code == 200


def test_a_browser_forgets_cookies_of_a_session_that_has_ended(gateway: InProcess) -> None:
    csrf_token = log_in_by_cookie(gateway)
    used = gateway.client.cookies["gateroom_refresh"]
    gateway.client.post("/auth/refresh", headers=proof(csrf_token))
    gateway.client.cookies.clear()
    gateway.client.cookies.set("gateroom_refresh", used, domain="127.0.0.1", path="/auth")
    answer = gateway.client.post("/auth/refresh", headers=proof(csrf_token))
    assert code_of(answer) == REVOKED
    assert dict(gateway.client.cookies) == {}
    assert len(answer.headers.get_list("Set-Cookie")) == 2


def test_two_refresh_cookies_are_ambiguous(gateway: InProcess) -> None:
    token = log_in(gateway).refresh
    cookies = f"gateroom_refresh={token}; gateroom_refresh={token}"
    answer = gateway.client.post("/auth/refresh", headers={"Cookie": cookies, "Origin": "http://127.0.0.1"})
    assert code_of(answer) == (401, "ambiguous_credentials")
    renewed(gateway, token)


def test_without_a_token_there_is_nothing_to_refresh(gateway: InProcess) -> None:
    assert code_of(gateway.client.post("/auth/refresh")) == (401, "missing_token")
    assert code_of(gateway.client.post("/auth/refresh", headers=gateway.admin.headers)) == (401, "missing_token")


# At rest, and in time


def test_a_database_has_no_refresh_token_in_it(tmp_path: Path) -> None:
    with running_in_process(tmp_path) as gateway:
        first = log_in(gateway)
        second = renewed(gateway, first.refresh)
        tables = sqlite3.connect(tmp_path / "gateroom.db")
        rows = [bytes(part) for row in tables.execute("SELECT family, current FROM sessions") for part in row]
        dump = "\n".join(tables.iterdump()).encode()
        tables.close()
    assert {len(row) for row in rows} == {32}
    for token in (first.refresh, second.refresh):
        for secret in (token, token[4:26], token[26:]):
            assert secret.encode() not in dump
            assert all(secret.encode() not in path.read_bytes() for path in tmp_path.iterdir() if path.is_file())


def test_a_session_survives_a_restart_and_so_does_its_end(tmp_path: Path) -> None:
    with running_in_process(tmp_path) as gateway:
        kept, ended = log_in(gateway), log_in(gateway)
        assert gateway.client.post("/auth/logout", headers=ended.headers).status_code == 204
    with running_in_process(tmp_path) as gateway:
        assert gateway.client.get("/auth/me", headers=kept.headers).json()["session"] == kept.session
        renewed(gateway, kept.refresh)
        assert code_of(gateway.client.get("/auth/me", headers=ended.headers)) == REVOKED
        assert code_of(refresh(gateway, ended.refresh)) == REVOKED
        assert gateway.refusal("/ws", headers=ended.headers) == (1008, "session_revoked")


def test_a_page_that_comes_back_late_is_told_how_to_renew(gateway: InProcess) -> None:
    """Its access cookie has run out, so that nothing else could tell it the session's CSRF token."""
    csrf_token = log_in_by_cookie(gateway)
    gateway.client.cookies.delete("gateroom_access")
    answer = gateway.client.get("/auth/me")
    assert code_of(answer) == (401, "missing_token")
    assert answer.headers["X-CSRF-Token"] == csrf_token
    assert answer.headers["Cache-Control"] == "no-store"
    assert gateway.client.post("/auth/refresh", headers=proof(csrf_token)).status_code == 200
    gateway.client.post("/auth/logout", headers=proof(csrf_token))
    assert "X-CSRF-Token" not in gateway.client.get("/auth/me").headers


@pytest.mark.parametrize("token", ["", "x", f"grr_{'A' * 65}"])
def test_who_has_no_session_is_told_nothing(gateway: InProcess, token: str) -> None:
    answer = gateway.client.get("/auth/me", headers={"Cookie": f"gateroom_refresh={token}"})
    assert code_of(answer) == (401, "missing_token")
    assert "X-CSRF-Token" not in answer.headers
