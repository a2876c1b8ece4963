"""API keys: how back ends call, for as long as nobody revokes them, as the user who made them and with fewer scopes."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence

from gateroom.auth.accounts import Accounts
from gateroom.auth.alive import Alive
from gateroom.auth.ids import new_id
from gateroom.auth.ports import ApiKey, ApiKeyStore, Clock, SessionWatcher
from gateroom.auth.principal import KEY_SESSION, Principal, is_key
from gateroom.errors import Forbidden, GateroomError, InvalidToken, TokenExpired, TokenRevoked

PREFIX = "grk_"
MAX_KEYS = 100  # of one user
USE_INTERVAL = 60.0  # seconds within which a second use is not worth noting
NEVER = 253_402_300_799.0  # 9999-12-31T23:59:59Z: when a key without an end ends
_SECRET_BYTES = 32
_FORM = re.compile(r"grk_([a-z2-7]{26})([A-Za-z0-9_-]{43})")


class ApiKeys:
    """Makes, believes and revokes API keys; of each only a digest of its 256 random bits is kept.

    A key acts as its maker, with those of its scopes that the maker still has, until it is revoked, it expires, or the
    account is disabled. Known keys cost no SQL.
    """

    def __init__(
        self, store: ApiKeyStore, alive: Alive, accounts: Accounts, watcher: SessionWatcher, now: Clock
    ) -> None:
        """`now` is in seconds since the epoch."""
        self._store = store
        self._alive = alive
        self._accounts = accounts
        self._watcher = watcher
        self._now = now
        self._used: dict[str, float] = {}  # by key, since the last flush

    async def create(
        self, maker: Principal, name: str, scopes: frozenset[str], expires_at: float | None
    ) -> tuple[ApiKey, str]:
        """Make a key; returns it with its text, which is never to be had again.

        Raises `Forbidden` for a scope that the maker has not, or when the maker is a key; `LimitReached`.
        """
        if is_key(maker.session_id):
            raise Forbidden("An API key cannot make another.")
        if not scopes <= maker.scopes:
            raise Forbidden("You cannot give a scope that you do not hold.")
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        key = ApiKey(new_id(), maker.user_id, name, scopes, _digest(secret), self._now(), expires_at)
        await self._store.add(key, MAX_KEYS)
        self._alive.forget_key(key.id)
        return key, f"{PREFIX}{key.id}{secret}"

    async def principal(self, text: str) -> Principal:
        """Return who the bearer of a key acts as now.

        Raises `InvalidToken` when it is none or was revoked, `TokenExpired`, `TokenRevoked` when all of the account's
        tokens of that time are dead, `UserDisabled`, or what the store raises.
        """
        found = _FORM.fullmatch(text)
        key = await self._alive.key(found[1]) if found else None
        if found is None or key is None or not hmac.compare_digest(_digest(found[2]), key.digest):
            raise InvalidToken
        now = self._now()
        if key.expires_at is not None and now >= key.expires_at:
            raise TokenExpired
        user = await self._accounts.get(key.user_id)
        if key.created_at < user.valid_from:
            raise TokenRevoked
        if now - (key.used_at or 0.0) >= USE_INTERVAL:
            self._used[key.id] = now
        return Principal(
            user_id=user.id,
            username=user.username,
            roles=user.roles,
            scopes=key.scopes & user.scopes,
            session_id=f"{KEY_SESSION}{key.id}",
            token_id=key.id,
            expires_at=NEVER if key.expires_at is None else key.expires_at,
            issued_at=key.created_at,
        )

    async def page(self, after: str | None, limit: int) -> Sequence[ApiKey]:
        """Return up to `limit` keys of all users, by id after `after`."""
        return await self._store.page(after, limit)

    async def revoke(self, key_id: str) -> None:
        """Let a key be believed no more, and close the sockets it opened. Raises `NotFound`."""
        at = self._now()
        key = await self._store.remove(key_id)
        self._alive.forget_key(key_id)
        self._watcher.token_revoked(key.user_id, key_id, at)

    async def flush(self) -> None:
        """Store when keys were last used. Raises what the store raises; the next call tries again."""
        used, self._used = self._used, {}
        if used:
            try:
                await self._store.used(used)
            except GateroomError:
                self._used = {**used, **self._used}
                raise


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("ascii")).digest()
