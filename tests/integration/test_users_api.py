"""`/api/users`: accounts, and what reaches their owners."""

import asyncio
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from support.in_process import InProcess, running_in_process

PASSWORD = "correct horse battery staple"


def make(gateway: InProcess, username: str, **fields: object) -> httpx.Response:
    return gateway.post("/api/users", gateway.admin, {"username": username, "password": PASSWORD, **fields})


def test_an_account_is_made_and_shown(gateway: InProcess) -> None:
    answer = make(gateway, "ada", roles=["editor"], scopes=["users:send", "shop:buy"])
    made = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/api/users/{made['id']}"
    assert set(made) == {"id", "username", "roles", "scopes", "disabled", "created_at"}
    assert (made["username"], made["roles"], made["scopes"]) == ("ada", ["editor"], ["shop:buy", "users:send"])
    assert made["disabled"] is False
    assert gateway.get(answer.headers["Location"], gateway.admin).json() == made
    assert gateway.get("/api/users/@ada", gateway.admin).json() == made


def test_of_two_changes_at_once_neither_undoes_the_other(gateway: InProcess) -> None:
    """An account that was answered to be disabled stays so, whoever changes its roles at that moment."""
    who = make(gateway, "torn").json()["id"]

    async def change(client: httpx.AsyncClient, body: object) -> int:
        answer = await client.patch(f"/api/users/{who}", json=body, headers=gateway.admin.headers)
        assert answer.status_code in (200, 409), answer.text
        return answer.status_code

    async def race(turn: int) -> list[int]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(gateway.client.app), base_url="http://x") as client:
            bodies = ({"disabled": turn % 2 == 0}, {"roles": [f"r{turn}"]})
            return list(await asyncio.gather(*(change(client, body) for body in bodies)))

    portal = gateway.client.portal
    assert portal is not None
    shown = {"disabled": False, "roles": list[str]()}
    for turn in range(10):
        disabling, naming = portal.call(race, turn)
        shown |= {"disabled": turn % 2 == 0} if disabling == 200 else {}
        shown |= {"roles": [f"r{turn}"]} if naming == 200 else {}
        account = gateway.get(f"/api/users/{who}", gateway.admin).json()
        assert {name: account[name] for name in shown} == shown


def test_an_account_gets_the_default_scopes(gateway: InProcess) -> None:
    assert make(gateway, "babbage").json()["scopes"] == ["rooms:create", "users:send"]
    assert make(gateway, "byron", scopes=[]).json()["scopes"] == []


def test_ids_are_opaque_and_not_countable(gateway: InProcess) -> None:
    ids = [make(gateway, f"count{number}").json()["id"] for number in range(3)]
    assert all(len(each) >= 22 for each in ids)
    assert len({each[:4] for each in ids}) == 3


def test_a_name_is_taken_once(gateway: InProcess) -> None:
    assert make(gateway, "twice").status_code == 201
    again = make(gateway, "twice")
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


@pytest.mark.parametrize(
    "username",
    ["", "a", "Ada", "a b", "-ada", "a\n", "a\r\nb", "ad\u0430", "a\u202e", "@a", "a/b", "../x", "*", "x" * 65],
    ids=ascii,
)
def test_a_name_is_of_a_restricted_alphabet(gateway: InProcess, username: str) -> None:
    answer = make(gateway, username)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_command")
    assert answer.json()["detail"].startswith("username: ")


@pytest.mark.parametrize("username", ["ab", "0a", "a.b-c_d", "x" * 64, "proto"])
def test_a_name_of_that_alphabet_is_fine(gateway: InProcess, username: str) -> None:
    assert make(gateway, username).status_code == 201


