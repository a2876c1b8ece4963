"""Sessions and revoked tokens in memory, held to the same conformance suites as the SQL stores."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from gateroom.auth.ports import AuthSession, Link, Rotation, User
from gateroom.errors import NotFound


class InMemorySessions:
    """The `SessionStore` and `SessionPages` in a dict, beside accounts and their password hashes by id."""

    def __init__(self, users: Mapping[str, User], hashes: Mapping[str, str]) -> None:
        self._users = users
        self._hashes = hashes
        self._sessions: dict[str, tuple[AuthSession, Link]] = {}

    async def add(self, session: AuthSession, link: Link, proof: str | None = None) -> None:
        user = self._users.get(session.user_id)
        if user is None or user.disabled or (proof is not None and self._hashes[user.id] != proof):
            raise NotFound
        self._sessions[session.id] = (session, link)

    async def by_id(self, session_id: str) -> AuthSession | None:
        found = self._sessions.get(session_id)
        return found[0] if found else None

    async def by_family(self, family: bytes) -> AuthSession | None:
        return next((session for session, link in self._sessions.values() if link.family == family), None)

    async def rotate(self, used: AuthSession, presented: Link, following: bytes) -> Rotation:
        kept, link = self._sessions.get(used.id, (used, None))
        if link is None or link.family != presented.family:
            return Rotation.GONE
        if link.current != presented.current:
            del self._sessions[used.id]
            return Rotation.REUSED
        renewed = replace(kept, used_at=used.used_at, expires_at=used.expires_at)
        self._sessions[used.id] = (renewed, Link(link.family, following))
        return Rotation.DONE

    async def end(self, user_id: str, session_id: str | None) -> Sequence[str]:
        return self.drop(user_id, only=session_id)

    async def page(self, user_id: str, after: tuple[float, str] | None, limit: int) -> Sequence[AuthSession]:
        found = [session for session, _ in self._sessions.values() if session.user_id == user_id]
        newest = sorted(found, key=lambda session: (session.created_at, session.id), reverse=True)
        return [each for each in newest if after is None or (each.created_at, each.id) < after][:limit]

    async def alive(self, session_ids: Collection[str]) -> frozenset[str]:
        return frozenset(session_ids) & self._sessions.keys()

    async def prune(self, now: float) -> None:
        for session, _ in list(self._sessions.values()):
            if session.expires_at <= now:
                del self._sessions[session.id]

    def drop(self, user_id: str, *, only: str | None = None, but: str | None = None) -> Sequence[str]:
        """Forget sessions of a user: all, `only` one, or all `but` one; returns their ids."""
        theirs = [session.id for session, _ in self._sessions.values() if session.user_id == user_id]
        ended = [each for each in theirs if each != but and only in (None, each)]
        for each in ended:
            del self._sessions[each]
        return ended


class InMemoryRevocations:
    """The `RevocationStore` in a dict."""

    def __init__(self) -> None:
        self._tokens: dict[str, float] = {}

    async def add(self, token_id: str, expires_at: float) -> None:
        self._tokens.setdefault(token_id, expires_at)

    async def all(self, now: float) -> Mapping[str, float]:
        return {token_id: expires_at for token_id, expires_at in self._tokens.items() if expires_at > now}

    async def prune(self, now: float) -> None:
        self._tokens = dict(await self.all(now))
