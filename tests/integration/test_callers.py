"""Who may call at all: every guarded operation, `GET /auth/me`, and the public keys."""

import json
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from jwt import PyJWK, PyJWS

from gateroom.auth.key_files import load_or_create
from support.attacks import Attack, attacks
from support.in_process import InProcess, running_in_process
from support.operations import PUBLIC, Operation, guarded, operations
from support.tokens import claims_of, forge


def test_me_says_who_calls(gateway: InProcess) -> None:
    user = gateway.user()
    answer = gateway.get("/auth/me", user)
    me = answer.json()
    claims = claims_of(user.token)
    assert set(me) == {"id", "username", "roles", "scopes", "session", "expires_at"}
    assert (me["id"], me["username"], me["roles"]) == (user.id, user.name, [])
    assert me["scopes"] == ["rooms:create", "users:send"]
    assert me["session"] == claims["sid"]
    assert me["expires_at"] == time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(claims["exp"]))
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_token_says_nothing_personal(gateway: InProcess) -> None:
    user = gateway.user()
    claims = claims_of(user.token)
    assert set(claims) == {"iss", "sub", "aud", "exp", "iat", "jti", "sid", "client_id", "scope", "roles"}
    assert user.name not in json.dumps(claims)
    assert (claims["sub"], claims["exp"] - claims["iat"]) == (user.id, 900)


def test_the_public_keys_verify_our_tokens(gateway: InProcess) -> None:
    answer = gateway.client.get("/.well-known/jwks.json")
    (key,) = answer.json()["keys"]
    assert set(key) == {"kty", "crv", "x", "kid", "alg", "use"}  # and nothing private
    decoded = PyJWS().decode_complete(gateway.admin.token, PyJWK(key), ["EdDSA"])
    assert decoded["header"] == {"typ": "at+jwt", "alg": "EdDSA", "kid": key["kid"]}
    assert answer.headers["Cache-Control"] == "public, max-age=300"


@pytest.mark.parametrize("operation", guarded(), ids=str)
def test_nobody_calls_without_a_credential(gateway: InProcess, operation: Operation) -> None:
    answer = gateway.client.request(operation.method, operation.concrete)
    assert (answer.status_code, answer.json()["code"]) == (401, "missing_token")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="gateroom"'


@pytest.mark.parametrize("operation", guarded(), ids=str)
def test_nobody_calls_with_garbage(gateway: InProcess, operation: Operation) -> None:
    answer = gateway.client.request(operation.method, operation.concrete, headers={"Authorization": "Bearer canary"})
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="gateroom", error="invalid_token"'
    assert "canary" not in answer.text


def test_only_logins_keys_and_health_are_for_anyone(gateway: InProcess) -> None:
    for operation in operations():
        if operation.path in PUBLIC:
            answer = gateway.client.request(operation.method, operation.concrete)
            assert answer.status_code in (200, 400, 422), operation


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic YWRtaW46YWRtaW4="},
        {"Authorization": "{token}"},
        {"Authorization": "Token {token}"},
        {"X-Authorization": "Bearer {token}"},
        {"Proxy-Authorization": "Bearer {token}"},
        {"Sec-WebSocket-Protocol": "gateroom.v1, bearer.{token}"},
    ],
    ids=str,
)
def test_a_token_elsewhere_is_none(gateway: InProcess, headers: Mapping[str, str]) -> None:
    filled = {name: value.format(token=gateway.admin.token) for name, value in headers.items()}
    answer = gateway.client.get("/auth/me", headers=filled)
    assert (answer.status_code, answer.json()["code"]) == (401, "missing_token")


def test_a_token_in_the_query_is_for_sockets_only(gateway: InProcess) -> None:
    assert gateway.client.get(f"/auth/me?token={gateway.admin.token}").json()["code"] == "missing_token"


