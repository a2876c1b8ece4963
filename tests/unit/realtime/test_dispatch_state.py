"""A room's shared state as sockets see it: every change once, in order, from exactly the state that the join told."""

import asyncio
import random
from typing import Any

import jsonpatch
import pytest

from gateroom.errors import Unavailable
from gateroom.protocol.patches import Change, Operation
from gateroom.realtime.ports import Kind, Record, Retention
from gateroom.rooms.model import Measure, RoomKind
from support.live import KINDS, Frame, LiveWorld, Peer, settle

SMALL = RoomKind(name="small", max_state_bytes=40)
KINDS_OF_ROOM = ["default", "memory", "fleeting"]


@pytest.fixture
def world() -> LiveWorld:
    return LiveWorld(kinds={**KINDS, "small": SMALL})


def adding(key: str, value: Any = 1) -> list[Frame]:
    return [{"op": "add", "path": f"/{key}", "value": value}]


async def members(world: LiveWorld, kind: str = "default") -> tuple[Peer, Peer]:
    await world.room("desk", kind, ada="member", bob="member", cyd="viewer")
    ada, bob = await world.joined("desk", "ada", "bob")
    return ada, bob


class Follower:
    """Keeps a copy of the state as a client does, and demands every change once and in order."""

    def __init__(self, peer: Peer, joined: Frame) -> None:
        self.peer = peer
        self.state: Any = joined["state"]
        self.version: int = joined["state_version"]

    def follow(self) -> None:
        for frame in self.peer.received():
            if frame["type"] == "state":
                assert frame["state_version"] == self.version + 1, "a change is missing, or came twice"
                self.version += 1
                self.state = jsonpatch.apply_patch(self.state, frame["patch"])


async def follower(world: LiveWorld, name: str) -> Follower:
    peer = await world.connect(name)
    return Follower(peer, await peer.ask("join", room="desk"))


@pytest.mark.parametrize("kind", KINDS_OF_ROOM)
async def test_everybody_in_the_room_hears_a_patch_and_its_sender_the_version(world: LiveWorld, kind: str) -> None:
    ada, bob = await members(world, kind)
    answer = await ada.ask("patch", room="desk", patch=adding("topic", "tea"))
    assert {**answer, "id": 0} == {"type": "reply", "id": 0, "state_version": 1}
    event = {
        "type": "state",
        "room": "desk",
        "state_version": 1,
        "patch": adding("topic", "tea"),
        "by": {"id": "u-ada", "name": "ada"},
    }
    assert bob.received() == ada.received() == [event]
    joined = await (await world.connect("cyd")).ask("join", room="desk")
    assert (joined["state"], joined["state_version"]) == ({"topic": "tea"}, 1)


async def test_changes_keep_their_place_among_the_messages(world: LiveWorld) -> None:
    ada, bob = await members(world)
    for number in range(3):
        ada.command("publish", room="desk", data=number)
        ada.command("patch", room="desk", patch=adding("n", number))
    await settle()
    told = [frame.get("data", frame.get("state_version")) for frame in bob.received()]
    assert told == [0, 1, 1, 2, 2, 3]
    answers = [frame for frame in ada.received() if frame["type"] == "reply"]
    assert [frame["id"] for frame in answers] == sorted(frame["id"] for frame in answers)


async def test_a_durable_change_is_stored_before_anybody_hears_of_it(world: LiveWorld) -> None:
    ada, bob = await members(world)
    cyd = await world.connect("cyd")
    cyd.received()
    world.log.gate.hold()
    ada.command("patch", room="desk", patch=adding("a"))
    await settle()
    joined = await cyd.ask("join", room="desk")
    assert ada.received() == bob.received() == []
    assert (joined["state"], joined["state_version"]) == ({}, 0)
    world.log.gate.release()
    await settle()
    assert [frame["state_version"] for frame in cyd.received()] == [1]
    assert {frame["type"] for frame in ada.received()} == {"reply", "joined", "state"}


async def test_changes_in_memory_do_not_touch_the_log(world: LiveWorld) -> None:
    ada, _ = await members(world, "memory")
    before = world.log.gate.passages
    assert (await ada.ask("patch", room="desk", patch=adding("a")))["state_version"] == 1
    assert world.log.gate.passages == before


