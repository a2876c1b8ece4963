"""How many logins may fail, and that nobody can lock somebody else out."""

import pytest

from gateroom.auth import throttle as module
from gateroom.auth.throttle import LoginThrottle, network_of
from gateroom.errors import InvalidCredentials, RateLimited, Unavailable
from support.clock import FrozenClock

HOME, OFFICE = "192.0.2.1", "192.0.2.2"


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def throttle(clock: FrozenClock) -> LoginThrottle:
    return LoginThrottle(10, clock)


def failures(throttle: LoginThrottle, tries: int, name: str, address: str) -> int:
    """Fail so often; return how many were not even looked at."""
    refused = 0
    for _ in range(tries):
        try:
            with throttle.attempt(name, address):
                raise InvalidCredentials
        except InvalidCredentials:
            pass
        except RateLimited:
            refused += 1
    return refused


def succeed(throttle: LoginThrottle, name: str, address: str) -> None:
    with throttle.attempt(name, address):
        pass


def test_an_address_may_fail_ten_times_a_minute_whatever_the_names(throttle: LoginThrottle, clock: FrozenClock) -> None:
    assert sum(failures(throttle, 1, f"user{number}", HOME) for number in range(15)) == 5
    clock.advance(6)
    assert failures(throttle, 3, "ada", HOME) == 2
    clock.advance(60)
    assert failures(throttle, 10, "eve", HOME) == 0


def test_a_refusal_says_how_long_to_wait(throttle: LoginThrottle) -> None:
    failures(throttle, 10, "ada", HOME)
    with pytest.raises(RateLimited) as refused:
        succeed(throttle, "bob", HOME)
    assert refused.value.retry_after == 6


def test_a_stranger_cannot_lock_anybody_out(throttle: LoginThrottle) -> None:
    assert failures(throttle, 20, "ada", HOME) == 10
    succeed(throttle, "ada", OFFICE)


def test_a_name_used_up_leaves_two_tries_to_each_further_address(throttle: LoginThrottle) -> None:
    failures(throttle, 20, "ada", HOME)
    assert failures(throttle, 9, "ada", OFFICE) == 7
    assert failures(throttle, 5, "bob", OFFICE) == 0


def test_many_addresses_together_cannot_guess_a_name_without_bound(clock: FrozenClock) -> None:
    throttle = LoginThrottle(10, clock)
    looked_at = 2000 - sum(failures(throttle, 20, "ada", f"198.51.100.{number}") for number in range(100))
    assert looked_at == 10 + 2 * 99


def test_all_strangers_together_are_bounded_but_not_who_was_here_before(clock: FrozenClock) -> None:
    throttle = LoginThrottle(10, clock)
    succeed(throttle, "ada", HOME)
    for number in range(40):
        failures(throttle, 20, f"user{number}", f"198.51.100.{number}")
    with pytest.raises(RateLimited):
        succeed(throttle, "zoe", OFFICE)
    succeed(throttle, "ada", HOME)


def test_failures_of_others_at_an_address_do_not_count_for_who_has_logged_in_there(throttle: LoginThrottle) -> None:
    succeed(throttle, "ada", HOME)
    failures(throttle, 20, "bob", HOME)
    failures(throttle, 20, "ada", OFFICE)
    assert failures(throttle, 15, "ada", HOME) == 5


def test_what_succeeds_and_what_nobody_looked_at_is_free(throttle: LoginThrottle) -> None:
    for _ in range(50):
        succeed(throttle, "ada", HOME)
        with pytest.raises(Unavailable), throttle.attempt("bob", OFFICE):
            raise Unavailable
    assert failures(throttle, 10, "bob", OFFICE) == 0


def test_without_a_rate_there_is_no_limit(clock: FrozenClock) -> None:
    assert failures(LoginThrottle(0, clock), 1000, "ada", HOME) == 0


def test_memory_is_bounded_whatever_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MEMORY_SIZE", 50)
    small = LoginThrottle(100_000, FrozenClock())
    for number in range(500):
        name, address = f"user{number}", f"10.0.{number % 256}.{number // 256}"
        failures(small, 3, "ada", address)
        succeed(small, name, address)
        failures(small, 1, name, address)
    sizes = (small._addresses, small._names, small._fresh, small._familiar, small._known)
    assert all(len(held) <= 50 for held in sizes)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::", "2001:db8:1:2::"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_a_whole_ipv6_network_counts_as_one_address(address: str, network: str) -> None:
    assert network_of(address) == network
