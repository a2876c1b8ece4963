"""Bans, mutes and kicks, as the live path feels them: at once, in order, and no longer than they hold."""

import pytest

from gateroom.errors import Banned
from gateroom.rooms.model import Measure, Visibility
from support.live import LiveWorld, Peer, settle
from support.sinks import Closed


@pytest.fixture
async def desk(world: LiveWorld) -> tuple[Peer, Peer]:
    """ada, who owns the room, and bob in it."""
    await world.room("desk", ada="owner", bob="member", cyd="moderator")
    ada, bob = await world.joined("desk", "ada", "bob")
    return ada, bob


async def put_out(world: LiveWorld, how: str) -> None:
    if how == "banned":
        await world.ban("desk", "bob")
    elif how == "kicked":
        await world.kick("desk", "bob")
    elif how == "forbidden":
        await world.set_role("desk", "bob", None)
    else:
        await world.remove_room("desk")


WAYS = ["banned", "kicked", "forbidden", "room_closed"]


@pytest.mark.parametrize("how", WAYS)
async def test_who_is_put_out_hears_nothing_of_the_room_after_that(
    world: LiveWorld, desk: tuple[Peer, Peer], how: str
) -> None:
    ada, bob = desk
    bob.pause()
    for number in range(3):  # what bob has not taken yet is dropped too
        await ada.ask("publish", room="desk", data=number)
    await put_out(world, how)
    ada.command("publish", room="desk", data="behind their back")
    bob.resume()
    await settle()
    assert bob.received() == [{"type": "removed", "room": "desk", "reason": how}]


@pytest.mark.parametrize("how", WAYS)
async def test_a_socket_for_the_room_ends_with_the_reason(world: LiveWorld, desk: tuple[Peer, Peer], how: str) -> None:
    plain = await world.connect("bob", "room", room="desk")
    await put_out(world, how)
    await settle()
    assert plain.closed == Closed(1008, how)


@pytest.mark.parametrize(
    ("how", "code"), [("banned", "not_joined"), ("kicked", "not_joined"), ("forbidden", "not_joined")]
)
async def test_commands_in_the_same_breath_are_judged_by_the_new_rights(
    world: LiveWorld, desk: tuple[Peer, Peer], how: str, code: str
) -> None:
    ada, bob = desk
    await put_out(world, how)
    for kind, fields in (("publish", {"data": 1}), ("presence", {}), ("history", {})):
        assert (await bob.ask(kind, room="desk", **fields))["code"] == code
    await settle()
    assert ada.heard() == []


async def test_a_ban_beats_another_device_a_resume_and_an_open_handshake(
    world: LiveWorld, desk: tuple[Peer, Peer]
) -> None:
    _, bob = desk
    other = (await world.joined("desk", "bob"))[0]
    waiting = await world.admitted("bob", "room", room="desk")  # judged already, not started yet
    await world.ban("desk", "bob")
    await settle()
    for peer in (bob, other):
        assert [frame["reason"] for frame in peer.received() if frame["type"] == "removed"] == ["banned"]
        since = {"epoch": "any", "seq": 0}
        assert (await peer.ask("join", room="desk", since=since))["code"] == "banned"
        assert (await peer.ask("join", room="desk"))["code"] == "banned"
    waiting.session.start(waiting.sink)
    await settle()
    assert waiting.closed == Closed(1008, "banned")
    with pytest.raises(Banned):
        await world.connect("bob", "room", room="desk")


async def test_a_ban_beats_a_public_room(world: LiveWorld) -> None:
    await world.room("hall", visibility=Visibility.PUBLIC)
    await world.ban("hall", "eve")
    eve = await world.connect("eve")
    assert (await eve.ask("join", room="hall"))["code"] == "banned"


async def test_a_join_that_waits_while_its_user_is_banned_fails(world: LiveWorld, desk: tuple[Peer, Peer]) -> None:
    late = await world.connect("cyd")
    world.sql.hold()
    command = late.command("join", room="desk")
    await settle()
    world.standings.forget("desk", None)
    await world.stores.sanctions.put("desk", "u-cyd", Measure.BAN, None)
    world.sql.release()
    await settle()
    assert [(frame["id"], frame["code"]) for frame in late.received() if frame["type"] == "error"] == [
        (command, "banned")
    ]


async def test_a_ban_for_a_time_ends_by_itself(world: LiveWorld, desk: tuple[Peer, Peer]) -> None:
    _, bob = desk
    await world.ban("desk", "bob", world.clock() + 20)
    world.clock.advance(19.9)
    assert (await bob.ask("join", room="desk"))["code"] == "banned"
    world.clock.advance(0.1)
    assert (await bob.ask("join", room="desk"))["type"] == "reply"


async def test_a_lifted_ban_is_forgotten_at_once(world: LiveWorld, desk: tuple[Peer, Peer]) -> None:
    _, bob = desk
    await world.ban("desk", "bob")
    await world.lift("desk", "bob")
    assert (await bob.ask("join", room="desk"))["role"] == "member"


async def test_who_was_kicked_may_come_back(world: LiveWorld, desk: tuple[Peer, Peer]) -> None:
    ada, bob = desk
    assert await world.kick("desk", "bob") == 1
    assert await world.kick("desk", "bob") == 0
    assert (await bob.ask("join", room="desk"))["type"] == "reply"
    assert [frame["type"] for frame in ada.received()] == ["left", "joined"]


async def test_the_muted_listen_until_the_mute_ends_by_itself(world: LiveWorld, desk: tuple[Peer, Peer]) -> None:
    ada, bob = desk
    await world.mute("desk", "bob", world.clock() + 60)
    assert (await bob.ask("publish", room="desk", data=1))["code"] == "muted"
    assert (await bob.ask("publish", room="desk", data=1, ephemeral=True))["code"] == "muted"
    await ada.ask("publish", room="desk", data="hear me")
    assert bob.heard() == ["hear me"]
    assert (await bob.ask("history", room="desk"))["messages"]
    world.clock.advance(59.9)
    assert (await bob.ask("publish", room="desk", data=1))["code"] == "muted"
    world.clock.advance(0.1)
    passages = world.sql.passages
    assert (await bob.ask("publish", room="desk", data=2))["type"] == "reply"
    assert world.sql.passages == passages  # judged by the moment alone


async def test_a_lifted_mute_lets_speak_at_once(world: LiveWorld, desk: tuple[Peer, Peer]) -> None:
    _, bob = desk
    await world.mute("desk", "bob")
    await world.lift("desk", "bob", Measure.MUTE)
    assert (await bob.ask("publish", room="desk", data=1))["type"] == "reply"


async def test_a_muted_socket_for_the_room_ends_when_it_speaks(world: LiveWorld, desk: tuple[Peer, Peer]) -> None:
    await world.mute("desk", "bob")
    plain = await world.connect("bob", "room", room="desk")
    assert plain.closed is None
    plain.send("psst")
    await settle()
    assert plain.closed == Closed(1008, "muted")
