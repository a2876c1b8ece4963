"""What the authentication core needs from outside."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

# Seconds since the epoch; `time.time` in production, a `FrozenClock` in tests.
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class User:
    """An account. Times are in seconds since the epoch; tokens issued before `valid_from` are dead."""

    id: str
    username: str
    roles: frozenset[str]
    scopes: frozenset[str]
    created_at: float
    disabled: bool = False
    valid_from: float = 0.0


class UserStore(Protocol):
    """Accounts, each call its own transaction. Values returned are frozen; `None` means there is no such user."""

    async def add(self, user: User, password_hash: str) -> None:
        """Add an account. Raises `Conflict` when the username or the id is taken."""
        ...

    async def by_id(self, user_id: str) -> User | None: ...

    async def by_name(self, username: str) -> User | None: ...

    async def save(self, user: User) -> None:
        """Overwrite roles, scopes, `disabled` and `valid_from`. Raises `NotFound` when it is gone."""
        ...

    async def remove(self, user_id: str) -> None:
        """Delete the account and all its memberships. Raises `NotFound` when it is gone."""
        ...


class UserPages(Protocol):
    """Accounts in order of username."""

    async def page(self, after: str | None, limit: int) -> Sequence[User]:
        """Return up to `limit` users whose name sorts after `after` (all, when it is None)."""
        ...


class PasswordStore(Protocol):
    """Password hashes as PHC strings, apart from the accounts so that they never travel with one."""

    async def hash_of(self, user_id: str) -> str | None: ...

    async def replace(self, user_id: str, password_hash: str) -> None:
        """Overwrite the hash. Raises `NotFound` when the user is gone."""
        ...
