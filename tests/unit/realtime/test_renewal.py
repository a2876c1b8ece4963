"""Living with expiry: the warning, the command `refresh`, and what else carries a socket on (LC-1)."""

from dataclasses import replace

import pytest

from gateroom.auth.ports import Link
from gateroom.auth.principal import Principal
from gateroom.protocol.events import rfc3339
from gateroom.realtime.limits import Limits
from support.live import LiveWorld, Peer, settle
from support.sinks import Closed
from support.stores import a_session

EXPIRED = Closed(1008, "token_expired")


@pytest.fixture
async def world() -> LiveWorld:
    return LiveWorld()


async def connected(world: LiveWorld, name: str = "ada", expires_in: float = 900) -> Peer:
    peer = await world.connect(name, expires_in=expires_in)
    peer.received()
    return peer


async def sweep(world: LiveWorld, seconds: float) -> None:
    world.clock.advance(seconds)
    for session in list(world.live.sessions.values()):
        session.pong()
    world.sweep.once()
    await settle()


async def token(
    world: LiveWorld, name: str = "ada", *, session: str | None = None, scopes: frozenset[str] | None = None
) -> str:
    """A new access token of that user's session."""
    user = await world.stores.users.by_name(name)
    assert user
    granted = user.scopes if scopes is None else scopes
    return world.tokens.issue(user, session or f"s-{name}", granted, "tests").token


async def test_expiry_is_announced_once_a_minute_before(world: LiveWorld) -> None:
    ada = await connected(world)
    ends = world.clock() + 900
    await sweep(world, 839)
    assert ada.received() == []
    await sweep(world, 1)
    assert ada.received() == [{"type": "expiring", "expires_at": rfc3339(ends)}]
    await sweep(world, 59)
    assert ada.received() == []
    await sweep(world, 1)
    assert ada.closed == EXPIRED


async def test_the_notice_can_be_had_earlier_and_a_short_token_gets_it_at_once() -> None:
    world = LiveWorld(Limits(expiry_notice=300))
    ada, bob = await connected(world), await connected(world, "bob", expires_in=100)
    await sweep(world, 1)
    assert [frame["type"] for frame in bob.received()] == ["expiring"]
    await sweep(world, 98)
    assert ada.received() == []


@pytest.mark.parametrize(("as_events", "told"), [(True, ["expiring"]), (False, [])])
async def test_simple_clients_are_told_only_if_they_speak_events(
    world: LiveWorld, as_events: bool, told: list[str]
) -> None:
    inbox = await world.connect("ada", "inbox", as_events=as_events)
    inbox.received_texts()
    await sweep(world, 850)
    assert [frame["type"] for frame in inbox.received()] == told


async def test_a_newer_token_of_the_same_session_carries_on(world: LiveWorld) -> None:
    ada = await connected(world)
    await sweep(world, 850)
    assert [frame["type"] for frame in ada.received()] == ["expiring"]
    ends = world.clock() + 900
    answer = await ada.ask("refresh", token=await token(world))
    assert answer == {"type": "reply", "id": answer["id"], "expires_at": rfc3339(ends)}
    await sweep(world, 839)
    assert (ada.closed, ada.received()) == (None, [])
    await sweep(world, 1)
    assert ada.received() == [{"type": "expiring", "expires_at": rfc3339(ends)}]
    await sweep(world, 60)
    assert ada.closed == EXPIRED


async def test_the_token_that_a_socket_has_already_is_as_good_as_new(world: LiveWorld) -> None:
    ada = await connected(world)
    newer = await token(world)
    assert (await ada.ask("refresh", token=newer))["type"] == "reply"
    assert (await ada.ask("refresh", token=newer))["type"] == "reply"


async def bad_tokens(world: LiveWorld) -> dict[str, str]:
    """Whatever is no newer token of ada's own session."""
    bob = await world.user("bob")
    await world.stores.sessions.add(a_session("s-2", "u-ada"), Link(b"other", b""))
    good = await token(world)
    world.clock.advance(-10)
    older = await token(world)
    world.clock.advance(10)
    return {
        "of another user": await token(world, "bob"),
        "of another session": await token(world, session="s-2"),
        "of a session that is not": await token(world, session="s-0"),
        "of another user's session": await token(world, session=bob.session_id),
        "older": older,
        "forged": good[:-4] + "AAAA",
        "no token": "x",
        "refresh token": f"grr_{'A' * 65}",
    }


