"""Logging in: who knows the password."""

import re
from contextlib import suppress
from dataclasses import dataclass, field

from gateroom.auth.passwords import Passwords
from gateroom.auth.ports import PasswordStore, User, UserStore
from gateroom.auth.throttle import LoginThrottle
from gateroom.errors import GateroomError, InvalidCredentials
from gateroom.names import USERNAME_PATTERN

_USERNAME = re.compile(USERNAME_PATTERN)
# Looked up for names that cannot exist, so that they cost the same; no name or id looks like it.
_NOBODY = "-"


@dataclass(frozen=True, slots=True)
class Proven:
    """An account whose password was given; `proof` is the stored hash it was judged by."""

    user: User
    proof: str = field(repr=False)


class Login:
    """Turns a username and a password into an account."""

    def __init__(self, users: UserStore, hashes: PasswordStore, passwords: Passwords, throttle: LoginThrottle) -> None:
        self._users = users
        self._hashes = hashes
        self._passwords = passwords
        self._throttle = throttle

    async def authenticate(self, username: str, password: str, address: str) -> Proven:
        """Return the account whose name and password these are; `address` is the client's.

        Raises the same `InvalidCredentials` after the same work for an unknown name, a wrong password and a disabled
        account; `RateLimited` when too many failed before, or too many logins wait already.
        """
        name = username if _USERNAME.match(username) else _NOBODY
        with self._throttle.attempt(name, address):
            return await self._judged(name, password)

    async def require(self, user_id: str, username: str, password: str, address: str) -> None:
        """Raise `InvalidCredentials` unless this is the account's password; `RateLimited` as `authenticate` does."""
        with self._throttle.attempt(username, address):
            if not (await self._passwords.verify(await self._hashes.hash_of(user_id), password)).ok:
                raise InvalidCredentials

    async def _judged(self, username: str, password: str) -> Proven:
        user = await self._users.by_name(username)
        stored = await self._hashes.hash_of(_NOBODY if user is None else user.id)
        verdict = await self._passwords.verify(stored, password)
        if user is None or stored is None or user.disabled or not verdict.ok:
            wrong = InvalidCredentials()
            wrong.account = None if user is None else user.id
            raise wrong
        return Proven(user, await self._rehash(user, stored, password) if verdict.needs_rehash else stored)

    async def _rehash(self, user: User, stored: str, password: str) -> str:
        """Replace a hash that is too weak by now; returns the one that is stored."""
        # The login stands without it, and the next one tries again.
        with suppress(GateroomError):
            stronger = await self._passwords.hash(password)
            # Hashing takes a while: a password changed meanwhile must not be undone.
            if await self._hashes.hash_of(user.id) == stored:
                await self._hashes.replace(user.id, stronger)
                return stronger
        return stored
