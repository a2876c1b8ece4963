"""Sessions from login to their end: tokens granted, refreshed once each, and revoked (RFC 9700 section 4.14)."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace

from gateroom.auth import refresh
from gateroom.auth.accounts import Accounts
from gateroom.auth.alive import Alive
from gateroom.auth.claims import Claims
from gateroom.auth.ids import new_id
from gateroom.auth.login import Proven
from gateroom.auth.ports import (
    AuthSession,
    Clock,
    Link,
    RevocationStore,
    Rotation,
    SessionStore,
    SessionWatcher,
    User,
)
from gateroom.auth.principal import is_kept
from gateroom.auth.tokens import AccessTokens, Issued
from gateroom.errors import GateroomError, InvalidCredentials, InvalidScope, NotFound, Refusal, SessionRevoked
from gateroom.incidents import note

MAX_AGENT_LENGTH = 200  # characters of a User-Agent that are kept


@dataclass(frozen=True, slots=True)
class Terms:
    """How long a session lives, in seconds: `idle` without a refresh, `whole` at the most."""

    idle: float
    whole: float


@dataclass(frozen=True, slots=True)
class Device:
    """Where a login comes from, as it is shown to the account's owner."""

    client_id: str
    user_agent: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Presented:
    """A refresh token that belongs to a session; nobody knows yet whether it was used before."""

    token: str = field(repr=False)
    link: Link = field(repr=False)
    session: AuthSession


@dataclass(frozen=True, slots=True)
class Granted:
    """A session's new pair of tokens."""

    user: User
    session: AuthSession
    access: Issued
    refresh_token: str = field(repr=False)


