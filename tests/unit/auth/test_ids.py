"""Ids that nobody can guess."""

import re

from gateroom.auth.ids import new_id


def test_ids_are_26_lower_case_characters_and_never_the_same() -> None:
    ids = {new_id() for _ in range(10_000)}
    assert len(ids) == 10_000
    assert all(re.fullmatch(r"[a-z2-7]{26}", one) for one in ids)
