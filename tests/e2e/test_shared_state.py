"""Shared state over real sockets: many who patch at once, and what a patch may cost everybody else."""

import contextlib
import json
import time
from collections.abc import Iterator

import jsonpatch
import pytest

from support.cli import Ran, run_cli
from support.gateway import RunningGateway, running_gateway
from support.v1_client import Frame, V1Client

SOCKETS = 100


@pytest.fixture(scope="module")
def gateway() -> Iterator[RunningGateway]:
    settings = {
        "GATEROOM_REALTIME__MAX_CONNECTIONS_PER_USER": "0",
        "GATEROOM_ROOMS__KINDS__NOTE__DURABILITY": "memory",
    }
    with running_gateway(environment=settings) as running:
        yield running


def make_room(gateway: RunningGateway, kind: str, name: str = "board") -> str:
    room = f"{name}-{kind}"
    with gateway.client() as client:
        headers = {"Authorization": f"Bearer {gateway.token()}"}
        answer = client.post("/api/rooms", json={"id": room, "kind": kind}, headers=headers)
    assert answer.status_code == 201, answer.text
    return room


def follow(client: V1Client, joined: Frame, until: int) -> object:
    """Apply every change that is told until that version, each of which must follow the one before."""
    state, version = joined["state"], joined["state_version"]
    while version < until:
        event = client.event()
        if event["type"] == "state":
            assert event["state_version"] == version + 1
            version += 1
            state = jsonpatch.apply_patch(state, event["patch"])
    return state


@pytest.mark.parametrize("kind", ["default", "note"])
def test_a_hundred_sockets_that_patch_at_once_lose_nothing(gateway: RunningGateway, kind: str) -> None:
    room = make_room(gateway, kind)
    token = gateway.token()
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(V1Client(gateway, token)) for _ in range(SOCKETS)]
        joined = [client.join(room) for client in clients]
        for number, client in enumerate(clients):
            client.command("patch", room=room, patch=[{"op": "add", "path": f"/k{number}", "value": number}])
        versions = [client.answer()["state_version"] for client in clients]
        assert sorted(versions) == list(range(1, SOCKETS + 1))
        everything = {f"k{number}": number for number in range(SOCKETS)}
        for client, reply in zip(clients, joined, strict=True):
            assert follow(client, reply, SOCKETS) == everything
        late = stack.enter_context(V1Client(gateway, token)).join(room)
        assert (late["state"], late["state_version"]) == (everything, SOCKETS)


def test_a_hundred_who_patch_one_version_are_let_through_one_by_one(gateway: RunningGateway) -> None:
    """Each counts up as one does by hand: read, add one, write unless it has changed."""
    token, turns = gateway.token(), 5
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(V1Client(gateway, token)) for _ in range(turns)]
        base: int = clients[0].join("lobby")["state_version"]
        for client in clients[1:]:
            client.join("lobby")
        for turn in range(turns):
            for client in clients:
                client.command("patch", room="lobby", version=base + turn, patch=[])
            outcomes = [client.answer() for client in clients]
            assert sorted(outcome.get("code", "") for outcome in outcomes) == ["", *["conflict"] * (turns - 1)]


def test_the_command_line_shows_the_state_of_a_durable_room(gateway: RunningGateway) -> None:
    board, note = make_room(gateway, "default", "shown"), make_room(gateway, "note", "hidden")
    settings = {"GATEROOM_ROOMS__KINDS__NOTE__DURABILITY": "memory"}

    def state(room: str, *args: str) -> Ran:
        return run_cli("rooms", "state", room, "--data-dir", gateway.data_dir, *args, environment=settings)

    assert state(board, "--json").json == {"state_version": 0, "state": {}}
    with V1Client(gateway, gateway.token()) as client:
        client.join(board)
        client.ask("patch", room=board, patch=[{"op": "add", "path": "/menu", "value": "sopa de ajo y ñora"}])
    assert state(board, "--json").json == {"state_version": 1, "state": {"menu": "sopa de ajo y ñora"}}
    assert "ñora" in state(board).out
    assert state(note).sentence == "rooms of kind note are not durable; read it from the running server"
    assert "there is no room called nowhere" in state("nowhere").sentence


def test_evil_patches_do_not_keep_others_waiting(gateway: RunningGateway) -> None:
    doubling = [
        {"op": "add", "path": "/e", "value": ["x" * 1000]},
        *[{"op": "copy", "from": "/e", "path": "/e/-"}] * 127,
    ]
    whole = [{"op": "copy", "from": "", "path": ""}] * 128
    with V1Client(gateway, gateway.token()) as evil, V1Client(gateway, gateway.token()) as other:
        evil.join("lobby")
        big = {"op": "add", "path": "/big", "value": list(range(9000))}
        assert "state_version" in evil.ask("patch", room="lobby", patch=[big])
        for _ in range(25):
            evil.command("patch", room="lobby", patch=doubling)
            evil.command("patch", room="lobby", patch=whole)
        began = time.monotonic()
        other.ask("ping")
        waited = time.monotonic() - began
        assert {evil.answer()["code"] for _ in range(50)} == {"too_large"}
        assert "state_version" in evil.ask("patch", room="lobby", patch=[{"op": "remove", "path": "/big"}])
    assert waited < 2, f"a ping waited {waited:.2f} s"


def test_a_patch_of_the_largest_frame_is_taken_and_a_larger_one_ends_the_socket(gateway: RunningGateway) -> None:
    with V1Client(gateway, gateway.token()) as client:
        client.join("lobby")
        frame = {"type": "patch", "id": 9, "room": "lobby", "patch": [{"op": "test", "path": "/x", "value": ""}]}
        room_left = 65536 - len(json.dumps(frame))
        frame["patch"] = [{"op": "test", "path": "/x", "value": "x" * room_left}]
        client.send_text(json.dumps(frame))
        assert client.answer()["code"] == "conflict"
        frame["patch"] = [{"op": "test", "path": "/x", "value": "x" * (room_left + 1)}]
        client.send_text(json.dumps(frame))
        assert client.end().code == 1009
