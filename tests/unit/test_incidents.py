"""Sampling, and ids of faults."""

from structlog.testing import capture_logs

from gateroom.incidents import Sampler, blame, note
from support.clock import FrozenClock


def test_as_many_lines_as_agreed_go_through_and_the_rest_is_counted() -> None:
    clock = FrozenClock()
    sampler = Sampler(burst=3, interval=60, clock=clock)
    assert [sampler.admit("flood") for _ in range(10)] == [0, 0, 0, *[None] * 7]
    clock.advance(59)
    assert sampler.admit("flood") is None
    clock.advance(1)
    assert sampler.admit("flood") == 8
    assert sampler.admit("flood") == 0


def test_kinds_do_not_hold_each_other_back() -> None:
    sampler = Sampler(burst=1, clock=FrozenClock())
    assert sampler.admit("one") == 0
    assert sampler.admit("one") is None
    assert sampler.admit("other") == 0


def test_quiet_intervals_are_not_reported_as_held_back() -> None:
    clock = FrozenClock()
    sampler = Sampler(burst=2, interval=60, clock=clock)
    sampler.admit("rare")
    clock.advance(1000)
    assert sampler.admit("rare") == 0


def test_a_line_says_who_and_with_what_outcome_and_nothing_empty() -> None:
    with capture_logs() as lines:
        note("tested", code="forbidden", user="u-ada", peer=("192.0.2.1", 50000), session="", connection=None)
    assert lines == [
        {"event": "tested", "log_level": "info", "outcome": "forbidden", "user": "u-ada", "peer": "192.0.2.1"}
    ]


def test_each_fault_is_logged_and_gets_an_id_of_its_own() -> None:
    fault = ValueError("canary")
    with capture_logs() as lines:
        reasons = [blame("it_failed", fault) for _ in range(3)]
    assert len(set(reasons)) == 3
    assert reasons == [f"internal_error {line['error_id']}" for line in lines]
    assert all(line["event"] == "it_failed" and line["exc_info"] is fault for line in lines)
    assert all(len(reason) <= 123 and "canary" not in reason for reason in reasons)
