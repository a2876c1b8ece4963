"""The same application on another ASGI server, over real sockets: the session behaves alike there."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2 as httpx
import pytest
from hypercorn.asyncio import serve
from hypercorn.config import Config
from hypercorn.typing import ASGIFramework
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from gateroom import create_app
from support.in_process import ADMIN_PASSWORD, settings_for

PATIENCE = 10.0  # seconds
EVENTS = [Subprotocol("gateroom.v1")]


@dataclass(frozen=True, slots=True)
class Server:
    """A running hypercorn, and an administrator's token."""

    address: str
    token: str

    def connect(self, path: str = "/ws", **options: Any) -> ClientConnection:
        peer: ClientConnection = connect(f"ws://{self.address}{path}", open_timeout=PATIENCE, **options)
        return peer

    def join_as_admin(self, path: str = "/ws", **options: Any) -> ClientConnection:
        return self.connect(path, additional_headers={"Authorization": f"Bearer {self.token}"}, **options)

    def client(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.Client(base_url=f"http://{self.address}", headers=headers, timeout=PATIENCE)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        stop = threading.Event()
        thread = threading.Thread(target=run, args=(tmp_path_factory.mktemp("data"), listener, stop))
        thread.start()
        try:
            yield Server(address, log_in(address))
        finally:
            stop.set()
            thread.join(PATIENCE)
        assert not thread.is_alive()


def run(data_dir: Path, listener: socket.socket, stop: threading.Event) -> None:
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.graceful_timeout = 1
    config.errorlog = None

    async def until_stopped() -> None:
        await asyncio.to_thread(stop.wait)

    settings = settings_for(data_dir, realtime={"max_message_bytes": 1000})
    app: ASGIFramework = create_app(settings)  # type: ignore[assignment] # its scopes are TypedDicts, ASGI's mappings
    asyncio.run(serve(app, config, shutdown_trigger=until_stopped))


def log_in(address: str) -> str:
    form = {"grant_type": "password", "username": "admin", "password": ADMIN_PASSWORD}
    token = httpx.post(f"http://{address}/auth/token", data=form, timeout=PATIENCE).json()["access_token"]
    assert isinstance(token, str)
    return token


def frame(peer: ClientConnection) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(peer.recv(PATIENCE))
    return value


def ask(peer: ClientConnection, command: str, **fields: object) -> dict[str, Any]:
    peer.send(json.dumps({"type": command, "id": 1, **fields}))
    return frame(peer)


def closed(peer: ClientConnection) -> tuple[int, str]:
    """Return code and reason of the close that must come next."""
    with pytest.raises(ConnectionClosed) as end:
        peer.recv(PATIENCE)
    assert end.value.rcvd
    return end.value.rcvd.code, end.value.rcvd.reason


def test_two_sockets_talk(server: Server) -> None:
    with server.join_as_admin() as first, server.connect("/ws?" + urlencode({"token": server.token})) as second:
        for peer in (first, second):
            assert frame(peer)["type"] == "welcome"
            assert ask(peer, "join", room="lobby")["type"] == "reply"
        first.send(json.dumps({"type": "publish", "id": 2, "room": "lobby", "data": {"text": "🌍"}}))
        frames = [frame(first), frame(first)]
        assert {each["type"] for each in frames} == {"reply", "message"}
        message = frame(second)
        assert (message["type"], message["data"]) == ("message", {"text": "🌍"})


def test_a_simple_client_talks_too(server: Server) -> None:
    with server.join_as_admin("/ws/rooms/lobby") as plain, server.join_as_admin("/ws/users/me") as inbox:
        plain.send("hello")
        assert plain.recv(PATIENCE) == "hello"
        with server.client() as client:
            assert client.post("/api/users/@admin/messages", json={"data": "psst"}).json()["connections"] == 1
        assert inbox.recv(PATIENCE) == "psst"


def test_the_subprotocol_is_echoed(server: Server) -> None:
    offer = [*EVENTS, Subprotocol(f"bearer.{server.token}")]
    with server.connect("/ws/rooms/lobby", subprotocols=offer) as peer:
        assert peer.subprotocol == "gateroom.v1"
        assert frame(peer)["type"] == "welcome"


@pytest.mark.parametrize("path", ["/ws", "/ws?token=bad", "/ws/rooms/lobby?token=bad", "/ws/users/me?token=bad"])
@pytest.mark.parametrize("offer", [None, EVENTS])
def test_a_refusal_is_a_bare_403(server: Server, path: str, offer: list[Subprotocol] | None) -> None:
    with pytest.raises(InvalidStatus) as refused, server.connect(path, subprotocols=offer):
        pass
    assert refused.value.response.status_code == 403


def test_a_room_one_may_not_see_is_refused(server: Server) -> None:
    with pytest.raises(InvalidStatus) as refused, server.join_as_admin("/ws/rooms/no-such-room"):
        pass
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("path", ["/ws", "/ws/rooms/lobby", "/ws/users/me"])
def test_a_binary_frame_ends_with_1003(server: Server, path: str) -> None:
    with server.join_as_admin(path) as peer:
        peer.send(b"x")
        if path == "/ws":
            frame(peer)
        assert closed(peer) == (1003, "")


def test_a_text_that_is_too_big_ends_with_1009(server: Server) -> None:
    with server.join_as_admin("/ws/rooms/lobby") as peer:
        peer.send("x" * 1001)
        assert closed(peer) == (1009, "")


def test_the_inbox_takes_nothing(server: Server) -> None:
    with server.join_as_admin("/ws/users/me") as peer:
        peer.send("hello")
        assert closed(peer) == (1008, "forbidden")


def test_who_breaks_the_protocol_is_cut_off(server: Server) -> None:
    with server.join_as_admin() as peer:
        frame(peer)
        for _ in range(11):
            peer.send("no command")
            assert frame(peer)["code"] == "invalid_command"
        assert closed(peer) == (1008, "protocol_violation")


def test_an_administrator_ends_sockets(server: Server) -> None:
    with server.join_as_admin() as peer, server.client() as client:
        frame(peer)
        assert client.delete("/api/users/@admin/connections").json()["connections"] >= 1
        assert closed(peer) == (1008, "disconnected")


def test_a_room_that_is_deleted_ends_its_sockets(server: Server) -> None:
    with server.client() as client:
        assert client.post("/api/rooms", json={"id": "short-lived"}).status_code == 201
        with server.join_as_admin("/ws/rooms/short-lived") as peer:
            client.delete("/api/rooms/short-lived")
            assert closed(peer) == (1008, "room_closed")


def test_who_closes_is_gone_from_the_room(server: Server) -> None:
    with server.client() as client:
        client.post("/api/users", json={"username": "guest", "password": "a long password"})
        form = {"grant_type": "password", "username": "guest", "password": "a long password"}
        token = client.post("/auth/token", data=form).json()["access_token"]
    with server.join_as_admin("/ws/rooms/lobby", subprotocols=EVENTS) as watcher:
        frame(watcher)
        with server.connect("/ws/rooms/lobby?" + urlencode({"token": token})):
            assert frame(watcher)["type"] == "joined"
        assert frame(watcher)["type"] == "left"
