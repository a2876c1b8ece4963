"""The whole application in this process, for tests that judge it from outside without a server."""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import httpx2 as httpx
from starlette.testclient import TestClient, WebSocketTestSession
from starlette.types import Message
from starlette.websockets import WebSocketDisconnect

from gateroom import Settings, create_app

ADMIN_PASSWORD = "a password for tests only"
HOST = "127.0.0.1"  # cookies are readable on loopback http without the Secure prefix
PATIENCE = 10.0  # seconds that anything may take
SUBPROTOCOL = "gateroom.v1"


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who has logged in."""

    id: str
    name: str
    password: str = field(repr=False)
    token: str = field(repr=False)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    @property
    def person(self) -> dict[str, str]:
        """The account as events show it."""
        return {"id": self.id, "name": self.name}


class Peer:
    """An accepted socket; every wait has a deadline."""

    def __init__(self, session: WebSocketTestSession) -> None:
        self.session = session
        self._ids = itertools.count(1)

    @property
    def subprotocol(self) -> str | None:
        return self.session.accepted_subprotocol

    def send(self, text: str) -> None:
        self.session.send_text(text)

    def send_json(self, value: object) -> None:
        self.session.send_text(json.dumps(value))

    def send_bytes(self, data: bytes) -> None:
        self.session.send_bytes(data)

    def text(self) -> str:
        """Return the next text. Raises `WebSocketDisconnect` when the socket was closed instead."""
        message = self.receive()
        if message["type"] == "websocket.close":
            raise WebSocketDisconnect(message["code"], message.get("reason"))
        return str(message["text"])

    def event(self, expected: str | None = None) -> dict[str, Any]:
        """Return the next frame, which must be an event of the `expected` type if one is given."""
        frame: dict[str, Any] = json.loads(self.text())
        assert expected is None or frame["type"] == expected, frame
        return frame

    def ask(self, command: str, **fields: object) -> dict[str, Any]:
        """Send a command and return its answer, which must be the next frame."""
        return self.ask_among(command, **fields)[1]

    def ask_among(self, command: str, **fields: object) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Send a command; return the events that came before its answer, and the answer."""
        number = next(self._ids)
        self.send_json({"type": command, "id": number, **fields})
        before: list[dict[str, Any]] = []
        while True:
            frame = self.event()
            if frame["type"] in ("reply", "error"):
                assert frame.pop("id") == number, frame
                return before, frame
            before.append(frame)

    def join(self, room: str, **fields: object) -> dict[str, Any]:
        answer = self.ask("join", room=room, **fields)
        assert answer["type"] == "reply", answer
        return answer

    def publish(self, room: str, data: object) -> dict[str, Any]:
        """Publish; return the answer, whichever of it and the message itself comes first."""
        before, answer = self.ask_among("publish", room=room, data=data)
        assert answer["type"] == "reply", answer
        if not before:
            self.event("message")
        return answer

    def arrived(self) -> list[dict[str, Any]]:
        """Return what has come by the time that a ping is answered: all that was caused before."""
        return self.ask_among("ping")[0]

    def closed(self) -> tuple[int, str]:
        """Return code and reason of the close that must come next."""
        message = self.receive()
        assert message["type"] == "websocket.close", message
        return message["code"], message.get("reason") or ""

    def receive(self) -> Message:
        """Return the next ASGI message. Raises `TimeoutError`; Starlette's own `receive` waits for ever."""

        async def receive() -> Message:
            with anyio.fail_after(PATIENCE):
                return await self.session._send_rx.receive()

        return self.session.portal.call(receive)


