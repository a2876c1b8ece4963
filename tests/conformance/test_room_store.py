"""What `RoomStore` promises."""

import asyncio
from dataclasses import asdict, replace

import pytest

from gateroom.errors import Conflict, LimitReached, NotFound
from gateroom.rooms.model import Member, Role, RoomCaps, RoomChanges, Visibility
from support.stores import Stores, a_room, a_user

pytest_plugins = ["support.databases"]


@pytest.fixture(autouse=True)
async def people(stores: Stores) -> None:
    for name in ("ada", "bob"):
        await stores.users.add(a_user(name), "h")


async def test_a_room_is_found_with_its_maker_as_owner_since_its_making(stores: Stores) -> None:
    room = a_room("desk:1", kind="desk", title="Schreibtisch ☃", visibility=Visibility.PUBLIC, created_by="u-ada")
    await stores.rooms.add(room, "u-ada")
    assert await stores.rooms.by_id("desk:1") == room
    owner = Member("desk:1", "u-ada", "ada", Role.OWNER, room.created_at)
    assert await stores.members.page("desk:1", None, 10) == [owner]


async def test_a_room_of_the_server_has_no_members(stores: Stores) -> None:
    await stores.rooms.add(a_room("lobby"), None)
    assert await stores.rooms.by_id("lobby") == a_room("lobby")
    assert await stores.members.page("lobby", None, 10) == []


async def test_an_unknown_room_is_not_found(stores: Stores) -> None:
    assert await stores.rooms.by_id("nowhere") is None


async def test_a_taken_id_is_refused_and_changes_nothing(stores: Stores) -> None:
    await stores.rooms.add(a_room("desk", title="first"), "u-ada")
    with pytest.raises(Conflict):
        await stores.rooms.add(a_room("desk", title="second"), "u-bob")
    assert await stores.rooms.by_id("desk") == a_room("desk", title="first")
    assert [member.username for member in await stores.members.page("desk", None, 10)] == ["ada"]


async def test_of_many_who_make_a_room_at_once_one_owns_it(stores: Stores) -> None:
    makers = ["u-ada", "u-bob"] * 4
    outcomes = await asyncio.gather(
        *(stores.rooms.add(a_room("desk", created_by=maker), maker) for maker in makers), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes if outcome] == [Conflict] * 7
    winner = makers[outcomes.index(None)]
    assert [member.user_id for member in await stores.members.page("desk", None, 10)] == [winner]


@pytest.mark.parametrize(("created_by", "owner"), [("u-eve", "u-ada"), ("u-ada", "u-eve"), (None, "u-eve")])
async def test_a_room_cannot_be_made_for_somebody_who_is_gone(
    stores: Stores, created_by: str | None, owner: str
) -> None:
    with pytest.raises(NotFound):
        await stores.rooms.add(a_room("desk", created_by=created_by), owner)
    assert await stores.rooms.by_id("desk") is None
    assert await stores.members.of("desk", "u-ada") is None


async def test_a_change_overwrites_what_is_given_only(stores: Stores) -> None:
    room = a_room("desk", created_by="u-ada", title="first", capacity=5, ttl=0.5)
    await stores.rooms.add(room, "u-ada")
    for changes in (
        RoomChanges(title="Desk"),
        RoomChanges(visibility=Visibility.PUBLIC),
        RoomChanges(title="", capacity=0, ttl=0.0),
        RoomChanges(),
    ):
        room = replace(room, **{name: value for name, value in asdict(changes).items() if value is not None})
        assert await stores.rooms.change("desk", changes) == room
        assert await stores.rooms.by_id("desk") == room


async def test_changes_of_different_things_at_once_are_all_made(stores: Stores) -> None:
    await stores.rooms.add(a_room("desk", visibility=Visibility.PUBLIC), "u-ada")
    each = (RoomChanges(title="Desk"), RoomChanges(visibility=Visibility.PRIVATE), RoomChanges(capacity=3))
    await asyncio.gather(*(stores.rooms.change("desk", changes) for changes in each))
    assert await stores.rooms.by_id("desk") == a_room("desk", title="Desk", capacity=3)


async def test_a_removed_room_is_gone_with_its_memberships(stores: Stores) -> None:
    for room_id in ("desk", "other"):
        await stores.rooms.add(a_room(room_id), "u-ada")
    await stores.rooms.remove("desk")
    assert await stores.rooms.by_id("desk") is None
    assert await stores.members.of("desk", "u-ada") is None
    assert await stores.members.of("other", "u-ada") is not None
    with pytest.raises(NotFound):
        await stores.rooms.remove("desk")
    with pytest.raises(NotFound):
        await stores.rooms.change("desk", RoomChanges(title="Desk"))
    await stores.rooms.add(a_room("desk"), "u-bob")
    assert [member.username for member in await stores.members.page("desk", None, 10)] == ["bob"]


