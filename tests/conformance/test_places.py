"""What `Places` promises: the same as the stores of one room and one user, for many at once."""

import math

from gateroom.rooms.model import Measure, Restraints, Role
from support.stores import Stores, a_room, a_user

pytest_plugins = ["support.databases"]


async def furnish(stores: Stores) -> None:
    """Two rooms; ada in both, bob in one, eve in none but banned from one and muted in the other."""
    for name in ("ada", "bob", "eve"):
        await stores.users.add(a_user(name), "h")
    for room_id in ("one", "two"):
        await stores.rooms.add(a_room(room_id, title=f"Room {room_id}"), None)
        await stores.members.put(room_id, "u-ada", Role.OWNER)
    await stores.members.put("two", "u-bob", Role.VIEWER)
    await stores.sanctions.put("one", "u-eve", Measure.BAN, None)
    await stores.sanctions.put("two", "u-eve", Measure.MUTE, stores.clock() + 60)
    await stores.sanctions.put("two", "u-eve", Measure.BAN, stores.clock() + 30)


async def test_rooms_are_found_by_many_ids(stores: Stores) -> None:
    await furnish(stores)
    found = await stores.places.rooms({"one", "two", "three"})
    assert found == {room_id: await stores.rooms.by_id(room_id) for room_id in ("one", "two")}


async def test_memberships_are_found_for_exactly_the_places_asked_for(stores: Stores) -> None:
    await furnish(stores)
    asked = {("one", "u-ada"), ("two", "u-bob"), ("one", "u-bob"), ("two", "u-eve"), ("three", "u-ada")}
    found = await stores.places.members(asked)
    assert set(found) == {
        ("one", "u-ada"),
        ("two", "u-bob"),
    }  # and not ("two", "u-ada"), though both sides are asked for
    for place, member in found.items():
        assert member == await stores.members.of(*place)


async def test_restraints_are_those_in_each_place(stores: Stores) -> None:
    await furnish(stores)
    asked = {("one", "u-eve"), ("two", "u-eve"), ("one", "u-ada")}
    assert await stores.places.restraints(asked) == {
        ("one", "u-eve"): Restraints(banned_until=math.inf),
        ("two", "u-eve"): Restraints(banned_until=stores.clock() + 30, muted_until=stores.clock() + 60),
    }
    assert set(await stores.places.restraints({("two", "u-eve"), ("one", "u-bob")})) == {("two", "u-eve")}


async def test_of_nothing_nothing_is_found(stores: Stores) -> None:
    assert await stores.places.rooms(()) == {}
    assert await stores.places.members(()) == {}
    assert await stores.places.restraints(()) == {}
