"""The accounts of those whom an outside issuer vouches for."""

import hashlib
import re
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace

from gateroom.auth.accounts import Accounts
from gateroom.auth.audit import OK
from gateroom.auth.claims import Claims
from gateroom.auth.ids import new_id
from gateroom.auth.outside_claims import IssuerRules, OutsideClaims
from gateroom.auth.ports import AuditEntry, Clock, Identity, IdentityStore, User
from gateroom.auth.principal import OUTSIDE_SESSION
from gateroom.auth.recent import Recent
from gateroom.auth.registry import MAX_ROLES, is_role
from gateroom.errors import Conflict, NotFound, UserDisabled

MEMORY_SIZE = 50_000  # subjects
RECHECK = 30.0  # seconds after which a link that another program made or took away is seen
_NAME_LENGTH = 40  # characters, so that a suffix still fits
_NOT_IN_NAMES = re.compile(r"[^a-z0-9._-]+")


class OutsideAccounts:
    """Links each subject of an issuer to one account, made on first sight where the issuer's rules say so.

    A name never leads to an account: whoever is called like somebody here gets another name. Where the rules tell roles
    or scopes, the account follows what the newest token says; `changed` is told then, so that live sockets follow too.
    Both are audited.
    """

    def __init__(
        self,
        identities: IdentityStore,
        accounts: Accounts,
        default_scopes: frozenset[str],
        now: Clock,
        monotonic: Clock,
        changed: Callable[[User], Awaitable[None]],
        record: Callable[[AuditEntry], Awaitable[None]],
    ) -> None:
        self._identities = identities
        self._accounts = accounts
        self._default_scopes = default_scopes
        self._now = now
        self._recent: Recent[tuple[str, str], Identity] = Recent(MEMORY_SIZE, RECHECK, monotonic)
        self._changed = changed
        self._record = record

    async def admit(self, stranger: OutsideClaims, rules: IssuerRules, token_id: str) -> Claims:
        """Return the claims of the account. Raises `UserDisabled` when there is none, and what the store raises."""
        identity = await self._identity(stranger, rules)
        user = await self._accounts.get(identity.user_id)
        if stranger.issued_at > identity.as_of and (rules.roles_claim or rules.role_scopes):
            user = await self._follow(identity, stranger, rules, user)
        return Claims(
            iss=stranger.issuer,
            sub=user.id,
            aud=stranger.audience,
            exp=stranger.expires_at,
            iat=stranger.issued_at,
            jti=token_id,
            sid=OUTSIDE_SESSION + _digest(stranger.issuer, stranger.session or stranger.subject),
            client_id="outside",
            scope=user.scopes if stranger.scopes is None else stranger.scopes,
            roles=_roles(stranger) if rules.roles_claim else user.roles,
        )

    async def _identity(self, stranger: OutsideClaims, rules: IssuerRules) -> Identity:
        key = (stranger.issuer, stranger.subject)
        found = self._recent.get(key)
        identity = found[0] if found else None
        if identity is None:
            identity = await self._identities.find(*key)
            if identity is None:
                if not rules.create_users:
                    raise UserDisabled
                identity = await self._create(stranger, rules)
            self._recent.put(key, identity)
        return identity

    async def _create(self, stranger: OutsideClaims, rules: IssuerRules) -> Identity:
        user = User(new_id(), "", _roles(stranger), self._scopes(stranger, rules), self._now())
        identity = Identity(stranger.issuer, stranger.subject, user.id, float(stranger.issued_at))
        for name in _names(stranger):
            try:
                await self._identities.create(replace(user, username=name), identity)
            except Conflict:
                # Of the name, or because another request or process was faster.
                if (found := await self._identities.find(stranger.issuer, stranger.subject)) is not None:
                    return found
            else:
                await self._audit("identities.create", replace(user, username=name))
                return identity
        raise Conflict

    async def _follow(self, identity: Identity, stranger: OutsideClaims, rules: IssuerRules, user: User) -> User:
        roles = _roles(stranger) if rules.roles_claim else user.roles
        scopes = self._scopes(stranger, rules) if rules.role_scopes else user.scopes
        key, newer = (identity.issuer, identity.subject), replace(identity, as_of=float(stranger.issued_at))
        self._recent.put(key, newer)
        if (roles, scopes) == (user.roles, user.scopes):
            return user  # not worth a write: each new token would be one
        try:
            moved = await self._identities.follow(
                # What the issuer does not tell is ours: what is remembered here of it may be old by now.
                newer,
                roles if rules.roles_claim else None,
                scopes if rules.role_scopes else None,
            )
        except NotFound:
            self._recent.forget(key)
            raise UserDisabled from None
        if not moved:  # a still newer token was seen elsewhere
            self._recent.forget(key)
            return user
        self._accounts.forget(user.id)
        fresh = await self._accounts.get(user.id)
        await self._changed(fresh)
        await self._audit("identities.follow", fresh)
        return fresh

    async def _audit(self, action: str, user: User) -> None:
        await self._record(AuditEntry(action, OK, user.id, user.username, target=f"user:{user.id}"))

    def _scopes(self, stranger: OutsideClaims, rules: IssuerRules) -> frozenset[str]:
        return self._default_scopes | rules.scopes_of(stranger.roles)


def _roles(stranger: OutsideClaims) -> frozenset[str]:
    """Return those roles that an account here can have, in lower case."""
    fitting = sorted(role.lower() for role in stranger.roles if is_role(role.lower()))
    return frozenset(fitting[:MAX_ROLES])


def _names(stranger: OutsideClaims) -> Iterator[str]:
    """Return usernames to try, the nicest first."""
    wanted = _NOT_IN_NAMES.sub("-", (stranger.username or "").lower()).strip("._-")[:_NAME_LENGTH]
    tag = hashlib.sha256(f"{stranger.issuer}\0{stranger.subject}".encode()).hexdigest()
    if len(wanted) >= 2:
        yield wanted
        yield f"{wanted}-{tag[:8]}"
    yield f"user-{tag[:32]}"


def _digest(*parts: str) -> str:
    return urlsafe_b64encode(hashlib.sha256("\0".join(parts).encode()).digest()).rstrip(b"=").decode()
