"""Rotation of signing keys at a running `gateroom serve`, without a restart or a logout (CF-3); HS256 (CF-1)."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.cli import run_cli
from support.gateway import RunningGateway, running_gateway
from support.patience import until
from support.tokens import from_base64url
from support.visitors import refused, visiting

SECRET = "q8Zt0mX1vN5cR7yB3wK9uJ2hG6fD4sLp"
OLDER_SECRET = "Lp4sD6fG2hJ9uK3wB7yR5cN1vX0mZt8q"


@pytest.fixture(scope="module")
def gateway() -> Iterator[RunningGateway]:
    with running_gateway() as running:
        yield running


def header_of(token: str) -> dict[str, str]:
    header: dict[str, str] = json.loads(from_base64url(token.split(".")[0]))
    return header


def published(gateway: RunningGateway) -> list[str]:
    """Return the ids of the published keys."""
    with gateway.client() as client:
        return [key["kid"] for key in client.get("/.well-known/jwks.json").json()["keys"]]


def whoami(gateway: RunningGateway, token: str) -> int:
    with gateway.client() as client:
        return client.get("/auth/me", headers={"Authorization": f"Bearer {token}"}).status_code


def test_a_rotation_reaches_a_running_server_and_logs_nobody_out(gateway: RunningGateway) -> None:
    before = gateway.token()
    with gateway.client() as browser, visiting(gateway.ws_url, f"/ws?token={before}") as visitor:
        visitor.event("welcome")
        body = {"username": "admin", "password": gateway.admin_password, "cookie": True}
        csrf = browser.post("/auth/login", json=body).json()["csrf_token"]

        rotated = run_cli("keys", "rotate", "--algorithm", "ES256", "--data-dir", gateway.data_dir, "--json")
        kid = rotated.json[0]["kid"]
        assert rotated.json[0]["algorithm"] == "ES256"
        old = header_of(before)["kid"]
        until(lambda: published(gateway) == [old, kid], "the new key is published before it signs")
        until(lambda: published(gateway) == [kid, old], "the new key signs")

        after = gateway.token()
        assert header_of(after) == {"typ": "at+jwt", "alg": "ES256", "kid": kid}
        assert whoami(gateway, before) == whoami(gateway, after) == 200
        assert visitor.ask("ping")["type"] == "reply"
        headers = {"X-CSRF-Token": csrf, "Origin": gateway.url}
        assert browser.post("/api/rooms", json={"id": "made-after"}, headers=headers).status_code == 201

    listed = run_cli("keys", "list", "--data-dir", gateway.data_dir, "--json").json
    assert [found["state"] for found in listed] == ["signs", "verifies"]
    removed = run_cli("keys", "remove", header_of(before)["kid"], "--data-dir", gateway.data_dir)
    assert removed.status == 0
    until(lambda: published(gateway) == [kid], "the old key is gone")
    assert (whoami(gateway, before), whoami(gateway, after)) == (401, 200)
    assert refused(gateway.ws_url, f"/ws?token={before}").code == "invalid_token"


def test_the_key_that_signs_is_not_removed(tmp_path: Path) -> None:
    assert run_cli("token", "inspect", "x", "--data-dir", tmp_path).status == 1  # which makes the first key
    (only,) = run_cli("keys", "list", "--data-dir", tmp_path, "--json").json
    ran = run_cli("keys", "remove", only["kid"], "--data-dir", tmp_path)
    assert (ran.status, ran.out) == (1, "")
    assert "gateroom keys rotate" in ran.sentence
    assert run_cli("keys", "prune", "--data-dir", tmp_path, "--json").json == []


def test_a_shared_secret_signs_is_rotated_and_never_published() -> None:
    older = {"GATEROOM_AUTH__HMAC_SECRET": OLDER_SECRET}
    both = {"GATEROOM_AUTH__HMAC_SECRET": SECRET, "GATEROOM_AUTH__PREVIOUS_HMAC_SECRET": OLDER_SECRET}
    with running_gateway(environment=older) as gateway:
        token = gateway.token()
        assert header_of(token)["alg"] == "HS256"
        assert published(gateway) == []
        gateway.stop()
        ran = run_cli("token", "inspect", token, "--data-dir", gateway.data_dir, environment=both)
        assert ran.status == 0
        ran = run_cli("keys", "list", "--data-dir", gateway.data_dir, "--json", environment=both)
        assert [(found["algorithm"], found["state"]) for found in ran.json] == [
            ("HS256", "signs"),
            ("HS256", "verifies"),
        ]
        assert SECRET not in ran.out + "".join(gateway.output)
        ran = run_cli("keys", "rotate", "--data-dir", gateway.data_dir, environment=both)
        assert ran.sentence.startswith("auth.hmac_secret signs")


BAD_SECRETS = {
    "known": "changeme",
    "README example": "a-string-secret-at-least-256-bits-long",
    "short": SECRET[:31],
    "placeholder": "please-change-this-secret-key-in-production-please",
    "repetitive": "0123456789abcdef" * 4,
    "constant": "x" * 64,
    "PEM": "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n",
    "JWK": '{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}',
    "SSH": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdd0ciKJ7XAXCCXbEcoFbHLFERxm0r9WPGUu3wZ8Yi6 x",
}


@pytest.mark.parametrize("name", BAD_SECRETS)
@pytest.mark.parametrize("setting", ["GATEROOM_AUTH__HMAC_SECRET", "GATEROOM_AUTH__PREVIOUS_HMAC_SECRET"])
def test_a_weak_secret_is_refused_by_name_and_never_shown(setting: str, name: str) -> None:
    environment = {"GATEROOM_AUTH__HMAC_SECRET": SECRET, setting: BAD_SECRETS[name]}
    ran = run_cli("serve", "--port", "0", environment=environment)
    assert (ran.status, ran.out) == (1, "")
    assert ran.sentence.startswith(setting.removeprefix("GATEROOM_").lower().replace("__", ".") + ": is refused: ")
    assert BAD_SECRETS[name] not in ran.err
