"""What kinds of rooms promise on the live path: so many users, so long a life, and rooms that make themselves."""

import asyncio

import pytest

from gateroom.errors import Forbidden, LimitReached, NotFound, RoomFull, Unavailable
from gateroom.rooms.model import Durability, RoomCaps, RoomKind, Visibility
from gateroom.rooms.standings import RECHECK
from gateroom.rooms.templates import Template
from support.live import ROOT, LiveWorld, Peer, settle
from support.sinks import Closed

TTL = 60
KINDS = {
    "default": RoomKind(),
    "small": RoomKind(name="small", capacity=2),
    "brief": RoomKind(name="brief", ttl=TTL, durability=Durability.MEMORY),
    "brief-durable": RoomKind(name="brief-durable", ttl=TTL),
}
TEMPLATES = [
    Template("order:*", "brief", Visibility.PUBLIC),
    Template("desk:{user}"),
    Template("closed:*"),
]


@pytest.fixture
def world() -> LiveWorld:
    return LiveWorld(kinds=KINDS, templates=TEMPLATES)


# Capacity


async def test_one_user_more_than_the_capacity_is_not_let_in(world: LiveWorld) -> None:
    await world.room("nook", "small", Visibility.PUBLIC)
    ada, bob = await world.joined("nook", "ada", "bob")
    cyd = await world.connect("cyd")
    assert (await cyd.ask("join", room="nook"))["code"] == "room_full"
    with pytest.raises(RoomFull):
        await world.connect("cyd", "room", room="nook")
    await bob.ask("leave", room="nook")
    assert (await cyd.ask("join", room="nook"))["members"] == 2
    assert [frame["type"] for frame in ada.received()] == ["left", "joined"]


async def test_devices_of_one_user_count_once(world: LiveWorld) -> None:
    await world.room("nook", "small", Visibility.PUBLIC)
    await world.joined("nook", "ada", "ada", "ada", "bob")
    assert (await world.connect("bob", "room", room="nook")).closed is None
    assert world.hub.user_count("room:nook") == 2


async def test_of_many_who_come_at_once_only_so_many_get_in(world: LiveWorld) -> None:
    await world.room("nook", "small", Visibility.PUBLIC)
    names = [f"user{number}" for number in range(12)]
    joining = [await world.connect(name) for name in names[:6]]
    arriving = [await world.admitted(name, "room", room="nook") for name in names[6:]]  # each was told there is room
    world.sql.hold()
    world.standings.forget("nook", None)
    for peer in joining:
        peer.command("join", room="nook")
    for peer in arriving:
        peer.session.start(peer.sink)
    await settle()
    world.sql.release()
    await settle()
    assert world.hub.user_count("room:nook") == 2
    answers = [frame for peer in joining for frame in peer.received() if "id" in frame]
    refused = [frame for frame in answers if frame.get("code") == "room_full"]
    closed = [peer.closed for peer in arriving if peer.closed]
    assert len(refused) + len(closed) == 10
    assert set(closed) <= {Closed(1008, "room_full")}


async def test_a_room_may_have_a_capacity_of_its_own(world: LiveWorld) -> None:
    await world.room("nook", "small", Visibility.PUBLIC)
    await world.directory.change(ROOT, "nook", None, None, 3)
    await world.joined("nook", "ada", "bob", "cyd")
    await world.directory.change(ROOT, "nook", None, None, 1)  # nobody is put out
    assert world.hub.user_count("room:nook") == 3
    dan = await world.connect("dan")
    assert (await dan.ask("join", room="nook"))["code"] == "room_full"
    await world.directory.change(ROOT, "nook", None, None, 0)
    assert (await dan.ask("join", room="nook"))["members"] == 4


# Ttl


async def in_the_tent(world: LiveWorld, kind: str = "brief") -> Peer:
    await world.room("tent", kind, Visibility.PUBLIC)
    ada = (await world.joined("tent", "ada"))[0]
    await world.keeper.once()
    return ada


@pytest.mark.parametrize("kind", ["brief", "brief-durable"])
async def test_a_room_that_nobody_uses_ends_and_nothing_of_it_is_left(world: LiveWorld, kind: str) -> None:
    ada = await in_the_tent(world, kind)
    plain = await world.connect("bob", "room", room="tent")
    await ada.ask("publish", room="tent", data=1)
    await ada.ask("patch", room="tent", patch=[{"op": "add", "path": "/a", "value": 1}])
    ada.received()
    await world.keeper.once()
    world.clock.advance(TTL - 0.1)
    await world.keeper.once()
    assert (ada.received(), plain.closed) == ([], None)
    world.clock.advance(0.1)
    await world.keeper.once()
    await settle()
    assert ada.received() == [{"type": "removed", "room": "tent", "reason": "room_closed"}]
    assert plain.closed == Closed(1008, "room_closed")
    assert await world.stores.rooms.by_id("tent") is None
    assert world.broker.head("room:tent") is None
    assert (await ada.ask("join", room="tent"))["code"] == "forbidden"
    await world.room("tent", kind, Visibility.PUBLIC)
    again = await ada.ask("join", room="tent", since={"epoch": "x", "seq": 0})
    assert (again["missed"], again["position"]["seq"], again["state"], again["state_version"]) == ([], 0, {}, 0)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("publish", {"data": 1}),
        ("publish", {"data": 1, "ephemeral": True}),
        ("patch", {"patch": []}),
        ("presence", {}),
        ("join", {}),
    ],
)
async def test_a_use_lets_it_live_on(world: LiveWorld, kind: str, fields: dict[str, object]) -> None:
    ada = await in_the_tent(world)
    for _ in range(3):
        world.clock.advance(TTL * 0.75)
        await ada.ask(kind, room="tent", **fields)
        await world.keeper.once()
    assert await world.stores.rooms.by_id("tent") is not None


