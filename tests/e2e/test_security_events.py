"""Each kind of security event is one line of JSON that a program can read, and says who, from where and how (LG-2)."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest

from support.gateway import ADMIN_PASSWORD, RunningGateway, running_gateway
from support.patience import until
from support.visitors import refused, visiting

Line = dict[str, Any]

# What a line must have, and may have.
NEEDED = {"timestamp", "level", "logger", "event", "outcome"}
TEXTS = {"user", "username", "session", "connection", "peer", "action", "target", "room", "type"}
NUMBERS = {"status", "held_back", "repeats"}


@pytest.fixture(scope="module")
def gateway() -> Iterator[RunningGateway]:
    environment = {"GATEROOM_OBSERVABILITY__LOG_FORMAT": "json", "GATEROOM_REALTIME__PUBLISH_BURST": "1"}
    with running_gateway(demo=True, environment={**environment, "GATEROOM_REALTIME__PUBLISH_RATE": "0.001"}) as running:
        yield running


def the_line(gateway: RunningGateway, wanted: Mapping[str, object]) -> Line:
    """Return the one line that has these fields, once it is there; it must be as the operator was promised."""

    def found() -> list[Line]:
        lines = [json.loads(line) for line in gateway.output if line.startswith("{")]
        return [line for line in lines if wanted.items() <= line.items()]

    until(lambda: bool(found()), f"a line with {wanted}")
    (line,) = found()
    assert line.keys() >= NEEDED
    assert line.keys() - NEEDED <= TEXTS | NUMBERS
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", line["timestamp"])
    assert all(isinstance(line[name], str) and line[name] for name in TEXTS & line.keys())
    assert all(isinstance(line[name], int) for name in NUMBERS & line.keys())
    assert line["peer"] == "127.0.0.1"
    return line


def test_logins_and_changes(gateway: RunningGateway) -> None:
    with gateway.client() as client:
        right = {"username": "alice", "password": gateway.passwords["alice"]}
        token = client.post("/auth/login", json=right).json()["access_token"]
        client.post("/auth/login", json={**right, "password": "wrong"})
        client.headers["Authorization"] = f"Bearer {token}"
        me = client.get("/auth/me").json()
        assert client.delete("/api/users/@bob").status_code == 403
        assert client.post("/api/rooms", json={"id": "noted"}).status_code == 201
    login = the_line(gateway, {"event": "audit", "action": "auth.login", "outcome": "ok", "user": me["id"]})
    assert login["username"] == "alice"
    the_line(gateway, {"action": "auth.login", "outcome": "invalid_credentials", "target": f"user:{me['id']}"})
    denied = the_line(gateway, {"event": "audit", "action": "users.delete", "outcome": "forbidden"})
    made = the_line(gateway, {"event": "audit", "action": "rooms.create", "outcome": "ok", "room": "noted"})
    for line in (denied, made):
        assert (line["user"], line["session"]) == (me["id"], me["session"])


def test_a_refresh_token_that_came_twice(gateway: RunningGateway) -> None:
    with gateway.client() as client:
        body = {"username": "bob", "password": gateway.passwords["bob"]}
        first = client.post("/auth/login", json=body).json()["refresh_token"]
        statuses = [client.post("/auth/refresh", json={"refresh_token": first}).status_code for _ in range(2)]
    assert statuses == [200, 401]
    line = the_line(gateway, {"event": "refresh_reused", "outcome": "session_revoked"})
    assert {"user", "session"} <= line.keys()


def test_handshakes_that_are_refused(gateway: RunningGateway) -> None:
    assert refused(gateway.ws_url, "/ws?token=bad").code == "invalid_token"
    the_line(gateway, {"event": "handshake_refused", "outcome": "invalid_token"})
    assert refused(gateway.ws_url, headers={"Origin": "https://evil.example"}).code == "origin_not_allowed"
    the_line(gateway, {"event": "handshake_refused", "outcome": "origin_not_allowed"})


def test_what_a_socket_may_not_do_and_how_it_ends(gateway: RunningGateway) -> None:
    token = gateway.token("carol", gateway.passwords["carol"])
    with ExitStack() as sockets:
        peer = sockets.enter_context(visiting(gateway.ws_url, f"/ws?token={token}"))
        welcome = peer.event("welcome")
        assert peer.ask("join", room="nowhere")["code"] == "forbidden"
        assert [peer.ask("send", user="@carol", data=1)["type"] for _ in range(2)] == ["reply", "error"]
        who = {"user": welcome["user"]["id"], "connection": welcome["connection"]}
        for code, kind in (("forbidden", "join"), ("rate_limited", "send")):
            line = the_line(gateway, {"event": "command_refused", "outcome": code, "type": kind})
            assert who.items() <= line.items()
            assert line["session"] == welcome["session"]
        with gateway.client() as client:
            client.headers["Authorization"] = f"Bearer {gateway.token('admin', ADMIN_PASSWORD)}"
            assert client.delete("/api/users/@carol/connections").status_code == 200
        line = the_line(gateway, {"event": "socket_ended", "outcome": "disconnected"})
        assert {**who, "status": 1008}.items() <= line.items()
