"""Who may do what in a room: one table, each cell tried over HTTP; and memberships themselves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx2 as httpx
import pytest

from support.in_process import Account, InProcess

# One column for each kind of caller. `stranger` is no member of this private room, `guest` is none of a public one,
# `admin` is none either but has the scope rooms:admin. 404 is what a room answers that one may not see.
MATRIX = """
                        owner  moderator  member  viewer  guest  stranger  admin
see the room            200    200        200     200     200    404       200
read history            200    200        200     200     200    404       200
see who is here         200    200        200     200     200    404       200
publish                 201    201        201     403     201    404       201
see the state           200    200        200     200     200    404       200
patch the state         200    200        200     403     200    404       200
list members            200    200        403     403     403    404       200
add a viewer            200    200        403     403     403    404       200
add a member            200    200        403     403     403    404       200
make a member viewer    200    200        403     403     403    404       200
remove a member         204    204        403     403     403    404       204
add a moderator         200    403        403     403     403    404       200
promote to moderator    200    403        403     403     403    404       200
promote oneself         200    403        403     403     403    404       200
demote a moderator      200    403        403     403     403    404       200
remove a moderator      204    403        403     403     403    404       204
add an owner            200    403        403     403     403    404       200
rename the room         200    403        403     403     403    404       200
open or close the room  200    403        403     403     403    404       200
delete the room         204    403        403     403     403    404       204
"""


@dataclass(frozen=True, slots=True)
class Scene:
    """A room with somebody in each role, and somebody who is none of them."""

    gateway: InProcess
    room: str
    caller: Account
    member: Account
    moderator: Account
    newcomer: Account

    def call(self, method: str, path: str, body: object = None) -> httpx.Response:
        return self.gateway.client.request(
            method, f"/api/rooms/{self.room}{path}", json=body, headers=self.caller.headers
        )

    def patch_state(self) -> httpx.Response:
        headers = {"Content-Type": "application/json-patch+json", **self.caller.headers}
        return self.gateway.client.patch(f"/api/rooms/{self.room}/state", content=b"[]", headers=headers)

    def set_role(self, user: Account, role: str) -> httpx.Response:
        return self.call("PUT", f"/members/{user.id}", {"role": role})


ACTIONS: Mapping[str, Callable[[Scene], httpx.Response]] = {
    "see the room": lambda scene: scene.call("GET", ""),
    "read history": lambda scene: scene.call("GET", "/messages"),
    "see who is here": lambda scene: scene.call("GET", "/presence"),
    "see the state": lambda scene: scene.call("GET", "/state"),
    "patch the state": lambda scene: scene.patch_state(),
    "publish": lambda scene: scene.call("POST", "/messages", {"data": "hello"}),
    "list members": lambda scene: scene.call("GET", "/members"),
    "add a viewer": lambda scene: scene.set_role(scene.newcomer, "viewer"),
    "add a member": lambda scene: scene.set_role(scene.newcomer, "member"),
    "make a member viewer": lambda scene: scene.set_role(scene.member, "viewer"),
    "remove a member": lambda scene: scene.call("DELETE", f"/members/{scene.member.id}"),
    "add a moderator": lambda scene: scene.set_role(scene.newcomer, "moderator"),
    "promote to moderator": lambda scene: scene.set_role(scene.member, "moderator"),
    "promote oneself": lambda scene: scene.set_role(scene.caller, "owner"),
    "demote a moderator": lambda scene: scene.set_role(scene.moderator, "member"),
    "remove a moderator": lambda scene: scene.call("DELETE", f"/members/{scene.moderator.id}"),
    "add an owner": lambda scene: scene.set_role(scene.newcomer, "owner"),
    "rename the room": lambda scene: scene.call("PATCH", "", {"title": "New"}),
    "open or close the room": lambda scene: scene.call("PATCH", "", {"visibility": "private"}),
    "delete the room": lambda scene: scene.call("DELETE", ""),
}


READING = ("see the room", "read history", "see who is here", "publish", "list members")


def cells() -> list[tuple[str, str, int]]:
    """Read the table: action, caller, status."""
    head, *rows = MATRIX.strip("\n").splitlines()
    callers = head.split()
    found: list[tuple[str, str, int]] = []
    for row in rows:
        action, statuses = row[:24].strip(), row[24:].split()
        found.extend((action, caller, int(status)) for caller, status in zip(callers, statuses, strict=True))
    return found


CELLS = cells()


@pytest.fixture(scope="module")
def people(gateway: InProcess) -> dict[str, Account]:
    names = (
        "owner",
        "moderator",
        "member",
        "viewer",
        "guest",
        "stranger",
        "other member",
        "other moderator",
        "newcomer",
    )
    return {name: gateway.user() for name in names} | {"admin": gateway.admin}


@pytest.fixture(scope="module")
def untouched(gateway: InProcess, people: Mapping[str, Account]) -> Mapping[str, str]:
    """A private and a public room for what changes no membership and no room."""
    return {visibility: furnish(gateway, people, visibility) for visibility in ("private", "public")}


def furnish(gateway: InProcess, people: Mapping[str, Account], visibility: str) -> str:
    room = gateway.room(people["owner"], visibility)
    for role in ("moderator", "member", "viewer"):
        gateway.set_role(people["owner"], room, people[role], role)
    gateway.set_role(people["owner"], room, people["other member"], "member")
    gateway.set_role(people["owner"], room, people["other moderator"], "moderator")
    return room


@pytest.mark.parametrize(("action", "caller", "status"), CELLS, ids=[f"{by}: {act}" for act, by, _ in CELLS])
def test_each_role_may_do_what_the_table_says(
    gateway: InProcess,
    people: Mapping[str, Account],
    untouched: Mapping[str, str],
    action: str,
    caller: str,
    status: int,
) -> None:
    visibility = "public" if caller == "guest" else "private"
    changing = status < 400 and action not in READING
    room = furnish(gateway, people, visibility) if changing else untouched[visibility]
    scene = Scene(gateway, room, people[caller], people["other member"], people["other moderator"], people["newcomer"])
    answer = ACTIONS[action](scene)
    assert answer.status_code == status, answer.text
    if status == 403:
        assert answer.json()["code"] == "forbidden"


def test_what_was_refused_changed_nothing(
    gateway: InProcess, people: Mapping[str, Account], untouched: Mapping[str, str]
) -> None:
    for visibility, room in untouched.items():
        assert gateway.get(f"/api/rooms/{room}", people["owner"]).json()["visibility"] == visibility
        members = gateway.get(f"/api/rooms/{room}/members", people["owner"]).json()["items"]
        assert sorted(member["role"] for member in members) == sorted(
            ["owner", "moderator", "member", "viewer", "member", "moderator"]
        )


def test_the_table_has_every_action() -> None:
    assert {action for action, _, _ in CELLS} == set(ACTIONS)


def test_members_are_listed_by_name_in_pages(gateway: InProcess) -> None:
    owner, *others = sorted((gateway.user() for _ in range(5)), key=lambda account: account.name)
    room = gateway.room(owner)
    for other in others:
        gateway.set_role(owner, room, other, "viewer")
    path = f"/api/rooms/{room}/members"
    whole = gateway.get(path, owner).json()
    assert whole["next"] is None
    assert set(whole["items"][0]) == {"id", "username", "role", "since"}
    names = [member["username"] for member in whole["items"]]
    assert names == [owner.name, *(other.name for other in others)]
    first = gateway.get(f"{path}?limit=3", owner).json()
    second = gateway.get(f"{path}?limit=3&cursor={first['next']}", owner).json()
    assert first["items"] + second["items"] == whole["items"]
    assert second["next"] is None


def test_a_member_may_be_named_or_given_by_id(gateway: InProcess) -> None:
    owner, member = gateway.user(), gateway.user()
    room = gateway.room(owner)
    answer = gateway.put(f"/api/rooms/{room}/members/@{member.name}", owner, {"role": "member"})
    assert answer.status_code == 200
    assert (answer.json()["id"], answer.json()["role"]) == (member.id, "member")
    again = gateway.put(f"/api/rooms/{room}/members/{member.id}", owner, {"role": "viewer"})
    assert (again.json()["role"], again.json()["since"]) == ("viewer", answer.json()["since"])
    assert gateway.delete(f"/api/rooms/{room}/members/@{member.name}", owner).status_code == 204


def test_an_unknown_user_cannot_be_a_member(gateway: InProcess) -> None:
    owner = gateway.user()
    room = gateway.room(owner)
    for answer in (
        gateway.put(f"/api/rooms/{room}/members/@nobody", owner, {"role": "member"}),
        gateway.delete(f"/api/rooms/{room}/members/@nobody", owner),
        gateway.delete(f"/api/rooms/{room}/members/{gateway.admin.id}", owner),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_to_whom_may_not_manage_members_users_are_no_more_visible_than_before(gateway: InProcess) -> None:
    """Whether a name exists must not be learnt from a member's own room."""
    owner, member, other = gateway.user(), gateway.user(), gateway.user()
    room = gateway.room(owner, member=member)
    for reference in (f"@{other.name}", "@nobody"):
        answer = gateway.put(f"/api/rooms/{room}/members/{reference}", member, {"role": "viewer"})
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), reference
        answer = gateway.delete(f"/api/rooms/{room}/members/{reference}", member)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), reference


