"""Token buckets."""

from hypothesis import given
from hypothesis import strategies as st

from gateroom.rates import Buckets, TokenBucket


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


def test_what_was_free_is_given_back_but_never_more_than_there_was() -> None:
    bucket = TokenBucket(1, 3, 0.0)
    taken(bucket, 0.0, 2)
    bucket.give_back()
    assert taken(bucket, 0.0, 9) == 2
    bucket.give_back(100)
    assert taken(bucket, 0.0, 9) == 3


def test_a_bucket_made_a_moment_after_the_clock_was_read_is_full_all_the_same() -> None:
    assert taken(TokenBucket(10, 5, 100.0), 99.999, 9) == 5


def test_it_says_how_long_to_wait() -> None:
    bucket = TokenBucket(0.5, 2, 0.0)
    assert bucket.take(0.0, 2)
    assert bucket.wait(1.0) == 1.0
    assert not bucket.take(1.75)
    assert bucket.take(2.0)


def test_each_key_has_a_bucket_of_its_own_and_the_oldest_are_forgotten() -> None:
    buckets: Buckets[str] = Buckets(1, 1, lambda: 0.0, size=2)
    assert [buckets.of(key).take(0.0) for key in ("a", "a", "b", "a")] == [True, False, True, False]
    buckets.of("c")
    assert len(buckets) == 2
    assert [buckets.of(key).take(0.0) for key in ("a", "b")] == [False, True]
