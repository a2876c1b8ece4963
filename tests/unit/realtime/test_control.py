"""Changes of rights, as live sockets feel them."""

import asyncio

import pytest

from gateroom.errors import Forbidden, Unavailable
from gateroom.realtime.limits import Limits
from gateroom.rooms.model import Role, Visibility
from support.live import ROOT, LiveWorld, Peer, settle


async def pair(world: LiveWorld) -> tuple[Peer, Peer]:
    """Two members of a private room, both in it."""
    await world.room("desk", ada="owner", bob="member")
    ada, bob = await world.joined("desk", "ada", "bob")
    return ada, bob


def removed(room: str, reason: str) -> dict[str, str]:
    return {"type": "removed", "room": room, "reason": reason}


# Memberships


async def test_who_is_removed_is_told_and_hears_nothing_more(world: LiveWorld) -> None:
    ada, bob = await pair(world)
    await world.set_role("desk", "bob", None)
    await ada.ask("publish", room="desk", data="secret")
    assert bob.received() == [removed("desk", "forbidden")]
    assert [frame["type"] for frame in ada.received()] == ["left", "message"]
    assert bob.session.rooms == []
    assert bob.closed is None


async def test_who_is_removed_gets_nothing_of_what_still_waited_for_a_slow_reader(world: LiveWorld) -> None:
    ada, bob = await pair(world)
    await world.room("hall", ada="owner", bob="member")
    for peer in (ada, bob):
        await peer.ask("join", room="hall")
    for peer in (ada, bob):
        peer.received()
    bob.pause()
    for number in range(40):
        await ada.ask("publish", room="desk", data=f"desk {number}")
        await ada.ask("publish", room="hall", data=f"hall {number}")
    ada.command("publish", room="desk", data="desk, within the same tick")
    await world.set_role("desk", "bob", None)
    bob.resume()
    await settle()
    frames = bob.received()
    assert [frame["data"] for frame in frames if frame["type"] == "message"] == [f"hall {n}" for n in range(40)]
    assert frames[-1] == removed("desk", "forbidden")


async def test_what_is_said_in_the_tick_of_a_removal_reaches_only_who_is_left(world: LiveWorld) -> None:
    ada, bob = await pair(world)
    ada.command("publish", room="desk", data=1)
    await world.set_role("desk", "bob", None)
    ada.command("publish", room="desk", data=2)
    await settle()
    assert [frame for frame in bob.received() if frame["type"] != "removed"] == []
    assert ada.heard() == [1, 2]


async def test_all_connections_of_a_user_are_removed_and_nobody_elses(world: LiveWorld) -> None:
    ada, bob = await pair(world)
    (again,) = await world.joined("desk", "bob")
    machine = await world.connect("bob", "room", room="desk")
    await world.set_role("desk", "bob", None)
    await settle()
    assert bob.received() == again.received() == [removed("desk", "forbidden")]
    assert machine.closed == (1008, "forbidden")
    assert ada.session.rooms == ["desk"]
    assert [frame["type"] for frame in ada.received()] == ["left"]


async def test_commands_of_who_was_removed_are_answered_not_joined(world: LiveWorld) -> None:
    _, bob = await pair(world)
    bob.command("publish", room="desk", data="in time")
    await world.set_role("desk", "bob", None)
    assert (await bob.ask("presence", room="desk"))["code"] == "not_joined"
    assert (await bob.ask("join", room="desk"))["code"] == "forbidden"


async def test_who_is_let_in_again_has_to_join_again(world: LiveWorld) -> None:
    ada, bob = await pair(world)
    await world.set_role("desk", "bob", None)
    await world.set_role("desk", "bob", "member")
    await ada.ask("publish", room="desk", data=1)
    assert bob.received() == [removed("desk", "forbidden")]
    await bob.ask("join", room="desk")
    await ada.ask("publish", room="desk", data=2)
    assert bob.heard() == [2]


async def test_a_change_of_role_counts_at_once(world: LiveWorld) -> None:
    ada, bob = await pair(world)
    await world.set_role("desk", "bob", "viewer")
    assert (await bob.ask("publish", room="desk", data=1))["code"] == "forbidden"
    await world.set_role("desk", "bob", "moderator")
    assert (await bob.ask("publish", room="desk", data=2))["type"] == "reply"
    assert ada.heard() == [2]
    assert [frame["type"] for frame in bob.received()] == ["message"]


async def test_removals_that_follow_each_other_leave_the_last_one_standing(world: LiveWorld) -> None:
    _, bob = await pair(world)
    for role in ("viewer", None, "member", "viewer"):
        await world.set_role("desk", "bob", role)
    assert (await bob.ask("join", room="desk"))["role"] == "viewer"


