"""A real `gateroom serve` from its first start to its end, and started again (contract section 6)."""

import json
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from support.gateway import RunningGateway, running_gateway
from support.raw_client import RawClient
from support.visitors import SUBPROTOCOL, visiting

GENERATED = {"GATEROOM_AUTH__ADMIN_PASSWORD": ""}  # an empty variable counts as not set
EVERY_SOCKET: Sequence[tuple[str, Sequence[str]]] = (
    ("/ws", ()),
    ("/ws", (SUBPROTOCOL,)),
    ("/ws/rooms/lobby", ()),
    ("/ws/rooms/lobby", (SUBPROTOCOL,)),
    ("/ws/users/me", ()),
)


@dataclass(frozen=True, slots=True)
class Installation:
    """What a first start left behind, and how the second one of the same directory is."""

    first: RunningGateway
    second: RunningGateway
    passwords: dict[str, str]  # that the first start printed
    token: str
    keys: dict[str, Any]
    me: dict[str, Any]

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    data_dir = tmp_path_factory.mktemp("data")
    with running_gateway(data_dir=data_dir, demo=True, environment=GENERATED) as first:
        accounts = [line.split() for line in first.output if "new account" in line]
        passwords = {words[2]: words[4] for words in accounts}
        token = first.token("alice", passwords["alice"])
        with first.client() as client:
            client.headers["Authorization"] = f"Bearer {token}"
            keys, me = client.get("/.well-known/jwks.json").json(), client.get("/auth/me").json()
            assert client.post("/api/rooms", json={"id": "desk"}).status_code == 201
        assert first.stop() == 0
    with running_gateway(data_dir=data_dir, demo=True, environment=GENERATED) as second:
        yield Installation(first, second, passwords, token, keys, me)


def test_the_first_start_makes_accounts_and_prints_their_passwords_once(installation: Installation) -> None:
    said = "".join(installation.first.output)
    assert sorted(installation.passwords) == ["admin", "alice", "bob", "carol"]
    assert len(installation.passwords["admin"]) >= 20
    assert all(said.count(password) == 1 for password in installation.passwords.values())
    assert f"{installation.first.url}/console" in said


def test_a_second_start_says_no_password_again(installation: Installation) -> None:
    said = "".join(installation.second.output)
    assert "new account" not in said
    assert not [name for name, password in installation.passwords.items() if password in said]


def test_a_second_start_knows_the_accounts_and_the_rooms(installation: Installation) -> None:
    for name, password in installation.passwords.items():
        assert installation.second.token(name, password)
    with installation.second.client() as client:
        assert client.get("/api/rooms/desk", headers=installation.headers).status_code == 200
        lobby = client.get("/api/rooms/lobby", headers=installation.headers).json()
        assert lobby["visibility"] == "public"


def test_a_second_start_has_the_same_key_and_believes_the_same_tokens(installation: Installation) -> None:
    with installation.second.client() as client:
        assert client.get("/.well-known/jwks.json").json() == installation.keys
        assert client.get("/auth/me", headers=installation.headers).json() == installation.me
    with visiting(installation.second.ws_url, f"/ws/rooms/desk?token={installation.token}"):
        pass


def test_the_admin_password_may_be_chosen(gateway: RunningGateway) -> None:
    assert gateway.token()
    assert gateway.admin_password not in "".join(gateway.output)


def test_what_is_kept_is_for_its_owner_alone(gateway: RunningGateway) -> None:
    (key,) = (gateway.data_dir / "keys").glob("*.pem")
    assert key.stat().st_mode & 0o777 == 0o600
    assert (gateway.data_dir / "keys").stat().st_mode & 0o077 == 0
    assert (gateway.data_dir / "gateroom.db").stat().st_mode & 0o077 == 0


def test_at_the_end_every_socket_is_told_to_come_again() -> None:
    with running_gateway() as gateway, ExitStack() as stack:
        headers = {"Authorization": f"Bearer {gateway.token()}"}
        visitors = [
            stack.enter_context(visiting(gateway.ws_url, path, offer=offer, headers=headers))
            for path, offer in EVERY_SOCKET
        ]
        for visitor, (path, offer) in zip(visitors, EVERY_SOCKET, strict=True):
            if offer or path == "/ws":
                visitor.event("welcome")
        gateway.process.send_signal(signal.SIGINT)
        assert [visitor.closed() for visitor in visitors] == [(1012, "restarting")] * len(visitors)
        assert gateway.process.wait(10) == 0
        assert "Traceback" not in "".join(gateway.output)


def test_last_words_arrive_and_a_deaf_peer_holds_nothing_up() -> None:
    with running_gateway(environment={"GATEROOM_SERVER__SHUTDOWN_GRACE": "2"}) as gateway:
        token = gateway.token()
        headers = {"Authorization": f"Bearer {token}"}
        with RawClient(("127.0.0.1", gateway.port), receive_buffer=4096) as deaf:
            deaf.open(f"/ws/rooms/lobby?token={token}")  # and never reads
            with visiting(gateway.ws_url, headers=headers) as visitor:
                visitor.event("welcome")
                visitor.ask("join", room="lobby")
                for _ in range(10):
                    assert visitor.ask("publish", room="lobby", data="x" * 60000)["type"] == "reply"
                    visitor.event("message")
                visitor.send(json.dumps({"type": "publish", "id": 1, "room": "lobby", "data": "last words"}))
                gateway.process.send_signal(signal.SIGTERM)
                assert {visitor.event()["type"], visitor.event()["type"]} == {"reply", "message"}
                assert visitor.closed() == (1012, "restarting")
                assert gateway.process.wait(8) == 0
