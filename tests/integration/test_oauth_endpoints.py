"""The end of tokens, what they allow, and where all that is: RFC 7009, RFC 7662, RFC 8414 and RFC 6750."""

from pathlib import Path

import httpx2 as httpx
import pytest

from gateroom.auth.key_files import load_or_create
from support.in_process import Account, InProcess, running_in_process
from support.pairs import Pair, code_of, log_in, log_in_by_cookie, proof, refresh, renewed
from support.tokens import claims_of, forge

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
INACTIVE = {"active": False}


@pytest.fixture(scope="module")
def inspector(gateway: InProcess) -> Account:
    return gateway.user(["tokens:introspect"])


def revoke(gateway: InProcess, **fields: str) -> httpx.Response:
    return gateway.client.post("/auth/revoke", data=fields)


def introspect(gateway: InProcess, by: Account, token: str, **fields: str) -> httpx.Response:
    return gateway.client.post("/auth/introspect", data={"token": token, **fields}, headers=by.headers)


def is_alive(gateway: InProcess, pair: Pair) -> bool:
    return gateway.client.get("/auth/me", headers=pair.headers).status_code == 200


# Revocation (RFC 7009)


def test_a_revoked_access_token_is_dead_with_its_sockets_and_its_session_lives_on(
    gateway: InProcess, ada: Account
) -> None:
    first = log_in(gateway, ada)
    second = renewed(gateway, first.refresh)
    with gateway.connected(first.account(ada)) as one, gateway.connected(second.account(ada)) as two:
        answer = revoke(gateway, token=first.access)
        assert (answer.status_code, answer.content) == (200, b"")
        assert one.closed() == (1008, "token_revoked")
        assert two.ask("ping")["type"] == "reply"
    assert code_of(gateway.client.get("/auth/me", headers=first.headers)) == (401, "token_revoked")
    assert gateway.refusal("/ws", headers=first.headers) == (1008, "token_revoked")
    assert gateway.refusal(f"/ws?token={first.access}=") == (1008, "invalid_token")  # TV-7: one token has one spelling
    assert is_alive(gateway, second)
    renewed(gateway, second.refresh)


def test_a_revoked_refresh_token_ends_its_session(gateway: InProcess, ada: Account) -> None:
    pair, other = log_in(gateway, ada), log_in(gateway, ada)
    with gateway.connected(pair.account(ada)) as socket:
        assert revoke(gateway, token=pair.refresh).status_code == 200
        assert socket.closed() == (1008, "session_revoked")
    assert not is_alive(gateway, pair)
    assert is_alive(gateway, other)


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "unheard-of", ""])
def test_a_hint_does_not_matter(gateway: InProcess, hint: str) -> None:
    """RFC 7009 section 2.1: the server looks further than what the hint says."""
    pair = log_in(gateway)
    assert revoke(gateway, token=pair.access, token_type_hint=hint).status_code == 200
    assert not is_alive(gateway, pair)
    assert revoke(gateway, token=pair.refresh, token_type_hint=hint).status_code == 200
    assert code_of(refresh(gateway, pair.refresh)) == (401, "session_revoked")


@pytest.mark.parametrize("token", ["garbage", "é", f"grr_{'A' * 65}", "grr_", "a.b.c", "x" * 5000])
def test_what_nobody_knows_is_revoked_all_the_same(gateway: InProcess, token: str) -> None:
    answer = revoke(gateway, token=token)
    assert (answer.status_code, answer.content, answer.headers["Cache-Control"]) == (200, b"", "no-store")


def test_revoking_twice_is_no_fault(gateway: InProcess) -> None:
    pair = log_in(gateway)
    for token in (pair.access, pair.access, pair.refresh, pair.refresh):
        assert revoke(gateway, token=token).status_code == 200


def test_a_revoked_token_is_dead_after_a_restart(tmp_path: Path) -> None:
    with running_in_process(tmp_path) as gateway:
        pair = log_in(gateway)
        revoke(gateway, token=pair.access)
    with running_in_process(tmp_path) as gateway:
        assert code_of(gateway.client.get("/auth/me", headers=pair.headers)) == (401, "token_revoked")
        assert is_alive(gateway, renewed(gateway, pair.refresh))


def test_a_form_that_names_no_token_is_refused(gateway: InProcess) -> None:
    token = log_in(gateway).access
    for content in ("", "token=", "tokens=x", f"token={token}&token={token}"):
        answer = gateway.client.post("/auth/revoke", content=content, headers=FORM)
        assert code_of(answer) == (400, "invalid_request"), content
        assert set(answer.json()) == {"error", "error_description"}
    assert gateway.client.get("/auth/me", headers={"Authorization": f"Bearer {token}"}).status_code == 200


def test_there_are_no_confidential_clients(gateway: InProcess) -> None:
    token = log_in(gateway).access
    answers = [
        revoke(gateway, token=token, client_secret="x"),
        gateway.client.post("/auth/revoke", data={"token": token}, auth=("cli", "secret")),
    ]
    for answer in answers:
        assert code_of(answer) == (401, "invalid_client")
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")


# Introspection (RFC 7662)


