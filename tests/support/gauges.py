"""What a serving process says of itself at `/metrics`, and what the system says of it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx2 as httpx

from gateroom.bench.measure import memory_bytes, open_files
from support.gateway import RunningGateway
from support.patience import PATIENCE, until

OPEN = 'gateroom_connections{state="open"}'
IN_HANDSHAKE = 'gateroom_connections{state="handshake"}'
ROOMS = "gateroom_rooms_live"
ACCEPTED = 'gateroom_handshakes_total{outcome="accepted"}'

# How lines of the log begin that tell of a mistake of ours, whatever a peer did.
_FAULTS = ("Traceback", "_failed", "did_not_end", "dropped_at_shutdown", "[error", "[critical", "Exception")


def closes(code: int, reason: str = "") -> str:
    return f'gateroom_closes_total{{code="{code}",reason="{reason}"}}'


def refused(reason: str) -> str:
    return f'gateroom_handshakes_total{{outcome="{reason}"}}'


def commands(kind: str, outcome: str) -> str:
    return f'gateroom_commands_total{{outcome="{outcome}",type="{kind}"}}'


class Gauges:
    """One gateway's gauges and counters, by their name and labels as they are written in the exposition."""

    def __init__(self, gateway: RunningGateway, client: httpx.Client) -> None:
        self._gateway = gateway
        self._client = client
        self.read()  # from here on the connection it is read over is among the open files

    def read(self) -> Mapping[str, float]:
        answer = self._client.get("/metrics")
        assert answer.status_code == 200, answer.text
        lines = (line.rpartition(" ") for line in answer.text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in lines}

    def __getitem__(self, name: str) -> float:
        return self.read().get(name, 0)

    def total(self, family: str) -> float:
        """Sum a counter over all its labels."""
        return sum(value for name, value in self.read().items() if name.partition("{")[0] == family)

    def wait_for(self, name: str, value: float, patience: float = PATIENCE) -> None:
        """Wait until a gauge or counter is just this. Raises `TimeoutError`."""
        until(lambda: self[name] == value, lambda: f"{name} is {self[name]:g}, not {value:g}", patience)

    def wait_until_empty(self, patience: float = PATIENCE) -> None:
        """Wait until nobody is connected, on the way in, or in a room."""
        for name in (OPEN, IN_HANDSHAKE, ROOMS):
            self.wait_for(name, 0, patience)

    @property
    def memory(self) -> int:
        """Memory in bytes, shared pages by their share."""
        return memory_bytes(self._gateway.process.pid)

    @property
    def files(self) -> int:
        """Open file descriptors."""
        return open_files(self._gateway.process.pid)


@contextmanager
def gauges_of(gateway: RunningGateway) -> Iterator[Gauges]:
    with gateway.client() as client:
        yield Gauges(gateway, client)


def faults_in(gateway: RunningGateway) -> list[str]:
    """Return the lines of the log that tell of a mistake of ours."""
    return [line for line in gateway.output if any(fault in line for fault in _FAULTS)]
