"""What `MemberStore` promises."""

import asyncio

import pytest

from gateroom.errors import Conflict, Forbidden, NotFound
from gateroom.rooms.model import Member, Role
from support.stores import Stores, a_room, a_user

pytest_plugins = ["support.databases"]

NAMES = ["ada", "bob", "cyd", "dan", "eve", "flo"]


@pytest.fixture(autouse=True)
async def a_desk_of_ada(stores: Stores) -> None:
    for name in NAMES:
        await stores.users.add(a_user(name), "h")
    await stores.rooms.add(a_room("desk", created_by="u-ada"), "u-ada")


async def owners(stores: Stores) -> list[str]:
    return [member.username for member in await stores.members.page("desk", None, 100) if member.role is Role.OWNER]


async def test_a_new_member_is_one_from_now_on(stores: Stores) -> None:
    bob = await stores.members.put("desk", "u-bob", Role.VIEWER)
    assert bob == Member("desk", "u-bob", "bob", Role.VIEWER, stores.clock())
    assert await stores.members.of("desk", "u-bob") == bob


async def test_a_member_whose_role_changes_is_one_since_the_first_day(stores: Stores) -> None:
    first = await stores.members.put("desk", "u-bob", Role.VIEWER)
    stores.clock.advance(60)
    changed = await stores.members.put("desk", "u-bob", Role.MODERATOR)
    assert changed == Member("desk", "u-bob", "bob", Role.MODERATOR, first.since)
    assert await stores.members.of("desk", "u-bob") == changed


async def test_a_stranger_has_no_membership(stores: Stores) -> None:
    assert await stores.members.of("desk", "u-bob") is None
    assert await stores.members.of("nowhere", "u-ada") is None


@pytest.mark.parametrize(("room_id", "user_id"), [("nowhere", "u-bob"), ("desk", "u-zoe")])
async def test_a_membership_needs_a_room_and_an_account(stores: Stores, room_id: str, user_id: str) -> None:
    with pytest.raises(NotFound):
        await stores.members.put(room_id, user_id, Role.MEMBER)
    with pytest.raises(NotFound):
        await stores.members.remove(room_id, user_id)
    assert len(await stores.members.page("desk", None, 10)) == 1


async def test_a_membership_ends_once(stores: Stores) -> None:
    await stores.members.put("desk", "u-bob", Role.MEMBER)
    await stores.members.remove("desk", "u-bob")
    assert await stores.members.of("desk", "u-bob") is None
    with pytest.raises(NotFound):
        await stores.members.remove("desk", "u-bob")


@pytest.mark.parametrize("role", [Role.MODERATOR, Role.MEMBER, Role.VIEWER])
async def test_the_last_owner_can_neither_step_down_nor_leave(stores: Stores, role: Role) -> None:
    await stores.members.put("desk", "u-bob", Role.MODERATOR)
    with pytest.raises(Conflict):
        await stores.members.put("desk", "u-ada", role)
    with pytest.raises(Conflict):
        await stores.members.remove("desk", "u-ada")
    assert await owners(stores) == ["ada"]
    assert (await stores.members.put("desk", "u-ada", Role.OWNER)).role is Role.OWNER


async def test_an_owner_may_go_once_there_is_another(stores: Stores) -> None:
    await stores.members.put("desk", "u-bob", Role.OWNER)
    await stores.members.put("desk", "u-ada", Role.MEMBER)
    assert await owners(stores) == ["bob"]
    await stores.members.put("desk", "u-ada", Role.OWNER)
    await stores.members.remove("desk", "u-bob")
    assert await owners(stores) == ["ada"]


async def test_a_room_of_the_server_takes_members_without_having_an_owner(stores: Stores) -> None:
    await stores.rooms.add(a_room("lobby"), None)
    await stores.members.put("lobby", "u-bob", Role.MEMBER)
    await stores.members.remove("lobby", "u-bob")
    assert await stores.members.page("lobby", None, 10) == []