async def test_who_cannot_be_judged_because_the_store_is_away_is_removed_too(world: LiveWorld) -> None:
    ada, bob = await pair(world)
    await world.stores.members.remove("desk", "u-bob")
    world.standings.forget("desk", None)
    world.sql.fault = Unavailable()
    await world.control.standing_changed("desk", None)
    await settle()
    assert ada.received() == bob.received() == [removed("desk", "overloaded")]
    world.sql.fault = None
    assert (await ada.ask("join", room="desk"))["type"] == "reply"
    assert (await bob.ask("join", room="desk"))["code"] == "forbidden"


async def test_a_mistake_of_ours_ends_whom_it_befalls_and_does_not_keep_the_others_in(world: LiveWorld) -> None:
    ada, bob = await pair(world)
    await world.stores.members.remove("desk", "u-bob")
    world.standings.forget("desk", None)
    world.sql.fault = ZeroDivisionError()
    await world.control.standing_changed("desk", None)
    await settle()
    assert [peer.closed.code for peer in (ada, bob) if peer.closed] == [1011, 1011]


# The room


async def test_a_room_that_becomes_private_loses_its_visitors_and_keeps_its_members(world: LiveWorld) -> None:
    await world.room("hall", visibility=Visibility.PUBLIC, ada="owner")
    ada, bob, cyd = await world.joined("hall", "ada", "bob", "cyd")
    for peer in (ada, bob, cyd):
        peer.received()
    await world.directory.change(ROOT, "hall", None, Visibility.PRIVATE)
    await ada.ask("publish", room="hall", data="secret")
    assert bob.received()[0] == removed("hall", "forbidden")
    assert cyd.received()[-1] == removed("hall", "forbidden")
    assert ada.heard() == ["secret"]


async def test_a_new_title_changes_nothing_for_anybody(world: LiveWorld) -> None:
    ada, bob = await pair(world)
    await world.directory.change(ROOT, "desk", "The desk", None)
    assert ada.received() == bob.received() == []
    assert (await bob.ask("publish", room="desk", data=1))["type"] == "reply"


async def test_a_room_that_is_deleted_is_closed_for_everybody(world: LiveWorld) -> None:
    ada, bob = await pair(world)
    await world.remove_room("desk")
    await settle()
    assert ada.received() == [removed("desk", "room_closed")]
    assert removed("desk", "room_closed") in bob.received()
    assert (await ada.ask("publish", room="desk", data=1))["code"] == "not_joined"
    assert (await ada.ask("join", room="desk"))["code"] == "forbidden"


async def test_nothing_of_a_deleted_room_is_in_one_of_the_same_name(world: LiveWorld) -> None:
    ada, _ = await pair(world)
    old = (await ada.ask("publish", room="desk", data="old"))["position"]
    command_id = ada.command("publish", room="desk", data="in the last moment")
    await world.remove_room("desk")
    await settle()
    answers = [frame for frame in ada.received() if frame.get("id") == command_id]
    assert [(answer["type"], answer["code"]) for answer in answers] == [("error", "forbidden")]
    await world.room("desk", eve="owner")
    eve = await world.connect("eve")
    answer = await eve.ask("join", room="desk", since=old)
    assert (answer["position"]["seq"], answer["missed"], answer["recovered"]) == (0, [], False)
    assert (await eve.ask("history", room="desk"))["messages"] == []


# Accounts


async def test_a_disabled_users_sockets_end(world: LiveWorld) -> None:
    ada, bob = await pair(world)
    other = await world.connect("bob", "inbox")
    await world.change_account("bob", disabled=True)
    await settle()
    assert bob.closed == other.closed == (1008, "user_disabled")
    assert ada.closed is None
    assert world.hub.connections_of("u-bob") == ()


async def test_a_deleted_users_sockets_end_and_are_counted(world: LiveWorld) -> None:
    _, bob = await pair(world)
    assert world.control.user_gone("u-bob") == 1
    assert world.control.user_gone("u-bob") == 0
    await settle()
    assert bob.closed == (1008, "user_disabled")


async def test_an_administrator_may_disconnect_a_user_who_may_come_back(world: LiveWorld) -> None:
    _, bob = await pair(world)
    await world.connect("bob")
    assert world.control.disconnect("u-bob") == 2
    await settle()
    assert bob.closed == (1008, "disconnected")
    assert (await world.connect("bob")).closed is None


async def test_who_loses_the_scope_over_all_rooms_is_out_of_those_it_gave_at_once(world: LiveWorld) -> None:
    await world.user("root", "rooms:admin")
    await world.room("desk", ada="owner")
    await world.room("own", root="viewer")
    (ada,) = await world.joined("desk", "ada")
    root = await world.connect("root")
    again = await world.connect("root")
    for peer in (root, again):
        for room in ("desk", "own"):
            assert (await peer.ask("join", room=room))["role"] == "owner"
    for peer in (ada, root, again):
        peer.received()
    await world.change_account("root", scopes=frozenset())
    await ada.ask("publish", room="desk", data="secret")
    assert root.received() == again.received() == [removed("desk", "forbidden")]
    assert (await root.ask("publish", room="own", data=1))["code"] == "forbidden"
    assert (await root.ask("join", room="own"))["role"] == "viewer"


