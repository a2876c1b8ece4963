"""API keys of back ends: what they open, what they may do, and that a revoked one is out at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.in_process import Account, InProcess, Peer, running_in_process

SCOPES = ["broadcast", "users:send"]


def make(gateway: InProcess, by: Account, **body: Any) -> dict[str, Any]:
    answer = gateway.post("/api/keys", by, {"name": "back end", "scopes": SCOPES, **body})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def caller(account: Account, made: dict[str, Any]) -> Account:
    """Return the account calling with the key."""
    return replace(account, token=made["key"])


@pytest.fixture
def maker(gateway: InProcess) -> Account:
    return gateway.user(scopes=["keys:admin", "users:send", "broadcast", "rooms:create"])


def test_a_key_is_shown_once_and_then_only_described(gateway: InProcess, maker: Account) -> None:
    made = make(gateway, maker)
    text = made.pop("key")
    assert text.startswith("grk_")
    assert len(text) == 4 + 26 + 43
    assert (made["name"], made["user"], made["scopes"], made["expires_at"]) == ("back end", maker.id, SCOPES, None)
    listed = gateway.get("/api/keys?limit=200", gateway.admin).json()["items"]
    assert made in listed
    assert text not in str(listed)


def test_it_is_stored_as_a_digest(tmp_path: Path) -> None:
    with running_in_process(tmp_path) as gateway:
        text = make(gateway, gateway.admin)["key"]
    for file in tmp_path.glob("gateroom.db*"):
        content = file.read_bytes()
        assert text.encode() not in content
        assert text[-43:].encode() not in content


def test_it_acts_as_its_maker_with_its_own_scopes(gateway: InProcess, maker: Account) -> None:
    made = make(gateway, maker, scopes=["users:send"])
    me = gateway.get("/auth/me", caller(maker, made)).json()
    assert (me["id"], me["scopes"], me["session"]) == (maker.id, ["users:send"], f"key:{made['id']}")
    assert me["expires_at"].startswith("9999-12-31")
    sent = gateway.post(f"/api/users/{maker.id}/messages", caller(maker, made), {"data": 1})
    assert sent.status_code == 201
    denied = gateway.post("/api/rooms", caller(maker, made), {"id": "not-with-this-key"})
    assert (denied.status_code, denied.json()["code"]) == (403, "forbidden")


def test_it_never_has_a_scope_that_the_maker_has_lost(gateway: InProcess, maker: Account) -> None:
    made = make(gateway, maker)
    gateway.patch(f"/api/users/{maker.id}", gateway.admin, {"scopes": ["broadcast"]})
    assert gateway.get("/auth/me", caller(maker, made)).json()["scopes"] == ["broadcast"]


def test_whoever_holds_a_key_may_end_it(gateway: InProcess, maker: Account) -> None:
    """As any token (RFC 7009): a key that leaked is posted there by whoever finds it, and 200 must be true."""
    leaked, other = make(gateway, maker), make(gateway, maker)
    with gateway.socket(caller(maker, leaked), offer=["gateroom.v1"]) as socket:
        socket.event("welcome")
        for _ in range(2):
            assert gateway.client.post("/auth/revoke", data={"token": leaked["key"]}).status_code == 200
        assert socket.closed() == (1008, "token_revoked")
    assert gateway.get("/auth/me", caller(maker, leaked)).status_code == 401
    assert gateway.client.post("/auth/revoke", data={"token": other["key"][:-1]}).status_code == 200
    assert gateway.get("/auth/me", caller(maker, other)).status_code == 200
    audited = gateway.get(f"/api/audit?target=key:{leaked['id']}&action=auth.revoke", gateway.admin).json()["items"]
    assert [(entry["outcome"], entry["actor"]["id"]) for entry in audited] == [("ok", maker.id)]


@pytest.mark.parametrize("scopes", [["rooms:admin"], ["users:send", "users:admin"], ["made:up"]])
def test_nobody_gives_a_key_more_than_they_have(gateway: InProcess, maker: Account, scopes: list[str]) -> None:
    answer = gateway.post("/api/keys", maker, {"name": "x", "scopes": scopes})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_who_may_not_manage_keys_does_not(gateway: InProcess, ada: Account) -> None:
    assert gateway.post("/api/keys", ada, {"name": "x", "scopes": []}).status_code == 403
    assert gateway.get("/api/keys", ada).status_code == 403
    assert gateway.delete("/api/keys/whichever", ada).status_code == 403
    assert gateway.delete("/api/keys/whichever", gateway.admin).status_code == 404


def test_a_key_is_no_session(gateway: InProcess, maker: Account) -> None:
    by_key = caller(maker, make(gateway, maker, scopes=["keys:admin", "users:send"]))
    assert gateway.post("/api/keys", by_key, {"name": "another", "scopes": []}).status_code == 403
    for method, path, body in (
        ("POST", "/auth/tickets", {}),
        ("POST", "/auth/logout", None),
        ("DELETE", "/auth/sessions/any", None),
        ("GET", "/auth/sessions", None),
        ("PUT", "/auth/me/password", {"current_password": maker.password, "new_password": "another password"}),
    ):
        answer = gateway.client.request(method, path, json=body, headers=by_key.headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), path


@pytest.mark.parametrize("path", ["/ws", "/ws/rooms/lobby", "/ws/users/me"])
def test_it_opens_sockets_by_header_and_only_so(gateway: InProcess, maker: Account, path: str) -> None:
    made = make(gateway, maker)
    with gateway.socket(caller(maker, made), path, offer=["gateroom.v1"]) as peer:
        assert peer.event("welcome")["user"] == maker.person
    assert gateway.refusal(f"{path}?token={made['key']}") == (1008, "invalid_token")
    assert gateway.refusal(path, offer=["gateroom.v1", f"bearer.{made['key']}"]) == (1008, "invalid_token")
    cookie = {"Cookie": f"gateroom_access={made['key']}", "Origin": "http://127.0.0.1"}
    assert gateway.refusal(path, headers=cookie) == (1008, "invalid_token")


@contextmanager
def welcomed(gateway: InProcess, account: Account) -> Iterator[Peer]:
    with gateway.socket(account) as peer:
        peer.event("welcome")
        yield peer


def test_a_revoked_key_is_out_at_once_and_nobody_else(gateway: InProcess, maker: Account) -> None:
    made, other = make(gateway, maker), make(gateway, maker)
    with (
        welcomed(gateway, caller(maker, made)) as out,
        welcomed(gateway, caller(maker, other)) as stays,
        welcomed(gateway, maker) as person,
    ):
        assert gateway.delete(f"/api/keys/{made['id']}", maker).status_code == 204
        assert out.closed() == (1008, "token_revoked")
        for peer in (stays, person):
            assert peer.ask("ping")["type"] == "reply"
    answer = gateway.get("/auth/me", caller(maker, made))
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
    assert gateway.refusal(headers=caller(maker, made).headers) == (1008, "invalid_token")
    assert gateway.delete(f"/api/keys/{made['id']}", maker).status_code == 404


def test_a_disabled_maker_takes_the_key_along(gateway: InProcess, maker: Account) -> None:
    by_key = caller(maker, make(gateway, maker))
    with welcomed(gateway, by_key) as peer:
        gateway.patch(f"/api/users/{maker.id}", gateway.admin, {"disabled": True})
        assert peer.closed() == (1008, "user_disabled")
    assert gateway.get("/auth/me", by_key).json()["code"] == "user_disabled"


@pytest.mark.parametrize(
    "forged",
    ["grk_", "grk_" + "a" * 69, "grk_" + "ä" * 69, "{key}a", "{key}=", "GRK_{rest}", "{id}" + "A" * 43, " {key}."],
)
def test_what_is_no_key_is_refused(gateway: InProcess, maker: Account, forged: str) -> None:
    key = make(gateway, maker)["key"]
    text = forged.format(key=key, rest=key[4:], id=key[:30])
    headers = [(b"Authorization", f"Bearer {text}".encode())]
    answer = gateway.client.get("/auth/me", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")


def test_it_ends_when_it_was_said_to(gateway: InProcess, maker: Account) -> None:
    made = make(gateway, maker, expires_at="2999-01-01T00:00:00Z")
    assert made["expires_at"] == "2999-01-01T00:00:00.000Z"
    assert gateway.get("/auth/me", caller(maker, made)).json()["expires_at"] == "2999-01-01T00:00:00.000Z"
    for past in ("2020-01-01T00:00:00Z", "yesterday"):
        answer = gateway.post("/api/keys", maker, {"name": "x", "scopes": [], "expires_at": past})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_command")


def test_when_it_was_last_used_is_noted_by_and_by(tmp_path: Path) -> None:
    with running_in_process(tmp_path) as gateway:
        made = make(gateway, gateway.admin)
        assert made["last_used_at"] is None
        gateway.get("/auth/me", caller(gateway.admin, made))
    with running_in_process(tmp_path) as gateway:
        (listed,) = gateway.get("/api/keys", gateway.admin).json()["items"]
        assert listed["last_used_at"] >= made["created_at"]


def test_everything_about_a_key_is_in_the_audit_log(gateway: InProcess, maker: Account) -> None:
    made = make(gateway, maker)
    gateway.delete(f"/api/keys/{made['id']}", maker)
    found = gateway.get(f"/api/audit?target=key:{made['id']}", gateway.admin).json()["items"]
    assert [(entry["action"], entry["actor"]["id"]) for entry in found] == [
        ("keys.revoke", maker.id),
        ("keys.create", maker.id),
    ]
