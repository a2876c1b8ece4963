"""The load process: keeps a crowd of clients on its own core and does what it is told, an order at a time."""

import asyncio
import gc
import statistics
import sys
import time

import msgspec
import uvloop

from gateroom.bench import CannotMeasure
from gateroom.bench.crowd import Crowd, Publisher
from gateroom.bench.measure import cpu_seconds
from gateroom.bench.orders import (
    Answer,
    Close,
    Closed,
    ClosedLoop,
    Delivered,
    Failed,
    Latencies,
    Open,
    Opened,
    Order,
    Setup,
    Steady,
)
from gateroom.bench.wires import WIRES

_SETTLE_SECONDS = 0.02  # for what a server does after the last byte that a client can see
_STUCK_SECONDS = 20.0  # without a delivery while some are still due
_TICK_SECONDS = 0.001


class Load:
    """One crowd on one server, and the ways to drive it."""

    def __init__(self, setup: Setup) -> None:
        self._crowd = Crowd(setup.port, WIRES[setup.wire])
        self._server = setup.server

    async def obey(self, order: Order) -> Answer:
        """Carry out one order; whatever goes wrong is an answer too, since the other side waits for one."""
        try:
            answer = await self._carry_out(order)
            self._crowd.check()
        except (CannotMeasure, OSError, TimeoutError, asyncio.InvalidStateError) as error:
            return Failed(str(error) or type(error).__name__)
        return answer

    async def _carry_out(self, order: Order) -> Answer:
        match order:
            case Open(members, tokens):
                return await self._open(members, tokens)
            case ClosedLoop(in_flight, seconds, warm_up):
                if warm_up > 0:
                    await self._fly(in_flight, warm_up)
                return await self._fly(in_flight, seconds)
            case Steady(rate, seconds):
                return await self._steady(rate, seconds)
            case Close():
                await self._crowd.close()
                return Closed()

    async def _open(self, members: int, tokens: list[str]) -> Opened:
        before = cpu_seconds(self._server)
        await self._crowd.open(members, tokens)
        await asyncio.sleep(_SETTLE_SECONDS)
        spent = cpu_seconds(self._server) - before
        gc.collect()
        gc.freeze()  # thousands of clients are not to be walked through while they are being served
        return Opened(members, spent)

    async def _fly(self, in_flight: int, seconds: float) -> Delivered:
        crowd, publisher = self._crowd, self._publisher()
        published, deliveries = crowd.published, crowd.deliveries
        began, load_cpu, cpu = time.monotonic(), time.process_time(), cpu_seconds(self._server)
        publisher.goes_on = True
        publisher.publish(in_flight)
        await asyncio.sleep(seconds)
        publisher.goes_on = False
        await self._all_delivered(published, deliveries)
        took = time.monotonic() - began
        await asyncio.sleep(_SETTLE_SECONDS)
        return Delivered(
            publishes=crowd.published - published,
            deliveries=crowd.deliveries - deliveries,
            seconds=took,
            cpu=cpu_seconds(self._server) - cpu,
            load_cpu=time.process_time() - load_cpu,
        )

    async def _steady(self, rate: float, seconds: float) -> Latencies:
        crowd, publisher = self._crowd, self._publisher()
        published, deliveries = crowd.published, crowd.deliveries
        late: list[float] = []
        latencies: list[int] = []
        crowd.latencies = latencies
        began, sent = time.monotonic(), 0
        while (passed := time.monotonic() - began) < seconds:
            due = int(passed * rate) - sent
            if due > 0:
                late.append(passed - (sent + 1) / rate)
                publisher.publish(due)
                sent += due
            await asyncio.sleep(_TICK_SECONDS)
        await self._all_delivered(published, deliveries)
        crowd.latencies = None
        if len(latencies) < 100:
            raise CannotMeasure("too few deliveries for percentiles")
        hundredths = statistics.quantiles(latencies, n=100)
        return Latencies(
            publishes=crowd.published - published,
            deliveries=crowd.deliveries - deliveries,
            p50=hundredths[49] / 1000,
            p99=hundredths[98] / 1000,
            late=statistics.quantiles(late, n=100)[98] * 1000,
        )

    def _publisher(self) -> Publisher:
        if self._crowd.publisher is None:
            raise CannotMeasure("nobody is in the room to publish")
        return self._crowd.publisher

    async def _all_delivered(self, published: int, deliveries: int) -> None:
        """Wait until every member has got every message published since; one too many is an error as well."""
        crowd = self._crowd
        due = deliveries + (crowd.published - published) * len(crowd.members)
        last, deadline = crowd.deliveries, time.monotonic() + _STUCK_SECONDS
        while crowd.deliveries < due:
            await asyncio.sleep(_TICK_SECONDS)
            crowd.check()
            if crowd.deliveries > last:
                last, deadline = crowd.deliveries, time.monotonic() + _STUCK_SECONDS
            elif time.monotonic() > deadline:
                raise CannotMeasure(f"{due - crowd.deliveries} deliveries never came")
        if crowd.deliveries > due:
            raise CannotMeasure(f"{crowd.deliveries - due} deliveries too many came")


async def main() -> None:
    """Take orders from standard input until it ends."""
    setup = msgspec.json.decode(await asyncio.to_thread(sys.stdin.buffer.readline), type=Setup)
    load = Load(setup)
    orders = msgspec.json.Decoder(Order)
    while line := await asyncio.to_thread(sys.stdin.buffer.readline):
        answer = await load.obey(orders.decode(line))
        sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    uvloop.run(main())
