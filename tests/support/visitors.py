"""A WebSocket client at the door of a real server: let in, refused by HTTP, or let in to be told why not."""

import itertools
import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

PATIENCE = 10.0  # seconds that anything may take
SUBPROTOCOL = "gateroom.v1"

Headers = Mapping[str, str] | Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Refused:
    """A handshake that was answered with HTTP."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def problem(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def code(self) -> str:
        return str(self.problem["code"])


class Visitor:
    """An open socket; every wait has a deadline."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self._ids = itertools.count(1)
        self._passed: deque[dict[str, Any]] = deque()  # events that came before an answer

    @property
    def subprotocol(self) -> str | None:
        return self.connection.subprotocol

    @property
    def response_headers(self) -> str:
        assert self.connection.response
        return str(self.connection.response.headers)

    def send(self, data: str | bytes) -> None:
        self.connection.send(data)

    def text(self, patience: float = PATIENCE) -> str:
        data = self.connection.recv(patience)
        assert isinstance(data, str)
        return data

    def event(self, expected: str | None = None, patience: float = PATIENCE) -> dict[str, Any]:
        """Return the next frame that no `ask` has taken; it must be of the `expected` type if one is given."""
        frame: dict[str, Any] = self._passed.popleft() if self._passed else json.loads(self.text(patience))
        assert expected is None or frame["type"] == expected, frame
        return frame

    def ask(self, command: str, **fields: object) -> dict[str, Any]:
        """Send a command and return its answer; events that come before it are left for `event`."""
        number = next(self._ids)
        self.send(json.dumps({"type": command, "id": number, **fields}))
        while True:
            frame: dict[str, Any] = json.loads(self.text())
            if frame["type"] in ("reply", "error"):
                assert frame.get("id") == number, frame
                return frame
            self._passed.append(frame)

    def arrived(self) -> list[dict[str, Any]]:
        """Return the events that have come by the time that a ping is answered."""
        self.ask("ping")
        events = list(self._passed)
        self._passed.clear()
        return events

    def closed(self, patience: float = PATIENCE) -> tuple[int, str]:
        """Return code and reason of the close that must come next; 1006 is an end without one."""
        assert not self._passed, self._passed
        try:
            unexpected = self.connection.recv(patience)
        except ConnectionClosed as end:
            return (end.rcvd.code, end.rcvd.reason) if end.rcvd else (1006, "")
        raise AssertionError(f"there was something before the close: {unexpected!r}")


@contextmanager
def visiting(ws_url: str, path: str = "/ws", *, offer: Sequence[str] = (), headers: Headers = ()) -> Iterator[Visitor]:
    """Open a socket. Raises websockets' `InvalidStatus` when the handshake is refused by HTTP."""
    pairs = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
    protocols = [Subprotocol(each) for each in offer] or None
    with connect(
        ws_url + path,
        subprotocols=protocols,
        additional_headers=pairs,
        open_timeout=PATIENCE,
        close_timeout=PATIENCE,
        compression=None,
        user_agent_header=None,
        proxy=None,
    ) as connection:
        yield Visitor(connection)


def refused(ws_url: str, path: str = "/ws", *, offer: Sequence[str] = (), headers: Headers = ()) -> Refused:
    """Be refused by HTTP, and return how."""
    try:
        with visiting(ws_url, path, offer=offer, headers=headers):
            raise AssertionError(f"{path} was accepted")
    except InvalidStatus as answer:
        response = answer.response
        found = {name.lower(): value for name, value in response.headers.raw_items()}
        return Refused(response.status_code, found, bytes(response.body or b""))


def turned_away(
    ws_url: str, path: str = "/ws", *, offer: Sequence[str] = (), headers: Headers = ()
) -> tuple[str | None, int, str]:
    """Be accepted and closed at once; return the subprotocol that was echoed, and the close's code and reason."""
    with visiting(ws_url, path, offer=offer, headers=headers) as visitor:
        return visitor.subprotocol, *visitor.closed()
