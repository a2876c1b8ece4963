"""What no order told is found by the next round: every store is changed here behind the process's back (LC-2)."""

from dataclasses import replace

import pytest

from gateroom.auth.ports import User
from gateroom.auth.principal import OUTSIDE_SESSION
from gateroom.errors import SessionRevoked, Unavailable
from gateroom.realtime.recheck import BATCH
from gateroom.rooms.model import Measure, Role, RoomChanges, Visibility
from support.live import LiveWorld, Peer, settle
from support.sinks import Closed

SESSION_REVOKED, TOKEN_REVOKED = Closed(1008, "session_revoked"), Closed(1008, "token_revoked")
USER_DISABLED = Closed(1008, "user_disabled")


@pytest.fixture
async def world() -> LiveWorld:
    made = LiveWorld()
    await made.room("den", ada="owner", bob="member", eve="viewer")
    return made


async def check(world: LiveWorld) -> None:
    await world.recheck.once()
    await settle()


async def test_nothing_happens_to_those_about_whom_nothing_changed(world: LiveWorld) -> None:
    peers = await world.joined("den", "ada", "bob", "eve")
    before = [peer.session.subscriptions["den"].grants for peer in peers]
    await check(world)
    assert [peer.session.subscriptions["den"].grants for peer in peers] == before
    assert [peer.closed for peer in peers] == [None] * 3
    assert [peer.received() for peer in peers] == [[], [], []]
    assert (await peers[1].ask("publish", room="den", data=1))["type"] == "reply"


@pytest.mark.parametrize("gone", [True, False])
async def test_a_disabled_or_deleted_account_is_out(world: LiveWorld, gone: bool) -> None:
    ada, bob = await world.joined("den", "ada", "bob")
    if gone:
        await world.stores.users.remove("u-bob")
    else:
        await world.stores.users.save(replace((await account(world, "bob")), disabled=True))
    await check(world)
    assert bob.closed == USER_DISABLED
    assert ada.closed is None


async def test_a_session_that_has_ended_takes_its_sockets_along_and_no_others(world: LiveWorld) -> None:
    ada, bob = await world.joined("den", "ada", "bob")
    await world.stores.sessions.end("u-bob", None)
    await check(world)
    assert (ada.closed, bob.closed) == (None, SESSION_REVOKED)
    with pytest.raises(SessionRevoked):  # the handshake sees it too
        await world.accounts.judge(bob.session.principal)


@pytest.mark.parametrize("session_id", ["", f"{OUTSIDE_SESSION}of-their-provider"])
async def test_who_has_no_session_here_needs_none(world: LiveWorld, session_id: str) -> None:
    (bob,) = await world.joined("den", "bob")
    bob.session.principal = replace(bob.session.principal, session_id=session_id)
    await check(world)
    assert bob.closed is None
    assert (await world.accounts.judge(bob.session.principal)).user_id == "u-bob"
    await world.stores.revocations.add("t-bob", world.clock() + 900)
    await check(world)
    assert bob.closed == TOKEN_REVOKED


async def test_a_revoked_token_takes_its_sockets_along(world: LiveWorld) -> None:
    ada, bob = await world.joined("den", "ada", "bob")
    await world.stores.revocations.add("t-bob", world.clock() + 900)
    await check(world)
    assert (ada.closed, bob.closed) == (None, TOKEN_REVOKED)


async def test_tokens_from_before_an_account_was_made_safe_are_out(world: LiveWorld) -> None:
    (bob,) = await world.joined("den", "bob")
    await world.stores.users.save(replace(await account(world, "bob"), valid_from=world.clock() + 1))
    await check(world)
    assert bob.closed == TOKEN_REVOKED


async def test_a_scope_that_is_gone_is_taken_away(world: LiveWorld) -> None:
    (bob,) = await world.joined("den", "bob")
    await world.stores.users.save(replace(await account(world, "bob"), scopes=frozenset()))
    await check(world)
    assert bob.closed is None
    assert (await bob.ask("send", user="u-ada", data=1))["code"] == "forbidden"


async def test_a_member_who_was_removed_hears_nothing_more(world: LiveWorld) -> None:
    ada, bob = await world.joined("den", "ada", "bob")
    await world.stores.members.remove("den", "u-bob")
    await check(world)
    assert bob.received() == [{"type": "removed", "room": "den", "reason": "forbidden"}]
    await ada.ask("publish", room="den", data="among us")
    assert bob.received() == []


async def test_a_role_that_was_lowered_counts(world: LiveWorld) -> None:
    (bob,) = await world.joined("den", "bob")
    await world.stores.members.put("den", "u-bob", Role.VIEWER)
    await check(world)
    assert (await bob.ask("publish", room="den", data=1))["code"] == "forbidden"


async def test_a_role_that_was_raised_counts_too(world: LiveWorld) -> None:
    (eve,) = await world.joined("den", "eve")
    await world.stores.members.put("den", "u-eve", Role.MEMBER)
    await check(world)
    assert (await eve.ask("publish", room="den", data=1))["type"] == "reply"


async def test_a_ban_and_a_mute_count(world: LiveWorld) -> None:
    bob, eve = await world.joined("den", "bob", "eve")
    await world.stores.sanctions.put("den", "u-bob", Measure.MUTE, None)
    await world.stores.sanctions.put("den", "u-eve", Measure.BAN, None)
    await check(world)
    assert (await bob.ask("publish", room="den", data=1))["code"] == "muted"
    assert eve.received()[0] == {"type": "removed", "room": "den", "reason": "banned"}


async def test_a_room_that_was_made_private_keeps_its_members_only(world: LiveWorld) -> None:
    await world.room("plaza", visibility=Visibility.PUBLIC, ada="owner")
    ada, eve = await world.joined("plaza", "ada", "eve")
    await world.stores.rooms.change("plaza", RoomChanges(visibility=Visibility.PRIVATE))
    await check(world)
    assert [frame["type"] for frame in eve.received()] == ["removed"]
    assert ada.session.rooms == ["plaza"]


async def test_a_room_that_was_deleted_is_closed(world: LiveWorld) -> None:
    ada, bob = await world.joined("den", "ada", "bob")
    await world.stores.rooms.remove("den")
    await check(world)
    for peer in (ada, bob):
        assert peer.received()[-1] == {"type": "removed", "room": "den", "reason": "room_closed"}
        assert peer.closed is None


async def test_a_store_that_cannot_be_read_ends_nobody(world: LiveWorld) -> None:
    peers = await world.joined("den", "ada", "bob")
    world.sql.fault = Unavailable()
    await check(world)
    assert [peer.closed for peer in peers] == [None, None]


async def test_more_sockets_than_a_batch_holds_are_all_looked_at() -> None:
    world = LiveWorld()
    await world.room("plaza", visibility=Visibility.PUBLIC)
    peers: list[Peer] = [await world.connect(f"user{number}") for number in range(BATCH + 3)]
    for number in range(BATCH + 3):
        await world.stores.sessions.end(f"u-user{number}", None)
    await check(world)
    assert {peer.closed for peer in peers} == {SESSION_REVOKED}


async def account(world: LiveWorld, name: str) -> User:
    user = await world.stores.users.by_name(name)
    assert user
    return user


async def test_what_has_expired_is_deleted(world: LiveWorld) -> None:
    stores = world.stores
    await world.user("ada")
    await stores.revocations.add("t-1", world.clock() + 10)
    world.clock.advance(31 * 86400)
    await check(world)
    assert await stores.devices.alive(["s-ada"]) == frozenset()
    assert await stores.revocations.all(0.0) == {}
