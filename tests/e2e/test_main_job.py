"""The main job, end to end on a real `gateroom serve`: log in, connect in every way, talk in rooms and in private."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import httpx2 as httpx
import pytest

from support.gateway import RunningGateway
from support.raw_client import TEXT, Closed, RawClient, masked
from support.visitors import SUBPROTOCOL, refused, visiting


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody at a REST client."""

    name: str
    id: str
    token: str
    rest: httpx.Client

    @property
    def as_seen(self) -> dict[str, str]:
        return {"id": self.id, "name": self.name}


@pytest.fixture(scope="module")
def people(gateway: RunningGateway) -> Iterator[dict[str, Person]]:
    with ExitStack() as stack:
        found = {}
        for name in ("alice", "bob", "carol", "admin"):
            token = gateway.token(name)
            rest = stack.enter_context(gateway.client())
            rest.headers["Authorization"] = f"Bearer {token}"
            found[name] = Person(name, rest.get("/auth/me").json()["id"], token, rest)
        yield found


def test_two_browsers_and_a_room_socket_talk(gateway: RunningGateway, people: dict[str, Person]) -> None:
    """One by cookie, one by token, and a simple client such as websocat."""
    alice, bob, carol = people["alice"], people["bob"], people["carol"]
    offer = [SUBPROTOCOL, f"bearer.{bob.token}"]
    with (
        visiting(gateway.ws_url, headers=logged_in_browser(gateway, "alice")) as by_cookie,
        visiting(gateway.ws_url, offer=offer, headers={"Origin": gateway.url}) as by_token,
        visiting(gateway.ws_url, f"/ws/rooms/lobby?token={carol.token}") as simple,
    ):
        for visitor in (by_cookie, by_token):
            visitor.event("welcome")
            assert visitor.ask("join", room="lobby")["role"] == "member"
        assert by_cookie.event("joined")["user"] == bob.as_seen
        position = by_cookie.ask("publish", room="lobby", data={"text": "from alice"})["position"]
        by_token.ask("publish", room="lobby", data="from bob")
        simple.send("from carol")
        for visitor in (by_cookie, by_token):
            messages = [visitor.event("message") for _ in range(3)]
            assert [message["from"] for message in messages] == [alice.as_seen, bob.as_seen, carol.as_seen]
            assert [message["data"] for message in messages] == [{"text": "from alice"}, "from bob", "from carol"]
            assert {"epoch": messages[0]["epoch"], "seq": messages[0]["seq"]} == position
        assert json.loads(simple.text()) == {"text": "from alice"}
        assert [simple.text(), simple.text()] == ["from bob", "from carol"]
        here = by_cookie.ask("presence", room="lobby")["users"]
        assert {(user["name"], user["connections"]) for user in here} == {("alice", 1), ("bob", 1), ("carol", 1)}
        by_token.connection.close()
        assert by_cookie.event("left")["user"] == bob.as_seen


def logged_in_browser(gateway: RunningGateway, name: str) -> dict[str, str]:
    """Log in on our page; return the headers that a browser opens sockets with from then on."""
    with gateway.client() as browser:
        body = {"username": name, "password": gateway.passwords[name], "cookie": True}
        assert browser.post("/auth/login", json=body, headers={"Origin": gateway.url}).status_code == 200
        return {"Cookie": f"gateroom_access={browser.cookies['gateroom_access']}", "Origin": gateway.url}


def test_a_private_message_reaches_every_device_and_nobody_else(
    gateway: RunningGateway, people: dict[str, Person]
) -> None:
    alice, bob, carol = people["alice"], people["bob"], people["carol"]
    with (
        visiting(gateway.ws_url, f"/ws?token={alice.token}") as sender,
        visiting(gateway.ws_url, f"/ws?token={bob.token}") as first,
        visiting(gateway.ws_url, f"/ws/users/me?token={bob.token}") as second,
        visiting(gateway.ws_url, f"/ws?token={carol.token}") as other,
    ):
        for visitor in (sender, first, other):
            visitor.event("welcome")
        assert sender.ask("send", user="@bob", data={"text": "psst"})["connections"] == 2
        direct = first.event("direct")
        assert (direct["from"], direct["to"], direct["data"]) == (alice.as_seen, bob.id, {"text": "psst"})
        assert json.loads(second.text()) == {"text": "psst"}
        assert bob.rest.post("/api/users/@carol/messages", json={"data": "by REST"}).json()["connections"] == 1
        assert other.event("direct")["data"] == "by REST"