@pytest.mark.parametrize(
    ("password", "status"),
    [
        pytest.param("7 chars", 422, id="7 characters"),
        pytest.param("8 chars!", 201, id="8 characters"),
        pytest.param("x y" * 21 + "z", 201, id="64 characters"),
        pytest.param("x y " * 256, 201, id="1,024 characters"),
        pytest.param("x y " * 256 + "z", 422, id="1,025 characters"),
        pytest.param("ÄÖÜ🌍é\u0301mm\x00", 201, id="any character"),
        pytest.param("password1", 422, id="a common one"),
        pytest.param("PassWord1", 422, id="a common one in capitals"),
        pytest.param("", 422, id="none"),
    ],
)
def test_a_password_is_long_enough_and_not_a_common_one(gateway: InProcess, password: str, status: int) -> None:
    body = {"username": f"pass{len(password)}", "password": password}
    answer = gateway.post("/api/users", gateway.admin, body)
    assert answer.status_code == status
    if status == 422:
        assert answer.json()["code"] == "invalid_command"
        assert not password or password not in answer.text


def test_no_character_of_a_password_is_cut_off(gateway: InProcess) -> None:
    beginning = "0123456789" * 7 + "ab"
    body = {"username": "longpass", "password": f"{beginning}the end"}
    assert gateway.post("/api/users", gateway.admin, body).status_code == 201
    other = {"username": "longpass", "password": f"{beginning}another"}
    assert gateway.client.post("/auth/login", json=other).status_code == 401
    assert gateway.client.post("/auth/login", json=body).status_code == 200


def test_nothing_shows_a_password_or_its_hash(gateway: InProcess) -> None:
    answers = [
        make(gateway, "shy"),
        gateway.get("/api/users/@shy", gateway.admin),
        gateway.get("/api/users", gateway.admin),
        gateway.patch("/api/users/@shy", gateway.admin, {"roles": ["x"]}),
    ]
    for answer in answers:
        assert PASSWORD not in answer.text
        assert "argon2" not in answer.text
        assert "password" not in answer.text


def test_a_list_comes_in_pages_without_gap_or_repetition(tmp_path: Path) -> None:
    with running_in_process(tmp_path) as gateway:
        names = [f"page{number:02}" for number in range(7)]
        for name in names:
            make(gateway, name)
        expected = ["admin", *names]
        assert [user["username"] for user in gateway.get("/api/users", gateway.admin).json()["items"]] == expected
        for limit in (1, 2, 3, 7, 8, 200):
            assert [user["username"] for user in every_page(gateway, "/api/users", limit)] == expected


def every_page(gateway: InProcess, path: str, limit: int) -> list[dict[str, Any]]:
    """Follow `next` from the first page to the last."""
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        query = {"limit": limit} | ({"cursor": cursor} if cursor else {})
        answer = gateway.client.get(path, params=query, headers=gateway.admin.headers)
        page = answer.json()
        assert set(page) == {"items", "next"}, page
        assert len(page["items"]) == limit or page["next"] is None
        found.extend(page["items"])
        cursor = page["next"]
    return found


@pytest.mark.parametrize("query", ["limit=0", "limit=-1", "limit=201", "limit=canary", "limit=1.5", "limit="])
def test_a_page_has_a_bounded_size(gateway: InProcess, query: str) -> None:
    answer = gateway.get(f"/api/users?{query}", gateway.admin)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_command")
    assert "canary" not in answer.text


@pytest.mark.parametrize("cursor", ["canary!", "%00", "%ff%fe", "_w==", "YQ", "YQ==canary", "Y Q =="])
def test_a_cursor_is_one_that_a_page_gave(gateway: InProcess, cursor: str) -> None:
    answer = gateway.get(f"/api/users?cursor={cursor}", gateway.admin)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_command")
    assert "canary" not in answer.text


