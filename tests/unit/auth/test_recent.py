"""What was read a moment ago."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateroom.auth.recent import Recent
from support.clock import FrozenClock


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


def test_a_value_is_known_for_its_time_and_no_longer(clock: FrozenClock) -> None:
    recent: Recent[str, int] = Recent(10, 30, clock)
    assert recent.get("a") is None
    recent.put("a", 1)
    clock.advance(30)
    assert recent.get("a") == (1,)
    clock.advance(0.001)
    assert recent.get("a") is None


def test_that_there_is_none_is_known_too(clock: FrozenClock) -> None:
    recent: Recent[str, int] = Recent(10, 30, clock)
    recent.put("a", None)
    assert recent.get("a") == (None,)


def test_the_oldest_go_first(clock: FrozenClock) -> None:
    recent: Recent[str, int] = Recent(2, 30, clock)
    recent.put("a", 1)
    recent.put("b", 2)
    recent.put("a", 3)
    recent.put("c", 4)
    assert (recent.get("a"), recent.get("b"), recent.get("c")) == ((3,), None, (4,))


def test_one_can_be_forgotten_and_all_of_a_sort(clock: FrozenClock) -> None:
    recent: Recent[str, int] = Recent(10, 30, clock)
    for key in ("a1", "a2", "b1"):
        recent.put(key, 0)
    recent.forget("a1")
    recent.forget("never")
    assert recent.get("a1") is None
    recent.drop(lambda key: key.startswith("a"))
    assert (recent.get("a2"), recent.get("b1")) == (None, (0,))


@given(st.integers(1, 5), st.lists(st.tuples(st.integers(0, 9), st.floats(0, 20))))
def test_it_never_knows_more_than_its_size_nor_what_is_too_old(size: int, puts: list[tuple[int, float]]) -> None:
    clock = FrozenClock()
    recent: Recent[int, float] = Recent(size, 30, clock)
    for key, pause in puts:
        clock.advance(pause)
        recent.put(key, clock())
        known = [found[0] for each in range(10) if (found := recent.get(each))]
        assert 1 <= len(known) <= size
        assert all(at is not None and clock() - at <= 30 for at in known)


@given(st.integers(1, 5), st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["put", "forget", "drop_group"]))))
def test_a_group_is_forgotten_as_if_each_of_it_were(size: int, acts: list[tuple[int, str]]) -> None:
    grouped: Recent[int, int] = Recent(size, 30, FrozenClock(), group=lambda key: key % 3)
    searched: Recent[int, int] = Recent(size, 30, FrozenClock())
    for key, act in acts:
        if act == "put":
            grouped.put(key, key)
            searched.put(key, key)
        elif act == "forget":
            grouped.forget(key)
            searched.forget(key)
        else:
            grouped.drop_group(key % 3)
            for other in range(key % 3, 10, 3):
                searched.forget(other)
        assert [grouped.get(each) for each in range(10)] == [searched.get(each) for each in range(10)]
