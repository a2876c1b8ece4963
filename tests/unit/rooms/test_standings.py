"""What is remembered of rooms and memberships, and for how long."""

import asyncio
from collections.abc import Collection, Mapping

import pytest

from gateroom.auth.principal import Principal
from gateroom.errors import NotFound, Unavailable
from gateroom.rooms.model import Action, Member, Role, RoomChanges, Visibility
from gateroom.rooms.ports import Places
from gateroom.rooms.standings import RECHECK, Standing, Standings
from support.gates import Gate, GatedMembers, GatedRooms, GatedSanctions
from support.live import KINDS, settle
from support.stores import a_room, a_user, in_memory


class Desk:
    """A room `desk` that ada owns, and standings in front of its stores."""

    def __init__(self) -> None:
        self.stores = in_memory()
        self.gate = Gate()
        rooms, members = GatedRooms(self.stores.rooms, self.gate), GatedMembers(self.stores.members, self.gate)
        sanctions = GatedSanctions(self.stores.sanctions, self.gate)
        self.standings = Standings(rooms, members, sanctions, KINDS, self.stores.clock, self.stores.clock)

    async def fill(self) -> None:
        for name in ("ada", "bob"):
            await self.stores.users.add(a_user(name), "h")
        await self.stores.rooms.add(a_room("desk", kind="quiet"), None)
        await self.stores.members.put("desk", "u-ada", Role.OWNER)

    async def of(self, name: str, room_id: str = "desk") -> Standing:
        return await self.standings.of(principal(name), room_id)

    def known(self, name: str, room_id: str = "desk") -> Standing | None:
        return self.standings.known(principal(name), room_id)


def principal(name: str, *scopes: str) -> Principal:
    return Principal(f"u-{name}", name, frozenset(), frozenset(scopes), "s", "t", 0)


@pytest.fixture
async def desk() -> Desk:
    made = Desk()
    await made.fill()
    return made


async def test_a_standing_is_read_once_and_then_known(desk: Desk) -> None:
    assert desk.known("ada") is None
    read = await desk.of("ada")
    assert (read.grants.role, read.kind, read.room and read.room.id) == (Role.OWNER, KINDS["quiet"], "desk")
    passages = desk.gate.passages
    assert await desk.of("ada") == desk.known("ada") == read
    assert desk.gate.passages == passages


async def test_that_there_is_no_room_and_no_membership_is_known_too(desk: Desk) -> None:
    stranger, nowhere = await desk.of("bob"), await desk.of("bob", "nowhere")
    assert (stranger.grants, nowhere.grants) == (nowhere.grants, stranger.grants)
    assert nowhere.room is None
    assert desk.known("bob") == stranger
    assert desk.known("bob", "nowhere") == nowhere


async def test_what_is_known_of_a_room_serves_the_next_one_too(desk: Desk) -> None:
    await desk.of("ada")
    passages = desk.gate.passages
    await desk.of("bob")
    assert desk.gate.passages == passages + 2  # membership and sanctions alone


async def test_a_scope_is_judged_by_who_asks_now(desk: Desk) -> None:
    await desk.of("bob")
    admin = desk.standings.known(principal("bob", "rooms:admin"), "desk")
    assert admin is not None
    assert admin.grants.role is Role.OWNER
    again = desk.known("bob")
    assert again is not None
    assert again.grants.role is None


async def test_a_change_of_which_nobody_told_is_seen_after_a_while(desk: Desk) -> None:
    await desk.of("bob")
    await desk.stores.members.put("desk", "u-bob", Role.MEMBER)
    desk.stores.clock.advance(RECHECK)
    assert (await desk.of("bob")).grants.role is None
    desk.stores.clock.advance(0.001)
    assert desk.known("bob") is None
    assert (await desk.of("bob")).grants.role is Role.MEMBER


async def test_a_change_of_which_nobody_told_is_seen_even_in_a_busy_room(desk: Desk) -> None:
    await desk.of("bob")
    await desk.stores.rooms.change("desk", RoomChanges(visibility=Visibility.PUBLIC))
    for visitor in range(7):
        desk.stores.clock.advance(RECHECK / 6)
        await desk.of("bob")
        await desk.of(f"visitor-{visitor}")
    assert Action.READ in (await desk.of("bob")).grants.actions


async def test_a_change_of_a_membership_that_is_told_is_seen_at_once(desk: Desk) -> None:
    await desk.of("ada")
    await desk.of("bob")
    await desk.stores.members.put("desk", "u-bob", Role.VIEWER)
    desk.standings.forget("desk", "u-bob")
    assert desk.known("bob") is None
    assert (await desk.of("bob")).grants.role is Role.VIEWER


