"""A real `gateroom serve` from its first start to its end, and started again (contract section 6)."""

import json
import signal
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

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


def test_the_first_start_makes_an_admin_and_a_lobby_and_says_so_once(tmp_path: Path) -> None:
    with running_gateway(data_dir=tmp_path, environment=GENERATED) as gateway:
        (line,) = [line for line in gateway.output if "new account" in line]
        password = line.split()[-1]
        assert len(password) >= 20
        assert line.split()[:4] == ["new", "account", "admin", "password"]
        token = gateway.token("admin", password)
        with gateway.client() as client:
            headers = {"Authorization": f"Bearer {token}"}
            assert client.get("/api/rooms/lobby", headers=headers).json()["visibility"] == "public"
        assert "".join(gateway.output).count(password) == 1
        assert any(f"{gateway.url}/console" in line for line in gateway.output)
        assert gateway.stop() == 0
    with running_gateway(data_dir=tmp_path, environment=GENERATED) as gateway:
        assert gateway.token("admin", password)
        assert not [line for line in gateway.output if "new account" in line or password in line]


def test_the_admin_password_may_be_chosen(gateway: RunningGateway) -> None:
    assert gateway.token()
    assert gateway.admin_password not in "".join(gateway.output)


def test_the_demo_has_three_users_with_printed_passwords(tmp_path: Path) -> None:
    with running_gateway(data_dir=tmp_path, demo=True) as gateway:
        first = dict(gateway.passwords)
        assert sorted(first) == ["alice", "bob", "carol"]
        assert all(gateway.token(name) for name in first)
    with running_gateway(data_dir=tmp_path, demo=True) as gateway:
        assert gateway.passwords == {}  # they are there already
        assert all(gateway.token(name, password) for name, password in first.items())


def test_a_second_start_knows_the_accounts_the_rooms_and_the_key(tmp_path: Path) -> None:
    with running_gateway(data_dir=tmp_path, demo=True) as gateway:
        token, passwords = gateway.token("alice"), gateway.passwords
        headers = {"Authorization": f"Bearer {token}"}
        with gateway.client() as client:
            keys = client.get("/.well-known/jwks.json").json()
            me = client.get("/auth/me", headers=headers).json()
            assert client.post("/api/rooms", json={"id": "desk"}, headers=headers).status_code == 201
        assert gateway.stop() == 0
    with running_gateway(data_dir=tmp_path) as gateway:
        with gateway.client() as client:
            assert client.get("/.well-known/jwks.json").json() == keys
            assert client.get("/auth/me", headers=headers).json() == me
            assert client.get("/api/rooms/desk", headers=headers).status_code == 200
        with visiting(gateway.ws_url, f"/ws/rooms/desk?token={token}"):
            pass
        assert gateway.token("alice", passwords["alice"])


def test_what_is_kept_is_for_its_owner_alone(gateway: RunningGateway) -> None:
    (key,) = (gateway.data_dir / "keys").glob("*.pem")
    assert key.stat().st_mode & 0o777 == 0o600
    assert (gateway.data_dir / "keys").stat().st_mode & 0o077 == 0
    assert (gateway.data_dir / "gateroom.db").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_at_the_end_every_socket_is_told_to_come_again(number: signal.Signals) -> None:
    with running_gateway() as gateway, ExitStack() as stack:
        headers = {"Authorization": f"Bearer {gateway.token()}"}
        visitors = [
            stack.enter_context(visiting(gateway.ws_url, path, offer=offer, headers=headers))
            for path, offer in EVERY_SOCKET
        ]
        for visitor, (path, offer) in zip(visitors, EVERY_SOCKET, strict=True):
            if offer or path == "/ws":
                visitor.event("welcome")
        gateway.process.send_signal(number)
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
                visitor.send(json.dumps({"type": "publish", "id": 1, "room": "lobby", "data": "last words"}))
                gateway.process.send_signal(signal.SIGTERM)
                while visitor.event().get("data") != "last words":
                    pass
                assert gateway.process.wait(8) == 0
