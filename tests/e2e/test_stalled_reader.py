"""A reader who takes nothing, in a room of fifty at full rate: the others do not notice.

`GATEROOM_SOAK=full` goes on for two minutes, half of them with such a reader. `pytest -s` shows the figures.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

import pytest

from support.gateway import RunningGateway, running_gateway
from support.gauges import OPEN, Gauges, closes, faults_in, gauges_of
from support.herds import Flight, full_room
from support.v1_client import V1Client

pytestmark = pytest.mark.alone

SECONDS = 60.0 if os.environ.get("GATEROOM_SOAK") == "full" else 3.0  # of each kind
ROUNDS = 3  # that the seconds are divided into, since machines have moods
MEMBERS = 50
PACE = 0.25  # seconds between two looks at memory, and at whether the reader is still there
SLOW = closes(1008, "slow_consumer")


def test_others_do_not_notice_a_stalled_reader() -> None:
    settings = {"GATEROOM_REALTIME__PUBLISH_RATE": "0", "GATEROOM_REALTIME__MAX_CONNECTIONS_PER_USER": "0"}
    with (
        running_gateway(demo=True, environment=settings) as gateway,
        gauges_of(gateway) as gauges,
        full_room(gateway.port, gateway.token("alice"), MEMBERS - 1) as room,
    ):
        room.fly(1.0)
        start = gauges.memory
        alone: list[Flight] = []
        beside: list[Flight] = []
        with stalling(gateway, gauges) as stalled:
            for _ in range(ROUNDS):
                alone.append(room.fly(SECONDS / ROUNDS))
                with stalled.present():
                    beside.append(room.fly(SECONDS / ROUNDS))
        assert stalled.fault is None
        assert stalled.times >= ROUNDS
        assert gauges[SLOW] >= 1  # how soon one has too much to take depends on the machine
        gauges.wait_for(OPEN, MEMBERS - 1)
        assert stalled.most_memory - start < 16_000_000
        assert [flight.surplus for flight in alone + beside] == [0] * 2 * ROUNDS
        ratios = {name: ratio(beside, alone, name) for name in ("p50", "p99")}
        assert all(value < 3 for value in ratios.values()), (alone, beside)
        assert faults_in(gateway) == []
    messages = sum(flight.messages for flight in beside)
    print(f"\n{messages} messages to {MEMBERS - 1} members beside {stalled.times} stalled readers, latency against")  # noqa: T201
    print(f"without: {ratios}, memory +{(stalled.most_memory - start) / 1e6:.1f} MB; {beside}")  # noqa: T201


def ratio(some: list[Flight], others: list[Flight], name: str) -> float:
    ours, theirs = (median(float(getattr(flight, name)) for flight in flights) for flights in (some, others))
    return ours / theirs


class Stalled:
    """A reader who stalls; as soon as the server drops it there is another."""

    def __init__(self, gateway: RunningGateway, gauges: Gauges) -> None:
        self._gateway = gateway
        self._gauges = gauges
        self._token = gateway.token("bob")
        self._wanted, self._over = threading.Event(), threading.Event()
        self._there: V1Client | None = None
        self.times = 0
        self.most_memory = 0
        self.fault: Exception | None = None

    @contextmanager
    def present(self) -> Iterator[None]:
        """Have such a reader in the room."""
        self._wanted.set()
        try:
            yield
        finally:
            self._wanted.clear()

    def run(self) -> None:
        """Look after it until told that it is over; what is looked at is looked at without it, too."""
        try:
            while not self._over.wait(PACE):
                self.most_memory = max(self.most_memory, self._gauges.memory)
                dropped = self._gauges[OPEN] < MEMBERS
                if not self._wanted.is_set():
                    self._leave()
                elif dropped:
                    self._replace()
        except Exception as fault:
            self.fault = fault
        finally:
            self._leave()

    def end(self) -> None:
        self._over.set()

    def _replace(self) -> None:
        self._leave()
        self._there = V1Client(self._gateway, self._token, receive_buffer=4096)
        self._there.join("lobby")
        self.times += 1

    def _leave(self) -> None:
        if self._there is not None:
            self._there.close()
            self._there = None


@contextmanager
def stalling(gateway: RunningGateway, gauges: Gauges) -> Iterator[Stalled]:
    stalled = Stalled(gateway, gauges)
    thread = threading.Thread(target=stalled.run, daemon=True)
    thread.start()
    try:
        yield stalled
    finally:
        stalled.end()
        thread.join(30)
