"""Tokens of outside identity providers on HTTP and sockets alike, their key sets asked for over real HTTP (TV-5)."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateroom.auth.keys import Algorithm
from support.in_process import InProcess, running_in_process
from support.patience import until
from support.provider import AUDIENCE, Provider, provider
from support.tokens import claims_of, from_base64url, to_base64url

ONE, TWO = "https://one.example/realms/main", "https://two.example/v2.0"


@dataclass(frozen=True, slots=True)
class Federation:
    """A gateway and the two providers that it trusts; their keys have the same id."""

    gateway: InProcess
    one: Provider
    two: Provider

    def me(self, token: str) -> tuple[int, dict[str, object]]:
        answer = self.gateway.client.get("/auth/me", headers=bearer(token))
        return answer.status_code, answer.json()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@contextmanager
def federation(data_dir: Path, *issuers: Mapping[str, object]) -> Iterator[Federation]:
    """Run it; `issuers` are the settings for the first provider and the second, beyond what is needed."""
    with ExitStack() as stack:
        one, two = stack.enter_context(provider(ONE)), stack.enter_context(provider(TWO))
        more = [*issuers, {}, {}]
        configured = [one.configured(**more[0]), two.configured(**more[1])]
        gateway = stack.enter_context(running_in_process(data_dir, auth={"issuers": configured}))
        until(lambda: bool(one.asked and two.asked), "the key sets were asked for")
        yield Federation(gateway, one, two)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    keycloak = {"roles_claim": "realm_access.roles", "role_scopes": {"chat-admin": ["users:admin", "rooms:create"]}}
    with federation(tmp_path_factory.mktemp("data"), keycloak, {"scopes_claim": "scp"}) as running:
        yield running


def test_a_token_of_a_provider_opens_everything_that_one_of_ours_does(world: Federation) -> None:
    token = world.one.token("ada", realm_access={"roles": ["staff"]}, sid="kc-1")
    status, me = world.me(token)
    assert (status, me["username"], me["roles"]) == (200, "ada", ["staff"])
    made = world.gateway.client.post("/api/rooms", json={"id": "of-ada"}, headers=bearer(token))
    assert made.status_code == 201
    with world.gateway.socket(path="/ws", offer=("gateroom.v1", f"bearer.{token}")) as peer:
        assert peer.subprotocol == "gateroom.v1"
    for path in ("/ws/rooms/of-ada", "/ws/users/me"):
        with world.gateway.socket(path=f"{path}?token={token}"):
            pass
    with world.gateway.socket(path=f"/ws?token={token}") as peer:
        welcome = peer.event("welcome")
        assert welcome["user"] == {"id": me["id"], "name": "ada"}
        assert welcome["session"] == me["session"]
        peer.join("of-ada")
        peer.publish("of-ada", "hello")


def test_a_socket_carries_on_with_a_newer_token_of_the_provider(world: Federation) -> None:
    token = world.one.token("carrier")
    with world.gateway.socket(path=f"/ws?token={token}") as peer:
        peer.event("welcome")
        newer = world.one.token("carrier", exp=claims_of(token)["exp"] + 60)
        assert peer.ask("refresh", token=newer)["type"] == "reply"
        for other in (world.one.token("somebody-else"), world.two.token("carrier"), world.gateway.admin.token):
            assert peer.ask("refresh", token=other)["code"] == "forbidden"


def test_a_ticket_stands_in_for_a_token_of_the_provider(world: Federation) -> None:
    token = world.one.token("traveller")
    made = world.gateway.client.post("/auth/tickets", headers=bearer(token))
    assert made.status_code == 201, made.text
    with world.gateway.socket(path=f"/ws?ticket={made.json()['ticket']}") as peer:
        assert peer.event("welcome")["user"]["name"] == "traveller"


def test_a_key_of_one_provider_is_no_key_of_the_other(world: Federation) -> None:
    assert world.me(world.two.token("eve"))[0] == 200
    forged = world.two.token("eve", iss=ONE)
    status, problem = world.me(forged)
    assert (status, problem["code"]) == (401, "invalid_token")
    assert world.gateway.refusal(f"/ws?token={forged}") == (1008, "invalid_token")


@pytest.mark.parametrize("name", ["jku", "x5u", "jwk", "x5c", "crit"])
def test_no_token_chooses_the_key_that_it_is_verified_with(world: Federation, name: str) -> None:
    with provider(ONE, ["evil"]) as evil:
        value: Mapping[str, object] = {
            "jku": evil.jwks_url,
            "x5u": evil.jwks_url,
            "jwk": evil.keys["evil"].jwk(),
            "x5c": ["MIIB"],
            "crit": ["exp"],
        }
        asked = len(world.one.asked)
        for kid in ("key-1", evil.jwks_url, "../../dev/null"):
            assert world.me(evil.token("eve", header={"kid": kid, name: value[name]}))[0] == 401
        assert evil.asked == []
        assert len(world.one.asked) == asked


def test_a_provider_does_not_make_tokens_of_ours(world: Federation) -> None:
    for issuer in ("gateroom", "https://elsewhere.example"):
        asked = len(world.one.asked) + len(world.two.asked)
        assert world.me(world.one.token("eve", iss=issuer, aud="gateroom"))[0] == 401
        assert len(world.one.asked) + len(world.two.asked) == asked


def test_the_same_name_at_two_providers_and_here_is_three_people(world: Federation) -> None:
    local = world.gateway.user()
    ids = {world.me(issuer.token(local.name))[1]["id"] for issuer in (world.one, world.two)} | {local.id}
    assert len(ids) == 3
    assert world.gateway.get(f"/api/users/@{local.name}", world.gateway.admin).json()["id"] == local.id


def test_roles_of_the_provider_bring_scopes_until_it_takes_them_back(world: Federation) -> None:
    chief = world.one.token("chief", realm_access={"roles": ["chat-admin"]})
    headers = bearer(chief)
    assert world.gateway.client.get("/api/users", headers=headers).status_code == 200
    with world.gateway.socket(path=f"/ws?token={chief}") as peer:
        peer.event("welcome")
        later = world.one.token("chief", realm_access={"roles": []}, iat=claims_of(chief)["iat"] + 1)
        assert world.gateway.client.get("/api/users", headers=bearer(later)).status_code == 403
        assert world.gateway.client.get("/api/users", headers=headers).status_code == 403
        assert peer.ask("ping")["type"] == "reply"


def test_scopes_of_a_token_narrow_what_the_account_may(world: Federation) -> None:
    token = world.two.token("narrow", scp="users:send openid")
    assert world.me(token)[1]["scopes"] == ["users:send"]
    refused = world.gateway.client.post("/api/rooms", json={"id": "never"}, headers=bearer(token))
    assert refused.status_code == 403


def test_a_disabled_user_is_out_at_once_whatever_the_provider_says(world: Federation) -> None:
    token = world.one.token("leaver")
    user = world.me(token)[1]["id"]
    with world.gateway.socket(path=f"/ws?token={token}") as peer:
        peer.event("welcome")
        disabled = world.gateway.patch(f"/api/users/{user}", world.gateway.admin, {"disabled": True})
        assert disabled.status_code == 200
        assert peer.closed() == (1008, "user_disabled")
    status, problem = world.me(world.one.token("leaver"))
    assert (status, problem["code"]) == (401, "user_disabled")
    assert world.gateway.refusal(f"/ws?token={token}") == (1008, "user_disabled")


def test_nobody_logs_in_with_a_password_to_an_account_without_one(world: Federation) -> None:
    world.me(world.one.token("no-password"))
    for password in ("", "-", "None"):
        form = {"grant_type": "password", "username": "no-password", "password": password}
        assert world.gateway.client.post("/auth/token", data=form).status_code == 400


def test_a_token_of_a_provider_has_no_session_here_and_its_account_no_password(world: Federation) -> None:
    headers = bearer(world.one.token("visitor"))
    assert world.gateway.client.get("/auth/sessions", headers=headers).json()["items"] == []
    change = {"current_password": "", "new_password": "a new password of theirs"}
    assert world.gateway.client.put("/auth/me/password", json=change, headers=headers).status_code in (401, 422)


@pytest.mark.parametrize("jti", [None, "t-1"])
@pytest.mark.parametrize(("call", "reason"), [("logout", "session_revoked"), ("revoke", "token_revoked")])
def test_a_token_of_a_provider_is_ended_like_one_of_ours(
    world: Federation, call: str, reason: str, jti: str | None
) -> None:
    token = world.one.token(f"leaving-by-{call}-{jti}", jti=jti and f"{jti}-{call}")
    client, admin = world.gateway.client, world.gateway.admin.headers
    assert client.post("/auth/introspect", data={"token": token}, headers=admin).json()["active"] is True
    with world.gateway.socket(path=f"/ws?token={token}") as peer:
        peer.event("welcome")
        ended = client.post(f"/auth/{call}", data={"token": token}, headers=bearer(token))
        assert ended.status_code in (200, 204)
        assert peer.closed() == (1008, reason)
    for spelling in (token, with_the_other_signature(token)):
        status, problem = world.me(spelling)
        assert (status, problem["code"]) == (401, "token_revoked")
    assert client.post("/auth/introspect", data={"token": token}, headers=admin).json() == {"active": False}


def with_the_other_signature(token: str) -> str:
    """Return the token with the second signature that every ES256 signature has: s and n - s verify alike."""
    content, _, signature = token.rpartition(".")
    raw = from_base64url(signature)
    n = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    return f"{content}.{to_base64url(raw[:32] + (n - int.from_bytes(raw[32:], 'big')).to_bytes(32, 'big'))}"


def test_a_rotation_at_the_provider_is_followed_and_unknown_keys_ask_it_once(tmp_path: Path) -> None:
    with federation(tmp_path) as world:
        before = world.one.token("ada")
        assert world.me(before)[0] == 200
        world.one.add_key("key-2", Algorithm.RS256)
        assert world.me(world.one.token("ada"))[0] == 200
        assert len(world.one.asked) == 2

        for number in range(100):
            world.one.add_key(f"unknown-{number}")
        tokens = [world.one.token("eve", kid=f"unknown-{number}") for number in range(100)]
        assert {world.me(token)[0] for token in tokens} == {401}
        assert len(world.one.asked) == 2
        assert world.me(world.two.token("bob"))[0] == 200
        assert world.me(before)[0] == 200


def test_an_outage_of_the_provider_is_survived(tmp_path: Path) -> None:
    with federation(tmp_path) as world:
        assert world.me(world.one.token("ada"))[0] == 200
        world.one.status, world.one.body = 500, b'{"keys": []}'
        world.one.add_key("new")
        assert world.me(world.one.token("ada", kid="new"))[0] == 401
        assert len(world.one.asked) == 2
        assert world.me(world.one.token("bob", kid="key-1"))[0] == 200


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed(tmp_path: Path, status: int) -> None:
    with provider("https://metadata.example") as metadata, federation(tmp_path) as world:
        world.one.status, world.one.location = status, f"{metadata.url}/latest/meta-data"
        metadata.keys["new"] = metadata.keys["key-1"]
        world.one.keys["new"] = metadata.keys["key-1"]
        assert world.me(world.one.token("ada", kid="new"))[0] == 401
        assert len(world.one.asked) == 2
        assert metadata.asked == []


@pytest.mark.parametrize("body", [b"x" * 1_000_000, b"[" * 60_000, b"<html>", b'{"keys": [{}]}', b""])
def test_nonsense_instead_of_a_key_set_does_no_harm(tmp_path: Path, body: bytes) -> None:
    with federation(tmp_path) as world:
        world.one.body = body
        world.one.add_key("new")
        assert world.me(world.one.token("ada", kid="new"))[0] == 401
        assert world.me(world.one.token("ada", kid="key-1"))[0] == 200


def test_without_any_keys_the_gateway_is_unavailable_for_those_tokens_only(tmp_path: Path) -> None:
    with provider(ONE) as silent:
        silent.status = 503
        issuers = [silent.configured()]
        with running_in_process(tmp_path, auth={"issuers": issuers}) as gateway:
            answer = gateway.client.get("/auth/me", headers=bearer(silent.token()))
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
            assert gateway.refusal(f"/ws?token={silent.token()}") == (1008, "overloaded")
            assert gateway.get("/auth/me", gateway.admin).status_code == 200


def test_a_key_from_a_file_needs_no_server(tmp_path: Path) -> None:
    with provider(ONE) as signer:
        file = tmp_path / "jwks.json"
        file.write_bytes(signer.key_set())
        issuer = {"issuer": ONE, "key_file": str(file), "audience": AUDIENCE, "create_users": True}
        with running_in_process(tmp_path / "data", auth={"issuers": [issuer]}) as gateway:
            assert gateway.client.get("/auth/me", headers=bearer(signer.token())).status_code == 200
        assert signer.asked == []
