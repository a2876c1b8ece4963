import pytest

from gateroom.bench.table import figure


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.234, "0.23"), (5.5, "5.50"), (12.34, "12.3"), (450.2, "450"), (12130.0, "12,130")]
)
def test_a_figure_has_about_three_digits_that_mean_something(value: float, text: str) -> None:
    assert figure(value) == text