def test_roles_and_scopes_are_changed_one_by_one(gateway: InProcess) -> None:
    make(gateway, "changing", roles=["a"], scopes=["users:send"])
    path = "/api/users/@changing"
    assert gateway.patch(path, gateway.admin, {"roles": ["b", "c"]}).json()["roles"] == ["b", "c"]
    changed = gateway.patch(path, gateway.admin, {"scopes": []}).json()
    assert (changed["roles"], changed["scopes"], changed["disabled"]) == (["b", "c"], [], False)
    assert gateway.patch(path, gateway.admin, {}).json() == changed
    assert gateway.get(path, gateway.admin).json() == changed


def test_a_scope_that_was_taken_away_is_gone_from_tokens_that_have_it(gateway: InProcess) -> None:
    user = gateway.user()
    assert gateway.post("/api/rooms", user, {"id": "before"}).status_code == 201
    gateway.patch(f"/api/users/{user.id}", gateway.admin, {"scopes": ["users:send"]})
    assert gateway.post("/api/rooms", user, {"id": "after"}).json()["code"] == "forbidden"


def test_a_disabled_account_is_out_until_it_is_enabled(gateway: InProcess) -> None:
    user = gateway.user()
    login = {"username": user.name, "password": user.password}
    path = f"/api/users/{user.id}"
    assert gateway.patch(path, gateway.admin, {"disabled": True}).json()["disabled"] is True
    assert gateway.get("/auth/me", user).json()["code"] == "user_disabled"
    assert gateway.client.post("/auth/login", json=login).status_code == 401
    assert gateway.patch(path, gateway.admin, {"disabled": False}).json()["disabled"] is False
    assert gateway.get("/auth/me", user).json()["code"] == "session_revoked"
    assert gateway.client.post("/auth/login", json=login).status_code == 200


def test_a_deleted_account_is_gone_with_its_memberships(gateway: InProcess) -> None:
    owner, user = gateway.user(), gateway.user()
    room = gateway.room(owner, member=user)
    assert gateway.delete(f"/api/users/{user.id}", gateway.admin).status_code == 204
    assert gateway.get(f"/api/users/{user.id}", gateway.admin).status_code == 404
    assert gateway.delete(f"/api/users/{user.id}", gateway.admin).json()["code"] == "not_found"
    members = gateway.get(f"/api/rooms/{room}/members", owner).json()["items"]
    assert [member["username"] for member in members] == [owner.name]


def test_an_administrator_cannot_lock_themselves_out(gateway: InProcess) -> None:
    path = f"/api/users/{gateway.admin.id}"
    assert gateway.patch(path, gateway.admin, {"disabled": True}).json()["code"] == "conflict"
    assert gateway.delete(path, gateway.admin).json()["code"] == "conflict"
    assert gateway.get("/auth/me", gateway.admin).status_code == 200


def test_nobody_gives_a_power_that_they_do_not_hold(gateway: InProcess) -> None:
    deputy = gateway.user(scopes=["users:admin", "users:send"])
    body = {"username": "minion", "password": PASSWORD, "scopes": ["rooms:admin"]}
    assert gateway.post("/api/users", deputy, body).json()["code"] == "forbidden"
    for scopes in (["users:admin", "users:send", "keys:admin"], ["broadcast"]):
        answer = gateway.patch(f"/api/users/{deputy.id}", deputy, {"scopes": scopes})
        assert answer.json()["code"] == "forbidden"
    # What an application of its own means by a scope is not ours to guard.
    assert gateway.post("/api/users", deputy, {**body, "scopes": ["users:admin", "shop:buy"]}).status_code == 201


