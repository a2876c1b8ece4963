"""When a key is believed, what that costs, and how its use is noted."""

from dataclasses import replace

import pytest

from gateroom.auth.accounts import Accounts
from gateroom.auth.alive import Alive
from gateroom.auth.api_keys import MAX_KEYS, NEVER, ApiKeys
from gateroom.auth.principal import Principal
from gateroom.errors import Forbidden, InvalidToken, LimitReached, TokenExpired, TokenRevoked, Unavailable, UserDisabled
from support.back_ends import InMemoryApiKeys
from support.clock import FrozenClock
from support.sessions import InMemoryRevocations
from support.stores import InMemoryUsers, a_user

SCOPES = frozenset({"broadcast", "users:send"})


class Sockets:
    """Notes which tokens' sockets were to be closed."""

    def __init__(self) -> None:
        self.closed: list[tuple[str, str]] = []

    def token_revoked(self, user_id: str, token_id: str, at: float) -> None:
        self.closed.append((user_id, token_id))

    def sessions_ended(self, user_id: str, session_ids: object, at: float) -> None: ...

    async def session_renewed(self, principal: Principal) -> None: ...


class Desk:
    def __init__(self) -> None:
        self.clock, self.users, self.sockets = FrozenClock(), InMemoryUsers(), Sockets()
        self.store = InMemoryApiKeys(self.users)
        self.alive = Alive(self.users.sessions, InMemoryRevocations(), self.store, self.clock, self.clock)
        self.accounts = Accounts(self.users, self.alive, self.clock)
        self.keys = ApiKeys(self.store, self.alive, self.accounts, self.sockets, self.clock)
        self.ada = Principal("u-ada", "ada", frozenset(), SCOPES, "s1", "t1", self.clock() + 900)

    async def key(self, expires_in: float | None = None, scopes: frozenset[str] = SCOPES) -> str:
        """Make a key of ada's; return its text."""
        end = None if expires_in is None else self.clock() + expires_in
        _, text = await self.keys.create(self.ada, "back end", scopes, end)
        return text


@pytest.fixture
async def desk() -> Desk:
    made = Desk()
    await made.users.add(a_user("ada", scopes=SCOPES, roles=frozenset({"staff"})), "h")
    return made


async def test_a_key_acts_as_its_maker(desk: Desk) -> None:
    text = await desk.key(scopes=frozenset({"broadcast"}))
    principal = await desk.keys.principal(text)
    assert (principal.user_id, principal.username, principal.expires_at) == ("u-ada", "ada", NEVER)
    assert (principal.roles, principal.scopes) == (frozenset({"staff"}), frozenset({"broadcast"}))
    assert principal.session_id == f"key:{principal.token_id}"
    assert await desk.accounts.judge(principal) == principal
    assert desk.accounts.is_known(principal)


async def test_a_known_key_costs_no_read(desk: Desk) -> None:
    text = await desk.key()
    for _ in range(50):
        await desk.keys.principal(text)
    assert desk.store.reads == 1
    desk.clock.advance(31)
    await desk.keys.principal(text)
    assert desk.store.reads == 2


async def test_what_cannot_be_a_key_is_not_even_looked_up(desk: Desk) -> None:
    for text in ("", "grk_", "grk_" + "A" * 69, "grk_" + "a" * 70, "x" * 5000):
        with pytest.raises(InvalidToken):
            await desk.keys.principal(text)
    assert desk.store.reads == 0


async def test_the_id_without_the_secret_is_worth_nothing(desk: Desk) -> None:
    text = await desk.key()
    for forged in (text[:-1] + ("A" if text[-1] != "A" else "B"), text[:30] + "A" * 43):
        with pytest.raises(InvalidToken):
            await desk.keys.principal(forged)


async def test_it_expires(desk: Desk) -> None:
    text = await desk.key(expires_in=60)
    assert (await desk.keys.principal(text)).expires_at == desk.clock() + 60
    desk.clock.advance(60)
    with pytest.raises(TokenExpired):
        await desk.keys.principal(text)


async def test_a_revoked_key_is_not_believed_and_its_sockets_close(desk: Desk) -> None:
    text = await desk.key()
    principal = await desk.keys.principal(text)
    await desk.keys.revoke(principal.token_id)
    assert desk.sockets.closed == [("u-ada", principal.token_id)]
    assert not desk.accounts.is_known(principal)
    with pytest.raises(TokenRevoked):
        await desk.accounts.judge(principal)
    with pytest.raises(InvalidToken):
        await desk.keys.principal(text)


async def test_one_that_another_process_revoked_is_found_out_within_half_a_minute(desk: Desk) -> None:
    text = await desk.key()
    principal = await desk.keys.principal(text)
    await desk.store.remove(principal.token_id)
    desk.clock.advance(31)
    with pytest.raises(TokenRevoked):
        await desk.accounts.judge(principal)
    with pytest.raises(InvalidToken):
        await desk.keys.principal(text)


async def test_it_goes_with_its_account_and_with_the_tokens_of_its_time(desk: Desk) -> None:
    text, user = await desk.key(), a_user("ada", scopes=SCOPES)
    await desk.users.save(replace(user, valid_from=desk.clock() + 1))
    with pytest.raises(TokenRevoked):
        await desk.keys.principal(text)
    await desk.users.save(replace(user, disabled=True))
    desk.accounts.forget("u-ada")
    with pytest.raises(UserDisabled):
        await desk.keys.principal(text)


async def test_nobody_gives_what_they_have_not_and_a_key_makes_no_key(desk: Desk) -> None:
    with pytest.raises(Forbidden):
        await desk.key(scopes=SCOPES | {"rooms:admin"})
    by_key = await desk.keys.principal(await desk.key())
    with pytest.raises(Forbidden):
        await desk.keys.create(by_key, "another", frozenset(), None)


async def test_nobody_has_too_many(desk: Desk) -> None:
    for _ in range(MAX_KEYS):
        await desk.key()
    with pytest.raises(LimitReached):
        await desk.key()


async def test_its_last_use_is_noted_at_most_once_a_minute(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    text = await desk.key()
    began = desk.clock()
    await desk.keys.principal(text)
    await desk.keys.flush()
    assert [key.used_at for key in await desk.keys.page(None, 10)] == [began]
    desk.clock.advance(45)  # by now it is read anew
    await desk.keys.principal(text)
    await desk.keys.flush()
    assert [key.used_at for key in await desk.keys.page(None, 10)] == [began]
    desk.clock.advance(45)
    await desk.keys.principal(text)
    await desk.keys.flush()
    assert [key.used_at for key in await desk.keys.page(None, 10)] == [began + 90]


class Broken(InMemoryApiKeys):
    async def used(self, at: object) -> None:
        raise Unavailable


async def test_a_use_that_cannot_be_stored_is_stored_later(desk: Desk) -> None:
    broken = Broken(desk.users)
    keys = ApiKeys(broken, desk.alive, desk.accounts, desk.sockets, desk.clock)
    await keys.principal(await desk.key())
    with pytest.raises(Unavailable):
        await keys.flush()
    with pytest.raises(Unavailable):
        await keys.flush()
