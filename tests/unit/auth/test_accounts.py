"""What a process knows of accounts, and when it reads them again."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from gateroom.auth.accounts import Accounts
from gateroom.auth.alive import Alive
from gateroom.auth.claims import Claims
from gateroom.auth.ports import AuthSession, Link, User
from gateroom.errors import TokenRevoked, Unavailable, UserDisabled
from support.back_ends import InMemoryApiKeys
from support.clock import FrozenClock
from support.sessions import InMemoryRevocations, InMemorySessions
from support.stores import InMemoryUsers, a_session

ADA = User(
    id="u-ada",
    username="ada",
    roles=frozenset({"staff", "admin"}),
    scopes=frozenset({"users:send", "rooms:create"}),
    created_at=1.0,
)
CLAIMS = Claims(
    iss="i",
    sub="u-ada",
    aud="a",
    exp=1_800_000_900,
    iat=1_800_000_000,
    jti="t-1",
    sid="s-1",
    client_id="gateroom",
    scope=frozenset({"users:send", "users:admin"}),
    roles=frozenset({"staff", "auditor"}),
)


class GatedUsers(InMemoryUsers):
    """Counts what is read, and lets a read begin at once but end only when `gate` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.broken = False

    async def by_id(self, user_id: str) -> User | None:
        self.reads += 1
        found, broken = await super().by_id(user_id), self.broken
        await self.gate.wait()
        if broken:
            raise Unavailable
        return found


class GatedSessions(InMemorySessions):
    """One session, whose read waits for the gate of the users."""

    def __init__(self, users: GatedUsers) -> None:
        super().__init__({}, {})
        self._gate = users.gate

    async def by_id(self, session_id: str) -> AuthSession | None:
        await self._gate.wait()
        return a_session(session_id, "u-ada")


@pytest.fixture
async def users() -> GatedUsers:
    made = GatedUsers()
    await made.add(ADA, "hash")
    await made.sessions.add(a_session("s-1", "u-ada"), Link(b"", b""))
    return made


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def accounts(users: GatedUsers, clock: FrozenClock) -> Accounts:
    return Accounts(users, alive_with(users, clock), clock)


def alive_with(users: GatedUsers, clock: FrozenClock) -> Alive:
    """Know the one session that `CLAIMS` has."""
    alive = Alive(users.sessions, InMemoryRevocations(), InMemoryApiKeys(users), clock, clock)
    alive.begun(a_session("s-1", "u-ada"))
    return alive


async def turn() -> None:
    """Let every task that can run do so."""
    for _ in range(5):
        await asyncio.sleep(0)


# Reading


async def test_an_account_is_read_on_first_sight_and_then_known(accounts: Accounts, users: GatedUsers) -> None:
    assert accounts.known("u-ada") is None
    assert await accounts.get("u-ada") == ADA
    assert await accounts.get("u-ada") == accounts.known("u-ada") == ADA
    assert users.reads == 1


async def test_an_account_is_read_again_after_a_while(
    accounts: Accounts, users: GatedUsers, clock: FrozenClock
) -> None:
    await accounts.get("u-ada")
    await users.save(replace(ADA, disabled=True))
    clock.advance(29)
    assert await accounts.get("u-ada") == ADA
    clock.advance(2)
    assert accounts.known("u-ada") is None
    with pytest.raises(UserDisabled):
        await accounts.get("u-ada")


async def test_many_who_ask_at_once_make_one_read(accounts: Accounts, users: GatedUsers) -> None:
    users.gate.clear()
    asking = [asyncio.create_task(accounts.get("u-ada")) for _ in range(50)]
    await turn()
    users.gate.set()
    assert await asyncio.gather(*asking) == [ADA] * 50
    assert users.reads == 1


async def test_who_gives_up_does_not_stop_the_others(accounts: Accounts, users: GatedUsers) -> None:
    users.gate.clear()
    first = asyncio.create_task(accounts.get("u-ada"))
    second = asyncio.create_task(accounts.get("u-ada"))
    await turn()
    first.cancel()
    await turn()
    users.gate.set()
    assert await second == ADA
    assert first.cancelled()
    assert users.reads == 1


async def test_an_account_that_changed_while_it_was_read_is_read_again(accounts: Accounts, users: GatedUsers) -> None:
    users.gate.clear()
    asking = asyncio.create_task(accounts.get("u-ada"))
    await turn()
    await users.save(replace(ADA, disabled=True))
    accounts.forget("u-ada")
    users.gate.set()
    with pytest.raises(UserDisabled):
        await asking
    assert users.reads == 2
    assert accounts.known("u-ada") == replace(ADA, disabled=True)


async def test_a_read_that_began_before_a_change_does_not_undo_one_that_began_after(
    accounts: Accounts, users: GatedUsers
) -> None:
    users.gate.clear()
    before = asyncio.create_task(accounts.get("u-ada"))
    await turn()
    changed = replace(ADA, scopes=frozenset())
    await users.save(changed)
    accounts.forget("u-ada")
    after = asyncio.create_task(accounts.get("u-ada"))
    await turn()
    users.gate.set()
    assert list(await asyncio.gather(before, after)) == [changed, changed]
    assert accounts.known("u-ada") == changed
    assert users.reads == 2