@pytest.mark.parametrize("user", ["nobody-with-this-id", "@nobody", "@lobby"])
def test_an_unknown_account_is_not_found(gateway: InProcess, user: str) -> None:
    for answer in (
        gateway.get(f"/api/users/{user}", gateway.admin),
        gateway.patch(f"/api/users/{user}", gateway.admin, {}),
        gateway.delete(f"/api/users/{user}", gateway.admin),
        gateway.post(f"/api/users/{user}/messages", gateway.admin, {"data": 1}),
        gateway.get(f"/api/users/{user}/connections", gateway.admin),
        gateway.delete(f"/api/users/{user}/connections", gateway.admin),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("user", ["@", "@A", "a%00b", "%ff", "a%20b", "x" * 65, "@ada%0a"])
def test_what_cannot_be_an_account_is_refused(gateway: InProcess, user: str) -> None:
    answer = gateway.get(f"/api/users/{user}", gateway.admin)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_command")


def test_without_the_scope_nobody_learns_which_accounts_there_are(gateway: InProcess) -> None:
    user = gateway.user()
    other = gateway.user()
    for reference in (other.id, f"@{other.name}", user.id, "nobody", "@nobody"):
        for answer in (
            gateway.get(f"/api/users/{reference}", user),
            gateway.patch(f"/api/users/{reference}", user, {"disabled": True}),
            gateway.delete(f"/api/users/{reference}", user),
            gateway.get(f"/api/users/{reference}/connections", user),
            gateway.delete(f"/api/users/{reference}/connections", user),
        ):
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert gateway.get("/api/users", user).json()["code"] == "forbidden"
    assert gateway.post("/api/users", user, {"username": "x1", "password": PASSWORD}).json()["code"] == "forbidden"


def test_a_message_waits_in_the_inbox(gateway: InProcess) -> None:
    sender, recipient = gateway.user(), gateway.user()
    answer = gateway.post(f"/api/users/@{recipient.name}/messages", sender, {"data": {"text": "hello"}})
    assert answer.status_code == 201
    assert answer.json()["connections"] == 0
    assert answer.json()["position"]["seq"] == 1
    with gateway.connected(recipient) as peer:
        (message,) = peer.ask("history", inbox=True)["messages"]
        assert (message["type"], message["from"], message["to"]) == ("direct", sender.person, recipient.id)
        assert (message["data"], message["seq"]) == ({"text": "hello"}, 1)


def test_a_message_reaches_every_device_of_its_recipient(gateway: InProcess) -> None:
    sender, recipient = gateway.user(), gateway.user()
    with (
        gateway.connected(recipient) as first,
        gateway.connected(recipient) as second,
        gateway.connected(sender) as own,
    ):
        answer = gateway.post(f"/api/users/{recipient.id}/messages", sender, {"data": "hello"})
        assert answer.json()["connections"] == 2
        events = [first.event("direct"), second.event("direct")]
        assert events[0] == events[1]
        assert events[0]["data"] == "hello"
        assert own.arrived() == []


def test_sending_needs_its_scope(gateway: InProcess) -> None:
    mute, recipient = gateway.user(scopes=["rooms:create"]), gateway.user()
    answer = gateway.post(f"/api/users/{recipient.id}/messages", mute, {"data": 1})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_a_disabled_account_gets_no_messages(gateway: InProcess) -> None:
    sender, recipient = gateway.user(), gateway.user()
    gateway.patch(f"/api/users/{recipient.id}", gateway.admin, {"disabled": True})
    answer = gateway.post(f"/api/users/{recipient.id}/messages", sender, {"data": 1})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_connections_are_listed_with_their_rooms_and_ended(gateway: InProcess) -> None:
    user = gateway.user()
    path = f"/api/users/{user.id}/connections"
    assert gateway.get(path, gateway.admin).json() == {"items": [], "next": None}
    with gateway.socket(user) as peer, gateway.socket(user, "/ws/rooms/lobby") as plain:
        connection = peer.event("welcome")["connection"]
        peer.join("lobby")
        items = gateway.get(path, gateway.admin).json()["items"]
        assert {"id": connection, "rooms": ["lobby"]} in items
        assert len(items) == 2
        assert gateway.delete(path, gateway.admin).json() == {"connections": 2}
        assert peer.closed() == (1008, "disconnected")
        assert plain.closed() == (1008, "disconnected")
    assert gateway.get(path, gateway.admin).json()["items"] == []
    with gateway.connected(user):  # may come back
        pass
