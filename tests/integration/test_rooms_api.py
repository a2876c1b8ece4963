"""`/api/rooms`: rooms, their history, and who is in them."""

from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx2 as httpx
import pytest

from support.in_process import Account, InProcess, running_in_process
from support.operations import Operation, operations


@pytest.fixture(scope="module")
def owner(gateway: InProcess) -> Account:
    return gateway.user()


@pytest.fixture(scope="module")
def stranger(gateway: InProcess) -> Account:
    return gateway.user()


def assert_problem(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_room_is_made_and_shown(gateway: InProcess, owner: Account) -> None:
    answer = gateway.post("/api/rooms", owner, {"id": "desk", "title": "The desk", "visibility": "private"})
    made = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Location"] == "/api/rooms/desk"
    assert set(made) == {"id", "kind", "title", "visibility", "capacity", "ttl", "created_at"}
    assert (made["id"], made["kind"], made["title"], made["visibility"]) == ("desk", "default", "The desk", "private")
    assert gateway.get("/api/rooms/desk", owner).json() == made


def test_its_maker_is_its_owner(gateway: InProcess, owner: Account) -> None:
    room = gateway.room(owner)
    (member,) = gateway.get(f"/api/rooms/{room}/members", owner).json()["items"]
    assert (member["id"], member["username"], member["role"]) == (owner.id, owner.name, "owner")


def test_a_room_is_private_unless_said_otherwise(gateway: InProcess, owner: Account, stranger: Account) -> None:
    assert gateway.post("/api/rooms", owner, {"id": "quiet"}).json()["visibility"] == "private"
    assert_problem(gateway.get("/api/rooms/quiet", stranger), 404, "not_found")


def test_there_is_a_public_lobby_from_the_start(gateway: InProcess, stranger: Account) -> None:
    lobby = gateway.get("/api/rooms/lobby", stranger).json()
    assert (lobby["title"], lobby["visibility"]) == ("Lobby", "public")


def test_an_id_is_taken_once(gateway: InProcess, owner: Account) -> None:
    assert_problem(gateway.post("/api/rooms", owner, {"id": "lobby"}), 409, "conflict")


def test_making_a_room_needs_its_scope(gateway: InProcess) -> None:
    talker = gateway.user(scopes=["users:send"])
    assert_problem(gateway.post("/api/rooms", talker, {"id": "talk"}), 403, "forbidden")


@pytest.mark.parametrize(
    "room",
    ["", "Room", "-room", "a b", "a/b", "../x", "a\r\nb", "a\n", "\u0430b", "*", "a*", "{user}", "x" * 101],
    ids=ascii,
)
def test_an_id_is_of_a_restricted_alphabet(gateway: InProcess, owner: Account, room: str) -> None:
    answer = gateway.post("/api/rooms", owner, {"id": room})
    assert_problem(answer, 422, "invalid_command")
    assert answer.json()["detail"].startswith("id: ")


@pytest.mark.parametrize("room", ["0", "order:4711", "a.b_c-d:e", "x" * 100])
def test_an_id_of_that_alphabet_is_fine(gateway: InProcess, owner: Account, room: str) -> None:
    assert gateway.post("/api/rooms", owner, {"id": room}).status_code == 201
    assert gateway.get(f"/api/rooms/{room}", owner).json()["id"] == room


@pytest.mark.parametrize("room", ["Upper", "a%20b", "%00", "%ff", "a%0a", "x" * 101])
def test_what_cannot_be_a_room_is_refused(gateway: InProcess, owner: Account, room: str) -> None:
    assert_problem(gateway.get(f"/api/rooms/{room}", owner), 422, "invalid_command")


def test_a_kind_must_be_configured(tmp_path: Path) -> None:
    with running_in_process(tmp_path, rooms={"kinds": {"board": {"public_role": "viewer"}}}) as gateway:
        unknown = gateway.post("/api/rooms", gateway.admin, {"id": "a", "kind": "canary"})
        assert_problem(unknown, 422, "invalid_command")
        assert "canary" not in unknown.text
        board = {"id": "b", "kind": "board", "visibility": "public"}
        assert gateway.post("/api/rooms", gateway.admin, board).json()["kind"] == "board"
        reader = gateway.user()
        assert gateway.get("/api/rooms/b/messages", reader).status_code == 200
        assert_problem(gateway.post("/api/rooms/b/messages", reader, {"data": 1}), 403, "forbidden")


def test_a_user_owns_a_bounded_number_of_rooms(tmp_path: Path) -> None:
    with running_in_process(tmp_path, rooms={"max_rooms_per_user": 2}) as gateway:
        user = gateway.user()
        kept = [gateway.room(user), gateway.room(user)]
        assert_problem(gateway.post("/api/rooms", user, {"id": "third"}), 409, "limit_reached")
        assert all(gateway.get(f"/api/rooms/{room}", user).status_code == 200 for room in kept)
        gateway.delete(f"/api/rooms/{kept[0]}", user)
        assert gateway.post("/api/rooms", user, {"id": "third"}).status_code == 201


def test_there_is_a_bounded_number_of_rooms(tmp_path: Path) -> None:
    with running_in_process(tmp_path, rooms={"max_rooms": 2}) as gateway:  # the lobby is one of them
        room = gateway.room(gateway.user())
        assert_problem(gateway.post("/api/rooms", gateway.user(), {"id": "third"}), 409, "limit_reached")
        gateway.delete(f"/api/rooms/{room}", gateway.admin)
        assert gateway.post("/api/rooms", gateway.user(), {"id": "third"}).status_code == 201


def test_one_sees_public_rooms_and_ones_own(tmp_path: Path) -> None:
    with running_in_process(tmp_path) as gateway:
        ada, ben = gateway.user(), gateway.user()
        public, ours, theirs = gateway.room(ada, "public"), gateway.room(ada, viewer=ben), gateway.room(ada)
        assert listed(gateway, ada) == sorted(["lobby", public, ours, theirs])
        assert listed(gateway, ben) == sorted(["lobby", public, ours])
        assert listed(gateway, gateway.admin) == sorted(["lobby", public, ours, theirs])  # has rooms:admin
        for by in (ada, ben):
            for limit in (1, 2, 200):
                assert listed(gateway, by, limit) == listed(gateway, by)


def listed(gateway: InProcess, by: Account, limit: int = 50) -> list[str]:
    """Return the ids on all pages."""
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        query: dict[str, Any] = {"limit": limit} | ({"cursor": cursor} if cursor else {})
        page = gateway.client.get("/api/rooms", params=query, headers=by.headers).json()
        found.extend(room["id"] for room in page["items"])
        cursor = page["next"]
    return found


def test_a_room_is_renamed_and_opened(gateway: InProcess, owner: Account, stranger: Account) -> None:
    room = gateway.room(owner)
    path = f"/api/rooms/{room}"
    assert gateway.patch(path, owner, {"title": "New"}).json()["title"] == "New"
    assert gateway.patch(path, owner, {"visibility": "public"}).json()["title"] == "New"
    assert gateway.get(path, stranger).json()["visibility"] == "public"
    assert gateway.patch(path, owner, {"visibility": "private", "title": ""}).json()["title"] == ""
    assert gateway.get(path, stranger).status_code == 404


def test_a_deleted_room_is_gone_and_its_id_free(gateway: InProcess, owner: Account) -> None:
    room = gateway.room(owner)
    gateway.post(f"/api/rooms/{room}/messages", owner, {"data": "old"})
    assert gateway.delete(f"/api/rooms/{room}", owner).status_code == 204
    assert_problem(gateway.get(f"/api/rooms/{room}", owner), 404, "not_found")
    assert_problem(gateway.delete(f"/api/rooms/{room}", owner), 404, "not_found")
    assert gateway.post("/api/rooms", owner, {"id": room}).status_code == 201
    assert gateway.get(f"/api/rooms/{room}/messages", owner).json()["messages"] == []


def test_a_private_room_and_none_at_all_are_answered_alike(
    gateway: InProcess, owner: Account, stranger: Account
) -> None:
    private = gateway.room(owner)
    for method, path, body in (
        ("GET", "", None),
        ("PATCH", "", {"title": "x"}),
        ("DELETE", "", None),
        ("GET", "/members", None),
        ("PUT", "/members/@admin", {"role": "owner"}),
        ("PUT", "/members/@nobody", {"role": "owner"}),
        ("DELETE", "/members/@admin", None),
        ("DELETE", f"/members/{stranger.id}", None),
        ("POST", "/messages", {"data": 1}),
        ("GET", "/messages", None),
        ("GET", "/presence", None),
        ("GET", "/state", None),
        ("GET", "/bans", None),
        ("PUT", "/bans/@admin", {}),
        ("PUT", "/mutes/@nobody", {}),
        ("DELETE", "/bans/@admin", None),
        ("DELETE", "/connections/@admin", None),
    ):
        answers = [
            gateway.client.request(method, f"/api/rooms/{room}{path}", json=body, headers=stranger.headers)
            for room in (private, "no-such-room")
        ]
        assert_problem(answers[0], 404, "not_found")
        assert answers[0].content == answers[1].content
        assert answers[0].headers == answers[1].headers


NO_ROOMS = [
    "*",
    "a*",
    "[a-z]*",
    "..",
    "a%0d%0ab",
    "a%00b",
    "A",
    "-a",
    "__proto__",
    "a" * 101,
    "%D0%BEps",
    "a%27;--",
    "a%20b",
]


@pytest.mark.parametrize("operation", [each for each in operations() if "{room}" in each.path], ids=str)
def test_what_cannot_be_a_room_is_refused_everywhere(gateway: InProcess, operation: Operation) -> None:
    for room in NO_ROOMS:
        path = operation.path.format(room=room, user="@admin")
        answer = gateway.client.request(operation.method, path, headers=gateway.admin.headers)
        assert answer.status_code in ((404, 405, 422) if room == ".." else (422,)), (room, answer.text)
        assert room not in answer.text
        assert unquote(room) not in answer.text.replace("A ", "")


def test_what_is_published_is_kept_in_order(gateway: InProcess, owner: Account) -> None:
    room = gateway.room(owner)
    path = f"/api/rooms/{room}/messages"
    positions = [gateway.post(path, owner, {"data": number}).json()["position"] for number in range(5)]
    assert [position["seq"] for position in positions] == [1, 2, 3, 4, 5]
    assert len({position["epoch"] for position in positions}) == 1
    page = gateway.get(path, owner).json()
    assert set(page) == {"messages", "position", "more", "recovered"}
    assert [message["data"] for message in page["messages"]] == [0, 1, 2, 3, 4]
    assert (page["position"], page["more"], page["recovered"]) == (positions[-1], False, True)
    first = page["messages"][0]
    assert set(first) == {"type", "epoch", "seq", "room", "id", "from", "data", "at"}
    assert (first["type"], first["room"], first["from"]) == ("message", room, owner.person)


def fill(gateway: InProcess, room: str, by: Account) -> str:
    """Publish the numbers from 0 to 4; return the epoch."""
    positions = [gateway.post(f"/api/rooms/{room}/messages", by, {"data": n}).json()["position"] for n in range(5)]
    epoch = positions[0]["epoch"]
    assert isinstance(epoch, str)
    return epoch


def test_history_goes_on_from_a_position(gateway: InProcess, owner: Account) -> None:
    room = gateway.room(owner)
    path = f"/api/rooms/{room}/messages"
    epoch = fill(gateway, room, owner)
    seen: list[int] = []
    since = f"{epoch}:0"
    for expected_more in (True, True, False):
        page = gateway.get(f"{path}?since={since}&limit=2", owner).json()
        assert (page["more"], page["recovered"]) == (expected_more, True)
        seen.extend(message["data"] for message in page["messages"])
        since = f"{page['position']['epoch']}:{page['position']['seq']}"
    assert seen == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("since", ["other:2", "{epoch}:99"])
def test_a_position_that_is_not_held_is_told(gateway: InProcess, owner: Account, since: str) -> None:
    room = gateway.room(owner)
    path = f"/api/rooms/{room}/messages"
    epoch = gateway.post(path, owner, {"data": 0}).json()["position"]["epoch"]
    page = gateway.get(f"{path}?since={since.format(epoch=epoch)}", owner).json()
    assert page["recovered"] is False
    assert [message["data"] for message in page["messages"]] == [0]


@pytest.mark.parametrize(
    "since", ["canary", "canary:", ":1", "canary:-1", "canary:1.5", "canary:x", "e:\u0661", "e:" + "9" * 99]
)
def test_a_position_has_a_form(gateway: InProcess, since: str) -> None:
    answer = gateway.get(f"/api/rooms/lobby/messages?since={since}", gateway.admin)
    assert_problem(answer, 422, "invalid_command")
    assert "canary" not in answer.text


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "canary"])
def test_a_page_of_history_has_a_bounded_size(gateway: InProcess, limit: str) -> None:
    answer = gateway.get(f"/api/rooms/lobby/messages?limit={limit}", gateway.admin)
    assert_problem(answer, 422, "invalid_command")
    assert "canary" not in answer.text


