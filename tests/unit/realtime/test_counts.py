"""Histograms."""

from hypothesis import given
from hypothesis import strategies as st

from gateroom.realtime.counts import FLUSH_BOUNDS, LAG_BOUNDS, Counts, Histogram


def test_a_value_counts_in_the_first_bucket_it_fits_into() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.0, 1.0, 1.5, 2.0, 2.1, 1000.0):
        histogram.observe(value)
    assert histogram.buckets == [2, 2, 2]
    assert histogram.total == 1006.6


@given(st.lists(st.floats(0, 10)))
def test_every_value_is_counted_once(values: list[float]) -> None:
    histogram = Histogram(LAG_BOUNDS)
    for value in values:
        histogram.observe(value)
    assert sum(histogram.buckets) == len(values)


def test_bounds_rise() -> None:
    for bounds in (FLUSH_BOUNDS, LAG_BOUNDS):
        assert list(bounds) == sorted(set(bounds))
    assert len(Counts().lag.buckets) == len(LAG_BOUNDS) + 1
