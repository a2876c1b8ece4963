"""Why somebody may do something, or not: as the live path judges (contract section 2)."""

from collections.abc import Iterator
from typing import Any

import pytest

from support.in_process import Account, InProcess, running_in_process


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    templates = [{"pattern": "desk:{user}"}]
    with running_in_process(tmp_path_factory.mktemp("data"), rooms={"templates": templates}) as running:
        yield running


def ask(gateway: InProcess, by: Account, of: Account, action: str, room: str) -> Any:
    return gateway.post("/api/authorize", by, {"user": of.id, "action": action, "room": room})


def verdict(gateway: InProcess, of: Account, action: str, room: str) -> tuple[bool, list[str]]:
    """What an administrator is told of somebody; and it is what they are told themselves."""
    told = ask(gateway, gateway.admin, of, action, room)
    assert told.status_code == 200, told.text
    assert ask(gateway, of, of, action, room).json() == told.json()
    return told.json()["allowed"], told.json()["because"]


def test_each_thing_that_decides_is_named(gateway: InProcess, ada: Account, ben: Account) -> None:
    room = gateway.room(ada, viewer=ben)
    write = "rule write: owner, moderator, member"
    assert verdict(gateway, ben, "write", room) == (False, ["role viewer", write])
    gateway.set_role(ada, room, ben, "member")
    assert verdict(gateway, ben, "write", room) == (True, ["role member", write])
    gateway.put(f"/api/rooms/{room}/mutes/{ben.id}", ada, {})
    assert verdict(gateway, ben, "write", room) == (False, ["mute for good", "role member", write])
    gateway.put(f"/api/rooms/{room}/bans/{ben.id}", ada, {"until": "2999-01-01T00:00:00Z"})
    allowed, because = verdict(gateway, ben, "read", room)
    assert (allowed, because[0]) == (False, "ban until 2999-01-01T00:00:00.000Z")
    public, boss = gateway.room(ada, "public"), gateway.user(scopes=["rooms:admin"])
    assert verdict(gateway, ben, "write", public) == (True, ["visibility public", "role member", write])
    assert verdict(gateway, boss, "delete", room) == (True, ["scope rooms:admin", "rule delete: owner"])


def test_a_room_that_does_not_exist_is_explained_as_one_that_may_not_be_known(gateway: InProcess, ada: Account) -> None:
    stranger = gateway.user()
    room = gateway.room(ada)
    hidden = ask(gateway, stranger, stranger, "read", room)
    missing = ask(gateway, stranger, stranger, "read", "nowhere")
    assert hidden.json() == missing.json()
    assert hidden.json()["because"][:2] == ["visibility private", "no membership"]


def test_a_room_that_would_come_into_being_is_judged_without_being_made(gateway: InProcess, ben: Account) -> None:
    room = f"desk:{ben.id}"
    assert verdict(gateway, ben, "delete", room) == (True, ["template desk:{user}", "role owner", "rule delete: owner"])
    assert gateway.get(f"/api/rooms/{room}", ben).status_code == 404


def test_a_disabled_account_may_nothing(gateway: InProcess, ada: Account) -> None:
    gone = gateway.user()
    room = gateway.room(ada, member=gone)
    gateway.patch(f"/api/users/{gone.id}", gateway.admin, {"disabled": True})
    told = ask(gateway, gateway.admin, gone, "read", room).json()
    assert told == {"allowed": False, "because": ["account disabled"]}


def test_about_others_it_needs_a_scope(gateway: InProcess, ada: Account, ben: Account) -> None:
    room = gateway.room(ada)
    assert ask(gateway, ada, ben, "read", room).json()["code"] == "forbidden"
    body = {"user": f"@{ada.name}", "action": "read", "room": room}
    assert gateway.post("/api/authorize", ada, body).json()["allowed"] is True
    nobody = {**body, "user": "@nobody-of-that-name"}
    assert gateway.post("/api/authorize", gateway.admin, nobody).status_code == 404
    assert gateway.post("/api/authorize", ada, nobody).status_code == 403


@pytest.mark.parametrize("wrong", [{"action": "fly"}, {"room": "No Room"}, {"user": "no user"}, {"action": None}])
def test_what_is_no_question_is_refused(gateway: InProcess, ada: Account, wrong: dict[str, object]) -> None:
    body = {"user": ada.id, "action": "read", "room": "lobby", **wrong}
    assert gateway.post("/api/authorize", ada, body).status_code == 422