@pytest.mark.parametrize(("kind", "fields"), [("ping", {}), ("history", {"room": "tent"})])
async def test_what_is_no_use_does_not(world: LiveWorld, kind: str, fields: dict[str, object]) -> None:
    ada = await in_the_tent(world)
    for _ in range(2):
        world.clock.advance(TTL * 0.75)
        await ada.ask(kind, **fields)
        await world.keeper.once()
    assert await world.stores.rooms.by_id("tent") is None


async def test_a_refused_publish_is_no_use(world: LiveWorld) -> None:
    ada = await in_the_tent(world)
    await world.mute("tent", "ada")
    world.clock.advance(TTL)
    assert (await ada.ask("publish", room="tent", data=1))["code"] == "muted"
    await world.keeper.once()
    assert await world.stores.rooms.by_id("tent") is None


async def test_a_ttl_of_its_own_counts_from_its_change(world: LiveWorld) -> None:
    await world.room("tent")
    await world.directory.change(ROOT, "tent", None, None, None, 10.0)
    await world.keeper.once()
    world.clock.advance(9.9)
    await world.directory.change(ROOT, "tent", None, None, None, 0.0)
    await world.keeper.once()
    world.clock.advance(1e6)
    await world.keeper.once()
    assert await world.stores.rooms.by_id("tent") is not None


async def test_who_still_has_the_ttl_from_before_does_not_end_a_room_that_lives_for_good(world: LiveWorld) -> None:
    ada = await in_the_tent(world)
    await world.directory.show(ROOT, "tent")
    world.sql.hold()  # sockets are to be judged anew, which takes a while
    changing = asyncio.create_task(world.directory.change(ROOT, "tent", None, None, None, 0.0))
    await settle()
    ada.command("publish", room="tent", data=1)
    await settle()
    world.sql.release()
    await changing
    await world.keeper.once()
    world.clock.advance(TTL)
    await world.keeper.once()
    assert await world.stores.rooms.by_id("tent") is not None


async def test_a_room_that_is_used_costs_no_sql_per_message(world: LiveWorld) -> None:
    ada = await in_the_tent(world)
    passages = world.sql.passages
    for number in range(20):
        await ada.ask("publish", room="tent", data=number)
    assert world.sql.passages == passages
    assert list(world.activity.take()) == ["tent"]  # once for all of them


class Lame:
    """Lives that cannot be reached."""

    async def touch(self, ends: object) -> None:
        raise Unavailable

    async def adopt(self, ttls: object, now: float) -> None:
        """Nothing was changed in the configuration."""

    async def expire(self, now: float, limit: int) -> list[str]:
        raise AssertionError("nothing may end while uses cannot be stored")


async def test_uses_that_could_not_be_stored_are_stored_later(world: LiveWorld) -> None:
    ada = await in_the_tent(world)
    world.clock.advance(TTL * 0.75)
    await ada.ask("publish", room="tent", data=1)
    lives, world.keeper._lives = world.keeper._lives, Lame()
    await world.keeper.once()
    world.keeper._lives = lives
    world.clock.advance(TTL * 0.75)
    await world.keeper.once()
    assert await world.stores.rooms.by_id("tent") is not None


async def test_rooms_end_in_the_background_and_what_was_noted_is_stored_at_the_end(world: LiveWorld) -> None:
    ada = await in_the_tent(world)
    world.clock.advance(TTL * 0.75)
    async with world.keeper.running():
        await settle()
        await ada.ask("publish", room="tent", data=1)
    world.clock.advance(TTL * 0.75)
    await world.keeper.once()
    assert await world.stores.rooms.by_id("tent") is not None
    world.clock.advance(TTL)
    async with world.keeper.running():
        await settle()
    assert await world.stores.rooms.by_id("tent") is None


async def test_what_ended_while_no_process_ran_is_found_after_a_restart(world: LiveWorld) -> None:
    await in_the_tent(world)
    world.clock.advance(TTL)
    later = LiveWorld(kinds=KINDS, stores=world.stores)
    await later.keeper.once()
    assert await world.stores.rooms.by_id("tent") is None


async def test_a_kind_that_is_given_a_ttl_does_not_end_rooms_at_once(world: LiveWorld) -> None:
    await world.room("tent")
    world.clock.advance(1e6)
    later = LiveWorld(kinds={"default": RoomKind(ttl=TTL)}, stores=world.stores)
    await later.keeper.once()
    assert await world.stores.rooms.by_id("tent") is not None
    world.clock.advance(TTL)
    await later.keeper.once()
    assert await world.stores.rooms.by_id("tent") is None