class InProcess:
    """A started application, its administrator, and those whom tests bring into it."""

    def __init__(self, client: TestClient) -> None:
        self.client = client
        self._numbers = itertools.count(1)
        self.admin = self.log_in("admin", ADMIN_PASSWORD)

    def log_in(self, name: str, password: str) -> Account:
        form = {"grant_type": "password", "username": name, "password": password}
        answer = self.client.post("/auth/token", data=form)
        assert answer.status_code == 200, answer.text
        token = answer.json()["access_token"]
        me = self.client.get("/auth/me", headers={"Authorization": f"Bearer {token}"}).json()
        return Account(me["id"], name, password, token)

    def user(self, scopes: Sequence[str] | None = None) -> Account:
        """Make an account of its own for a test, and log in."""
        name = f"user{next(self._numbers)}"
        password = f"the password of {name}"
        body = {"username": name, "password": password} | ({"scopes": scopes} if scopes else {})
        answer = self.post("/api/users", self.admin, body)
        assert answer.status_code == 201, answer.text
        return self.log_in(name, password)

    def room(self, owner: Account, visibility: str = "private", /, **members: Account) -> str:
        """Make a room of its own for a test; `members` are given by role."""
        room = f"room{next(self._numbers)}"
        answer = self.post("/api/rooms", owner, {"id": room, "visibility": visibility})
        assert answer.status_code == 201, answer.text
        for role, member in members.items():
            self.set_role(owner, room, member, role)
        return room

    def set_role(self, by: Account, room: str, member: Account, role: str) -> None:
        path = f"/api/rooms/{room}/members/{member.id}"
        answer = self.client.put(path, json={"role": role}, headers=by.headers)
        assert answer.status_code == 200, answer.text

    def get(self, path: str, by: Account) -> httpx.Response:
        return self.client.get(path, headers=by.headers)

    def post(self, path: str, by: Account, body: object) -> httpx.Response:
        return self.client.post(path, json=body, headers=by.headers)

    def patch(self, path: str, by: Account, body: object) -> httpx.Response:
        return self.client.patch(path, json=body, headers=by.headers)

    def put(self, path: str, by: Account, body: object) -> httpx.Response:
        return self.client.put(path, json=body, headers=by.headers)

    def delete(self, path: str, by: Account) -> httpx.Response:
        return self.client.delete(path, headers=by.headers)

    @contextmanager
    def socket(
        self, by: Account | None = None, path: str = "/ws", *, offer: Sequence[str] = (), **headers: str
    ) -> Iterator[Peer]:
        """Open a socket, with the token in the Authorization header unless `by` is None."""
        sent: dict[str, str] = {**(by.headers if by else {}), **headers}
        with self.client.websocket_connect(f"ws://{HOST}{path}", list(offer) or None, headers=sent) as session:
            session.portal.call(_let_it_begin)
            yield Peer(session)

    def refusal(
        self, path: str = "/ws", *, offer: Sequence[str] = (), headers: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """Try to connect with these headers only; return code and reason of the refusal."""
        url = f"ws://{HOST}{path}"
        try:
            with self.client.websocket_connect(url, list(offer) or None, headers=dict(headers or {})):
                raise AssertionError(f"{path} was accepted")
        except WebSocketDisconnect as refused:
            return refused.code, refused.reason

    @contextmanager
    def connected(self, by: Account) -> Iterator[Peer]:
        """Open a `/ws` socket that was welcomed."""
        with self.socket(by) as peer:
            peer.event("welcome")
            yield peer


async def _let_it_begin() -> None:
    # Between accept and the session's start there is no waiting, but other tasks get their turn: far fewer than these.
    for _ in range(100):
        await anyio.lowlevel.checkpoint()


def settings_for(data_dir: Path, **sections: Mapping[str, object]) -> Settings:
    """Return settings with a data directory and an administrator of the tests' own; logins may fail at any rate."""
    server = {**sections.pop("server", {}), "data_dir": data_dir}
    auth = {"admin_password": ADMIN_PASSWORD, "login_rate": 0, **sections.pop("auth", {})}
    return Settings.model_validate({"server": server, "auth": auth, **sections})


@contextmanager
def running_in_process(data_dir: Path, **sections: Mapping[str, object]) -> Iterator[InProcess]:
    """Start the application with these settings, and end it with the block."""
    app = create_app(settings_for(data_dir, **sections))
    with TestClient(app, base_url=f"http://{HOST}", client=(HOST, 50000)) as client:
        yield InProcess(client)
