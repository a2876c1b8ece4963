"""What `SessionStore`, `SessionPages` and `RevocationStore` promise, and what accounts do to sessions."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from gateroom.auth.ports import AuthSession, Link, Rotation
from gateroom.errors import NotFound
from support.stores import Stores, a_session, a_user

pytest_plugins = ["support.databases"]

ADA, BOB = a_user("ada"), a_user("bob")


def link_of(session: AuthSession, current: bytes = b"first") -> Link:
    return Link(f"family of {session.id}".encode(), current)


async def begin(stores: Stores, *sessions: AuthSession) -> None:
    """Store these sessions of ada and bob."""
    for user in (ADA, BOB):
        if await stores.users.by_id(user.id) is None:
            await stores.users.add(user, "h")
    for session in sessions:
        await stores.sessions.add(session, link_of(session))


FULL = a_session(
    "s-1",
    "u-ada",
    client_id="cli",
    scopes=frozenset({"users:send", "rooms:create"}),
    user_agent="curl/8.0 ü",
    address="2001:db8::1",
    created_at=17.125,
    used_at=18.25,
    expires_at=19.5,
    ends_at=20.75,
)


async def test_a_session_is_found_by_its_id_and_by_its_tokens(stores: Stores) -> None:
    await begin(stores, FULL, a_session("s-2", "u-ada"))
    assert await stores.sessions.by_id("s-1") == FULL
    assert await stores.sessions.by_family(b"family of s-1") == FULL
    assert await stores.sessions.by_id("s-3") is None
    assert await stores.sessions.by_family(b"family") is None


async def test_nobody_who_is_gone_gets_a_session(stores: Stores) -> None:
    with pytest.raises(NotFound):
        await stores.sessions.add(FULL, link_of(FULL))


async def test_nobody_who_is_disabled_or_whose_password_is_another_by_now_gets_one(stores: Stores) -> None:
    await begin(stores)
    with pytest.raises(NotFound):
        await stores.sessions.add(FULL, link_of(FULL), "not the hash")
    await stores.sessions.add(FULL, link_of(FULL), "h")
    await stores.users.save(replace(BOB, disabled=True))
    with pytest.raises(NotFound):
        await stores.sessions.add(a_session("s-2", "u-bob"), Link(b"2", b""))
    assert await stores.devices.alive(["s-1", "s-2"]) == {"s-1"}


async def test_of_a_login_and_a_new_password_at_once_no_session_of_the_old_one_is_left(stores: Stores) -> None:
    await begin(stores)
    logins = [stores.sessions.add(a_session(f"s-{n}", "u-ada"), Link(b"%d" % n, b""), "h") for n in range(10)]
    change = stores.passwords.change("u-ada", "new", None)
    await asyncio.gather(*logins[:5], change, *logins[5:], return_exceptions=True)
    assert await stores.devices.page("u-ada", None, 20) == []


async def test_a_rotation_moves_the_idle_end_and_nothing_else(stores: Stores) -> None:
    await begin(stores, FULL)
    used = replace(FULL, used_at=18.5, expires_at=20.0)
    changed = replace(used, client_id="other", scopes=frozenset(), created_at=0.0, ends_at=99.0)
    assert await stores.sessions.rotate(changed, link_of(FULL), b"second") is Rotation.DONE
    assert await stores.sessions.by_id("s-1") == used
    assert await stores.sessions.rotate(used, link_of(FULL, b"second"), b"third") is Rotation.DONE


async def test_a_token_used_twice_ends_its_session_and_no_other(stores: Stores) -> None:
    other = a_session("s-2", "u-ada")
    await begin(stores, FULL, other)
    assert await stores.sessions.rotate(FULL, link_of(FULL), b"second") is Rotation.DONE
    assert await stores.sessions.rotate(FULL, link_of(FULL), b"thief") is Rotation.REUSED
    assert await stores.sessions.by_id("s-1") is None
    assert await stores.sessions.rotate(FULL, link_of(FULL, b"second"), b"third") is Rotation.GONE
    assert await stores.sessions.by_id("s-2") == other


async def test_a_token_of_another_family_changes_nothing(stores: Stores) -> None:
    await begin(stores, FULL)
    assert await stores.sessions.rotate(FULL, Link(b"family of s-2", b"first"), b"x") is Rotation.GONE
    assert await stores.sessions.by_id("s-1") == FULL


async def test_of_twenty_who_rotate_at_once_one_wins_and_the_session_ends(stores: Stores) -> None:
    await begin(stores, FULL)
    tries = [stores.sessions.rotate(FULL, link_of(FULL), b"next %d" % number) for number in range(20)]
    assert Counter(await asyncio.gather(*tries)) == {Rotation.DONE: 1, Rotation.REUSED: 1, Rotation.GONE: 18}
    assert await stores.sessions.by_id("s-1") is None


async def test_a_session_is_ended_by_its_owner_only_and_once(stores: Stores) -> None:
    await begin(stores, FULL)
    assert await stores.sessions.end("u-bob", "s-1") == []
    assert await stores.sessions.end("u-ada", "s-1") == ["s-1"]
    assert await stores.sessions.end("u-ada", "s-1") == []


async def test_all_sessions_of_a_user_end_together(stores: Stores) -> None:
    await begin(stores, FULL, a_session("s-2", "u-ada"), a_session("s-3", "u-bob"))
    assert sorted(await stores.sessions.end("u-ada", None)) == ["s-1", "s-2"]
    assert await stores.devices.alive(["s-1", "s-2", "s-3", "s-4"]) == {"s-3"}


async def test_a_new_password_ends_the_other_sessions(stores: Stores) -> None:
    await begin(stores, FULL, a_session("s-2", "u-ada"), a_session("s-3", "u-bob"))
    assert await stores.passwords.change("u-ada", "new", "s-2") == ["s-1"]
    assert await stores.passwords.hash_of("u-ada") == "new"
    assert await stores.passwords.change("u-ada", "newer", None) == ["s-2"]
    assert await stores.devices.alive(["s-1", "s-2", "s-3"]) == {"s-3"}
    with pytest.raises(NotFound):
        await stores.passwords.change("u-eve", "new", None)


async def test_a_hash_made_stronger_ends_no_session(stores: Stores) -> None:
    await begin(stores, FULL)
    await stores.passwords.replace("u-ada", "stronger")
    assert await stores.sessions.by_id("s-1") == FULL


async def test_sessions_end_with_the_account_and_when_it_is_disabled(stores: Stores) -> None:
    await begin(stores, FULL, a_session("s-3", "u-bob"))
    await stores.users.save(replace(ADA, scopes=frozenset({"broadcast"})))
    assert await stores.sessions.by_id("s-1") == FULL
    await stores.users.save(replace(ADA, disabled=True))
    await stores.users.remove("u-bob")
    assert await stores.devices.alive(["s-1", "s-3"]) == frozenset()


async def test_sessions_come_in_pages_newest_first(stores: Stores) -> None:
    at = [5.5, 7.25, 7.25, 6.0]
    made = [a_session(f"s-{number}", "u-ada", created_at=moment) for number, moment in enumerate(at)]
    await begin(stores, *made, a_session("s-9", "u-bob", created_at=9.0))
    found: list[AuthSession] = []
    while page := await stores.devices.page("u-ada", (found[-1].created_at, found[-1].id) if found else None, 1):
        found.extend(page)
    assert found == [made[2], made[1], made[3], made[0]]
    assert await stores.devices.page("u-ada", None, 3) == found[:3]


async def test_only_what_has_expired_is_pruned(stores: Stores) -> None:
    await begin(stores, FULL, replace(FULL, id="s-2", expires_at=19.75))
    await stores.devices.prune(19.5)
    assert await stores.devices.alive(["s-1", "s-2"]) == {"s-2"}


async def test_accounts_are_found_by_many_ids(stores: Stores) -> None:
    await begin(stores)
    found = await stores.pages.by_ids(["u-ada", "u-eve", "u-bob"])
    assert sorted(found, key=lambda user: user.id) == [ADA, BOB]


async def test_a_revoked_token_is_known_until_it_expires(stores: Stores) -> None:
    await stores.revocations.add("t-1", 10.5)
    await stores.revocations.add("t-2", 20.5)
    assert await stores.revocations.all(10.0) == {"t-1": 10.5, "t-2": 20.5}
    assert await stores.revocations.all(10.5) == {"t-2": 20.5}
    await stores.revocations.prune(10.5)
    assert await stores.revocations.all(0.0) == {"t-2": 20.5}


async def test_a_token_revoked_by_many_at_once_is_revoked(stores: Stores) -> None:
    await asyncio.gather(*(stores.revocations.add("t-1", 10.5) for _ in range(10)))
    assert await stores.revocations.all(0.0) == {"t-1": 10.5}