def test_a_good_token_is_shown(gateway: InProcess, inspector: Account) -> None:
    user = gateway.user(["users:send", "rooms:create"])
    pair = log_in(gateway, user)
    answer = introspect(gateway, inspector, pair.access)
    assert answer.headers["Cache-Control"] == "no-store"
    claims = claims_of(pair.access)
    assert answer.json() == {**claims, "active": True, "username": user.name, "token_type": "Bearer"}


def test_what_is_shown_is_what_holds_now(gateway: InProcess, inspector: Account) -> None:
    user = gateway.user(["users:send", "rooms:create"])
    pair = log_in(gateway, user)
    gateway.patch(f"/api/users/{user.id}", gateway.admin, {"scopes": ["users:send"]})
    assert introspect(gateway, inspector, pair.access).json()["scope"] == "users:send"


def test_of_anything_else_nothing_is_said(gateway: InProcess, inspector: Account) -> None:
    """Section 2.2: inactive, foreign and made up tokens look alike."""
    user = gateway.user()
    pair, out, off = log_in(gateway, user), log_in(gateway, user), gateway.user()
    gateway.client.post("/auth/logout", headers=out.headers)
    gateway.patch(f"/api/users/{off.id}", gateway.admin, {"disabled": True})
    revoked = log_in(gateway, user)
    revoke(gateway, token=revoked.access)
    forged = pair.access[:-4] + "AAAA"
    answers = [
        introspect(gateway, inspector, token)
        for token in ("garbage", "é", forged, pair.refresh, out.access, off.token, revoked.access, "grk_x", "grt_x")
    ]
    assert [answer.status_code for answer in answers] == [200] * len(answers)
    assert {answer.content for answer in answers} == {b'{"active":false}'}
    renewed(gateway, pair.refresh)  # which looking at it did not use up


def test_an_expired_token_is_inactive(tmp_path: Path) -> None:
    with running_in_process(tmp_path) as gateway:
        claims = claims_of(gateway.admin.token)

        old = {**claims, "iat": claims["iat"] - 2000, "exp": claims["exp"] - 2000}
        token = forge(load_or_create(tmp_path / "keys").current, old)
        assert introspect(gateway, gateway.admin, token).json() == INACTIVE


def test_who_may_not_introspect_hears_so_in_oauths_words(gateway: InProcess, ada: Account) -> None:
    token = {"token": gateway.admin.token}
    anonymous = gateway.client.post("/auth/introspect", data=token)
    assert code_of(anonymous) == (401, "invalid_token")
    assert anonymous.headers["WWW-Authenticate"] == 'Bearer realm="gateroom"'
    garbage = gateway.client.post("/auth/introspect", data=token, headers={"Authorization": "Bearer canary"})
    assert code_of(garbage) == (401, "invalid_token")
    assert garbage.headers["WWW-Authenticate"] == 'Bearer realm="gateroom", error="invalid_token"'
    powerless = introspect(gateway, ada, ada.token)
    assert code_of(powerless) == (403, "insufficient_scope")
    assert powerless.headers["WWW-Authenticate"].endswith('error="insufficient_scope", scope="tokens:introspect"')
    for answer in (anonymous, garbage, powerless):
        assert set(answer.json()) == {"error", "error_description"}


def test_introspection_needs_a_token(gateway: InProcess, inspector: Account) -> None:
    assert code_of(introspect(gateway, inspector, "")) == (400, "invalid_request")


def test_a_page_that_introspects_by_cookie_proves_itself(gateway: InProcess) -> None:
    csrf_token = log_in_by_cookie(gateway)
    form = {"token": gateway.admin.token}
    assert gateway.client.post("/auth/introspect", data=form).status_code == 403
    assert gateway.client.post("/auth/introspect", data=form, headers=proof(csrf_token)).json()["active"] is True
    gateway.client.cookies.clear()


# Metadata (RFC 8414), and how refusals are told (RFC 6750)


def test_the_metadata_says_where_things_are(gateway: InProcess) -> None:
    answer = gateway.client.get("/.well-known/oauth-authorization-server")
    found = answer.json()
    assert found["issuer"] == claims_of(gateway.admin.token)["iss"]
    assert found["grant_types_supported"] == ["password", "refresh_token"]
    assert "tokens:introspect" in found["scopes_supported"]
    for name, path in (
        ("token_endpoint", "/auth/token"),
        ("revocation_endpoint", "/auth/revoke"),
        ("introspection_endpoint", "/auth/introspect"),
        ("jwks_uri", "/.well-known/jwks.json"),
    ):
        assert found[name] == f"http://127.0.0.1{path}"
        assert gateway.client.options(path).status_code != 404
    assert not any(value is None or value == "" for value in found.values())  # section 3.2


def test_behind_a_proxy_the_public_address_counts(tmp_path: Path) -> None:
    public = "https://chat.example.org"
    with running_in_process(tmp_path, server={"public_url": public}) as gateway:
        found = gateway.client.get("/.well-known/oauth-authorization-server", headers={"Host": "evil.example"}).json()
    assert (found["issuer"], found["token_endpoint"]) == (public, f"{public}/auth/token")


def test_a_missing_scope_is_named(gateway: InProcess, ada: Account) -> None:
    answer = gateway.get("/api/users", ada)
    assert code_of(answer) == (403, "forbidden")
    assert answer.headers["WWW-Authenticate"] == (
        'Bearer realm="gateroom", error="insufficient_scope", scope="users:admin"'
    )
