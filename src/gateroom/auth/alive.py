"""Which sessions, tokens and API keys are still good, as this process knows, so that a handshake costs no SQL."""

from collections.abc import Collection

from gateroom.auth.ports import ApiKey, ApiKeyStore, AuthSession, Clock, RevocationStore, SessionStore
from gateroom.auth.principal import Principal, is_kept, is_key
from gateroom.auth.remembered import Remembered
from gateroom.errors import SessionRevoked, TokenRevoked

MEMORY_SIZE = 50_000  # sessions
RECHECK = 30.0  # seconds after which a session that ended without an order is seen


class Alive:
    """The sessions seen lately, and all revoked tokens that have not expired.

    Those are as few as the tokens that were issued within an hour, the longest an access token lives.
    """

    def __init__(
        self,
        sessions: SessionStore,
        revocations: RevocationStore,
        keys: ApiKeyStore,
        now: Clock,
        monotonic: Clock,
        *,
        capacity: int = MEMORY_SIZE,
    ) -> None:
        """`now` is in seconds since the epoch, `monotonic` in seconds of a clock that is never set back."""
        self._store = sessions
        self._revocations = revocations
        self._now = now
        # By user too: whoever is disabled loses all sessions at once.
        self._sessions: Remembered[tuple[str, str], AuthSession] = Remembered(self._read, capacity, RECHECK, monotonic)
        self._keys: Remembered[str, ApiKey] = Remembered(keys.by_id, capacity, RECHECK, monotonic)
        self._revoked: dict[str, float] = {}
        self.changes = 0  # rises with every end, so that who waited for SQL sees that something ended meanwhile

    async def require(self, user_id: str, session_id: str, token_id: str) -> None:
        """Raise `TokenRevoked` or `SessionRevoked` when that token or session is not good any more.

        Who has no session ("") depends on none, and of an outside issuer's nothing is known here.
        """
        if is_kept(session_id) and await self._sessions.get((user_id, session_id)) is None:
            raise SessionRevoked
        if is_key(session_id) and await self.key(token_id) is None:
            raise TokenRevoked
        if token_id in self._revoked:  # last, or it might be revoked while the session is read
            raise TokenRevoked

    def is_known(self, principal: Principal) -> bool:
        """Tell whether the principal's session and token are known to be good without a read."""
        if principal.token_id in self._revoked:
            return False
        if is_key(principal.session_id):
            key = self._keys.known(principal.token_id)
            return key is not None and key[0] is not None
        found = self._sessions.known((principal.user_id, principal.session_id))
        return not is_kept(principal.session_id) or (found is not None and found[0] is not None)

    async def key(self, key_id: str) -> ApiKey | None:
        """Return the API key with this id, as it was stored lately. Raises what the store raises."""
        return await self._keys.get(key_id)

    def forget_key(self, key_id: str) -> None:
        """Read the key again before it is next believed."""
        self._keys.forget(key_id)

    def begun(self, session: AuthSession) -> None:
        """Know a session that was stored just now."""
        self._sessions.put((session.user_id, session.id), session)

    def confirm(self, user_id: str, session_id: str) -> None:
        """Take note that the session was found in the store."""
        self._sessions.confirm((user_id, session_id))

    def forget(self, user_id: str, session_ids: Collection[str]) -> None:
        """Read these sessions again before they are next believed."""
        self.changes += 1
        for session_id in session_ids:
            self._sessions.forget((user_id, session_id))

    def forget_user(self, user_id: str) -> None:
        """Read all of the user's sessions again."""
        self.changes += 1
        self._sessions.forget_where(lambda key: key[0] == user_id)

    def revoke(self, token_id: str, expires_at: float) -> None:
        """Believe this token no more."""
        self._revoked[token_id] = expires_at

    def is_revoked(self, token_id: str) -> bool:
        return token_id in self._revoked

    async def load(self) -> None:
        """Read all revoked tokens, and forget those that have expired. Raises what the store raises."""
        now = self._now()
        found = await self._revocations.all(now)
        # Kept: what was revoked here while this read.
        self._revoked = {token: until for token, until in {**self._revoked, **found}.items() if until > now}

    async def close(self) -> None:
        """Wait for the reads under way."""
        await self._sessions.close()
        await self._keys.close()

    async def _read(self, key: tuple[str, str]) -> AuthSession | None:
        user_id, session_id = key
        session = await self._store.by_id(session_id)
        return session if session is not None and session.user_id == user_id else None
