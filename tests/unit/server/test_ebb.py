"""When a crowd counts as gone."""

import pytest

from gateroom.server.ebb import LEAST, Ebb, give_back


@pytest.mark.parametrize(
    ("counts", "noticed"),
    [
        ([0, 0], [False, False]),
        ([LEAST - 1, 0], [False, False]),
        ([LEAST, 0, 0], [False, True, False]),
        ([4 * LEAST, 2 * LEAST + 1, 2 * LEAST, 2 * LEAST], [False, False, True, False]),
        ([4 * LEAST, 0, 4 * LEAST, 3 * LEAST, 0], [False, True, False, False, True]),
    ],
    ids=["nobody", "too few", "once", "half", "each time"],
)
def test_it_is_noticed_once_when_half_of_many_have_gone(counts: list[int], noticed: list[bool]) -> None:
    ebb = Ebb()
    assert [ebb.noticed(count) for count in counts] == noticed


def test_memory_can_be_given_back_at_any_time() -> None:
    give_back()
    give_back()
