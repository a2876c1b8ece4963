"""What only the broker of a single process does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from gateroom.broker.local import MAX_SUBMITTED, LocalBroker
from gateroom.errors import InternalError, Unavailable
from gateroom.realtime.ports import Outcome, Position, Record, Retention
from support.brokers import Carrier, event, local, message, numbers
from support.clock import FrozenClock
from support.stores import in_memory

DESK = "room:desk"


class Bench:
    """A local broker that steps when it is told."""

    def __init__(self) -> None:
        self.clock = FrozenClock()
        self.wakes = 0
        self.outcomes: list[Outcome] = []
        self.delivered: list[Record] = []
        self.refuse: bytes | None = None
        self.broker = LocalBroker(self._deliver, self._wake, self.clock, in_memory().streams)

    def submit(self, *records: Record) -> None:
        for record in records:
            self.broker.submit(record, self.outcomes.append)

    def _wake(self) -> None:
        self.wakes += 1

    def _deliver(self, record: Record, position: Position | None) -> None:
        if record.body == self.refuse:
            raise ValueError("a mistake")
        self.delivered.append(record)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_nothing_is_carried_before_the_step(bench: Bench) -> None:
    bench.submit(message(1), event(2))
    assert (bench.delivered, bench.outcomes) == ([], [])
    bench.broker.step()
    assert len(bench.delivered) == len(bench.outcomes) == 2


def test_the_first_of_a_batch_asks_for_a_step(bench: Bench) -> None:
    bench.submit(message(1), message(2))
    assert bench.wakes == 1
    bench.broker.step()
    bench.submit(message(3))
    assert bench.wakes == 2


def test_what_is_submitted_during_a_step_is_for_the_next(bench: Bench) -> None:
    bench.broker.submit(message(1), lambda _: bench.submit(message(2)))
    bench.broker.step()
    assert bench.delivered == [message(1)]
    bench.broker.step()
    assert bench.delivered == [message(1), message(2)]
    assert bench.wakes == 2


def test_a_record_that_cannot_be_delivered_is_answered_and_does_not_stop_the_others(bench: Bench) -> None:
    bench.refuse = message(2).body
    bench.submit(message(1), message(2), message(3))
    with capture_logs() as logs:
        bench.broker.step()
    assert [type(outcome) for outcome in bench.outcomes] == [Position, InternalError, Position]
    assert [entry["event"] for entry in logs] == ["delivery_failed"]


def test_an_answer_that_fails_is_seen_in_the_log(bench: Bench) -> None:
    def failing(outcome: Outcome) -> None:
        raise ValueError("a mistake")

    bench.broker.submit(message(1), failing)
    bench.submit(message(2))
    with capture_logs() as logs:
        bench.broker.step()
    assert len(bench.outcomes) == 1
    assert [entry["event"] for entry in logs] == ["answer_failed"]


def test_more_than_the_bound_is_refused_at_once_and_what_came_before_is_carried(bench: Bench) -> None:
    for number in range(MAX_SUBMITTED):
        bench.broker.submit(event(number), lambda _: None)
    bench.submit(message(0))
    assert [type(outcome) for outcome in bench.outcomes] == [Unavailable]
    bench.broker.step()
    assert len(bench.delivered) == MAX_SUBMITTED
    bench.submit(message(0))
    bench.broker.step()
    assert isinstance(bench.outcomes[-1], Position)


async def test_what_is_submitted_in_answer_to_the_last_step_is_refused(bench: Bench) -> None:
    bench.broker.submit(message(1), lambda _: bench.submit(message(2)))
    await bench.broker.close()
    assert bench.delivered == [message(1)]
    assert [type(outcome) for outcome in bench.outcomes] == [Unavailable]


# What time and room take away


async def test_what_has_outlived_its_retention_is_not_read() -> None:
    clock = FrozenClock()
    carrier = Carrier(local(clock))
    minute = Retention(10, 60)
    positions = await carrier.positions(message(1, retention=minute))
    clock.advance(40)
    positions += await carrier.positions(message(2, retention=minute))
    clock.advance(20)
    assert numbers(await carrier.read(DESK)) == [1, 2]
    clock.advance(1)
    page = await carrier.read(DESK)
    assert (numbers(page), page.recovered) == ([2], True)
    clock.advance(60)
    gone = await carrier.read(DESK, positions[0])
    assert (gone.texts, gone.recovered, gone.position) == ([], False, positions[1])
    assert (await carrier.read(DESK, positions[1])).recovered


async def test_a_trimmed_stream_goes_on_with_its_numbers() -> None:
    clock = FrozenClock()
    carrier = Carrier(local(clock))
    assert isinstance(carrier.broker, LocalBroker)
    minute = Retention(10, 60)
    (first,) = await carrier.positions(message(1, retention=minute))
    clock.advance(61)
    carrier.broker.trim()
    assert (await carrier.read(DESK)).texts == []
    assert await carrier.positions(message(2, retention=minute)) == [Position(first.epoch, 2)]
    assert numbers(await carrier.read(DESK)) == [2]


async def test_without_a_time_limit_messages_stay() -> None:
    clock = FrozenClock()
    carrier = Carrier(local(clock))
    assert isinstance(carrier.broker, LocalBroker)
    await carrier.carry(message(1))
    clock.advance(10 * 365 * 86400)
    carrier.broker.trim()
    assert numbers(await carrier.read(DESK)) == [1]


async def test_a_room_whose_retention_changed_keeps_what_it_keeps_now() -> None:
    carrier = Carrier(local())
    positions = await carrier.positions(*(message(number) for number in range(1, 6)))
    positions += await carrier.positions(message(6, retention=Retention(2, 0)))
    assert numbers(await carrier.read(DESK)) == [5, 6]
    positions += await carrier.positions(message(7, retention=Retention(0, 0)))
    page = await carrier.read(DESK, positions[4])
    assert (page.texts, page.recovered) == ([], False)
    await carrier.positions(message(8))
    assert numbers(await carrier.read(DESK, positions[6])) == [8]


@given(
    st.lists(st.tuples(st.integers(0, 5), st.floats(0, 40), st.integers(1, 4)), max_size=20),
    st.integers(0, 25),
    st.integers(1, 6),
)
async def test_whatever_is_read_is_what_was_written_in_order(
    writes: list[tuple[int, float, int]], since: int, limit: int
) -> None:
    clock = FrozenClock()
    carrier = Carrier(local(clock))
    written = 0
    for size, pause, count in writes:
        clock.advance(pause)
        for _ in range(count):
            written += 1
            await carrier.carry(message(written, retention=Retention(size, 60)))
    epoch = (await carrier.open(DESK)).epoch
    page = await carrier.read(DESK, Position(epoch, since), limit)
    seen = numbers(page)
    assert len(seen) <= limit
    assert seen == list(range(page.position.seq - len(seen) + 1, page.position.seq + 1))
    assert page.more == (page.position.seq < written)
    if page.recovered:
        assert page.position.seq == since + len(seen)