async def test_a_stale_version_is_a_conflict_and_nobody_hears_of_it(world: LiveWorld) -> None:
    ada, bob = await members(world)
    assert (await ada.ask("patch", room="desk", patch=adding("a"), version=0))["state_version"] == 1
    for stale in (0, 2):
        assert (await bob.ask("patch", room="desk", patch=adding("b"), version=stale))["code"] == "conflict"
    assert (await bob.ask("patch", room="desk", patch=adding("b"), version=1))["state_version"] == 2
    assert [frame["state_version"] for frame in ada.received()] == [1, 2]


@pytest.mark.parametrize(
    ("patch", "code"),
    [
        ([{"op": "test", "path": "/a", "value": 2}], "conflict"),
        ([{"op": "remove", "path": "/nothing"}], "conflict"),
        ([{"op": "add", "path": "/a"}], "invalid_command"),
        ([{"op": "spam", "path": "/a", "value": 1}], "invalid_command"),
        ({"op": "add", "path": "/a", "value": 1}, "invalid_command"),
        ("[]", "invalid_command"),
        (adding("a", "x" * 40), "too_large"),
    ],
)
async def test_a_patch_that_cannot_be_applied_says_why_and_the_socket_stays(
    world: LiveWorld, patch: Any, code: str
) -> None:
    ada, bob = await members(world, "small")
    assert (await ada.ask("patch", room="desk", patch=[*adding("a"), *adding("b")]))["type"] == "reply"
    bob.received()
    assert (await ada.ask("patch", room="desk", patch=patch))["code"] == code
    assert bob.received() == []
    assert (await ada.ask("patch", room="desk", patch=adding("c")))["state_version"] == 2


async def test_everybody_reads_the_patch_that_was_applied_whatever_else_was_written_there(world: LiveWorld) -> None:
    ada, bob = await members(world)
    operation = '{"op":"remove","path":"/x","op":"add","path":"/a","value":{"n":1,"n":2},"more":true}'
    ada.send(f'{{"type":"patch","id":1,"room":"desk","patch":[{operation}]}}')
    await settle()
    (text,) = bob.received_texts()
    assert '"patch":[{"op":"add","path":"/a","value":{"n":2}}]' in text


@pytest.mark.parametrize("version", [-1, 1.5, "1", True, 2**53])
async def test_a_version_is_a_whole_number(world: LiveWorld, version: Any) -> None:
    ada, _ = await members(world)
    assert (await ada.ask("patch", room="desk", patch=[], version=version))["code"] == "invalid_command"


async def test_who_may_not_patch_is_told_so(world: LiveWorld) -> None:
    _, bob = await members(world)
    cyd = await world.connect("cyd")
    assert (await cyd.ask("patch", room="desk", patch=adding("a")))["code"] == "not_joined"
    await cyd.ask("join", room="desk")
    assert (await cyd.ask("patch", room="desk", patch=adding("a")))["code"] == "forbidden"
    await world.mute("desk", "bob")
    assert (await bob.ask("patch", room="desk", patch=adding("a")))["code"] == "muted"
    await world.lift("desk", "bob", Measure.MUTE)
    assert (await bob.ask("patch", room="desk", patch=adding("a")))["state_version"] == 1


async def test_a_plain_socket_hears_no_changes_and_one_that_offered_events_does(world: LiveWorld) -> None:
    ada, _ = await members(world)
    plain = await world.connect("bob", "room", room="desk")
    events = await world.connect("bob", "room", room="desk", as_events=True)
    events.received()
    await ada.ask("patch", room="desk", patch=adding("a"))
    await ada.ask("publish", room="desk", data="text")
    assert plain.received_texts() == ["text"]
    assert [frame["type"] for frame in events.received()] == ["state", "message"]


async def test_a_room_of_the_same_name_begins_anew(world: LiveWorld) -> None:
    ada, _ = await members(world)
    await ada.ask("patch", room="desk", patch=adding("secret"))
    await world.remove_room("desk")
    await members(world)
    joined = await (await world.connect("bob")).ask("join", room="desk")
    assert (joined["state"], joined["state_version"]) == ({}, 0)


