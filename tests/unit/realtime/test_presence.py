"""Who is here: exact with several devices and when clients crash or are put out, and told in turn."""

import pytest

from gateroom.rooms.model import Visibility
from support.live import Frame, LiveWorld, Peer, settle


@pytest.fixture
async def ada(world: LiveWorld) -> Peer:
    """Somebody who is in the room `hall` all the time."""
    await world.room("hall", visibility=Visibility.PUBLIC, ada="owner")
    return (await world.joined("hall", "ada"))[0]


def told(peer: Peer) -> list[tuple[str, str]]:
    return [(frame["type"], frame["user"]["name"]) for frame in peer.received() if frame["type"] in ("joined", "left")]


async def present(peer: Peer) -> dict[str, int]:
    answer: Frame = await peer.ask("presence", room="hall")
    return {user["name"]: user["connections"] for user in answer["users"]}


async def test_devices_of_every_sort_are_counted_and_only_first_and_last_told(world: LiveWorld, ada: Peer) -> None:
    first = (await world.joined("hall", "bob"))[0]
    plain = await world.connect("bob", "room", room="hall")
    await world.connect("bob", "inbox")
    idle = await world.connect("bob")
    assert await present(ada) == {"ada": 1, "bob": 2}
    await first.ask("leave", room="hall")
    assert await present(ada) == {"ada": 1, "bob": 1}
    plain.vanish()
    await settle()
    assert await present(ada) == {"ada": 1}
    assert told(ada) == [("joined", "bob"), ("left", "bob")]
    assert idle.closed is None


@pytest.mark.parametrize("how", ["vanish", "misbehave", "kick", "ban", "disable", "token"])
async def test_who_is_gone_in_whatever_way_has_left_once(world: LiveWorld, ada: Peer, how: str) -> None:
    devices = await world.joined("hall", "bob", "bob")
    if how == "vanish":
        for device in devices:
            device.vanish()
    elif how == "misbehave":
        for device in devices:
            device.session.binary()
    elif how == "kick":
        await world.kick("hall", "bob")
    elif how == "ban":
        await world.ban("hall", "bob")
    elif how == "disable":
        await world.change_account("bob", disabled=True)
    else:
        for device in devices:
            device.session.sweep(device.session.principal.expires_at, 0)
    await settle()
    assert told(ada) == [("joined", "bob"), ("left", "bob")]
    assert await present(ada) == {"ada": 1}


async def test_who_comes_and_goes_and_comes_within_a_tick_is_told_in_turn(world: LiveWorld, ada: Peer) -> None:
    bob = await world.connect("bob")
    for kind in ("join", "leave") * 3 + ("join",):
        bob.command(kind, room="hall")
    await settle()
    assert told(ada) == [("joined", "bob"), ("left", "bob")] * 3 + [("joined", "bob")]
    assert await present(ada) == {"ada": 1, "bob": 1}


async def test_what_somebody_said_comes_before_that_they_left(world: LiveWorld, ada: Peer) -> None:
    bob = (await world.joined("hall", "bob"))[0]
    ada.received()
    for number in range(3):
        bob.command("publish", room="hall", data=number)
    bob.vanish()
    await settle()
    assert [frame["type"] for frame in ada.received()] == ["message"] * 3 + ["left"]


async def test_after_a_restart_nobody_is_here_until_they_come_back(world: LiveWorld, ada: Peer) -> None:
    await world.joined("hall", "bob")
    world.control.stop()
    await settle()
    later = LiveWorld(stores=world.stores)
    cyd = (await later.joined("hall", "cyd"))[0]
    assert await present(cyd) == {"cyd": 1}
    await later.joined("hall", "bob")
    assert await present(cyd) == {"cyd": 1, "bob": 1}
    assert told(cyd) == [("joined", "bob")]
