"""What `RoomLives` promises."""

import asyncio

import pytest

from gateroom.realtime.ports import Kind, Record, Retention
from support.stores import Stores, a_room, a_user

pytest_plugins = ["support.databases"]

NOW = 1_800_000_000.0


@pytest.fixture(autouse=True)
async def rooms(stores: Stores) -> None:
    await stores.users.add(a_user("ada"), "h")
    for room_id in ("attic", "cellar", "hall"):
        await stores.rooms.add(a_room(room_id), "u-ada")
    await stores.rooms.add(a_room("tent", kind="camp"), None)
    await stores.rooms.add(a_room("booth", ttl=30.0), None)
    await stores.rooms.add(a_room("tomb", kind="camp", ttl=0.0), None)


async def left(stores: Stores) -> set[str]:
    return {room.id for room in await stores.rooms.page(None, None, 100)}


async def test_a_room_ends_at_its_moment_and_not_before(stores: Stores) -> None:
    await stores.lives.touch({"attic": NOW + 10, "cellar": NOW + 20, "nowhere": NOW})
    assert await stores.lives.expire(NOW + 9.9, 10) == []
    assert await stores.lives.expire(NOW + 10, 10) == ["attic"]
    assert await stores.rooms.by_id("attic") is None
    assert await stores.lives.expire(NOW + 15, 10) == []


async def test_a_use_puts_the_end_off_or_away(stores: Stores) -> None:
    await stores.lives.touch({"attic": NOW + 10, "cellar": NOW + 10})
    await stores.lives.touch({"attic": NOW + 100, "cellar": None})
    assert await stores.lives.expire(NOW + 99, 10) == []
    assert await stores.lives.expire(NOW + 1e6, 10) == ["attic"]


async def test_rooms_end_some_at_a_time_each_once(stores: Stores) -> None:
    await stores.lives.touch(dict.fromkeys(("attic", "cellar", "hall"), NOW))
    assert len(await stores.lives.expire(NOW, 2)) == 2
    ended = await asyncio.gather(*(stores.lives.expire(NOW, 2) for _ in range(4)))
    assert sum(map(len, ended)) == 1


async def test_what_is_in_a_room_goes_with_it(stores: Stores) -> None:
    topic = "room:attic"
    await stores.streams.open([topic])
    await stores.streams.append([Record(topic, Kind.MESSAGE, b'"data":1}', Retention(10, 0, True))])
    await stores.lives.touch({"attic": NOW})
    await stores.lives.expire(NOW, 10)
    assert await stores.members.of("attic", "u-ada") is None
    assert await stores.streams.open([topic]) == {}


async def test_the_configuration_is_followed(stores: Stores) -> None:
    await stores.lives.adopt({"default": 0, "camp": 60}, NOW)
    assert await stores.lives.expire(NOW + 29, 10) == []
    assert await stores.lives.expire(NOW + 30, 10) == ["booth"]  # which has a ttl of its own
    assert await stores.lives.expire(NOW + 59, 10) == []
    await stores.lives.adopt({"default": 0, "camp": 300}, NOW + 59)  # a longer life begins with the next use
    assert await stores.lives.expire(NOW + 60, 10) == ["tent"]
    assert await left(stores) == {"attic", "cellar", "hall", "tomb"}


async def test_a_shorter_life_counts_from_now_on(stores: Stores) -> None:
    await stores.lives.adopt({"default": 600, "camp": 0}, NOW)
    await stores.lives.adopt({"default": 60, "camp": 0}, NOW + 10)
    assert set(await stores.lives.expire(NOW + 69, 10)) == {"booth"}
    assert set(await stores.lives.expire(NOW + 70, 10)) == {"attic", "cellar", "hall"}


async def test_rooms_that_are_to_live_for_good_lose_their_end(stores: Stores) -> None:
    await stores.lives.adopt({"default": 600, "camp": 600}, NOW)
    await stores.lives.adopt({"default": 0}, NOW)
    assert await stores.lives.expire(NOW + 1e6, 10) == ["booth"]
    assert "tent" in await left(stores)  # of a kind that is no longer configured, as the default one
