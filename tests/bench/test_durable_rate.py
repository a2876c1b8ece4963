"""How many publishes to durable rooms a process acknowledges: 10,000 a second and core at the least, pipelined."""

import asyncio
import json
import time
from functools import partial

import picows
import pytest

from gateroom.bench.measure import cpu_seconds
from support.gateway import RunningGateway, running_gateway

pytestmark = pytest.mark.alone

ROOMS, IN_FLIGHT = 4, 128
ACKS = 30_000
MOST_CPU = 100e-6  # seconds of CPU for each, which are 10,000 a second on one core
PATIENCE = 120.0  # seconds

SETTINGS = {
    "GATEROOM_REALTIME__PUBLISH_RATE": "1000000",
    "GATEROOM_REALTIME__PUBLISH_BURST": "1000000",
    "GATEROOM_REALTIME__BYTE_RATE": "0",
    "GATEROOM_OBSERVABILITY__LOG_LEVEL": "warning",
}


class Publisher(picows.WSListener):
    """Keeps `IN_FLIGHT` publishes to a room of its own unanswered until it has `enough` answers."""

    def __init__(self, room: str, enough: int) -> None:
        self._command = {"type": "publish", "id": 1, "room": room, "data": "x" * 60}
        self._enough = enough
        self._sent = self._answered = 0
        self._transport: picows.WSTransport
        self.joined: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        self._transport = transport
        self._send({"type": "join", "id": 0, "room": self._command["room"]})

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        text = frame.get_payload_as_bytes()
        if text.startswith(b'{"type":"error"') or frame.msg_type == picows.WSMsgType.CLOSE:
            self.done.set_exception(AssertionError(text))
        elif text.startswith(b'{"type":"reply"'):
            if not self.joined.done():
                self.joined.set_result(None)
                return
            self._answered += 1
            if self._sent < self._enough:
                self.publish(1)
            elif self._answered == self._enough:
                self.done.set_result(None)

    def publish(self, count: int) -> None:
        self._sent += count
        for _ in range(count):
            self._send(self._command)

    async def close(self) -> None:
        self._transport.disconnect()
        await self._transport.wait_disconnected()

    def _send(self, command: dict[str, object]) -> None:
        self._transport.send(picows.WSMsgType.TEXT, json.dumps(command).encode())


async def cpu_and_rate(gateway: RunningGateway, token: str) -> tuple[float, float]:
    """Return the server's CPU seconds for one acknowledged publish, and how many there were in a second."""
    publishers = [Publisher(f"r{number}", ACKS // ROOMS) for number in range(ROOMS)]
    for publisher in publishers:
        await picows.ws_connect(partial(as_it_is, publisher), f"{gateway.ws_url}/ws?token={token}")
    await asyncio.gather(*(publisher.joined for publisher in publishers))
    cpu, began = cpu_seconds(gateway.process.pid), time.perf_counter()
    for publisher in publishers:
        publisher.publish(IN_FLIGHT)
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(publisher.done for publisher in publishers))
    measured = (cpu_seconds(gateway.process.pid) - cpu) / ACKS, ACKS / (time.perf_counter() - began)
    for publisher in publishers:
        await publisher.close()
    return measured


def as_it_is(publisher: Publisher) -> Publisher:
    """Return the listener for a connection."""
    return publisher


def test_durable_publishes_cost_no_more_than_ten_thousand_a_second_may() -> None:
    with running_gateway(environment=SETTINGS) as gateway:
        token = gateway.token()
        with gateway.client() as client:
            for number in range(ROOMS):
                body = {"id": f"r{number}"}
                made = client.post("/api/rooms", json=body, headers={"Authorization": f"Bearer {token}"})
                assert made.status_code == 201, made.text
                assert made.json()["kind"] == "default"
        cpu, rate = asyncio.run(cpu_and_rate(gateway, token))
    print(f"{rate:,.0f} durable publishes acknowledged a second, {cpu * 1e6:.1f} µs of CPU each")
    assert cpu <= MOST_CPU