def test_two_headers_are_ambiguous(gateway: InProcess) -> None:
    header = ("Authorization", f"Bearer {gateway.admin.token}")
    answer = gateway.client.get("/auth/me", headers=[header, header])
    assert (answer.status_code, answer.json()["code"]) == (401, "ambiguous_credentials")


def test_the_scheme_is_not_case_sensitive(gateway: InProcess) -> None:
    """RFC 9110 section 11.1."""
    for scheme in ("bearer", "BEARER", "Bearer "):
        answer = gateway.client.get("/auth/me", headers={"Authorization": f"{scheme} {gateway.admin.token}"})
        assert answer.status_code == 200


def test_no_forged_token_is_believed(tmp_path: Path) -> None:
    with running_in_process(tmp_path) as gateway:
        forged = attacks(load_or_create(tmp_path / "keys"), gateway.admin.token)
        sendable = [attack for attack in forged if attack.sendable and attack.token.strip() == attack.token]
        assert len(sendable) > 200
        assert [wrong for attack in sendable if (wrong := believed(gateway, attack))] == []


def believed(gateway: InProcess, attack: Attack) -> str | None:
    """Return what is wrong with the answer to a forged token; None when it was refused as it should be."""
    answer = gateway.client.get("/auth/me", headers={"Authorization": f"Bearer {attack.token}"})
    expected = (401, attack.code)
    got = (answer.status_code, answer.json().get("code"))
    return None if got == expected and attack.token not in answer.text else f"{attack.name}: {got}"


def test_a_proper_token_signed_by_our_key_is_believed(tmp_path: Path) -> None:
    """So that the forgeries are refused for what is forged about them."""
    with running_in_process(tmp_path) as gateway:
        key = load_or_create(tmp_path / "keys").current
        token = forge(key, claims_of(gateway.admin.token) | {"scope": "users:send"})
        me = gateway.client.get("/auth/me", headers={"Authorization": f"Bearer {token}"})
        assert me.json()["scopes"] == ["users:send"]


def test_a_scope_in_the_token_that_the_account_has_not_does_not_count(tmp_path: Path) -> None:
    with running_in_process(tmp_path) as gateway:
        user = gateway.user()
        key = load_or_create(tmp_path / "keys").current
        token = forge(key, claims_of(user.token) | {"scope": "rooms:create users:admin", "roles": ["admin"]})
        me = gateway.client.get("/auth/me", headers={"Authorization": f"Bearer {token}"}).json()
        assert (me["scopes"], me["roles"]) == (["rooms:create"], [])


def test_a_disabled_or_deleted_account_has_no_token_that_works(gateway: InProcess) -> None:
    disabled, deleted = gateway.user(), gateway.user()
    gateway.patch(f"/api/users/{disabled.id}", gateway.admin, {"disabled": True})
    gateway.delete(f"/api/users/{deleted.id}", gateway.admin)
    for user in (disabled, deleted):
        answer = gateway.get("/auth/me", user)
        assert (answer.status_code, answer.json()["code"]) == (401, "user_disabled")


def test_a_place_that_is_switched_off_does_not_count(tmp_path: Path) -> None:
    with running_in_process(tmp_path, auth={"credentials": ["header"]}) as gateway:
        assert gateway.get("/auth/me", gateway.admin).status_code == 200
        cookie = {"Cookie": f"gateroom_access={gateway.admin.token}"}
        assert gateway.client.get("/auth/me", headers=cookie).json()["code"] == "missing_token"


def test_a_token_of_another_installation_is_not_believed(gateway: InProcess, tmp_path: Path) -> None:
    with running_in_process(tmp_path) as other:
        assert gateway.get("/auth/me", other.admin).json()["code"] == "invalid_token"


def test_liveness_and_readiness_are_told(gateway: InProcess) -> None:
    assert gateway.client.get("/healthz").json() == {"status": "ok", "checks": {}}
    assert gateway.client.get("/readyz").json() == {"status": "ok", "checks": {"storage": "ok"}}
