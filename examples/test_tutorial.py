"""How to test what you build on Gateroom: copy this file, put your own application in, and go on from there."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from gateroom import Settings, create_app

PASSWORD = "a password for tests"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    # Or your own: app = FastAPI(); Gateroom(Settings(...)).install(app)
    app = create_app(Settings(server={"data_dir": tmp_path}, auth={"admin_password": PASSWORD}))
    with TestClient(app) as client:  # `with` runs the lifespan, which opens the gateway
        yield client


@pytest.fixture
def token(client: TestClient) -> str:
    form = {"grant_type": "password", "username": "admin", "password": PASSWORD}
    return str(client.post("/auth/token", data=form).json()["access_token"])


def test_a_message_reaches_the_room(client: TestClient, token: str) -> None:
    with client.websocket_connect(f"/ws?token={token}") as websocket:
        assert websocket.receive_json()["type"] == "welcome"
        websocket.send_json({"type": "join", "id": 1, "room": "lobby"})
        assert websocket.receive_json()["role"] == "owner"
        websocket.send_json({"type": "publish", "id": 2, "room": "lobby", "data": {"text": "hello"}})
        frames = {frame["type"]: frame for frame in (websocket.receive_json(), websocket.receive_json())}
        assert frames["reply"]["id"] == 2
        assert frames["message"]["data"] == {"text": "hello"}


def test_a_simple_client_needs_no_commands(client: TestClient, token: str) -> None:
    with client.websocket_connect("/ws/rooms/lobby", headers={"Authorization": f"Bearer {token}"}) as websocket:
        websocket.send_text("hello")
        assert websocket.receive_text() == "hello"


def test_without_a_token_there_is_no_socket(client: TestClient) -> None:
    with pytest.raises(WebSocketDisconnect) as e, client.websocket_connect("/ws"):
        pass
    assert (e.value.code, e.value.reason) == (1008, "missing_token")


def test_with_a_bad_token_there_is_no_socket(client: TestClient) -> None:
    with pytest.raises(WebSocketDisconnect) as e, client.websocket_connect("/ws?token=bad"):
        pass
    assert (e.value.code, e.value.reason) == (1008, "invalid_token")


def test_in_a_room_that_one_may_not_see_there_is_no_socket(client: TestClient, token: str) -> None:
    with pytest.raises(WebSocketDisconnect) as e, client.websocket_connect(f"/ws/rooms/secret?token={token}"):
        pass
    assert (e.value.code, e.value.reason) == (1008, "forbidden")
