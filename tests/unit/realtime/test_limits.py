"""The token bucket."""

from hypothesis import given
from hypothesis import strategies as st

from gateroom.realtime.limits import TokenBucket


def taken(bucket: TokenBucket, now: float, tries: int) -> int:
    return sum(bucket.take(now) for _ in range(tries))


def test_a_burst_goes_through_at_once_and_then_nothing() -> None:
    bucket = TokenBucket(10, 5, 100.0)
    assert taken(bucket, 100.0, 50) == 5


def test_it_refills_at_its_rate_up_to_the_burst() -> None:
    bucket = TokenBucket(10, 5, 100.0)
    taken(bucket, 100.0, 5)
    assert taken(bucket, 100.25, 10) == 2
    assert taken(bucket, 100.3125, 10) == 1
    assert taken(bucket, 1000.0, 50) == 5


def test_who_keeps_asking_gets_the_rate_all_the_same() -> None:
    bucket = TokenBucket(10, 5, 0.0)
    taken(bucket, 0.0, 5)
    assert sum(bucket.take(tick / 1000) for tick in range(1, 10_001)) in (99, 100)


def test_a_rate_of_zero_lets_everything_through() -> None:
    assert taken(TokenBucket(0, 0, 0.0), 0.0, 10_000) == 10_000


@given(
    st.floats(0.1, 1000),
    st.integers(1, 100),
    st.lists(st.tuples(st.floats(0, 10), st.integers(1, 50)), max_size=30),
)
def test_it_never_lets_through_more_than_burst_and_rate(
    rate: float, burst: int, asked: list[tuple[float, int]]
) -> None:
    bucket, now, through = TokenBucket(rate, burst, 0.0), 0.0, 0
    for pause, tries in asked:
        now += pause
        through += taken(bucket, now, tries)
        assert through <= burst + rate * now + 1e-6 * (1 + through)
