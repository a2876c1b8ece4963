"""Keys of streams in memory."""

import pytest

from gateroom.broker import memory
from gateroom.broker.memory import MemoryStreams
from gateroom.errors import RateLimited
from gateroom.realtime.ports import KEY_WINDOW, Key, Kind, Position, Record, Repeated, Retention
from support.clock import FrozenClock

DESK = "room:desk"


def record(key: str | None = None, topic: str = DESK, by: str = "u-ada") -> Record:
    return Record(topic, Kind.MESSAGE, b"x", Retention(10, 60), key=Key(by, key) if key else None)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def streams(clock: FrozenClock) -> MemoryStreams:
    return MemoryStreams(clock)


def test_a_key_stands_for_the_first_message_of_that_user_in_that_stream(
    streams: MemoryStreams, clock: FrozenClock
) -> None:
    first = streams.append(record("k"), clock())
    assert streams.append(record("k"), clock()) == Repeated(first.epoch, 1)
    assert streams.append(record("k", by="u-bob"), clock()) == Position(first.epoch, 2)
    assert streams.append(record("l"), clock()) == Position(first.epoch, 3)
    assert streams.append(record("k", "room:other"), clock()).epoch != first.epoch


def test_a_key_is_known_for_its_whole_window_and_free_in_the_end(streams: MemoryStreams, clock: FrozenClock) -> None:
    clock.advance(KEY_WINDOW - 1)
    streams.append(record("k"), clock())
    for _ in range(int(KEY_WINDOW)):
        clock.advance(1)
        streams.trim()
    assert isinstance(streams.append(record("k"), clock()), Repeated)
    for _ in range(int(KEY_WINDOW)):
        clock.advance(1)
        streams.trim()
    assert not isinstance(streams.append(record("k"), clock()), Repeated)


def test_a_key_means_nothing_in_a_stream_made_anew(streams: MemoryStreams, clock: FrozenClock) -> None:
    first = streams.append(record("k"), clock())
    streams.forget(DESK)
    again = streams.append(record("k"), clock())
    assert not isinstance(again, Repeated)
    assert again.epoch != first.epoch


def test_a_page_has_as_many_bytes_as_asked_for_but_at_least_one_message(
    streams: MemoryStreams, clock: FrozenClock
) -> None:
    for _ in range(4):
        streams.append(record(), clock())
    size = len(streams.history(DESK, None, 1, 1).texts[0])
    assert len(streams.history(DESK, None, 10, 2 * size).texts) == 2
    assert len(streams.history(DESK, None, 10, 2 * size - 1).texts) == 1


def test_too_many_keys_are_refused_with_a_name_and_those_known_still_hold(
    streams: MemoryStreams, clock: FrozenClock
) -> None:
    for number in range(memory.MAX_KEYS):
        streams.append(record(str(number)), clock())
    with pytest.raises(RateLimited):
        streams.append(record("one more"), clock())
    assert isinstance(streams.append(record("0"), clock()), Repeated)
    assert not isinstance(streams.append(record(), clock()), Repeated)