# Templates


async def test_a_room_of_a_template_is_there_once_somebody_comes(world: LiveWorld) -> None:
    ada, bob = await world.connect("ada"), await world.connect("bob")
    assert (await ada.ask("join", room="order:17"))["role"] == "member"
    assert (await bob.ask("join", room="order:17"))["members"] == 2
    made = await world.stores.rooms.by_id("order:17")
    assert made
    assert (made.kind, made.visibility, made.created_by) == ("brief", Visibility.PUBLIC, "u-ada")
    assert await world.stores.members.page("order:17", None, 10) == []
    plain = await world.connect("cyd", "room", room="order:18")
    assert plain.closed is None


async def test_a_room_of_a_template_has_nothing_of_one_that_another_program_removed(world: LiveWorld) -> None:
    ada, bob = await world.joined("order:17", "ada", "bob")
    await ada.ask("publish", room="order:17", data="secret")
    bob.vanish()
    await world.stores.rooms.remove("order:17")
    world.clock.advance(RECHECK + 1)
    cyd = await world.connect("cyd")
    ada.received()
    answer = await cyd.ask("join", room="order:17")
    assert (answer["position"]["seq"], answer["members"]) == (0, 1)
    assert [(frame["type"], frame["reason"]) for frame in ada.received()] == [("removed", "room_closed")]


async def test_a_room_that_was_made_and_never_entered_ends_too(world: LiveWorld) -> None:
    await world.arrivals.arrive(await world.user("ada"), "order:17")
    await world.keeper.once()
    world.clock.advance(TTL)
    await world.keeper.once()
    assert await world.stores.rooms.by_id("order:17") is None


async def test_of_many_who_come_first_all_get_in(world: LiveWorld) -> None:
    peers = [await world.connect(f"user{number}") for number in range(8)]
    world.sql.hold()
    for peer in peers:
        peer.command("join", room="order:17")
    await settle()
    world.sql.release()
    await settle()
    assert [frame["type"] for peer in peers for frame in peer.received() if "id" in frame] == ["reply"] * 8


@pytest.mark.parametrize("rooms", [1, 20])
async def test_of_many_who_come_to_new_rooms_at_once_each_reads_a_few_times(world: LiveWorld, rooms: int) -> None:
    peers = [await world.connect(f"user{number}") for number in range(20)]
    world.sql.hold()
    for number, peer in enumerate(peers):
        peer.command("join", room=f"order:{number % rooms}")
    await settle()
    before = world.sql.passages
    world.sql.release()
    await settle()
    assert [frame["type"] for peer in peers for frame in peer.received() if "id" in frame] == ["reply"] * 20
    assert world.sql.passages - before <= 8 * 20


async def test_a_personal_room_belongs_to_its_user_alone(world: LiveWorld) -> None:
    ada, bob = await world.connect("ada"), await world.connect("bob")
    assert (await bob.ask("join", room="desk:u-ada"))["code"] == "forbidden"
    assert await world.stores.rooms.by_id("desk:u-ada") is None
    assert (await ada.ask("join", room="desk:u-ada"))["role"] == "owner"
    assert (await bob.ask("join", room="desk:u-ada"))["code"] == "forbidden"


async def test_a_private_room_of_a_template_is_made_only_for_whom_it_lets_in(world: LiveWorld) -> None:
    ada = await world.connect("ada")
    assert (await ada.ask("join", room="closed:1"))["code"] == "forbidden"
    assert await world.stores.rooms.by_id("closed:1") is None
    with pytest.raises(Forbidden):
        await world.connect("ada", "room", room="closed:1")
    await world.arrivals.arrive(ROOT, "closed:1")
    assert (await ada.ask("join", room="closed:1"))["code"] == "forbidden"


async def test_a_user_can_make_only_so_many(world: LiveWorld) -> None:
    world = LiveWorld(kinds=KINDS, templates=TEMPLATES, caps=RoomCaps(max_rooms=4, max_rooms_per_user=2))
    ada, bob = await world.connect("ada"), await world.connect("bob")
    codes = [(await ada.ask("join", room=f"order:{number}")).get("code") for number in range(3)]
    assert codes == [None, None, "limit_reached"]
    assert (await ada.ask("join", room="desk:u-ada")).get("code") is None  # it is owned: another cap
    codes = [(await bob.ask("join", room=f"order:b{number}")).get("code") for number in range(2)]
    assert codes == [None, "limit_reached"]
    assert (await bob.ask("join", room="order:0")).get("code") is None
    with pytest.raises(LimitReached):
        await world.arrivals.arrive(await world.user("bob"), "order:b2")


async def test_somebody_whose_account_is_gone_makes_nothing(world: LiveWorld) -> None:
    ada = await world.user("ada")
    await world.stores.users.remove("u-ada")
    await asyncio.gather(*(world.arrivals.arrive(ada, "order:17") for _ in range(2)))
    with pytest.raises(NotFound):
        await world.standings.kind_of("order:17")