async def test_a_change_of_the_room_is_forgotten_for_everybody(desk: Desk) -> None:
    await desk.stores.rooms.add(a_room("hall"), None)
    for name in ("ada", "bob"):
        await desk.of(name)
        await desk.of(name, "hall")
    desk.standings.forget("desk", None)
    assert desk.known("ada") is desk.known("bob") is None
    assert desk.known("ada", "hall") is not None


async def test_all_of_a_users_memberships_can_be_forgotten(desk: Desk) -> None:
    await desk.of("ada")
    await desk.of("bob")
    desk.standings.forget_user("u-bob")
    assert desk.known("bob") is None
    assert desk.known("ada") is not None


@pytest.mark.parametrize("told", ["membership", "user"])
async def test_a_membership_that_changes_while_it_is_read_is_read_again(desk: Desk, told: str) -> None:
    await desk.of("ada")  # so that the room is known
    desk.gate.hold()
    reading = asyncio.create_task(desk.of("bob"))
    await settle()
    await desk.stores.members.put("desk", "u-bob", Role.MEMBER)
    if told == "user":
        desk.standings.forget_user("u-bob")
    else:
        desk.standings.forget("desk", "u-bob")
    desk.gate.release()
    assert (await reading).grants.role is Role.MEMBER
    known = desk.known("bob")
    assert known is not None
    assert known.grants.role is Role.MEMBER


async def test_a_room_that_changes_while_it_is_read_is_read_again(desk: Desk) -> None:
    desk.gate.hold()
    reading = asyncio.create_task(desk.of("bob"))
    await settle()
    await desk.stores.rooms.change("desk", RoomChanges(visibility=Visibility.PUBLIC))
    desk.standings.forget("desk", None)
    desk.gate.release()
    assert Action.READ in (await reading).grants.actions
    known = desk.known("bob")
    assert known is not None
    assert Action.READ in known.grants.actions


@pytest.mark.parametrize(
    ("forgotten", "stale"),
    [
        (("desk", "u-bob"), True),
        (("desk", None), True),
        (("hall", None), False),
        (("u-bob",), True),
        (("u-ada",), False),
    ],
)
def test_who_waits_for_the_store_hears_of_changes_that_are_of_this_room_or_user(
    desk: Desk, forgotten: tuple[str, ...], stale: bool
) -> None:
    with desk.standings.reading(principal("bob"), "desk") as reading:
        if len(forgotten) == 1:
            desk.standings.forget_user(*forgotten)
        else:
            desk.standings.forget(*forgotten)
        assert reading.stale is stale


@pytest.mark.parametrize("told", ["desk", "u-bob", ""])
async def test_who_is_read_with_others_is_known_unless_something_moved(desk: Desk, told: str) -> None:
    await desk.of("ada")
    desk.standings.forget("desk", None)
    places = SlowPlaces(desk.stores.places)
    preparing = asyncio.create_task(desk.standings.prepare("desk", ["u-ada", "u-bob"], places))
    await settle()
    if told == "desk":
        desk.standings.forget("desk", "u-ada")
    elif told:
        desk.standings.forget_user(told)
    places.go.set()
    await preparing
    passages = desk.gate.passages
    assert (await desk.of("ada")).grants.role is Role.OWNER
    assert desk.gate.passages - passages == (3 if told else 1)  # the room itself, and where something moved the place


class SlowPlaces:
    """`Places` whose memberships are answered when a test says so."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self.rooms, self.restraints = places.rooms, places.restraints
        self.go = asyncio.Event()

    async def members(self, places: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], Member]:
        found = await self._places.members(places)
        await self.go.wait()
        return found


async def test_what_moves_in_other_rooms_makes_nobody_read_again(desk: Desk) -> None:
    desk.gate.hold()
    reading = asyncio.create_task(desk.of("bob"))
    await settle()
    desk.standings.forget("hall", None)
    desk.gate.release()
    await reading
    assert desk.gate.passages == 3  # room, membership, sanctions


async def test_a_store_that_cannot_be_read_leaves_nothing_behind(desk: Desk) -> None:
    desk.gate.fault = Unavailable()
    with pytest.raises(Unavailable):
        await desk.of("ada")
    assert desk.known("ada") is None
    desk.gate.fault = None
    assert (await desk.of("ada")).grants.role is Role.OWNER


async def test_the_kind_of_a_room_is_found_without_anybody_asking_for_themselves(desk: Desk) -> None:
    assert await desk.standings.kind_of("desk") == KINDS["quiet"]
    with pytest.raises(NotFound):
        await desk.standings.kind_of("nowhere")


async def test_a_kind_that_is_configured_no_more_is_the_default_one(desk: Desk) -> None:
    await desk.stores.rooms.add(a_room("old", kind="abolished"), None)
    assert await desk.standings.kind_of("old") == KINDS["default"]
