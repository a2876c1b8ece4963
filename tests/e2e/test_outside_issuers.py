"""One `gateroom serve` believes the tokens of another over real HTTP; what is said of issuers that are set up badly."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from gateroom.auth.key_files import load_or_create
from support.cli import run_cli
from support.gateway import RunningGateway, running_gateway
from support.patience import until
from support.visitors import refused, visiting

ISSUER = "https://login.example.org"
GOOD = {"issuer": ISSUER, "jwks_url": "https://login.example.org/jwks", "audience": "gateroom"}


@pytest.fixture(scope="module")
def there() -> Iterator[RunningGateway]:
    """The gateway that people log in to."""
    with running_gateway(demo=True, environment={"GATEROOM_AUTH__ISSUER": ISSUER}) as running:
        yield running


def trusting(there: RunningGateway, **more: object) -> Mapping[str, str]:
    issuer = {**GOOD, "jwks_url": f"{there.url}/.well-known/jwks.json", "create_users": True, **more}
    return {"GATEROOM_AUTH__ISSUERS": json.dumps([issuer])}


@pytest.fixture(scope="module")
def here(there: RunningGateway) -> Iterator[RunningGateway]:
    """The gateway that believes its tokens."""
    with running_gateway(environment=trusting(there, scopes_claim="scope")) as running:
        yield running


def me(gateway: RunningGateway, token: str) -> Mapping[str, object]:
    with gateway.client() as client:
        found: Mapping[str, object] = client.get("/auth/me", headers={"Authorization": f"Bearer {token}"}).json()
        return found


def test_whoever_logged_in_there_is_somebody_here(there: RunningGateway, here: RunningGateway) -> None:
    token = there.token("alice")
    user = me(here, token)
    assert str(user["username"]).startswith("user-")  # our tokens tell nothing personal
    assert user["scopes"] == ["rooms:create", "users:send"]
    with visiting(here.ws_url, f"/ws?token={token}") as visitor:
        assert visitor.event("welcome")["user"]["id"] == user["id"]
        assert visitor.ask("join", room="lobby")["type"] == "reply"


def test_the_administrator_there_is_nobody_special_here(there: RunningGateway, here: RunningGateway) -> None:
    with here.client() as client:
        answer = client.get("/api/users", headers={"Authorization": f"Bearer {there.token('admin')}"})
    assert answer.status_code == 403


def test_trust_goes_one_way(there: RunningGateway, here: RunningGateway) -> None:
    assert me(there, here.token())["code"] == "invalid_token"
    assert refused(there.ws_url, f"/ws?token={here.token()}").code == "invalid_token"


def test_a_rotation_there_is_followed_here(there: RunningGateway, here: RunningGateway) -> None:
    before = there.token("bob")
    bob = me(here, before)["id"]
    rotated = run_cli("keys", "rotate", "--algorithm", "RS256", "--data-dir", there.data_dir, "--json").json[0]["kid"]
    with there.client() as client:
        jwks = "/.well-known/jwks.json"
        until(lambda: client.get(jwks).json()["keys"][0]["kid"] == rotated, "the new key signs")
    assert me(here, there.token("bob"))["id"] == me(here, before)["id"] == bob


def test_an_account_that_is_there_is_linked_by_its_operator_only(there: RunningGateway) -> None:
    environment = trusting(there, create_users=False)
    carol = str(me(there, there.token("carol"))["id"])
    with running_gateway(environment=environment) as gateway:
        token = there.token("carol")
        assert me(gateway, token)["code"] == "user_disabled"
        link = ("users", "link", "admin", "--issuer", ISSUER, "--subject", carol, "--data-dir", gateway.data_dir)
        assert run_cli(*link, environment=environment).status == 0
        assert me(gateway, token)["username"] == "admin"
        again = run_cli(*link, environment=environment)
        assert (again.status, "account already" in again.sentence) == (1, True)
        assert run_cli(*link, "--undo", environment=environment).status == 0
        assert "no account" in run_cli(*link, "--undo", environment=environment).sentence
        assert "auth.issuers" in run_cli(*link).sentence


BAD = {
    "auth.issuers[0].audience": [{"issuer": ISSUER, "jwks_url": GOOD["jwks_url"]}],
    "auth.issuers[0].jwks_url": [{**GOOD, "jwks_url": "http://canary.example.org/jwks"}],
    "auth.issuers[0].jwks_url ": [{**GOOD, "jwks_url": "file:///etc/canary"}],
    "auth.issuers[0].jwks_url  ": [{**GOOD, "jwks_url": "https://canary@login.example.org/jwks"}],
    "auth.issuers[0].algorithms": [{**GOOD, "algorithms": ["none"]}],
    "auth.issuers[0].algorithms ": [{**GOOD, "algorithms": []}],
    "auth.issuers[0].leeway": [{**GOOD, "leeway": 31}],
    "auth.issuers[0].canary": [{**GOOD, "canary": 1}],
    "auth.issuers[0]": [{**GOOD, "key_file": "canary"}],
    "auth.issuers[0] ": [{"issuer": ISSUER, "audience": "gateroom"}],
    "auth.issuers[0]  ": [{**GOOD, "algorithms": ["HS256"]}],
    "auth.issuers[0]   ": [{"issuer": ISSUER, "audience": "a", "key_file": "canary", "algorithms": ["HS256", "RS256"]}],
    "auth.issuers": [GOOD, {**GOOD, "jwks_url": "https://other.example.org"}],
    "auth.issuers ": [{**GOOD, "issuer": "gateroom"}],
}


@pytest.mark.parametrize("name", BAD)
def test_an_issuer_that_is_set_up_badly_is_refused_by_name(name: str) -> None:
    ran = run_cli("check-config", environment={"GATEROOM_AUTH__ISSUERS": json.dumps(BAD[name])})
    assert (ran.status, ran.out) == (1, "")
    assert ran.sentence.startswith(name.strip())
    assert name.strip().endswith("canary") or "canary" not in ran.err


def test_a_key_file_that_cannot_be_used_keeps_the_server_from_starting(tmp_path: Path) -> None:
    load_or_create(tmp_path / "keys")
    (tmp_path / "key").write_text("canary")
    for key_file in (tmp_path / "key", tmp_path / "none"):
        issuer = {"issuer": ISSUER, "audience": "a", "key_file": str(key_file)}
        environment = {"GATEROOM_AUTH__ISSUERS": json.dumps([issuer])}
        ran = run_cli("serve", "--port", "0", "--data-dir", tmp_path, environment=environment)
        assert ran.status == 1
        assert ran.sentence.startswith(f"{key_file}: ")
        assert "canary" not in ran.err


def test_issuers_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "g.toml"
    file.write_text(
        f'[[auth.issuers]]\nissuer = "{ISSUER}"\njwks_url = "{GOOD["jwks_url"]}"\naudience = ["a", "b"]\n'
        'roles_claim = "realm_access.roles"\n[auth.issuers.role_scopes]\nchat-admin = ["users:admin"]\n'
    )
    ran = run_cli("check-config", "--json", "--config", file)
    assert (ran.status, ran.err) == (0, "")
    (issuer,) = ran.json["auth"]["issuers"]
    assert (issuer["audience"], issuer["role_scopes"]) == (["a", "b"], {"chat-admin": ["users:admin"]})