async def test_any_other_token_is_forbidden_and_changes_nothing(world: LiveWorld) -> None:
    ada = await connected(world)
    before = ada.session.principal
    for name, text in (await bad_tokens(world)).items():
        assert (await ada.ask("refresh", token=text))["code"] == "forbidden", name
        assert ada.session.principal is before, name


async def test_any_other_token_is_a_violation() -> None:
    world = LiveWorld(Limits(max_violations=2))
    ada = await connected(world)
    for _ in range(2):
        assert (await ada.ask("refresh", token="x"))["code"] == "forbidden"
    ada.command("refresh", token="x")
    await settle()
    assert ada.closed == Closed(1008, "protocol_violation")


async def test_a_revoked_or_a_disabled_one_is_no_better(world: LiveWorld) -> None:
    ada = await connected(world)
    newer = await token(world)
    world.alive.revoke(world.tokens.verify(newer).jti, world.clock() + 900)
    assert (await ada.ask("refresh", token=newer))["code"] == "forbidden"


async def test_rights_are_those_of_the_newer_token(world: LiveWorld) -> None:
    await world.room("den")
    await world.user("root", "rooms:admin")
    root = await connected(world, "root")
    await root.ask("join", room="den")
    narrow = await token(world, "root", scopes=frozenset({"users:send"}))
    assert (await root.ask("refresh", token=narrow))["type"] == "reply"
    assert {"type": "removed", "room": "den", "reason": "forbidden"} in root.received()
    assert (await root.ask("refresh", token=await token(world, "root")))["type"] == "reply"
    assert (await root.ask("join", room="den"))["role"] == "owner"


async def test_a_refresh_over_http_carries_the_sessions_sockets_on(world: LiveWorld) -> None:
    ada, bob = await connected(world), await connected(world, "bob")
    await sweep(world, 850)
    ada.received()
    renewed = replace(ada.session.principal, token_id="t-2", expires_at=world.clock() + 900)
    await world.control.session_renewed(renewed)
    await sweep(world, 100)
    assert (ada.closed, bob.closed) == (None, EXPIRED)


async def test_it_gives_no_socket_powers_that_its_own_token_had_not(world: LiveWorld) -> None:
    full = await world.user("ada")
    ada = await connected(world)
    narrow = await token(world, scopes=frozenset({"users:send"}))
    await ada.ask("refresh", token=narrow)
    await world.control.session_renewed(replace(full, expires_at=world.clock() + 900))
    assert ada.session.principal.scopes == {"users:send"}


async def test_what_was_taken_away_and_given_back_comes_back_with_a_refresh(world: LiveWorld) -> None:
    ada = await connected(world)
    full: Principal = ada.session.principal
    await world.change_account("ada", scopes=frozenset())
    assert ada.session.principal.scopes == frozenset()
    await world.change_account("ada", scopes=full.scopes)
    await world.control.session_renewed(full)
    assert ada.session.principal.scopes == full.scopes


# What ends while a socket is on its way in


async def test_a_session_that_ends_while_its_socket_is_let_in_is_over(world: LiveWorld) -> None:
    ada = await world.admitted("ada")
    await world.stores.sessions.end("u-ada", None)
    world.alive.forget("u-ada", ["s-ada"])
    world.control.sessions_ended("u-ada", ["s-ada"])
    ada.session.start(ada.sink)
    await settle()
    assert ada.closed == Closed(1008, "session_revoked")


async def test_a_token_that_is_revoked_while_its_socket_is_let_in_is_dead(world: LiveWorld) -> None:
    ada = await world.admitted("ada")
    world.alive.revoke("t-ada", world.clock() + 900)
    world.control.token_revoked("u-ada", "t-ada")
    ada.session.start(ada.sink)
    await settle()
    assert ada.closed == Closed(1008, "token_revoked")
