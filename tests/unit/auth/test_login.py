"""Who may log in."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest

from gateroom.auth.login import Login
from gateroom.auth.passwords import Cost, Passwords, Verdict
from gateroom.auth.ports import User
from gateroom.auth.throttle import LoginThrottle
from gateroom.errors import InvalidCredentials, RateLimited, Unavailable
from support.clock import FrozenClock
from support.stores import InMemoryUsers

ADA = User(
    id="u-ada",
    username="ada",
    roles=frozenset({"staff"}),
    scopes=frozenset({"users:send", "rooms:create"}),
    created_at=1.0,
)
CHEAP = Cost(memory=64, passes=1)
PEER = "192.0.2.1"


def unthrottled() -> LoginThrottle:
    return LoginThrottle(0, FrozenClock())


class WatchedPasswords(Passwords):
    """Notes whether each verification had a hash to work on, and can be told to hash no more."""

    def __init__(self, cost: Cost) -> None:
        super().__init__(cost)
        self.verified: list[bool] = []
        self.full = False

    async def hash(self, password: str) -> str:
        if self.full:
            raise RateLimited
        return await super().hash(password)

    async def verify(self, stored: str | None, password: str) -> Verdict:
        self.verified.append(stored is not None)
        return await super().verify(stored, password)


class WatchedUsers(InMemoryUsers):
    """Notes every look-up."""

    def __init__(self) -> None:
        super().__init__()
        self.looked_up: list[str] = []
        self.broken = False

    async def by_name(self, username: str) -> User | None:
        self.looked_up.append("name")
        return await super().by_name(username)

    async def hash_of(self, user_id: str) -> str | None:
        self.looked_up.append("hash")
        return await super().hash_of(user_id)

    async def replace(self, user_id: str, password_hash: str) -> None:
        if self.broken:
            raise Unavailable
        await super().replace(user_id, password_hash)


@dataclass
class Desk:
    """A login with everything around it."""

    users: WatchedUsers
    passwords: WatchedPasswords
    login: Login

    def stronger(self, cost: Cost) -> "Desk":
        """Return the same with costlier hashes, as after a change of configuration."""
        passwords = WatchedPasswords(cost)
        return replace(self, passwords=passwords, login=Login(self.users, self.users, passwords, unthrottled()))


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    users, passwords = WatchedUsers(), WatchedPasswords(CHEAP)
    hashed = await passwords.hash("correct horse")
    await users.add(ADA, hashed)
    await users.add(replace(ADA, id="u-bob", username="bob", disabled=True), hashed)
    users.looked_up.clear()
    yield Desk(users, passwords, Login(users, users, passwords, unthrottled()))
    passwords.close()


async def test_the_right_password_of_an_enabled_account_logs_in(desk: Desk) -> None:
    assert (await desk.login.authenticate("ada", "correct horse", PEER)).user == ADA


IMPOSSIBLE = [
    "",
    "a",
    "Ada",
    "ADA",
    " ada",
    "ada ",
    "ada\n",
    "@ada",
    "a/da",
    "-",
    "ad\u0430",
    "\ud800da",
    "x" * 65,
    "x" * 10**6,
]


@pytest.mark.parametrize(
    ("username", "password"),
    [("nobody", "correct horse"), ("ada", "wrong"), ("ada", ""), ("ada", "x" * 10**6), ("ada", "\ud800")]
    + [("bob", "correct horse"), ("bob", "wrong")]
    + [(username, "correct horse") for username in IMPOSSIBLE],
)
async def test_every_failure_is_the_same_failure_after_the_same_work(desk: Desk, username: str, password: str) -> None:
    with pytest.raises(InvalidCredentials) as refused:
        await desk.login.authenticate(username, password, PEER)
    assert refused.value.detail == InvalidCredentials.sentence
    assert desk.users.looked_up == ["name", "hash"]
    assert len(desk.passwords.verified) == 1


async def test_an_unknown_name_costs_a_hash_as_a_known_one_does(desk: Desk) -> None:
    for username in ("ada", "nobody", "bob"):
        with pytest.raises(InvalidCredentials):
            await desk.login.authenticate(username, "wrong", PEER)
    assert desk.passwords.verified == [True, False, True]


# Rehashing


async def test_a_hash_is_renewed_at_login_when_parameters_rose(desk: Desk) -> None:
    later = desk.stronger(Cost(memory=64, passes=2))
    assert (await later.login.authenticate("ada", "correct horse", PEER)).user == ADA
    renewed = await desk.users.hash_of("u-ada")
    assert renewed is not None
    assert "t=2" in renewed
    await later.login.authenticate("ada", "correct horse", PEER)
    assert await desk.users.hash_of("u-ada") == renewed
    later.passwords.close()


async def test_a_failed_login_renews_nothing(desk: Desk) -> None:
    later = desk.stronger(Cost(memory=64, passes=2))
    before = [await desk.users.hash_of(user_id) for user_id in ("u-ada", "u-bob")]
    for username, password in (("ada", "wrong"), ("bob", "correct horse")):
        with pytest.raises(InvalidCredentials):
            await later.login.authenticate(username, password, PEER)
    assert [await desk.users.hash_of(user_id) for user_id in ("u-ada", "u-bob")] == before
    later.passwords.close()


@pytest.mark.parametrize("trouble", ["no place to hash", "no store to write to"])
async def test_a_login_stands_when_its_hash_cannot_be_renewed(desk: Desk, trouble: str) -> None:
    later = desk.stronger(Cost(memory=64, passes=2))
    later.passwords.full = trouble == "no place to hash"
    desk.users.broken = trouble == "no store to write to"
    assert (await later.login.authenticate("ada", "correct horse", PEER)).user == ADA
    later.passwords.close()


async def test_a_password_changed_while_the_old_one_is_rehashed_stays_changed(desk: Desk) -> None:
    class Meanwhile(WatchedPasswords):
        """Somebody changes the password just when the old one is hashed anew."""

        async def hash(self, password: str) -> str:
            hashed = await super().hash(password)
            await desk.users.replace("u-ada", "the new hash")
            return hashed

    passwords = Meanwhile(Cost(memory=64, passes=2))
    await Login(desk.users, desk.users, passwords, unthrottled()).authenticate("ada", "correct horse", PEER)
    assert await desk.users.hash_of("u-ada") == "the new hash"
    passwords.close()
