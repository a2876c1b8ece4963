"""Where the protocol classes find their tunables."""

import pytest

from gateroom.server.profile import DEFAULT, STATE_KEY, ServerProfile, profile_of


def test_the_profile_is_found_in_the_lifespan_state() -> None:
    profile = ServerProfile(refusal="close")
    assert profile_of({STATE_KEY: profile}) is profile


@pytest.mark.parametrize("state", [{}, {"other": 1}, {STATE_KEY: {"refusal": "close"}}])
def test_without_one_the_defaults_apply(state: dict[str, object]) -> None:
    assert profile_of(state) is DEFAULT


def test_the_defaults_are_those_of_the_contract() -> None:
    assert (DEFAULT.refusal, DEFAULT.max_message_bytes) == ("auto", 65536)
    assert (DEFAULT.header_timeout, DEFAULT.body_timeout, DEFAULT.stall_timeout) == (10, 30, 10)
    assert DEFAULT.shutdown_grace == 10
