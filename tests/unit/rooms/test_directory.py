"""Who may make, change and remove rooms and memberships, and who is told of it."""

from dataclasses import replace

import pytest

from gateroom.auth.principal import Principal, Scope
from gateroom.errors import Conflict, Forbidden, GateroomError, InvalidCommand, LimitReached, NotFound
from gateroom.rooms.activity import Activity
from gateroom.rooms.directory import Directory
from gateroom.rooms.model import NO_CAPS, Member, Role, RoomCaps, RoomChanges, Visibility
from gateroom.rooms.standings import Standings
from gateroom.rooms.templates import Template, Templates
from support.live import KINDS
from support.stores import Stores, a_user, in_memory

ROLES = (Role.OWNER, Role.MODERATOR, Role.MEMBER, Role.VIEWER)
POWERFUL = {Role.OWNER, Role.MODERATOR}


class Told:
    """A `Watcher` that writes down what it is told, and what was stored by then."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self.changes: list[tuple[str, str | None, Member | None]] = []
        self.removals: list[str] = []
        self.made: list[str] = []

    async def standing_changed(self, room_id: str, user_id: str | None) -> None:
        stored = await self._stores.members.of(room_id, user_id) if user_id else None
        self.changes.append((room_id, user_id, stored))

    async def room_made(self, room_id: str) -> None:
        assert await self._stores.rooms.by_id(room_id) is not None
        self.made.append(room_id)

    async def room_removed(self, room_id: str) -> None:
        assert await self._stores.rooms.by_id(room_id) is None
        self.removals.append(room_id)

    async def kicked(self, room_id: str, user_id: str) -> int:
        raise AssertionError("the directory kicks nobody")


class House:
    """A directory, and somebody in each role in the private room `desk`; eve is a stranger."""

    def __init__(self, caps: RoomCaps = NO_CAPS) -> None:
        self.stores = in_memory()
        self.told = Told(self.stores)
        self.standings = Standings(
            self.stores.rooms,
            self.stores.members,
            self.stores.sanctions,
            KINDS,
            self.stores.clock,
            self.stores.clock,
        )
        self.directory = Directory(
            self.stores.rooms,
            self.stores.members,
            self.standings,
            KINDS,
            caps,
            Templates([Template("order:*"), Template("box:{user}")]),
            Activity(),
            self.told,
            self.stores.clock,
        )

    async def fill(self) -> "House":
        for name in (*ROLES, "eve", "other"):
            await self.stores.users.add(a_user(name), "h")
        await self.directory.found("desk", "default", "The desk", Visibility.PRIVATE)
        for role in ROLES:
            await self.stores.members.put("desk", f"u-{role}", role)
        self.standings.forget("desk", None)
        return self

    async def role_of(self, name: str) -> Role | None:
        member = await self.stores.members.of("desk", f"u-{name}")
        return member.role if member else None


def acting(name: str, *scopes: str) -> Principal:
    return Principal(f"u-{name}", name, frozenset(), frozenset(scopes), "s", "t", 0)


@pytest.fixture
async def house() -> House:
    return await House().fill()


# Making


async def test_who_makes_a_room_owns_it(house: House) -> None:
    room = await house.directory.create(acting("eve", Scope.ROOMS_CREATE), "nook", "quiet", "A nook", Visibility.PUBLIC)
    assert (room.id, room.kind, room.title, room.visibility) == ("nook", "quiet", "A nook", Visibility.PUBLIC)
    assert (room.created_by, room.created_at) == ("u-eve", house.stores.clock())
    member = await house.stores.members.of("nook", "u-eve")
    assert member is not None
    assert member.role is Role.OWNER
    assert await house.directory.show(acting("eve"), "nook") == room


async def test_a_room_that_was_looked_for_in_vain_is_seen_once_it_is_made(house: House) -> None:
    with pytest.raises(NotFound):
        await house.directory.show(acting("eve"), "nook")
    await house.directory.create(acting("eve", Scope.ROOMS_CREATE), "nook", "default", "", Visibility.PRIVATE)
    assert (await house.directory.show(acting("eve"), "nook")).id == "nook"


@pytest.mark.parametrize("room_id", ["order:17", "box:u-eve", "box:u-other"])
async def test_nobody_makes_beforehand_what_others_would_walk_into(house: House, room_id: str) -> None:
    with pytest.raises(Forbidden):
        await house.directory.create(acting("eve", Scope.ROOMS_CREATE), room_id, "default", "", Visibility.PUBLIC)
    admin = acting("eve", Scope.ROOMS_CREATE, Scope.ROOMS_ADMIN)
    assert (await house.directory.create(admin, room_id, "default", "", Visibility.PUBLIC)).id == room_id


async def test_capacity_and_ttl_are_as_given_and_stay_so(house: House) -> None:
    maker = acting("eve", Scope.ROOMS_CREATE)
    room = await house.directory.create(maker, "nook", "default", "", Visibility.PUBLIC, 5, 60.0)
    assert (room.capacity, room.ttl) == (5, 60.0)
    assert await house.directory.change(maker, "nook", "Nook", None) == replace(room, title="Nook")
    changed = await house.directory.change(maker, "nook", None, None, 0, 0.0)
    assert (changed.capacity, changed.ttl) == (0, 0.0)
    assert await house.directory.show(maker, "nook") == changed


async def test_a_change_does_not_undo_what_another_has_changed_meanwhile(house: House) -> None:
    owner = acting("owner")
    await house.directory.change(owner, "desk", None, Visibility.PUBLIC)
    await house.directory.show(owner, "desk")  # it is remembered as public
    await house.stores.rooms.change("desk", RoomChanges(visibility=Visibility.PRIVATE))
    changed = await house.directory.change(owner, "desk", "Desk", None)
    assert (changed.title, changed.visibility) == ("Desk", Visibility.PRIVATE)
    assert await house.stores.rooms.by_id("desk") == changed


async def test_without_the_scope_nobody_makes_rooms(house: House) -> None:
    with pytest.raises(Forbidden):
        await house.directory.create(acting("eve", Scope.ROOMS_ADMIN), "nook", "default", "", Visibility.PUBLIC)


async def test_a_room_is_made_once_and_of_a_kind_there_is(house: House) -> None:
    maker = acting("eve", Scope.ROOMS_CREATE)
    with pytest.raises(Conflict):
        await house.directory.create(maker, "desk", "default", "", Visibility.PUBLIC)
    with pytest.raises(InvalidCommand):
        await house.directory.create(maker, "nook", "none such", "", Visibility.PUBLIC)


async def test_a_user_owns_as_many_rooms_as_the_limit_and_the_server_any_number() -> None:
    house = await House(RoomCaps(max_rooms_per_user=1)).fill()
    maker = acting("eve", Scope.ROOMS_CREATE)
    await house.directory.create(maker, "one", "default", "", Visibility.PRIVATE)
    with pytest.raises(LimitReached):
        await house.directory.create(maker, "two", "default", "", Visibility.PRIVATE)
    await house.directory.found("two", "default", "", Visibility.PRIVATE)
    await house.directory.remove(maker, "one")
    await house.directory.create(maker, "three", "default", "", Visibility.PRIVATE)


# Seeing


@pytest.mark.parametrize("room_id", ["desk", "nowhere"])
async def test_to_a_stranger_a_private_room_is_not_there(house: House, room_id: str) -> None:
    eve = acting("eve", Scope.ROOMS_CREATE, Scope.USERS_ADMIN)
    tries = [
        house.directory.show(eve, room_id),
        house.directory.change(eve, room_id, "Mine", None),
        house.directory.remove(eve, room_id),
        house.directory.members(eve, room_id, None, 10),
        house.directory.put_member(eve, room_id, "u-eve", Role.OWNER),
        house.directory.remove_member(eve, room_id, "u-owner"),
        house.directory.remove_member(eve, room_id, "u-eve"),
    ]
    details = set()
    for attempt in tries:
        with pytest.raises(NotFound) as caught:
            await attempt
        details.add(caught.value.detail)
    assert len(details) == 1
    assert house.told.changes == []


async def test_everybody_lists_the_rooms_they_may_see(house: House) -> None:
    await house.directory.found("hall", "default", "", Visibility.PUBLIC)
    await house.directory.found("vault", "default", "", Visibility.PRIVATE)

    async def listed(principal: Principal) -> list[str]:
        return [room.id for room in await house.directory.page(principal, None, 10)]

    assert await listed(acting("eve")) == ["hall"]
    assert await listed(acting("viewer")) == ["desk", "hall"]
    assert await listed(acting("eve", Scope.ROOMS_ADMIN)) == ["desk", "hall", "vault"]


@pytest.mark.parametrize("role", ROLES)
async def test_members_are_listed_for_those_who_tend_the_room(house: House, role: Role) -> None:
    listing = house.directory.members(acting(role), "desk", None, 10)
    if role in POWERFUL:
        assert [member.username for member in await listing] == ["member", "moderator", "owner", "viewer"]
    else:
        with pytest.raises(Forbidden):
            await listing


# Changing


@pytest.mark.parametrize("role", ROLES)
async def test_owners_change_and_remove_the_room_and_nobody_else_does(house: House, role: Role) -> None:
    if role is not Role.OWNER:
        with pytest.raises(Forbidden):
            await house.directory.change(acting(role), "desk", "Mine", None)
        with pytest.raises(Forbidden):
            await house.directory.remove(acting(role), "desk")
        assert (house.told.changes, house.told.removals) == ([], [])
        return
    before = await house.directory.show(acting(role), "desk")
    retitled = await house.directory.change(acting(role), "desk", "New", None)
    assert retitled == replace(before, title="New")
    opened = await house.directory.change(acting(role), "desk", None, Visibility.PUBLIC)
    assert opened == replace(retitled, visibility=Visibility.PUBLIC)
    assert await house.directory.show(acting("eve"), "desk") == opened
    assert house.told.changes == [("desk", None, None)] * 2
    await house.directory.remove(acting(role), "desk")
    assert house.told.removals == ["desk"]
    with pytest.raises(NotFound):
        await house.directory.show(acting(role), "desk")


async def test_an_empty_title_is_a_title(house: House) -> None:
    assert (await house.directory.change(acting("owner"), "desk", "", None)).title == ""


# Memberships


@pytest.mark.parametrize("actor", ROLES)
@pytest.mark.parametrize("current", [None, *ROLES])
@pytest.mark.parametrize("new", [None, *ROLES])
async def test_who_may_move_whom_where(house: House, actor: Role, current: Role | None, new: Role | None) -> None:
    if current is not None:
        await house.stores.members.put("desk", "u-other", current)
    principal = acting(actor)

    async def act() -> GateroomError | None:
        try:
            if new is None:
                await house.directory.remove_member(principal, "desk", "u-other")
            else:
                await house.directory.put_member(principal, "desk", "u-other", new)
        except GateroomError as refusal:
            return refusal
        return None

    refused = await act()
    needs_owner = bool({current, new} & POWERFUL)
    allowed = actor is Role.OWNER or (actor is Role.MODERATOR and not needs_owner)
    if not allowed:
        assert isinstance(refused, Forbidden)
    elif current is None and new is None:
        assert isinstance(refused, NotFound)
    else:
        assert refused is None
        stored = await house.stores.members.of("desk", "u-other")
        assert house.told.changes == [("desk", "u-other", stored)]
        assert await house.role_of("other") == new
        return
    assert await house.role_of("other") == current
    assert house.told.changes == []


@pytest.mark.parametrize("role", [Role.MODERATOR, Role.MEMBER, Role.VIEWER])
async def test_everybody_may_leave(house: House, role: Role) -> None:
    await house.directory.remove_member(acting(role), "desk", f"u-{role}")
    assert await house.role_of(role) is None
    assert house.told.changes == [("desk", f"u-{role}", None)]


async def test_the_last_owner_stays(house: House) -> None:
    owner = acting("owner")
    with pytest.raises(Conflict):
        await house.directory.remove_member(owner, "desk", "u-owner")
    with pytest.raises(Conflict):
        await house.directory.put_member(owner, "desk", "u-owner", Role.MEMBER)
    await house.directory.put_member(owner, "desk", "u-other", Role.OWNER)
    await house.directory.remove_member(owner, "desk", "u-owner")
    assert await house.role_of("owner") is None


async def test_a_membership_is_of_somebody_there_is(house: House) -> None:
    with pytest.raises(NotFound):
        await house.directory.put_member(acting("owner"), "desk", "u-nobody", Role.MEMBER)
    assert house.told.changes == []


async def test_a_change_counts_for_the_next_one_at_once(house: House) -> None:
    owner, moderator = acting("owner"), acting("moderator")
    await house.directory.put_member(moderator, "desk", "u-other", Role.VIEWER)
    await house.directory.put_member(owner, "desk", "u-moderator", Role.MEMBER)
    with pytest.raises(Forbidden):
        await house.directory.put_member(moderator, "desk", "u-other", Role.MEMBER)
