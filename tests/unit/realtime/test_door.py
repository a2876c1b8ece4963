"""Who is counted in, and out again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateroom.errors import ConnectionLimit, GateroomError, RateLimited, Restarting
from gateroom.realtime.door import Door, Place
from gateroom.realtime.limits import Limits
from support.clock import FrozenClock

OPEN = {"max_connections_per_user": 0}


def door(**limits: int) -> Door:
    return Door(Limits(**{**OPEN, **limits}), FrozenClock())


def test_in_all_there_are_as_many_as_the_limit() -> None:
    entrance = door(max_connections=2)
    places = [entrance.enter("a"), entrance.enter("b")]
    with pytest.raises(ConnectionLimit):
        entrance.enter("c")
    entrance.leave(places[0])
    entrance.enter("c")
    assert entrance.inside == 2


@pytest.mark.parametrize(
    ("first", "second"), [("2001:db8::1", "2001:db8::ffff:2"), ("192.0.2.1", "::ffff:192.0.2.1")], ids=["/64", "mapped"]
)
def test_the_addresses_of_one_subscriber_are_one(first: str, second: str) -> None:
    """Who has IPv6 at home has 2**64 of them."""
    entrance = door(max_connections_per_address=1)
    place = entrance.enter(first)
    with pytest.raises(ConnectionLimit):
        entrance.enter(second)
    entrance.enter("2001:db8:0:1::1")
    entrance.leave(place)
    assert entrance.enter(second).address == second  # which is what the log has


def test_of_one_address_there_are_as_many_as_the_limit() -> None:
    entrance = door(max_connections_per_address=1)
    place = entrance.enter("a")
    with pytest.raises(ConnectionLimit):
        entrance.enter("a")
    entrance.enter("b")
    entrance.leave(place)
    entrance.enter("a")


def test_of_one_user_there_are_as_many_as_the_limit() -> None:
    entrance = door(max_connections_per_user=1)
    first, second = entrance.enter("a"), entrance.enter("a")
    entrance.identify(first, "u-ada")
    with pytest.raises(ConnectionLimit):
        entrance.identify(second, "u-ada")
    entrance.leave(second)
    entrance.leave(first)
    again = entrance.enter("a")
    entrance.identify(again, "u-ada")


def test_without_limits_everybody_comes_in() -> None:
    entrance = door()
    for _ in range(1000):
        entrance.identify(entrance.enter("a"), "u-ada")
    assert entrance.inside == 1000


def test_handshakes_come_at_their_rate_and_twice_that_at_once() -> None:
    clock = FrozenClock()
    entrance = Door(Limits(handshake_rate=5, **OPEN), clock)
    for _ in range(10):
        entrance.enter("a")
    with pytest.raises(RateLimited):
        entrance.enter("a")
    clock.advance(0.2)
    entrance.enter("a")
    with pytest.raises(RateLimited):
        entrance.enter("a")


def test_a_slow_handshake_rate_still_lets_one_in() -> None:
    entrance = Door(Limits(handshake_rate=0.1), FrozenClock())
    entrance.enter("a")
    with pytest.raises(RateLimited):
        entrance.enter("a")


def test_who_was_refused_takes_no_place() -> None:
    entrance = door(max_connections=1)
    entrance.enter("a")
    for _ in range(5):
        with pytest.raises(ConnectionLimit):
            entrance.enter("a")
    assert entrance.inside == 1


def test_a_shut_door_lets_nobody_in_but_everybody_out() -> None:
    entrance = door()
    place = entrance.enter("a")
    entrance.shut = True
    with pytest.raises(Restarting):
        entrance.enter("a")
    entrance.leave(place)
    assert entrance.inside == 0


users = st.sampled_from(["u-ada", "u-bob"])
addresses = st.sampled_from(["a", "b"])


@given(st.lists(st.tuples(st.sampled_from(["enter", "identify", "leave"]), addresses, users, st.integers(0, 9))))
def test_after_any_mix_the_door_is_as_it_was(acts: list[tuple[str, str, str, int]]) -> None:
    limits = {"max_connections": 5, "max_connections_per_address": 3, "max_connections_per_user": 2}
    entrance = door(**limits)
    inside: list[Place] = []
    for act, address, user, which in acts:
        try:
            if act == "enter":
                inside.append(entrance.enter(address))
            elif inside and act == "identify":
                place = inside[which % len(inside)]
                if place.user_id is None:
                    entrance.identify(place, user)
            elif inside:
                entrance.leave(inside.pop(which % len(inside)))
        except GateroomError as error:
            assert isinstance(error, ConnectionLimit)  # noqa: PT017 - only this one may come, now and then
        assert entrance.inside == len(inside) <= 5
        for each in ("a", "b"):
            assert sum(place.address == each for place in inside) <= 3
        for each in ("u-ada", "u-bob"):
            assert sum(place.user_id == each for place in inside) <= 2
    for place in inside:
        entrance.leave(place)
    assert entrance.inside == 0
    for each in ("u-ada", "u-bob"):  # all of the room there is, is there again
        for _ in range(2):
            entrance.identify(entrance.enter("a" if each == "u-ada" else "b"), each)
