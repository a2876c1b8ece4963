"""Who may do what in a room: one table, every cell tried over HTTP and on sockets (contract section 5, RA-1)."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gateroom.rooms.model import Action
from support.in_process import Account, InProcess, Peer, running_in_process

# ok: it is done. hidden: on a socket `forbidden`, over HTTP `not_found`, as if there were no such room. Anything else
# is the code. A guest is nobody in particular, but the room is public; admin has the scope rooms:admin; the banned and
# the muted are members.
TABLE = """
                none    guest      viewer     member     moderator  owner  admin  banned  muted
join            hidden  ok         ok         ok         ok         ok     ok     banned  ok
connect         hidden  ok         ok         ok         ok         ok     ok     banned  ok
show room       hidden  ok         ok         ok         ok         ok     ok     banned  ok
read history    hidden  ok         ok         ok         ok         ok     ok     banned  ok
see presence    hidden  ok         ok         ok         ok         ok     ok     banned  ok
publish         hidden  ok         forbidden  ok         ok         ok     ok     banned  muted
read state      hidden  ok         ok         ok         ok         ok     ok     banned  ok
patch state     hidden  ok         forbidden  ok         ok         ok     ok     banned  muted
list members    hidden  forbidden  forbidden  forbidden  ok         ok     ok     banned  forbidden
add member      hidden  forbidden  forbidden  forbidden  ok         ok     ok     banned  forbidden
change role     hidden  forbidden  forbidden  forbidden  ok         ok     ok     banned  forbidden
remove member   hidden  forbidden  forbidden  forbidden  ok         ok     ok     banned  forbidden
appoint         hidden  forbidden  forbidden  forbidden  forbidden  ok     ok     banned  forbidden
dismiss         hidden  forbidden  forbidden  forbidden  forbidden  ok     ok     banned  forbidden
list bans       hidden  forbidden  forbidden  forbidden  ok         ok     ok     banned  forbidden
ban             hidden  forbidden  forbidden  forbidden  ok         ok     ok     banned  forbidden
lift ban        hidden  forbidden  forbidden  forbidden  ok         ok     ok     banned  forbidden
list mutes      hidden  forbidden  forbidden  forbidden  ok         ok     ok     banned  forbidden
mute            hidden  forbidden  forbidden  forbidden  ok         ok     ok     banned  forbidden
lift mute       hidden  forbidden  forbidden  forbidden  ok         ok     ok     banned  forbidden
kick            hidden  forbidden  forbidden  forbidden  ok         ok     ok     banned  forbidden
change room     hidden  forbidden  forbidden  forbidden  forbidden  ok     ok     banned  forbidden
delete room     hidden  forbidden  forbidden  forbidden  forbidden  ok     ok     banned  forbidden
"""

_HEAD, *_ROWS = TABLE.strip("\n").splitlines()
COLUMNS = tuple(_HEAD.split())
CELLS = {
    (row[:16].strip(), column): word for row in _ROWS for column, word in zip(COLUMNS, row[16:].split(), strict=True)
}

PATCH = [{"op": "add", "path": "/topic", "value": "standup"}]

Call = Callable[[str, Account], tuple[str, str, object]]  # of a room and its target: method, path below it, body

# Over HTTP. The target is a member, or a moderator where it says so.
CALLS: dict[str, tuple[Action, Call]] = {
    "show room": (Action.READ, lambda room, target: ("GET", "", None)),
    "read history": (Action.READ, lambda room, target: ("GET", "/messages", None)),
    "see presence": (Action.READ, lambda room, target: ("GET", "/presence", None)),
    "publish": (Action.WRITE, lambda room, target: ("POST", "/messages", {"data": 1})),
    "read state": (Action.READ, lambda room, target: ("GET", "/state", None)),
    "patch state": (Action.PATCH, lambda room, target: ("PATCH", "/state", PATCH)),
    "list members": (Action.MANAGE, lambda room, target: ("GET", "/members", None)),
    "add member": (Action.MANAGE, lambda room, target: ("PUT", "/members/@admin", {"role": "member"})),
    "change role": (Action.MANAGE, lambda room, target: ("PUT", f"/members/{target.id}", {"role": "viewer"})),
    "remove member": (Action.MANAGE, lambda room, target: ("DELETE", f"/members/{target.id}", None)),
    "appoint": (Action.APPOINT, lambda room, target: ("PUT", f"/members/{target.id}", {"role": "moderator"})),
    "dismiss": (Action.APPOINT, lambda room, target: ("DELETE", f"/members/{target.id}", None)),
    "list bans": (Action.MODERATE, lambda room, target: ("GET", "/bans", None)),
    "ban": (Action.MODERATE, lambda room, target: ("PUT", f"/bans/{target.id}", {})),
    "lift ban": (Action.MODERATE, lambda room, target: ("DELETE", f"/bans/{target.id}", None)),
    "list mutes": (Action.MODERATE, lambda room, target: ("GET", "/mutes", None)),
    "mute": (Action.MODERATE, lambda room, target: ("PUT", f"/mutes/{target.id}", {})),
    "lift mute": (Action.MODERATE, lambda room, target: ("DELETE", f"/mutes/{target.id}", None)),
    "kick": (Action.MODERATE, lambda room, target: ("DELETE", f"/connections/{target.id}", None)),
    "change room": (Action.CHANGE, lambda room, target: ("PATCH", "", {"title": "New"})),
    "delete room": (Action.DELETE, lambda room, target: ("DELETE", "", None)),
}

# On a multiplexed socket that has joined, if it may.
COMMANDS: dict[str, tuple[str, dict[str, Any]]] = {
    "read history": ("history", {}),
    "see presence": ("presence", {}),
    "publish": ("publish", {"data": 1}),
    "patch state": ("patch", {"patch": PATCH}),
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    with running_in_process(tmp_path_factory.mktemp("data"), rooms={"max_rooms_per_user": 0}) as running:
        yield running


@pytest.fixture(scope="module")
def people(gateway: InProcess) -> dict[str, Account]:
    """Somebody for each column, the owner of all rooms, and the target of what is done to others."""
    made = {name: gateway.user() for name in (*COLUMNS, "founder", "target")}
    made["admin"] = gateway.user(scopes=["rooms:admin"])
    return made


def a_room(gateway: InProcess, people: dict[str, Account], column: str, task: str) -> str:
    """Make a room in which everybody is what the column says, and the target what the task needs."""
    founder, somebody, target = people["founder"], people[column], people["target"]
    room = gateway.room(founder, "public" if column == "guest" else "private")
    gateway.set_role(founder, room, target, "moderator" if task == "dismiss" else "member")
    if task in ("lift ban", "lift mute"):
        gateway.put(f"/api/rooms/{room}/{task.removeprefix('lift ')}s/{target.id}", founder, {})
    role = {"banned": "member", "muted": "member"}.get(column, column)
    if role not in ("none", "guest", "admin"):
        gateway.set_role(founder, room, somebody, role)
    if column in ("banned", "muted"):
        gateway.put(f"/api/rooms/{room}/{'bans' if column == 'banned' else 'mutes'}/{somebody.id}", founder, {})
    return room


def said(answer: dict[str, Any]) -> str:
    return "ok" if answer["type"] == "reply" else str(answer["code"])


def test_the_table_is_whole() -> None:
    tried = set(CALLS) | set(COMMANDS) | {"join", "connect"}
    assert {task for task, _ in CELLS} == tried
    assert {action for action, _ in CALLS.values()} == set(Action)


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("task", CALLS)
def test_over_http(gateway: InProcess, people: dict[str, Account], task: str, column: str) -> None:
    room, by = a_room(gateway, people, column, task), people[column]
    action, call = CALLS[task]
    question = {"user": by.id, "action": action, "room": room}
    told = gateway.post("/api/authorize", by, question).json()
    method, path, body = call(room, people["target"])
    headers = by.headers | ({"Content-Type": "application/json-patch+json"} if path == "/state" else {})
    answer = gateway.client.request(method, f"/api/rooms/{room}{path}", json=body, headers=headers)
    outcome = "ok" if answer.status_code < 300 else answer.json()["code"]
    assert outcome == {"hidden": "not_found"}.get(CELLS[task, column], CELLS[task, column])
    assert told["allowed"] is (outcome == "ok"), told


@pytest.mark.parametrize("column", COLUMNS)
def test_on_a_socket(gateway: InProcess, people: dict[str, Account], column: str) -> None:
    room, by = a_room(gateway, people, column, "join"), people[column]
    with gateway.connected(by) as peer:
        joining = said(peer.ask("join", room=room))
        assert joining == {"hidden": "forbidden"}.get(CELLS["join", column], CELLS["join", column])
        for task, (command, fields) in COMMANDS.items():
            outcome = said(peer.ask_among(command, room=room, **fields)[1])
            assert outcome == ("not_joined" if joining != "ok" else CELLS[task, column]), task


@pytest.mark.parametrize("column", COLUMNS)
def test_on_a_socket_for_the_room(gateway: InProcess, people: dict[str, Account], column: str) -> None:
    room, by = a_room(gateway, people, column, "connect"), people[column]
    expected = {"hidden": "forbidden"}.get(CELLS["connect", column], CELLS["connect", column])
    if expected != "ok":
        assert gateway.refusal(f"/ws/rooms/{room}", headers=by.headers) == (1008, expected)
        return
    with gateway.socket(by, f"/ws/rooms/{room}") as peer:
        assert publishing(peer) == CELLS["publish", column]


def publishing(peer: Peer) -> str:
    """Publish on a socket for one room; it delivers what was said, or closes with the reason."""
    peer.send("hello")
    message = peer.receive()
    if message["type"] == "websocket.close":
        assert message["code"] == 1008
        return str(message["reason"])
    assert message["text"] == "hello"
    return "ok"