class Sessions:
    """Begins, refreshes and ends sessions; every end is stored first, then this process and its sockets follow."""

    def __init__(
        self,
        store: SessionStore,
        revocations: RevocationStore,
        tokens: AccessTokens,
        accounts: Accounts,
        alive: Alive,
        watcher: SessionWatcher,
        terms: Terms,
        now: Clock,
    ) -> None:
        """`now` is in seconds since the epoch."""
        self._store = store
        self._revocations = revocations
        self._tokens = tokens
        self._accounts = accounts
        self._alive = alive
        self._watcher = watcher
        self._terms = terms
        self._now = now

    async def begin(self, proven: Proven, requested: frozenset[str] | None, device: Device) -> Granted:
        """Begin a session with tokens for the `requested` scopes that the user has; None asks for all of them.

        What the account has not is left out, and the answer says what was granted (RFC 6749 section 3.3). Raises
        `LimitReached` when that is too much for one token, `InvalidCredentials` when the account was disabled, deleted
        or given another password while this one was verified.
        """
        user = proven.user
        now = self._now()
        scopes = user.scopes if requested is None else user.scopes & requested
        session = open_session(user, scopes, device, self._terms, now)
        access = self._tokens.issue(user, session.id, scopes, device.client_id, session.expires_at)
        token = refresh.new_token()
        changes = self._alive.changes
        try:
            await self._store.add(session, refresh.link_of(token), proven.proof)
        except NotFound:
            raise InvalidCredentials from None
        if changes == self._alive.changes:  # else it may be among those that ended just now
            self._alive.begun(session)
        return Granted(user, session, access, token)

    async def find(self, token: str) -> Presented:
        """Return the session of a refresh token, used or not.

        Raises `InvalidToken` for what is none, `SessionRevoked` when its session has ended.
        """
        link = refresh.link_of(token)
        session = await self._store.by_family(link.family)
        if session is None:
            raise SessionRevoked
        if session.expires_at <= self._now():
            await self._end(session.user_id, session.id)
            raise SessionRevoked
        return Presented(token, link, session)

    async def renew(self, presented: Presented, narrower: frozenset[str] | None = None) -> Granted:
        """Exchange a refresh token for a new pair; `narrower` scopes are those of the access token only.

        Raises `InvalidScope` for more than the session was granted (RFC 6749 section 6), `UserDisabled`, or
        `SessionRevoked`; a token that was used before ends its session, since one of its two owners stole it.
        """
        session, now = presented.session, self._now()
        if narrower is not None and not narrower <= session.scopes:
            raise InvalidScope
        user = await self._accounts.get(session.user_id)
        if session.created_at < user.valid_from:
            await self._end(user.id, session.id)
            raise SessionRevoked
        renewed = replace(session, used_at=now, expires_at=min(now + self._terms.idle, session.ends_at))
        scopes = user.scopes & (session.scopes if narrower is None else narrower)
        access = self._tokens.issue(user, session.id, scopes, session.client_id, renewed.expires_at)
        token = refresh.next_token(presented.token)
        rotation = await self._store.rotate(renewed, presented.link, refresh.link_of(token).current)
        if rotation is not Rotation.DONE:
            if rotation is Rotation.REUSED:
                note("refresh_reused", code=SessionRevoked.code, user=user.id, session=session.id, peer=session.address)
                self.ended(user.id, [session.id], now)
            raise SessionRevoked
        return Granted(user, renewed, access, token)

    async def carry_on(self, granted: Granted) -> None:
        """Let the session's live sockets live on until the new access token ends.

        Raises the refusal when the session or the account has just ended. Where that cannot be judged the sockets stay
        as they are: the pair is stored, and must reach its owner.
        """
        try:
            principal = await self._accounts.principal(granted.access.claims)
        except Refusal:
            raise
        except GateroomError as error:
            note("sockets_not_renewed", code=error.code, user=granted.user.id, session=granted.session.id)
        else:
            await self._watcher.session_renewed(principal)

    async def end(self, user_id: str, session_id: str) -> None:
        """End one session and its sockets. Raises `NotFound` when the user has no such session."""
        if not await self._end(user_id, session_id):
            raise NotFound

    async def end_all(self, user_id: str) -> int:
        """End all of the user's sessions with their sockets; returns how many."""
        return await self._end(user_id, None)

    async def close(self, token: Claims) -> None:
        """End the session of a token that was believed, with its sockets, if it has not ended already.

        Where no session is kept here, such as an outside issuer's, that token ends instead.
        """
        if is_kept(token.sid):
            await self._end(token.sub, token.sid)
            return
        if token.sid:
            self.ended(token.sub, [token.sid], self._now())
        await self.revoke(token)

    async def revoke_session(self, token: str) -> None:
        """End the session of a refresh token, used or not. Raises as `find` does."""
        session = (await self.find(token)).session
        await self._end(session.user_id, session.id)

    async def revoke(self, token: Claims) -> None:
        """Let an access token that was believed be believed no more, and close the sockets it opened."""
        now = self._now()
        await self._revocations.add(token.jti, float(token.exp))
        self._alive.revoke(token.jti, float(token.exp))
        note("token_revoked", user=token.sub, session=token.sid)
        self._watcher.token_revoked(token.sub, token.jti, now)

    async def _end(self, user_id: str, session_id: str | None) -> int:
        at = self._now()
        ended = await self._store.end(user_id, session_id)
        self.ended(user_id, ended, at)
        return len(ended)

    def ended(self, user_id: str, session_ids: Collection[str], at: float) -> None:
        """Follow an end that was stored; `at` is when it was asked for."""
        self._alive.forget(user_id, session_ids)
        for session_id in session_ids:
            note("session_ended", user=user_id, session=session_id)
        self._watcher.sessions_ended(user_id, session_ids, at)


def open_session(user: User, scopes: frozenset[str], device: Device, terms: Terms, now: float) -> AuthSession:
    """Make the value of a new session; of the device only what is printable and short is kept."""
    return AuthSession(
        id=new_id(),
        user_id=user.id,
        client_id=device.client_id,
        scopes=scopes,
        user_agent="".join(filter(str.isprintable, device.user_agent))[:MAX_AGENT_LENGTH],
        address=device.address,
        created_at=now,
        used_at=now,
        expires_at=now + min(terms.idle, terms.whole),
        ends_at=now + terms.whole,
    )
