"""Logging in: who knows the password, and what the token then says."""

import re
from contextlib import suppress

from gateroom.auth.ids import new_id
from gateroom.auth.passwords import Passwords
from gateroom.auth.ports import PasswordStore, User, UserStore
from gateroom.auth.tokens import AccessTokens, Issued
from gateroom.errors import GateroomError, InvalidCredentials
from gateroom.names import USERNAME_PATTERN

_USERNAME = re.compile(USERNAME_PATTERN)
# Looked up for names that cannot exist, so that they cost the same; no name or id looks like it.
_NOBODY = "-"


class Login:
    """Turns a username and a password into a token."""

    def __init__(self, users: UserStore, hashes: PasswordStore, passwords: Passwords, tokens: AccessTokens) -> None:
        self._users = users
        self._hashes = hashes
        self._passwords = passwords
        self._tokens = tokens

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

    def grant(self, user: User, requested: frozenset[str] | None, client_id: str) -> Issued:
        """Begin a session of `user` with a token for the `requested` scopes it has; None asks for all of them.

        A scope that the account has not is left out, and the answer says what was granted (RFC 6749 section 3.3).
        """
        scopes = user.scopes if requested is None else user.scopes & requested
        return self._tokens.issue(user, new_id(), scopes, client_id)

    async def _rehash(self, user: User, stored: str, password: str) -> None:
        # The login stands without it, and the next one tries again.
        with suppress(GateroomError):
            stronger = await self._passwords.hash(password)
            # Hashing takes a while: a password changed meanwhile must not be undone.
            if await self._hashes.hash_of(user.id) == stored:
                await self._hashes.replace(user.id, stronger)
