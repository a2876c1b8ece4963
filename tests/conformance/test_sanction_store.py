"""What `SanctionStore` promises."""

import asyncio
import math

import pytest

from gateroom.errors import NotFound
from gateroom.rooms.model import UNRESTRAINED, Measure, Restraints, Role, Sanction, Visibility
from support.stores import Stores, a_room, a_user

pytest_plugins = ["support.databases"]

NAMES = ["ada", "bob", "cyd", "dan", "eve", "flo"]
BAN, MUTE = Measure.BAN, Measure.MUTE


@pytest.fixture(autouse=True)
async def a_desk_and_a_hall(stores: Stores) -> None:
    for name in NAMES:
        await stores.users.add(a_user(name), "h")
    for room in ("desk", "hall"):
        await stores.rooms.add(a_room(room, created_by="u-ada"), "u-ada")


async def test_a_measure_for_good_is_found_for_that_user_in_that_room_only(stores: Stores) -> None:
    taken = await stores.sanctions.put("desk", "u-bob", BAN, None)
    assert taken == Sanction(BAN, "desk", "u-bob", "bob", stores.clock(), None)
    assert await stores.sanctions.of("desk", "u-bob") == Restraints(banned_until=math.inf)
    assert await stores.sanctions.of("hall", "u-bob") == UNRESTRAINED
    assert await stores.sanctions.of("desk", "u-cyd") == UNRESTRAINED


async def test_ban_and_mute_are_apart(stores: Stores) -> None:
    soon = stores.clock() + 60.5
    await stores.sanctions.put("desk", "u-bob", BAN, None)
    await stores.sanctions.put("desk", "u-bob", MUTE, soon)
    assert await stores.sanctions.of("desk", "u-bob") == Restraints(math.inf, soon)
    await stores.sanctions.lift("desk", "u-bob", BAN)
    assert await stores.sanctions.of("desk", "u-bob") == Restraints(muted_until=soon)


async def test_a_measure_taken_again_holds_as_it_was_last_taken(stores: Stores) -> None:
    await stores.sanctions.put("desk", "u-bob", BAN, None)
    stores.clock.advance(10)
    soon = stores.clock() + 60
    again = await stores.sanctions.put("desk", "u-bob", BAN, soon)
    assert await stores.sanctions.of("desk", "u-bob") == Restraints(banned_until=soon)
    assert await stores.sanctions.page("desk", BAN, None, 10) == [again]


async def test_what_is_over_is_neither_listed_nor_to_be_lifted(stores: Stores) -> None:
    await stores.sanctions.put("desk", "u-bob", MUTE, stores.clock() + 60)
    await stores.sanctions.put("desk", "u-cyd", MUTE, None)
    stores.clock.advance(60)
    assert [taken.username for taken in await stores.sanctions.page("desk", MUTE, None, 10)] == ["cyd"]
    assert (await stores.sanctions.of("desk", "u-bob")).muted_until <= stores.clock()
    with pytest.raises(NotFound):
        await stores.sanctions.lift("desk", "u-bob", MUTE)


@pytest.mark.parametrize(("room_id", "user_id"), [("nowhere", "u-bob"), ("desk", "u-zoe")])
async def test_a_measure_needs_a_room_and_an_account(stores: Stores, room_id: str, user_id: str) -> None:
    with pytest.raises(NotFound):
        await stores.sanctions.put(room_id, user_id, BAN, None)
    with pytest.raises(NotFound):
        await stores.sanctions.lift(room_id, user_id, BAN)


async def test_a_measure_is_lifted_once(stores: Stores) -> None:
    await stores.sanctions.put("desk", "u-bob", BAN, None)
    await stores.sanctions.lift("desk", "u-bob", BAN)
    assert await stores.sanctions.of("desk", "u-bob") == UNRESTRAINED
    with pytest.raises(NotFound):
        await stores.sanctions.lift("desk", "u-bob", BAN)


async def test_pages_follow_each_other_by_username(stores: Stores) -> None:
    for name in ("eve", "bob", "dan"):
        await stores.sanctions.put("desk", f"u-{name}", BAN, None)
    await stores.sanctions.put("desk", "u-cyd", MUTE, None)
    first = await stores.sanctions.page("desk", BAN, None, 2)
    rest = await stores.sanctions.page("desk", BAN, first[-1].username, 2)
    assert [taken.username for taken in [*first, *rest]] == ["bob", "dan", "eve"]


async def test_rooms_are_not_listed_for_whom_they_ban(stores: Stores) -> None:
    await stores.rooms.add(a_room("forum", visibility=Visibility.PUBLIC), None)
    await stores.members.put("desk", "u-bob", Role.MEMBER)
    await stores.members.put("hall", "u-bob", Role.MEMBER)
    await stores.sanctions.put("desk", "u-bob", BAN, None)
    await stores.sanctions.put("forum", "u-bob", BAN, stores.clock() + 60)
    await stores.sanctions.put("hall", "u-bob", MUTE, None)

    async def listed(user_id: str) -> list[str]:
        return [room.id for room in await stores.rooms.page(user_id, None, 10)]

    assert (await listed("u-bob"), await listed("u-cyd")) == (["hall"], ["forum"])
    stores.clock.advance(60)
    assert await listed("u-bob") == ["forum", "hall"]


async def test_measures_go_with_their_room(stores: Stores) -> None:
    await stores.sanctions.put("desk", "u-bob", BAN, None)
    await stores.rooms.remove("desk")
    await stores.rooms.add(a_room("desk"), None)
    assert await stores.sanctions.of("desk", "u-bob") == UNRESTRAINED


async def test_measures_go_with_their_user(stores: Stores) -> None:
    await stores.sanctions.put("desk", "u-bob", BAN, None)
    await stores.users.remove("u-bob")
    assert await stores.sanctions.page("desk", BAN, None, 10) == []


async def test_measures_taken_at_once_against_one_user_leave_one(stores: Stores) -> None:
    ends = [None, *(stores.clock() + number for number in range(1, 8))]
    await asyncio.gather(*(stores.sanctions.put("desk", "u-bob", BAN, until) for until in ends))
    assert len(await stores.sanctions.page("desk", BAN, None, 10)) == 1