async def test_a_scope_that_is_given_back_counts_from_the_next_token_on(world: LiveWorld) -> None:
    ada = await world.connect("ada")
    scopes = ada.session.principal.scopes
    await world.change_account("ada", scopes=frozenset())
    await world.change_account("ada", scopes=scopes)
    assert (await ada.ask("send", user="@ada", data=1))["code"] == "forbidden"
    again = await world.connect("ada")
    assert (await again.ask("send", user="@ada", data=1))["type"] == "reply"


async def test_a_judgement_under_way_does_not_outlive_a_scope_that_is_lost_meanwhile(world: LiveWorld) -> None:
    await world.user("root", "rooms:admin")
    await world.room("desk", ada="owner", root="viewer")
    (root,) = await world.joined("desk", "root")
    world.standings.forget("desk", "u-root")
    world.sql.hold()
    judging = asyncio.create_task(world.control.standing_changed("desk", "u-root"))
    await settle()
    world.sql.release()  # whoever asks now is faster than the one that waits
    await world.change_account("root", scopes=frozenset())
    assert not judging.done()
    await judging
    assert (await root.ask("publish", room="desk", data=1))["code"] == "forbidden"


@pytest.mark.parametrize("max_rooms", [1, 3])
async def test_an_account_change_is_felt_in_every_room(max_rooms: int) -> None:
    world = LiveWorld(Limits(max_rooms_per_connection=max_rooms))
    await world.user("root", "rooms:admin")
    root = await world.connect("root")
    for number in range(max_rooms):
        await world.room(f"room-{number}")
        await root.ask("join", room=f"room-{number}")
    root.received()
    await world.change_account("root", scopes=frozenset())
    await settle()
    assert root.received() == [removed(f"room-{number}", "forbidden") for number in range(max_rooms)]
    assert root.session.rooms == []


@pytest.mark.parametrize("role", [Role.VIEWER, None])
async def test_a_moderator_changes_nobody_whom_the_owner_appoints_meanwhile(
    world: LiveWorld, role: Role | None
) -> None:
    await world.room("desk", ada="owner", mo="moderator", bob="member")
    mo, bob = await world.user("mo"), (await world.user("bob")).user_id
    world.sql.hold()
    change = world.directory.put_member(mo, "desk", bob, role) if role else None
    changing = asyncio.create_task(change or world.directory.remove_member(mo, "desk", bob))
    await settle()
    await world.stores.members.put("desk", bob, Role.MODERATOR)
    world.sql.release()
    with pytest.raises(Forbidden):
        await changing
    member = await world.stores.members.of("desk", bob)
    assert member
    assert member.role is Role.MODERATOR


async def test_a_room_that_changes_is_not_read_again_for_each_who_is_in_it(world: LiveWorld) -> None:
    await world.room("plaza", visibility=Visibility.PUBLIC, user0="member")
    peers = await world.joined("plaza", *(f"user{number}" for number in range(20)))
    passages = world.sql.passages
    await world.directory.change(ROOT, "plaza", None, Visibility.PRIVATE)
    assert world.sql.passages - passages <= 8
    await settle()
    assert [peer.session.rooms for peer in peers] == [["plaza"], *[[]] * 19]
    assert all(removed("plaza", "forbidden") in peer.received() for peer in peers[1:])


@pytest.mark.parametrize("kind", ["default", "memory"])
async def test_a_new_room_has_nothing_of_one_that_another_program_removed(world: LiveWorld, kind: str) -> None:
    await world.room("desk", kind, ada="member")
    (ada,) = await world.joined("desk", "ada")
    await ada.ask("publish", room="desk", data="secret")
    await ada.ask("patch", room="desk", patch=[{"op": "add", "path": "/secret", "value": 1}])
    ada.received()
    await world.stores.rooms.remove("desk")
    await world.directory.create(await world.user("bob"), "desk", kind, "", Visibility.PRIVATE)
    bob = await world.connect("bob")
    answer = await bob.ask("join", room="desk")
    assert (answer["position"]["seq"], answer["members"], answer["state"]) == (0, 1, {})
    assert (await bob.ask("history", room="desk"))["messages"] == []
    assert (await bob.ask("publish", room="desk", data="new"))["type"] == "reply"
    assert [(frame["type"], frame["reason"]) for frame in ada.received()] == [("removed", "room_closed")]
