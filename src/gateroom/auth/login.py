"""Logging in: who knows the password."""

import re
from contextlib import suppress

from gateroom.auth.passwords import Passwords
from gateroom.auth.ports import PasswordStore, User, UserStore
from gateroom.errors import GateroomError, InvalidCredentials
from gateroom.names import USERNAME_PATTERN

_USERNAME = re.compile(USERNAME_PATTERN)
# Looked up for names that cannot exist, so that they cost the same; no name or id looks like it.
_NOBODY = "-"


class Login:
    """Turns a username and a password into an account."""

    def __init__(self, users: UserStore, hashes: PasswordStore, passwords: Passwords) -> None:
        self._users = users
        self._hashes = hashes
        self._passwords = passwords

    async def authenticate(self, username: str, password: str) -> User:
        """Return the account whose name and password these are.

        Raises the same `InvalidCredentials` after the same work for an unknown name, a wrong password and a disabled
        account; `RateLimited` when too many logins wait already.
        """
        user = await self._users.by_name(username if _USERNAME.match(username) else _NOBODY)
        stored = await self._hashes.hash_of(_NOBODY if user is None else user.id)
        verdict = await self._passwords.verify(stored, password)
        if user is None or stored is None or user.disabled or not verdict.ok:
            raise InvalidCredentials
        if verdict.needs_rehash:
            await self._rehash(user, stored, password)
        return user

    async def knows(self, user_id: str, password: str) -> bool:
        """Tell whether this is the account's password. Raises `RateLimited` when too many logins wait already."""
        return (await self._passwords.verify(await self._hashes.hash_of(user_id), password)).ok

    async def _rehash(self, user: User, stored: str, password: str) -> None:
        # The login stands without it, and the next one tries again.
        with suppress(GateroomError):
            stronger = await self._passwords.hash(password)
            # Hashing takes a while: a password changed meanwhile must not be undone.
            if await self._hashes.hash_of(user.id) == stored:
                await self._hashes.replace(user.id, stronger)