def test_history_is_as_long_as_the_kind_says(tmp_path: Path) -> None:
    with running_in_process(tmp_path, rooms={"kinds": {"short": {"history_size": 3}}}) as gateway:
        gateway.post("/api/rooms", gateway.admin, {"id": "short", "kind": "short"})
        path = "/api/rooms/short/messages"
        epoch = fill(gateway, "short", gateway.admin)
        assert [message["data"] for message in gateway.get(path, gateway.admin).json()["messages"]] == [2, 3, 4]
        assert gateway.get(f"{path}?since={epoch}:2", gateway.admin).json()["recovered"] is True
        assert gateway.get(f"{path}?since={epoch}:1", gateway.admin).json()["recovered"] is False


def test_a_kind_may_keep_nothing(tmp_path: Path) -> None:
    with running_in_process(tmp_path, rooms={"kinds": {"fleeting": {"durability": "none"}}}) as gateway:
        gateway.post("/api/rooms", gateway.admin, {"id": "gone", "kind": "fleeting"})
        assert gateway.post("/api/rooms/gone/messages", gateway.admin, {"data": 1}).json()["position"]["seq"] == 1
        assert gateway.get("/api/rooms/gone/messages", gateway.admin).json()["messages"] == []


@pytest.mark.parametrize("data", [None, True, 0, -1.5, "", "text", [], {}, {"a": [{"b": None}]}, "🌍\u202e", 2**53])
def test_data_may_be_any_json(gateway: InProcess, owner: Account, data: object) -> None:
    room = gateway.room(owner)
    assert gateway.post(f"/api/rooms/{room}/messages", owner, {"data": data}).status_code == 201
    (message,) = gateway.get(f"/api/rooms/{room}/messages", owner).json()["messages"]
    assert message["data"] == data