def test_a_private_room_is_for_its_members(gateway: RunningGateway, people: dict[str, Person]) -> None:
    alice, bob, carol = people["alice"], people["bob"], people["carol"]
    assert alice.rest.post("/api/rooms", json={"id": "board", "title": "The board"}).status_code == 201
    assert alice.rest.put("/api/rooms/board/members/@bob", json={"role": "viewer"}).status_code == 200
    with (
        visiting(gateway.ws_url, f"/ws?token={alice.token}") as owner,
        visiting(gateway.ws_url, f"/ws?token={bob.token}") as viewer,
        visiting(gateway.ws_url, f"/ws?token={carol.token}") as stranger,
    ):
        for visitor in (owner, viewer, stranger):
            visitor.event("welcome")
        assert owner.ask("join", room="board")["role"] == "owner"
        assert viewer.ask("join", room="board")["role"] == "viewer"
        assert stranger.ask("join", room="board")["code"] == "forbidden"
        assert stranger.ask("publish", room="board", data="x")["code"] == "not_joined"
        assert viewer.ask("publish", room="board", data="x")["code"] == "forbidden"
        owner.ask("publish", room="board", data="minutes")
        assert viewer.event("message")["data"] == "minutes"
        alice.rest.delete("/api/rooms/board/members/@bob")
        assert viewer.event() == {"type": "removed", "room": "board", "reason": "forbidden"}
        owner.ask("publish", room="board", data="about bob")
        assert viewer.arrived() == []
        assert refused(gateway.ws_url, f"/ws/rooms/board?token={bob.token}").code == "forbidden"
        assert bob.rest.get("/api/rooms/board").status_code == 404
        assert [m["data"] for m in alice.rest.get("/api/rooms/board/messages").json()["messages"]] == [
            "minutes",
            "about bob",
        ]


def test_an_administrator_ends_what_a_user_has_open(gateway: RunningGateway, people: dict[str, Person]) -> None:
    admin, carol = people["admin"], people["carol"]
    with (
        visiting(gateway.ws_url, f"/ws?token={carol.token}") as commands,
        visiting(gateway.ws_url, f"/ws/rooms/lobby?token={carol.token}") as simple,
    ):
        commands.event("welcome")
        assert len(admin.rest.get("/api/users/@carol/connections").json()["items"]) == 2
        assert carol.rest.get("/api/users/@carol/connections").status_code == 403
        assert admin.rest.patch("/api/users/@carol", json={"disabled": True}).status_code == 200
        assert commands.closed() == (1008, "user_disabled")
        assert simple.closed() == (1008, "user_disabled")
    assert refused(gateway.ws_url, f"/ws?token={carol.token}").code == "user_disabled"
    assert admin.rest.patch("/api/users/@carol", json={"disabled": False}).status_code == 200
    assert refused(gateway.ws_url, f"/ws?token={carol.token}").code == "session_revoked"
    with visiting(gateway.ws_url, f"/ws?token={gateway.token('carol')}"):
        pass


def test_what_may_not_be_sent_ends_the_socket_with_its_code(gateway: RunningGateway, people: dict[str, Person]) -> None:
    alice = people["alice"]
    path = f"/ws?token={alice.token}"
    for data, expected in ((b"binary", (1003, "")), ("x" * 65537, (1009, ""))):
        with visiting(gateway.ws_url, path) as visitor:
            visitor.event("welcome")
            visitor.send(data)
            assert visitor.closed() == expected
    with RawClient(("127.0.0.1", gateway.port)) as raw:
        raw.open(path)
        raw.read_text()
        raw.send(masked(TEXT, b"\xed\xa0\x80"))
        assert raw.read_close() == Closed(1007)
    with visiting(gateway.ws_url, f"/ws/users/me?token={alice.token}") as inbox:
        inbox.send("hello?")
        assert inbox.closed() == (1008, "forbidden")


def test_what_is_no_command_is_answered_until_it_is_too_much(
    gateway: RunningGateway, people: dict[str, Person]
) -> None:
    with visiting(gateway.ws_url, f"/ws?token={people['bob'].token}") as visitor:
        visitor.event("welcome")
        for _ in range(11):
            visitor.send(json.dumps({"type": "nonsense", "id": 5}))
            answer = visitor.event("error")
            assert (answer["id"], answer["code"]) == (5, "invalid_command")
        assert visitor.closed() == (1008, "protocol_violation")
