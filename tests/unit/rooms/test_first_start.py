"""What a fresh installation gets."""

import asyncio
from collections.abc import Iterator

import pytest

from gateroom.auth.passwords import Cost, Passwords
from gateroom.auth.principal import ALL_SCOPES
from gateroom.auth.registry import Registry
from gateroom.errors import InvalidCommand
from gateroom.rooms.first_start import DEMO_USERS, FirstStart, NewAccount
from gateroom.rooms.model import Visibility
from support.live import LiveWorld

STRONG = "a password for tests only"
DEFAULT = frozenset({"users:send"})


class Installation:
    """Empty stores, and who was told of."""

    def __init__(self, passwords: Passwords) -> None:
        self.world = LiveWorld()
        stores = self.world.stores
        self.passwords = passwords
        registry = Registry(stores.users, stores.pages, stores.passwords, passwords, DEFAULT, stores.clock)
        self.start = FirstStart(registry, self.world.directory)
        self.told: list[NewAccount] = []

    async def opens(self, username: str, password: str | None) -> bool:
        """Say whether the password is the account's."""
        user = await self.world.stores.users.by_name(username)
        assert user is not None
        stored = await self.world.stores.passwords.hash_of(user.id)
        assert stored is not None
        return (await self.passwords.verify(stored, password or "")).ok


@pytest.fixture(scope="module")
def passwords() -> Iterator[Passwords]:
    made = Passwords(Cost(memory=64, passes=1))  # cheap: nobody attacks these
    yield made
    made.close()


@pytest.fixture
def fresh(passwords: Passwords) -> Installation:
    return Installation(passwords)


async def test_a_fresh_installation_gets_an_admin_with_every_scope_and_a_public_lobby(fresh: Installation) -> None:
    await fresh.start.admin(None, fresh.told.append)
    (account,) = fresh.told
    assert account.username == "admin"
    assert account.password is not None
    assert len(account.password) >= 20
    assert await fresh.opens("admin", account.password)
    admin = await fresh.world.stores.users.by_name("admin")
    assert admin is not None
    assert admin.scopes == ALL_SCOPES
    lobby = await fresh.world.stores.rooms.by_id("lobby")
    assert lobby is not None
    assert lobby.visibility is Visibility.PUBLIC


async def test_a_password_that_was_chosen_is_taken_and_not_told(fresh: Installation) -> None:
    await fresh.start.admin(STRONG, fresh.told.append)
    assert fresh.told == [NewAccount("admin", None)]
    assert await fresh.opens("admin", STRONG)


async def test_a_password_is_not_shown_by_accident(fresh: Installation) -> None:
    assert STRONG not in repr(NewAccount("admin", STRONG))


async def test_a_weak_password_stops_the_start(fresh: Installation) -> None:
    with pytest.raises(InvalidCommand):
        await fresh.start.admin("password1", fresh.told.append)
    assert fresh.told == []


async def test_the_second_start_makes_nothing(fresh: Installation) -> None:
    await fresh.start.admin(STRONG, fresh.told.append)
    await fresh.world.remove_room("lobby")
    await fresh.start.admin("another password for tests", fresh.told.append)
    assert len(fresh.told) == 1
    assert await fresh.opens("admin", STRONG)
    assert await fresh.world.stores.rooms.by_id("lobby") is None


async def test_two_processes_that_start_at_once_make_one_admin(fresh: Installation) -> None:
    await asyncio.gather(*(fresh.start.admin(None, fresh.told.append) for _ in range(2)))
    assert len(fresh.told) == 1
    assert await fresh.opens("admin", fresh.told[0].password)
    assert await fresh.world.stores.rooms.by_id("lobby") is not None


async def test_a_demo_has_users_to_play_with_made_once(fresh: Installation) -> None:
    await fresh.start.demo(fresh.told.append)
    assert tuple(account.username for account in fresh.told) == DEMO_USERS
    assert len({account.password for account in fresh.told}) == len(DEMO_USERS)
    assert await fresh.opens("alice", fresh.told[0].password)
    await fresh.start.demo(fresh.told.append)
    assert len(fresh.told) == len(DEMO_USERS)
    alice = await fresh.world.stores.users.by_name("alice")
    assert alice is not None
    assert alice.scopes == DEFAULT
