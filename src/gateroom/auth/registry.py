"""Accounts as those see them who make and change them: administrators, the command line, the first start."""

import re
from collections.abc import Iterable, Sequence

from gateroom.auth.claims import parse_scopes
from gateroom.auth.ids import new_id
from gateroom.auth.passwords import Passwords
from gateroom.auth.ports import Clock, PasswordStore, User, UserPages, UserStore
from gateroom.errors import InvalidCommand
from gateroom.names import USERNAME_PATTERN

MAX_ROLES = 32
_USERNAME = re.compile(USERNAME_PATTERN)
_ROLE = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}")


class Registry:
    """Makes, changes and lists accounts by the rules for names, scopes and passwords."""

    def __init__(
        self,
        users: UserStore,
        pages: UserPages,
        hashes: PasswordStore,
        passwords: Passwords,
        default_scopes: frozenset[str],
        clock: Clock,
    ) -> None:
        self._users = users
        self._pages = pages
        self._hashes = hashes
        self._passwords = passwords
        self.default_scopes = default_scopes
        self._clock = clock

    async def create(
        self, username: str, password: str, roles: Iterable[str] = (), scopes: Iterable[str] | None = None
    ) -> User:
        """Make an account; without `scopes` it gets the default ones.

        Raises `InvalidCommand` when a name or the password is not acceptable, `Conflict` when the username is taken,
        `RateLimited` when too many passwords wait to be hashed.
        """
        if not _USERNAME.match(username):
            raise InvalidCommand("username: 2 to 64 of a-z, 0-9, dot, dash and underscore, beginning with a-z or 0-9.")
        granted = self.default_scopes if scopes is None else frozenset(scopes)
        user = User(new_id(), username, frozenset(roles), granted, self._clock())
        _check(user)
        self._passwords.check_strength(password)
        await self._users.add(user, await self._passwords.hash(password))
        return user

    async def save(self, user: User, was: User) -> None:
        """Overwrite roles, scopes and `disabled` of an account that was read as `was`.

        Raises `InvalidCommand`, `Conflict` when somebody else has changed it since, or `NotFound` when it is gone.
        """
        _check(user)
        await self._users.save(user, was)

    async def set_password(self, user_id: str, password: str, keep: str | None = None) -> Sequence[str]:
        """Give a new password and end the sessions of the old one, but `keep`; returns the ids of those that ended.

        Raises `InvalidCommand`, `RateLimited`, or `NotFound` when the account is gone.
        """
        self._passwords.check_strength(password)
        return await self._hashes.change(user_id, await self._passwords.hash(password), keep)

    async def remove(self, user: User) -> None:
        """Delete the account with its memberships. Raises `NotFound` when it is gone."""
        await self._users.remove(user.id)

    async def page(self, after: str | None, limit: int) -> Sequence[User]:
        """Return up to `limit` accounts by username after `after`."""
        return await self._pages.page(after, limit)


def _check(user: User) -> None:
    if not all(_is_scope(scope) for scope in user.scopes):
        raise InvalidCommand("scopes: each is a word such as rooms:create.")
    if len(user.roles) > MAX_ROLES or not all(map(is_role, user.roles)):
        raise InvalidCommand("roles: up to 32 words of a-z, 0-9, dot, dash and underscore.")


def is_role(text: str) -> bool:
    """Tell whether an account can have a role of this name."""
    return _ROLE.fullmatch(text) is not None


def _is_scope(text: str) -> bool:
    try:
        return parse_scopes(text) == {text}
    except ValueError:
        return False
