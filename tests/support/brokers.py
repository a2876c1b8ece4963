"""A broker at work, whichever it is: what it delivers is written down, what it answers can be awaited."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import msgspec.structs

from gateroom.broker.local import LocalBroker
from gateroom.protocol.patches import Change, Operation, State
from gateroom.realtime.ports import Broker, Deliver, Kind, Outcome, Page, Position, Record, Retention, StreamLog
from gateroom.realtime.tick import Tick
from gateroom.realtime.topics import room_of
from support.clock import FrozenClock
from support.stores import Stores, a_room, in_memory

PATIENCE = 10.0  # seconds
KEPT = Retention(100, 0)
EVERYTHING = 1 << 30  # bytes of a page

MakeBroker = Callable[[Deliver, Callable[[], None], StreamLog], Broker]


class Carrier:
    """A broker that steps at the end of each tick; `durable` makes all its streams so.

    A durable stream belongs to somebody: its room or account has to be among the `stores`.
    """

    def __init__(self, make: MakeBroker, stores: Stores | None = None, *, durable: bool = False) -> None:
        self.stores = stores or in_memory()
        self.durable = durable
        self.delivered: list[tuple[Record, Position | None]] = []
        self.answered: list[tuple[Record, Outcome]] = []
        self.log: list[str] = []  # "delivered" and "answered", with the body, as it happened
        tick = Tick()
        self.broker = make(self._deliver, tick.wake, self.stores.streams)
        tick.stages(self.broker.step)

    def submit(self, *records: Record) -> "asyncio.Future[list[Outcome]]":
        """Submit the records at once; the future has their outcomes, in their order."""
        futures = [self._submit(record) for record in records]
        return asyncio.ensure_future(asyncio.wait_for(_all(futures), PATIENCE))

    async def carry(self, *records: Record) -> list[Outcome]:
        """Submit the records at once, and wait for their outcomes."""
        return await self.submit(*records)

    async def positions(self, *records: Record) -> list[Position]:
        """Carry the records, all of which must be numbered."""
        outcomes = await self.carry(*records)
        found = [outcome for outcome in outcomes if isinstance(outcome, Position)]
        assert len(found) == len(records), outcomes
        return found

    async def states(self, *records: Record) -> list[State]:
        """Carry the changes, all of which must be made."""
        outcomes = await self.carry(*records)
        found = [outcome for outcome in outcomes if isinstance(outcome, State)]
        assert len(found) == len(records), outcomes
        return found

    async def read(
        self,
        topic: str,
        since: Position | None = None,
        limit: int = 1000,
        max_bytes: int = EVERYTHING,
        retention: Retention = KEPT,
    ) -> Page:
        return await self.broker.history(topic, self._lasting(retention), since, limit, max_bytes)

    async def open(self, topic: str) -> Position:
        """Open the stream and return its head."""
        await self.broker.open(topic, self._lasting(KEPT))
        return self.head(topic)

    def head(self, topic: str) -> Position:
        """Return the head of a stream that is known to the broker."""
        head = self.broker.head(topic)
        assert head is not None
        return head

    async def renew(self, topic: str) -> None:
        """Delete the stream's room and make another one of the same name."""
        room_id = room_of(topic)
        assert room_id is not None
        await self.stores.rooms.remove(room_id)
        self.broker.forget(topic)
        await self.stores.rooms.add(a_room(room_id), None)

    def lasting(self, record: Record) -> Record:
        """Return the record as this carrier submits it."""
        if record.kind is Kind.EVENT:
            return record
        return msgspec.structs.replace(record, retention=self._lasting(record.retention))

    def _lasting(self, retention: Retention) -> Retention:
        return msgspec.structs.replace(retention, durable=self.durable)

    def _submit(self, record: Record) -> "asyncio.Future[Outcome]":
        record = self.lasting(record)
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def done(outcome: Outcome) -> None:
            self.answered.append((record, outcome))
            self.log.append(f"answered {record.body.decode()}")
            future.set_result(outcome)

        self.broker.submit(record, done)
        return future

    def _deliver(self, record: Record, position: Position | None) -> None:
        self.delivered.append((record, position))
        self.log.append(f"delivered {record.body.decode()}")


def local(clock: FrozenClock | None = None) -> MakeBroker:
    """Make local brokers on this clock."""
    return lambda deliver, wake, log: LocalBroker(deliver, wake, clock or FrozenClock(), log)


def message(number: object, topic: str = "room:desk", retention: Retention = KEPT) -> Record:
    """Build a record to be numbered; `number` tells it from others."""
    return Record(topic, Kind.MESSAGE, b'"n":%b}' % str(number).encode(), retention)


def change(
    key: str, topic: str = "room:desk", *, version: int | None = None, retention: Retention = KEPT, **more: Any
) -> Record:
    """Build a record that adds a member to the topic's state; `more` may be other `operations`, or `max_bytes`."""
    operations = more.pop("operations", (Operation("add", f"/{key}", value=1),))
    body = b'"of":"%b"}' % key.encode()
    return Record(topic, Kind.STATE, body, retention, change=Change(operations, version, **more))


def event(number: object, topic: str = "room:desk") -> Record:
    return Record(topic, Kind.EVENT, b'{"n":%b}' % str(number).encode())


def numbers(page: Page) -> list[int]:
    """Return what tells a page's messages apart."""
    return [msgspec.json.decode(text)["n"] for text in page.texts]


async def _all(futures: "list[asyncio.Future[Outcome]]") -> list[Outcome]:
    return [await future for future in futures]