async def test_pages_show_public_rooms_and_ones_own_in_order_of_the_id(stores: Stores) -> None:
    public = ["a", "a.1", "a:1", "a_1", "z"]
    for room_id in public:
        await stores.rooms.add(a_room(room_id, visibility=Visibility.PUBLIC), None)
    for room_id, owner in (("a-1", "u-ada"), ("b", "u-bob"), ("m", "u-ada"), ("y", None)):
        await stores.rooms.add(a_room(room_id), owner)
    await stores.rooms.add(a_room("both", visibility=Visibility.PUBLIC), "u-ada")
    seen: list[str] = []
    while page := await stores.rooms.page("u-ada", seen[-1] if seen else None, 2):
        assert len(page) <= 2
        seen += [room.id for room in page]
    assert seen == sorted([*public, "a-1", "m", "both"])


async def test_a_page_for_nobody_in_particular_shows_every_room(stores: Stores) -> None:
    await stores.rooms.add(a_room("open", visibility=Visibility.PUBLIC), None)
    await stores.rooms.add(a_room("hers"), "u-ada")
    assert [room.id for room in await stores.rooms.page(None, None, 10)] == ["hers", "open"]
    assert [room.id for room in await stores.rooms.page(None, "hers", 10)] == ["open"]
    assert [room.id for room in await stores.rooms.page("u-eve", None, 10)] == ["open"]


async def test_rooms_are_counted_before_one_is_added(stores: Stores) -> None:
    caps = RoomCaps(max_rooms_per_user=2)
    await stores.rooms.add(a_room("first"), "u-ada", caps)
    await stores.rooms.add(a_room("second"), "u-ada", caps)
    with pytest.raises(LimitReached):
        await stores.rooms.add(a_room("third"), "u-ada", caps)
    with pytest.raises(Conflict):
        await stores.rooms.add(a_room("second"), "u-ada", caps)
    await stores.members.put("first", "u-bob", Role.OWNER)
    await stores.members.put("first", "u-ada", Role.MODERATOR)
    await stores.rooms.add(a_room("third"), "u-ada", caps)
    with pytest.raises(LimitReached):
        await stores.rooms.add(a_room("fourth"), "u-bob", RoomCaps(max_rooms=3))
    await stores.rooms.add(a_room("fourth"), "u-bob", RoomCaps(max_rooms=4))


async def test_of_many_who_make_the_last_room_one_succeeds(stores: Stores) -> None:
    caps = RoomCaps(max_rooms=1)
    tries = await asyncio.gather(
        *(stores.rooms.add(a_room(f"room-{number}"), "u-ada", caps) for number in range(5)), return_exceptions=True
    )
    assert [type(outcome) for outcome in tries if outcome] == [LimitReached] * 4


async def test_capacity_and_ttl_are_kept(stores: Stores) -> None:
    room = a_room("desk", capacity=5, ttl=0.5)
    await stores.rooms.add(room, None)
    assert await stores.rooms.by_id("desk") == room


async def test_who_makes_rooms_that_nobody_owns_has_a_cap_on_them(stores: Stores) -> None:
    caps = RoomCaps(max_rooms_per_user=2)
    for number in range(2):
        await stores.rooms.add(a_room(f"order:{number}", created_by="u-ada"), None, caps)
    with pytest.raises(LimitReached):
        await stores.rooms.add(a_room("order:2", created_by="u-ada"), None, caps)
    await stores.rooms.add(a_room("order:2", created_by="u-bob"), None, caps)
    await stores.rooms.add(a_room("desk", created_by="u-ada"), "u-ada", caps)  # what one owns is counted apart
    await stores.rooms.remove("order:0")
    await stores.rooms.add(a_room("order:3", created_by="u-bob"), None, caps)


async def test_of_those_who_make_rooms_at_once_no_more_than_the_cap_succeed(stores: Stores) -> None:
    caps = RoomCaps(max_rooms_per_user=3)
    outcomes = await asyncio.gather(
        *(stores.rooms.add(a_room(f"order:{number}", created_by="u-ada"), None, caps) for number in range(8)),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes if outcome] == [LimitReached] * 5
