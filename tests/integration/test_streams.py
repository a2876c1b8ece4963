"""Streams in the whole application: over HTTP and sockets, across a restart, and with SQL where it belongs."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.engine import Engine
from starlette.testclient import TestClient

from gateroom import Settings, create_app
from gateroom.realtime.ports import Kind, Record, Retention
from gateroom.storage.database import Database
from gateroom.storage.schema import publish_keys, stream_messages, streams
from support.stores import a_room, a_user, in_sql

pytest_plugins = ["support.databases"]

PASSWORD = "a password for tests only"
KINDS = {"chat": {"durability": "memory"}, "quick": {"durability": "none"}}


@contextmanager
def application(data_dir: Path) -> Iterator["Client"]:
    sections: dict[str, Any] = {
        "server": {"data_dir": data_dir},
        "auth": {"admin_password": PASSWORD},
        "rooms": {"kinds": KINDS},
    }
    with TestClient(create_app(Settings.model_validate(sections)), base_url="http://127.0.0.1") as client:
        yield Client(client)


class Client:
    """The administrator, over HTTP and on a socket."""

    def __init__(self, client: TestClient) -> None:
        self._client = client
        form = {"grant_type": "password", "username": "admin", "password": PASSWORD}
        token = client.post("/auth/token", data=form).json()["access_token"]
        self._headers = {"Authorization": f"Bearer {token}"}

    def post(self, path: str, status: int = 201, **body: Any) -> Any:
        answer = self._client.post(path, json=body, headers=self._headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    def get(self, path: str) -> Any:
        answer = self._client.get(path, headers=self._headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ask(self, *commands: dict[str, Any]) -> list[Any]:
        """Send commands on a socket of their own, one after the other; return `welcome` and the answers."""
        with self._client.websocket_connect("ws://127.0.0.1/ws", headers=self._headers) as socket:
            answers = [json.loads(socket.receive_text())]
            for number, command in enumerate(commands):
                socket.send_text(json.dumps({"id": number, **command}))
                while (frame := json.loads(socket.receive_text())).get("id") != number:
                    pass
                answers.append(frame)
        return answers


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_history_positions_and_keys_survive_a_restart(data_dir: Path) -> None:
    with application(data_dir) as before:
        first = before.post("/api/rooms/lobby/messages", data="one", key="k")
        assert first["duplicate"] is False
        assert before.post("/api/rooms/lobby/messages", data="again", key="k") == {**first, "duplicate": True}
        second = before.post("/api/rooms/lobby/messages", data="two")
        sent = before.post("/api/users/@admin/messages", data="mail", key="k")
        assert (sent["connections"], sent["duplicate"]) == (0, False)
    with application(data_dir) as after:
        assert after.post("/api/rooms/lobby/messages", data="once more", key="k") == {**first, "duplicate": True}
        assert after.post("/api/users/@admin/messages", data="mail", key="k")["duplicate"] is True
        since = first["position"]
        welcome, joined, inbox = after.ask(
            {"type": "join", "room": "lobby", "since": since},
            {"type": "history", "inbox": True, "since": {**sent["position"], "seq": 0}},
        )
        assert welcome["inbox"] == sent["position"]
        assert (joined["recovered"], joined["more"], joined["position"]) == (True, False, second["position"])
        assert [message["data"] for message in joined["missed"]] == ["two"]
        assert [direct["data"] for direct in inbox["messages"]] == ["mail"]
        page = after.get(f"/api/rooms/lobby/messages?since={since['epoch']}:0&limit=1")
        assert [message["data"] for message in page["messages"]] == ["one"]
        assert (page["more"], page["recovered"]) == (True, True)
        assert after.post("/api/rooms/lobby/messages", data="three")["position"]["seq"] == 3


@pytest.mark.parametrize("kind", ["chat", "quick"])
def test_a_stream_in_memory_begins_a_new_epoch_with_each_process(data_dir: Path, kind: str) -> None:
    with application(data_dir) as before:
        before.post("/api/rooms", id="room", kind=kind)
        first = before.post("/api/rooms/room/messages", data=1, key="k")
        kept = before.get("/api/rooms/room/messages")["messages"]
        assert [message["data"] for message in kept] == ([1] if kind == "chat" else [])
    with application(data_dir) as after:
        (_, joined) = after.ask({"type": "join", "room": "room", "since": first["position"]})
        assert joined["recovered"] is False
        assert joined["position"]["epoch"] != first["position"]["epoch"]


def test_the_message_path_of_rooms_that_are_not_durable_has_no_sql(data_dir: Path) -> None:
    statements: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        statements.append(statement)

    with application(data_dir) as running:
        for kind in ("chat", "quick"):
            running.post("/api/rooms", id=kind, kind=kind)
            running.ask({"type": "join", "room": kind})
        event.listen(Engine, "before_cursor_execute", note)
        try:
            for room in ("chat", "quick"):
                answers = running.ask(
                    {"type": "join", "room": room},
                    {"type": "publish", "room": room, "data": 1, "key": "k"},
                    {"type": "publish", "room": room, "data": 2, "ephemeral": True},
                    {"type": "history", "room": room},
                    {"type": "presence", "room": room},
                    {"type": "leave", "room": room},
                )
                assert [answer["type"] for answer in answers[1:]] == ["reply"] * 6
            assert statements == []
            running.ask({"type": "join", "room": "lobby"}, {"type": "publish", "room": "lobby", "data": 1})
            assert any("INSERT INTO stream_messages" in statement for statement in statements)
        finally:
            event.remove(Engine, "before_cursor_execute", note)


def test_a_key_over_http_is_1_to_64_characters(data_dir: Path) -> None:
    with application(data_dir) as running:
        for key in ("", "x" * 65, 5):
            assert running.post("/api/rooms/lobby/messages", 422, data=1, key=key)["code"] == "invalid_command"


async def test_trimming_leaves_no_rows_of_what_is_gone(database: Database) -> None:
    stores = in_sql(database)
    await stores.users.add(a_user("ada"), "h")
    await stores.rooms.add(a_room("desk"), "u-ada")
    keep = Retention(10, 60, durable=True)
    await stores.streams.open(["room:desk", "user:u-ada"])
    await stores.streams.append([Record("room:desk", Kind.MESSAGE, b"x", keep) for _ in range(100)])
    assert await stores.streams.trim() is False
    assert await count(database, stream_messages) == 10
    await stores.streams.append([Record("user:u-ada", Kind.DIRECT, b"x", keep)])
    stores.clock.advance(61)
    await stores.streams.trim()
    assert await count(database, stream_messages) == 0
    await stores.streams.append([Record("room:desk", Kind.MESSAGE, b"x", keep)])
    await stores.rooms.remove("desk")
    await stores.users.remove("u-ada")
    assert await count(database, stream_messages) == await count(database, streams) == 0
    assert await count(database, publish_keys) == 0


async def test_a_large_stream_is_trimmed_in_pieces(database: Database) -> None:
    stores = in_sql(database)
    await stores.rooms.add(a_room("desk"), None)
    await stores.streams.open(["room:desk"])
    keep = Retention(10, 0, durable=True)
    for _ in range(6):
        await stores.streams.append([Record("room:desk", Kind.MESSAGE, b"x", keep) for _ in range(1000)])
    assert await stores.streams.trim() is True
    assert await count(database, stream_messages) == 1000
    assert await stores.streams.trim() is False
    assert await count(database, stream_messages) == 10


async def count(database: Database, table: Any) -> int:
    ((found,),) = await database.rows(select(func.count()).select_from(table))
    return int(found)