async def test_a_read_that_counts_no_more_leaves_nothing_behind(accounts: Accounts, users: GatedUsers) -> None:
    users.gate.clear()
    asking = asyncio.create_task(accounts.get("u-ada"))
    await turn()
    accounts.forget("u-ada")
    asking.cancel()
    users.gate.set()
    await turn()
    assert accounts.known("u-ada") is None


@pytest.mark.parametrize("awaited", [True, False])
async def test_a_store_that_fails_is_asked_again(accounts: Accounts, users: GatedUsers, awaited: bool) -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    users.gate.clear()
    users.broken = True
    asking = asyncio.create_task(accounts.get("u-ada"))
    await turn()
    users.broken = False
    if not awaited:
        asking.cancel()
    users.gate.set()
    [outcome] = await asyncio.gather(asking, return_exceptions=True)
    assert isinstance(outcome, Unavailable if awaited else asyncio.CancelledError)
    del asking
    await turn()
    assert await accounts.get("u-ada") == ADA
    assert complaints == []


async def test_no_more_accounts_are_kept_than_there_is_room_for(users: GatedUsers, clock: FrozenClock) -> None:
    accounts = Accounts(users, alive_with(users, clock), clock, capacity=10)
    for number in range(30):
        await users.add(replace(ADA, id=f"u-{number}", username=f"user{number}"), "hash")
        await accounts.get(f"u-{number}")
    assert sum(accounts.known(f"u-{number}") is not None for number in range(30)) == 10


async def test_closing_waits_for_the_reads_under_way(accounts: Accounts, users: GatedUsers) -> None:
    users.gate.clear()
    asking = asyncio.create_task(accounts.get("u-ada"))
    await turn()
    closing = asyncio.create_task(accounts.close())
    await turn()
    assert not closing.done()
    users.gate.set()
    await closing
    assert await asking == ADA


# Judging


async def test_a_disabled_an_unknown_and_a_deleted_account_are_refused_alike(
    accounts: Accounts, users: GatedUsers
) -> None:
    await users.add(replace(ADA, id="u-bob", username="bob", disabled=True), "hash")
    for user_id in ("u-bob", "u-nobody"):
        for _ in range(2):
            with pytest.raises(UserDisabled):
                await accounts.get(user_id)
    assert users.reads == 2
    await accounts.get("u-ada")
    await users.remove("u-ada")
    accounts.forget("u-ada")
    with pytest.raises(UserDisabled):
        await accounts.principal(CLAIMS)


async def test_a_principal_has_what_both_the_token_and_the_account_have(accounts: Accounts) -> None:
    principal = await accounts.principal(CLAIMS)
    assert (principal.user_id, principal.username) == ("u-ada", "ada")
    assert principal.scopes == {"users:send"}
    assert principal.roles == {"staff"}
    assert (principal.session_id, principal.token_id, principal.expires_at) == ("s-1", "t-1", 1_800_000_900.0)


@pytest.mark.parametrize("valid_from", [1_800_000_000.5, 1_800_000_001.0])
async def test_a_token_from_before_the_account_was_made_safe_is_dead(
    accounts: Accounts, users: GatedUsers, valid_from: float
) -> None:
    await accounts.principal(CLAIMS)
    await users.save(replace(ADA, valid_from=valid_from))
    accounts.forget("u-ada")
    with pytest.raises(TokenRevoked):
        await accounts.principal(CLAIMS)
    later = await accounts.principal(replace(CLAIMS, iat=1_800_000_001))
    assert later.user_id == "u-ada"


async def test_powers_that_are_taken_while_the_session_is_read_are_not_given(
    users: GatedUsers, clock: FrozenClock
) -> None:
    alive = Alive(GatedSessions(users), InMemoryRevocations(), InMemoryApiKeys(users), clock, clock)
    accounts = Accounts(users, alive, clock)
    await accounts.get("u-ada")
    users.gate.clear()
    judging = asyncio.create_task(accounts.principal(CLAIMS))
    await turn()
    await users.save(replace(ADA, scopes=frozenset()))
    accounts.forget("u-ada")
    users.gate.set()
    assert (await judging).scopes == frozenset()


async def test_a_token_that_is_revoked_while_the_session_is_read_is_not_believed(
    users: GatedUsers, clock: FrozenClock
) -> None:
    alive = Alive(GatedSessions(users), InMemoryRevocations(), InMemoryApiKeys(users), clock, clock)
    accounts = Accounts(users, alive, clock)
    await accounts.get("u-ada")
    users.gate.clear()
    judging = asyncio.create_task(accounts.principal(CLAIMS))
    await turn()
    alive.revoke(CLAIMS.jti, float(CLAIMS.exp))
    users.gate.set()
    with pytest.raises(TokenRevoked):
        await judging


@pytest.mark.parametrize("lost", [{"scopes": frozenset()}, {"roles": frozenset()}, {"valid_from": 1_800_000_001.0}])
async def test_a_principal_is_not_good_any_more_once_the_account_has_less(
    accounts: Accounts, users: GatedUsers, lost: dict[str, Any]
) -> None:
    """Also where another call of the same session had all of it read anew in between."""
    principal = await accounts.principal(CLAIMS)
    assert accounts.is_known(principal)
    await users.save(replace(ADA, **lost))
    accounts.forget("u-ada")
    await accounts.principal(replace(CLAIMS, iat=CLAIMS.iat + 1))
    assert not accounts.is_known(principal)
