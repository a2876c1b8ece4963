"""Clients killed at any moment of their sockets' lives: every count is exact afterwards.

100 processes with up to 10 sockets each; `GATEROOM_SOAK=full` kills 1,000 of them. `pytest -s` shows the figures.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from support.gateway import RunningGateway, running_gateway
from support.gauges import ACCEPTED, IN_HANDSHAKE, OPEN, ROOMS, Gauges, commands, faults_in, gauges_of
from support.herds import program
from support.patience import until
from support.v1_client import Ended, Frame, V1Client, handshake

CLIENTS = 1000 if os.environ.get("GATEROOM_SOAK") == "full" else 100
SOCKETS = 10  # of each
SETTLED = 15.0  # seconds until the last of them may be noticed
POOLED = 15  # files that the database may keep open for its next users
PLACES = 100  # of the user, and of the address
SETTINGS = {
    "GATEROOM_REALTIME__MAX_CONNECTIONS_PER_USER": str(PLACES),
    "GATEROOM_REALTIME__MAX_CONNECTIONS_PER_ADDRESS": str(PLACES),
    "GATEROOM_REALTIME__MAX_CONNECTIONS": str(PLACES + 1),
    "GATEROOM_REALTIME__PUBLISH_RATE": "0",
}


def test_after_a_thousand_sockets_were_killed_every_count_is_exact() -> None:
    with running_gateway(demo=True, environment=SETTINGS) as gateway, gauges_of(gateway) as gauges:
        make_room(gateway, "side-room")
        victim = gateway.token("alice")
        files = gauges.files
        with witness_in_lobby(gateway) as witness:
            with program("nursery", gateway.port, victim) as nursery:
                steps = nursery.ask({"clients": CLIENTS, "sockets": SOCKETS, "seed": 1})
            gauges.wait_for(OPEN, 1, SETTLED)
            gauges.wait_for(IN_HANDSHAKE, 0)
            assert gauges[ROOMS] == 1
            assert presence(gateway, "lobby") == {"bob": 1}
            assert presence(gateway, "side-room") == {}
            assert_counted(gauges)
            until(lambda: gauges.files <= files + POOLED, "their files are closed", SETTLED)
            assert_heard_all(gateway, gauges, witness.leave())
        gauges.wait_until_empty()
        accepted = gauges[ACCEPTED]
        assert_all_places_are_free(gateway, victim)
        assert faults_in(gateway) == []
    print(f"\n{CLIENTS} clients killed with {accepted:.0f} accepted sockets, in {steps} steps")  # noqa: T201


def assert_counted(gauges: Gauges) -> None:
    """Every socket that was accepted has ended once, or is there."""
    counted = gauges.read()
    ended = sum(count for name, count in counted.items() if name.startswith("gateroom_closes_total"))
    assert counted[ACCEPTED] == ended + counted[OPEN]
    assert counted[ACCEPTED] > CLIENTS


def assert_heard_all(gateway: RunningGateway, gauges: Gauges, heard: list[Frame]) -> None:
    """The witness has heard each message once and in order, and of each coming and going in turn."""
    sequence = [event["seq"] for event in heard if event["type"] == "message"]
    assert sequence == list(range(1, len(sequence) + 1))
    assert len(sequence) == position(gateway, "lobby")
    both = len(sequence) + position(gateway, "side-room")
    assert gauges[commands("publish", "ok")] == both > CLIENTS
    moves = [event["type"] for event in heard if event["type"] in ("joined", "left")]
    assert moves == ["joined", "left"] * (len(moves) // 2)
    assert moves


def assert_all_places_are_free(gateway: RunningGateway, token: str) -> None:
    """The door has counted down as often as up: no place is lost, and none was won."""
    with ExitStack() as stack:
        for _ in range(PLACES):
            stack.enter_context(V1Client(gateway, token))
        assert handshake(gateway, token, source="127.0.0.2").status == 429


class Witness:
    """A member of the lobby who hears everything."""

    def __init__(self, client: V1Client) -> None:
        self._client = client
        self._heard: list[Frame] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def leave(self) -> list[Frame]:
        """Close, and return what was heard."""
        self._client.half_close()
        self._thread.join(10)
        assert not self._thread.is_alive()
        return self._heard

    def _listen(self) -> None:
        try:
            while True:
                self._heard.append(self._client.event())
        except Ended:
            return


@contextmanager
def witness_in_lobby(gateway: RunningGateway) -> Iterator[Witness]:
    with V1Client(gateway, gateway.token("bob"), source="127.0.0.2", patience=120) as client:
        client.join("lobby")
        yield Witness(client)


def make_room(gateway: RunningGateway, room: str) -> None:
    with gateway.client() as client:
        body = {"id": room, "visibility": "public"}
        assert client.post("/api/rooms", json=body, headers=as_admin(gateway)).status_code == 201


def presence(gateway: RunningGateway, room: str) -> dict[str, int]:
    """Return how many connections each user has in the room, as HTTP says."""
    users = of_room(gateway, room, "presence")["users"]
    return {user["name"]: user["connections"] for user in users}


def position(gateway: RunningGateway, room: str) -> int:
    """Return how many messages the room has had, as HTTP says."""
    return int(of_room(gateway, room, "messages?limit=1000")["position"]["seq"])


def of_room(gateway: RunningGateway, room: str, what: str) -> Any:
    with gateway.client() as client:
        answer = client.get(f"/api/rooms/{room}/{what}", headers=as_admin(gateway))
    assert answer.status_code == 200, answer.text
    return answer.json()


def as_admin(gateway: RunningGateway) -> dict[str, str]:
    return {"Authorization": f"Bearer {gateway.token()}"}