@pytest.mark.parametrize("role", ["admin", "Owner", "", None, 1, ["owner"], {"owner": True}])
def test_there_are_four_roles(gateway: InProcess, role: object) -> None:
    owner, member = gateway.user(), gateway.user()
    room = gateway.room(owner)
    answer = gateway.put(f"/api/rooms/{room}/members/{member.id}", owner, {"role": role})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_command")


def test_a_room_keeps_an_owner(gateway: InProcess) -> None:
    owner, heir = gateway.user(), gateway.user()
    room = gateway.room(owner)
    own = f"/api/rooms/{room}/members/{owner.id}"
    assert gateway.put(own, owner, {"role": "member"}).json()["code"] == "conflict"
    assert gateway.delete(own, owner).json()["code"] == "conflict"
    gateway.set_role(owner, room, heir, "owner")
    assert gateway.delete(own, owner).status_code == 204
    assert gateway.get(f"/api/rooms/{room}", owner).status_code == 404
    assert gateway.get(f"/api/rooms/{room}", heir).status_code == 200


@pytest.mark.parametrize("role", ["moderator", "member", "viewer"])
def test_everybody_may_leave(gateway: InProcess, role: str) -> None:
    owner, user = gateway.user(), gateway.user()
    room = gateway.room(owner, **{role: user})
    assert gateway.delete(f"/api/rooms/{room}/members/{user.id}", user).status_code == 204
    assert gateway.get(f"/api/rooms/{room}", user).status_code == 404


def test_who_is_no_member_of_a_public_room_has_nothing_to_leave(gateway: InProcess) -> None:
    user = gateway.user()
    answer = gateway.delete(f"/api/rooms/lobby/members/{user.id}", user)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_viewer_of_a_public_room_is_not_more_than_that(gateway: InProcess) -> None:
    """A role that was given counts, even below what any guest has."""
    owner, user = gateway.user(), gateway.user()
    room = gateway.room(owner, "public")
    assert gateway.post(f"/api/rooms/{room}/messages", user, {"data": 1}).status_code == 201
    gateway.set_role(owner, room, user, "viewer")
    assert gateway.post(f"/api/rooms/{room}/messages", user, {"data": 1}).json()["code"] == "forbidden"