async def test_of_all_owners_who_leave_at_once_one_stays(stores: Stores) -> None:
    for name in NAMES:
        await stores.members.put("desk", f"u-{name}", Role.OWNER)
    outcomes = await asyncio.gather(
        *(stores.members.remove("desk", f"u-{name}") for name in NAMES), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes if outcome] == [Conflict]
    left = await owners(stores)
    assert left == [NAMES[next(number for number, outcome in enumerate(outcomes) if outcome)]]


async def test_owners_who_demote_each_other_at_once_do_not_all_succeed(stores: Stores) -> None:
    for name in NAMES:
        await stores.members.put("desk", f"u-{name}", Role.OWNER)
    leave = [stores.members.remove("desk", f"u-{name}") for name in NAMES[::2]]
    demote = [stores.members.put("desk", f"u-{name}", Role.VIEWER) for name in NAMES[1::2]]
    outcomes = await asyncio.gather(*leave, *demote, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes if isinstance(outcome, Exception)] == [Conflict]
    assert len(await owners(stores)) == 1


async def test_a_member_who_is_put_many_times_at_once_is_one_member(stores: Stores) -> None:
    roles = [Role.MEMBER, Role.VIEWER, Role.MODERATOR] * 3
    put = await asyncio.gather(*(stores.members.put("desk", "u-bob", role) for role in roles))
    assert [member.role for member in put] == roles
    bob = await stores.members.of("desk", "u-bob")
    assert bob in put
    assert len(await stores.members.page("desk", None, 10)) == 2


async def test_everything_at_once_ends_well(stores: Stores) -> None:
    rooms = [f"room{number}" for number in range(4)]
    for room_id in rooms:
        await stores.rooms.add(a_room(room_id, created_by="u-ada"), "u-bob")
    calls = [
        *(stores.members.put(room_id, f"u-{name}", Role.OWNER) for room_id in rooms for name in NAMES),
        stores.users.remove("u-ada"),
        *(stores.members.remove(room_id, f"u-{name}") for name in NAMES for room_id in rooms),
        stores.rooms.remove("room0"),
        stores.users.remove("u-eve"),
        *(stores.members.put(room_id, f"u-{name}", Role.VIEWER) for room_id in rooms for name in NAMES),
        stores.rooms.remove("room1"),
    ]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes if isinstance(outcome, BaseException)} <= {Conflict, NotFound}
    assert [room.id for room in await stores.rooms.page(None, None, 10)] == ["desk", "room2", "room3"]
    for name in ("ada", "eve"):
        assert await stores.users.by_id(f"u-{name}") is None


async def test_pages_walk_the_members_of_one_room_in_order_of_the_name(stores: Stores) -> None:
    for name in ("x_y", "x-y", "x.y", "xy"):
        await stores.users.add(a_user(name, id=f"id of {name}"), "h")
        await stores.members.put("desk", f"id of {name}", Role.MEMBER)
    await stores.rooms.add(a_room("other"), "u-bob")
    seen: list[str] = []
    while page := await stores.members.page("desk", seen[-1] if seen else None, 2):
        assert len(page) <= 2
        seen += [member.username for member in page]
    assert seen == ["ada", "x-y", "x.y", "x_y", "xy"]


async def test_who_changes_a_membership_judges_by_the_role_of_that_moment(stores: Stores) -> None:
    seen: list[Role | None] = []

    def refuse(current: Role | None) -> None:
        seen.append(current)
        raise Forbidden

    with pytest.raises(Forbidden):
        await stores.members.put("desk", "u-bob", Role.VIEWER, refuse)
    assert await stores.members.of("desk", "u-bob") is None
    kept = await stores.members.put("desk", "u-bob", Role.MODERATOR, seen.append)
    with pytest.raises(Forbidden):
        await stores.members.put("desk", "u-bob", Role.VIEWER, refuse)
    with pytest.raises(Forbidden):
        await stores.members.remove("desk", "u-bob", refuse)
    assert await stores.members.of("desk", "u-bob") == kept
    await stores.members.remove("desk", "u-bob", seen.append)
    assert seen == [None, None, Role.MODERATOR, Role.MODERATOR, Role.MODERATOR]