@pytest.mark.parametrize("kind", KINDS_OF_ROOM)
async def test_of_a_hundred_who_patch_at_once_nobody_loses_anything(kind: str) -> None:
    world = LiveWorld(kinds=KINDS)
    names = [f"n{number}" for number in range(100)]
    await world.room("desk", kind)
    for name in names:
        await world.set_role("desk", name, "member")
    followers = [await follower(world, name) for name in names]
    for one in followers:
        one.peer.command("patch", room="desk", patch=adding(one.peer.name))
    await settle()
    for one in followers:
        one.follow()
        assert one.version == 100
        assert one.state == dict.fromkeys(names, 1)


@pytest.mark.parametrize("kind", KINDS_OF_ROOM)
@pytest.mark.parametrize("seed", range(3))
async def test_who_joins_in_the_midst_of_changes_misses_none_and_hears_none_twice(kind: str, seed: int) -> None:
    world = LiveWorld(kinds=KINDS)
    ada, _ = await members(world, kind)
    chance = random.Random(seed)
    followers: list[Follower] = []
    made = 0
    for _ in range(30):
        for _ in range(chance.randrange(4)):
            made += 1
            ada.command("patch", room="desk", patch=adding(f"k{made}"))
        for _ in range(chance.randrange(4)):
            await asyncio.sleep(0)
        if chance.random() < 0.4:
            followers.append(await follower(world, chance.choice(["bob", "cyd"])))
        if chance.random() < 0.2:
            await settle()
    await settle()
    for one in followers:
        one.follow()
        assert one.version == made
        assert one.state == {f"k{number}": 1 for number in range(1, made + 1)}


# What was stored though nobody could tell


async def test_a_change_that_was_stored_unheard_is_made_up_for_before_the_next(world: LiveWorld) -> None:
    ada, bob = await members(world)
    await ada.ask("patch", room="desk", patch=adding("a"))
    bob.received()
    world.log.unheard = Unavailable()
    assert (await ada.ask("patch", room="desk", patch=adding("b")))["code"] == "unavailable"
    joined = await (await world.connect("cyd")).ask("join", room="desk")
    assert (joined["state"], joined["state_version"]) == ({"a": 1}, 1)  # what those here know, too
    world.log.unheard = None
    assert (await ada.ask("patch", room="desk", patch=adding("c")))["state_version"] == 3
    whole, last = (frame for frame in bob.received() if frame["type"] == "state")
    assert (whole["state_version"], whole["by"]) == (2, {"id": "server", "name": "server"})
    assert jsonpatch.apply_patch({"a": 1}, whole["patch"]) == {"a": 1, "b": 1}
    assert (last["state_version"], last["patch"]) == (3, adding("c"))


async def test_a_change_that_was_stored_unheard_is_heard_soon_without_anything_following(world: LiveWorld) -> None:
    ada, bob = await members(world)
    world.log.unheard = Unavailable()
    ada.command("patch", room="desk", patch=adding("a"))
    await settle()
    world.log.unheard = None
    world.local.trim()
    await settle()
    (whole,) = bob.received()
    assert (whole["state_version"], whole["patch"]) == (1, [{"op": "replace", "path": "", "value": {"a": 1}}])
    world.local.trim()
    await settle()
    assert bob.received() == []


async def test_a_change_that_was_not_stored_is_not_heard_later_either(world: LiveWorld) -> None:
    ada, bob = await members(world)
    world.log.gate.fault = Unavailable()
    assert (await ada.ask("patch", room="desk", patch=adding("a")))["code"] == "unavailable"
    world.log.gate.fault = None
    world.local.trim()
    await settle()
    assert bob.received() == []
    assert (await ada.ask("patch", room="desk", patch=adding("b")))["state_version"] == 1


async def test_what_another_program_changed_is_told_whole(world: LiveWorld) -> None:
    ada, bob = await members(world)
    elsewhere = Change((Operation("add", "/x", value=1),))
    await world.log.append([Record("room:desk", Kind.STATE, b"", Retention(1, 0, durable=True), change=elsewhere)])
    assert (await ada.ask("patch", room="desk", patch=adding("a")))["state_version"] == 2
    (whole,) = bob.received()
    assert jsonpatch.apply_patch({}, whole["patch"]) == {"x": 1, "a": 1}
    assert whole["state_version"] == 2
