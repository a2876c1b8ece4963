"""When a crowd counts as gone."""

from itertools import repeat

import pytest

from gateroom.server.ebb import CALM, LEAST, Ebb, give_back


def moments_of(counts: list[int]) -> list[int]:
    """Give each count until all is calm; return those at which the ebb was over."""
    ebb = Ebb()
    return [count for stays in counts for count in repeat(stays, CALM + 1) if ebb.over(count)]


@pytest.mark.parametrize(
    ("counts", "noticed"),
    [
        ([0, 0], []),
        ([LEAST - 1, 0], []),
        ([LEAST, 0, 0], [0]),
        ([4 * LEAST, 2 * LEAST + 1, 2 * LEAST, 2 * LEAST], [2 * LEAST]),
        ([4 * LEAST, 0, 4 * LEAST, 3 * LEAST, 0], [0, 0]),
    ],
    ids=["nobody", "too few", "once", "half", "each time"],
)
def test_it_is_noticed_once_when_half_of_many_have_gone(counts: list[int], noticed: list[int]) -> None:
    assert moments_of(counts) == noticed


def test_it_is_not_over_while_they_are_going() -> None:
    ebb = Ebb()
    going = range(10 * LEAST, LEAST, -LEAST // 10)
    assert [count for count in going if ebb.over(count)] == []
    assert [ebb.over(LEAST) for _ in range(CALM + 2)].index(True) == CALM


def test_memory_can_be_given_back_at_any_time() -> None:
    give_back()
    give_back()
