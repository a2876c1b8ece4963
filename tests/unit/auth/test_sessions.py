"""Sessions in time, and what is told of their end."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field, replace

import pytest

from gateroom.auth.accounts import Accounts
from gateroom.auth.alive import Alive
from gateroom.auth.keys import KeyRing, SigningKey
from gateroom.auth.login import Proven
from gateroom.auth.ports import AuthSession, Link, User
from gateroom.auth.principal import Principal
from gateroom.auth.sessions import Device, Granted, Sessions, Terms
from gateroom.auth.tokens import AccessTokens
from gateroom.errors import InvalidCredentials, InvalidScope, NotFound, SessionRevoked, TokenRevoked, Unavailable
from support.back_ends import InMemoryApiKeys
from support.clock import FrozenClock
from support.sessions import InMemoryRevocations
from support.stores import InMemoryUsers, a_user

ADA = a_user("ada", scopes=frozenset({"users:send", "rooms:create"}), roles=frozenset({"staff"}))
DAY = 86400.0
TERMS = Terms(idle=30 * DAY, whole=90 * DAY)
CLI = Device("cli")


@dataclass
class Watcher:
    """Notes what it is told."""

    told: list[tuple[str, ...]] = field(default_factory=list)
    renewed: list[Principal] = field(default_factory=list)

    def sessions_ended(self, user_id: str, session_ids: Collection[str], at: float) -> None:
        self.told.extend((user_id, session_id) for session_id in session_ids)

    def token_revoked(self, user_id: str, token_id: str, at: float) -> None:
        self.told.append((user_id, "token", token_id))

    async def session_renewed(self, principal: Principal) -> None:
        self.renewed.append(principal)


class World:
    """Sessions with everything around them, on a clock that stands still."""

    def __init__(self, terms: Terms = TERMS) -> None:
        self.clock, self.users, self.watcher = FrozenClock(), InMemoryUsers(), Watcher()
        self.tokens = AccessTokens(KeyRing(SigningKey.generate()), "issuer", "gateroom", 900, self.clock)
        revocations = InMemoryRevocations()
        self.alive = Alive(self.users.sessions, revocations, InMemoryApiKeys(self.users), self.clock, self.clock)
        self.accounts = Accounts(self.users, self.alive, self.clock)
        self.sessions = Sessions(
            self.users.sessions,
            revocations,
            self.tokens,
            self.accounts,
            self.alive,
            self.watcher,
            terms,
            self.clock,
        )

    async def begin(self, requested: frozenset[str] | None = None, device: Device = CLI) -> Granted:
        return await self.sessions.begin(Proven(ADA, "h"), requested, device)

    async def renew(self, token: str, narrower: frozenset[str] | None = None) -> Granted:
        return await self.sessions.renew(await self.sessions.find(token), narrower)

    async def principal(self, granted: Granted) -> Principal:
        return await self.accounts.principal(self.tokens.verify(granted.access.token))


@pytest.fixture
async def world() -> World:
    made = World()
    await made.users.add(ADA, "h")
    return made


async def brief(terms: Terms) -> World:
    made = World(terms)
    await made.users.add(ADA, "h")
    return made


@pytest.mark.parametrize(
    ("requested", "granted"),
    [
        (None, {"users:send", "rooms:create"}),
        (frozenset({"users:send"}), {"users:send"}),
        (frozenset({"users:send", "users:admin"}), {"users:send"}),
        (frozenset({"users:admin"}), set()),
        (frozenset[str](), set()),
    ],
)
async def test_a_token_has_the_asked_scopes_that_the_account_has(
    world: World, requested: frozenset[str] | None, granted: set[str]
) -> None:
    issued = (await world.begin(requested)).access
    assert issued.claims.scope == granted
    assert issued.claims.client_id == "cli"
    assert world.tokens.verify(issued.token) == issued.claims


async def test_every_login_is_a_session_of_its_own_with_secrets_of_full_length(world: World) -> None:
    logins = [await world.begin() for _ in range(50)]
    assert len({login.session.id for login in logins}) == len({login.refresh_token for login in logins}) == 50
    assert {len(login.session.id) for login in logins} == {26}
    assert {len(login.refresh_token) for login in logins} == {69}


async def test_a_password_that_was_changed_while_it_was_verified_begins_no_session(world: World) -> None:
    await world.users.change("u-ada", "the hash of another", None)
    with pytest.raises(InvalidCredentials):
        await world.begin()
    assert await world.users.sessions.page("u-ada", None, 10) == []


async def test_a_session_that_ends_while_it_is_stored_is_not_believed(world: World) -> None:
    add = world.users.sessions.add

    async def add_and_end(session: AuthSession, link: Link, proof: str | None = None) -> None:
        await add(session, link, proof)
        await world.sessions.end_all("u-ada")

    world.users.sessions.add = add_and_end  # type: ignore[method-assign]  # somebody logs the user out at that moment
    granted = await world.begin()
    with pytest.raises(SessionRevoked):
        await world.principal(granted)


async def test_a_refresh_is_answered_though_its_sockets_cannot_be_judged(world: World) -> None:
    granted = await world.renew((await world.begin()).refresh_token)
    world.alive.forget("u-ada", [granted.session.id])

    async def unavailable(session_id: str) -> AuthSession | None:
        raise Unavailable

    world.users.sessions.by_id = unavailable  # type: ignore[method-assign]
    await world.sessions.carry_on(granted)
    assert world.watcher.renewed == []


async def test_a_session_slides_along_as_long_as_it_is_refreshed(world: World) -> None:
    granted = await world.begin()
    for _ in range(2):
        world.clock.advance(30 * DAY - 1)
        granted = await world.renew(granted.refresh_token)
        assert granted.session.expires_at == world.clock() + 30 * DAY


async def test_a_session_that_nobody_refreshed_has_ended(world: World) -> None:
    granted = await world.begin()
    world.clock.advance(30 * DAY)
    with pytest.raises(SessionRevoked):
        await world.renew(granted.refresh_token)
    assert world.watcher.told == [("u-ada", granted.session.id)]


async def test_a_session_ends_in_the_end_however_often_it_is_refreshed(world: World) -> None:
    granted = await world.begin()
    for _ in range(8):
        world.clock.advance(10 * DAY)
        granted = await world.renew(granted.refresh_token)
    assert granted.session.expires_at == granted.session.ends_at
    world.clock.advance(10 * DAY)
    with pytest.raises(SessionRevoked):
        await world.renew(granted.refresh_token)


async def test_an_access_token_does_not_outlive_its_session() -> None:
    world = await brief(Terms(idle=1000, whole=1500))
    granted = await world.begin()
    assert granted.access.claims.exp - granted.access.claims.iat == 900
    world.clock.advance(990)
    granted = await world.renew(granted.refresh_token)
    assert granted.access.claims.exp == granted.session.ends_at


async def test_an_end_is_known_at_once_and_told(world: World) -> None:
    granted, other = await world.begin(), await world.begin()
    await world.principal(granted)
    await world.sessions.end("u-ada", granted.session.id)
    with pytest.raises(SessionRevoked):
        await world.principal(granted)
    assert (await world.principal(other)).session_id == other.session.id
    assert world.watcher.told == [("u-ada", granted.session.id)]
    with pytest.raises(NotFound):
        await world.sessions.end("u-ada", granted.session.id)


async def test_an_end_made_elsewhere_is_known_half_a_minute_later(world: World) -> None:
    granted = await world.begin()
    await world.principal(granted)
    await world.users.sessions.end("u-ada", granted.session.id)
    world.clock.advance(31)
    with pytest.raises(SessionRevoked):
        await world.principal(granted)


async def test_a_disabled_account_that_is_enabled_again_has_none_of_its_sessions(world: World) -> None:
    granted = await world.begin()
    await world.principal(granted)
    for disabled in (True, False):
        await world.users.save(replace(ADA, disabled=disabled))
        world.accounts.forget("u-ada")
    with pytest.raises(SessionRevoked):
        await world.principal(granted)


async def test_the_session_of_another_user_is_none(world: World) -> None:
    bob = a_user("bob")
    await world.users.add(bob, "h")
    hers = await world.begin()
    forged = world.tokens.issue(bob, hers.session.id, (), "cli")
    with pytest.raises(SessionRevoked):
        await world.accounts.principal(forged.claims)
    with pytest.raises(NotFound):
        await world.sessions.end("u-bob", hers.session.id)


async def test_a_revoked_token_is_dead_and_the_session_is_not(world: World) -> None:
    granted = await world.begin()
    await world.sessions.revoke(granted.access.claims)
    with pytest.raises(TokenRevoked):
        await world.principal(granted)
    assert world.watcher.told == [("u-ada", "token", granted.access.claims.jti)]
    assert (await world.principal(await world.renew(granted.refresh_token))).session_id == granted.session.id


async def test_revoked_tokens_are_known_after_a_restart_until_they_expire(world: World) -> None:
    granted = await world.begin()
    await world.sessions.revoke(granted.access.claims)
    jti = granted.access.claims.jti
    await world.alive.load()
    assert world.alive.is_revoked(jti)
    world.clock.advance(901)
    await world.alive.load()
    assert not world.alive.is_revoked(jti)


async def test_a_session_from_before_the_account_was_made_safe_is_over(world: World) -> None:
    granted = await world.begin()
    world.clock.advance(10)
    await world.users.save(replace(ADA, valid_from=world.clock()))
    world.accounts.forget("u-ada")
    with pytest.raises(SessionRevoked):
        await world.renew(granted.refresh_token)
    assert await world.users.sessions.by_id(granted.session.id) is None


async def test_more_than_was_granted_is_refused_and_the_token_stays_good(world: World) -> None:
    granted = await world.begin(frozenset({"users:send"}))
    with pytest.raises(InvalidScope):
        await world.renew(granted.refresh_token, frozenset({"rooms:create"}))
    assert (await world.renew(granted.refresh_token, frozenset())).access.claims.scope == frozenset()


async def test_of_twenty_refreshes_at_once_one_gets_a_pair(world: World) -> None:
    granted = await world.begin()
    outcomes = await asyncio.gather(*(world.renew(granted.refresh_token) for _ in range(20)), return_exceptions=True)
    assert sum(isinstance(outcome, Granted) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, SessionRevoked) for outcome in outcomes) == 19
    assert world.watcher.told == [("u-ada", granted.session.id)]


async def test_of_a_device_only_what_is_short_and_printable_is_kept(world: World) -> None:
    agent = "Mozilla/5.0 \x1b[2J\r\n" + "x" * 500
    session = (await world.begin(device=Device("web", agent, "192.0.2.7"))).session
    assert session.user_agent == ("Mozilla/5.0 [2J" + "x" * 500)[:200]
    assert (session.client_id, session.address) == ("web", "192.0.2.7")


def test_nothing_prints_a_refresh_token() -> None:
    user: User = ADA

    async def shown() -> tuple[str, str]:
        world = await brief(TERMS)
        granted = await world.sessions.begin(Proven(user, "h"), None, CLI)
        presented = await world.sessions.find(granted.refresh_token)
        return granted.refresh_token, repr(granted) + repr(presented)

    token, text = asyncio.run(shown())
    assert token not in text