def test_what_is_published_over_http_reaches_sockets(gateway: InProcess, owner: Account) -> None:
    room = gateway.room(owner)
    with gateway.connected(owner) as peer, gateway.socket(owner, f"/ws/rooms/{room}") as plain:
        peer.join(room)
        gateway.post(f"/api/rooms/{room}/messages", owner, {"data": {"text": "hello"}})
        message = peer.event("message")
        assert (message["data"], message["seq"], message["from"]) == ({"text": "hello"}, 1, owner.person)
        assert plain.text() == '{"text":"hello"}'


def test_presence_counts_connections(gateway: InProcess, owner: Account) -> None:
    member = gateway.user()
    room = gateway.room(owner, member=member)
    path = f"/api/rooms/{room}/presence"
    assert gateway.get(path, owner).json() == {"users": []}
    with gateway.connected(owner) as peer, gateway.socket(owner, f"/ws/rooms/{room}"):
        peer.join(room)
        assert gateway.get(path, member).json() == {"users": [{**owner.person, "connections": 2}]}
        peer.ask("leave", room=room)
        assert gateway.get(path, member).json() == {"users": [{**owner.person, "connections": 1}]}
    assert gateway.get(path, member).json() == {"users": []}


def test_a_kind_may_keep_presence_to_itself(tmp_path: Path) -> None:
    with running_in_process(tmp_path, rooms={"kinds": {"anonymous": {"presence": False}}}) as gateway:
        gateway.post("/api/rooms", gateway.admin, {"id": "masks", "kind": "anonymous"})
        assert_problem(gateway.get("/api/rooms/masks/presence", gateway.admin), 404, "not_found")
        with gateway.connected(gateway.admin) as peer:
            peer.join("masks")
            assert peer.ask("presence", room="masks")["code"] == "forbidden"
