"""A raw client that speaks `gateroom.v1` with a real gateway."""

import itertools
import json
from collections.abc import Sequence
from typing import Any

from support.gateway import RunningGateway
from support.raw_client import CLOSE, PING, PONG, TEXT, Closed, RawClient, RawFrame, RawResponse, masked, upgrade

Frame = dict[str, Any]


class Ended(Exception):
    """The server closed instead of saying more."""

    def __init__(self, closed: Closed) -> None:
        super().__init__(f"{closed.code} {closed.reason}")
        self.closed = closed


class V1Client(RawClient):
    """One socket on `/ws`, welcomed. It answers pings while it reads."""

    def __init__(
        self,
        gateway: RunningGateway,
        token: str,
        *,
        patience: float = 10.0,
        receive_buffer: int | None = None,
        source: str | None = None,
    ) -> None:
        super().__init__(("127.0.0.1", gateway.port), patience=patience, receive_buffer=receive_buffer, source=source)
        self._ids = itertools.count(1)
        self.events: list[Frame] = []  # that came before an answer, oldest first
        self.open("/ws", headers=[f"Authorization: Bearer {token}"])
        self.welcome = self.next_text()

    def next_text(self) -> Frame:
        """Read the next text. Raises `Ended` when there is a close instead, or an end."""
        try:
            while (frame := self.read_frame()).opcode != TEXT:
                if frame.opcode == CLOSE:
                    raise Ended(said_by(frame))
                if frame.opcode == PING:
                    self.send(masked(PONG, frame.payload))
        except ConnectionError:
            raise Ended(Closed(1006)) from None
        text: Frame = json.loads(frame.payload)
        return text

    def event(self) -> Frame:
        """Return the next event, an earlier one that came before an answer first."""
        return self.events.pop(0) if self.events else self.next_text()

    def command(self, kind: str, **fields: object) -> int:
        """Send a command, and return its id."""
        number = next(self._ids)
        self.send_text(json.dumps({"type": kind, "id": number, **fields}))
        return number

    def answer(self) -> Frame:
        """Read on to the next answer, and keep the events before it."""
        while (text := self.next_text())["type"] not in ("reply", "error"):
            self.events.append(text)
        return text

    def ask(self, kind: str, **fields: object) -> Frame:
        """Send a command and return its answer."""
        number = self.command(kind, **fields)
        answer = self.answer()
        assert answer.pop("id") == number, answer
        return answer

    def join(self, room: str) -> Frame:
        answer = self.ask("join", room=room)
        assert answer["type"] == "reply", answer
        return answer

    def end(self) -> Closed:
        """Read on to the end, and return how it came; answer a close, as a client should."""
        try:
            while True:
                self.next_text()
        except Ended as ended:
            if ended.closed.code not in (1005, 1006):
                self.send_as_far_as_possible(masked(CLOSE, ended.closed.code.to_bytes(2, "big")))
            return ended.closed


def said_by(frame: RawFrame) -> Closed:
    """Read a close frame."""
    if not frame.payload:
        return Closed(1005)
    return Closed(int.from_bytes(frame.payload[:2], "big"), frame.payload[2:].decode())


def handshake(
    gateway: RunningGateway,
    token: str,
    *,
    path: str = "/ws",
    protocols: Sequence[str] = (),
    source: str | None = None,
) -> RawResponse:
    """Try to open a socket, and return the answer; an accepted one is closed again."""
    with RawClient(("127.0.0.1", gateway.port), source=source) as client:
        return client.request(upgrade(path, protocols=protocols, headers=[f"Authorization: Bearer {token}"]))
