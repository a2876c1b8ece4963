"""What the authentication core needs from outside."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol

from gateroom.auth.claims import Claims
from gateroom.auth.principal import Principal

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

    async def save(self, user: User, was: User | None = None) -> None:
        """Overwrite roles, scopes, `disabled` and `valid_from`; a disabled account's sessions end in the same step.

        Raises `NotFound` when it is gone, and `Conflict` when `was` is given and the account is not as that any more.
        """
        ...

    async def remove(self, user_id: str) -> None:
        """Delete the account with its memberships and sessions. Raises `NotFound` when it is gone."""
        ...


class UserPages(Protocol):
    """Accounts by many: in order of username, or those of some ids."""

    async def by_ids(self, user_ids: Collection[str]) -> Sequence[User]:
        """Return those there are of up to 500 accounts, in any order."""
        ...

    async def page(self, after: str | None, limit: int) -> Sequence[User]:
        """Return up to `limit` users whose name sorts after `after` (all, when it is None)."""
        ...


@dataclass(frozen=True, slots=True)
class Identity:
    """A subject of an outside issuer, and whose account here it is.

    `as_of` is when the newest token was issued that roles and scopes were taken from, in seconds since the epoch.
    """

    issuer: str
    subject: str
    user_id: str
    as_of: float = 0.0


class IdentityStore(Protocol):
    """Outside identities, each call its own transaction; they go with their account."""

    async def find(self, issuer: str, subject: str) -> Identity | None: ...

    async def create(self, user: User, identity: Identity) -> None:
        """Add an account without a password, and its identity. Raises `Conflict` when either is there already."""
        ...

    async def link(self, identity: Identity) -> None:
        """Give an existing account an identity. Raises `Conflict` when it has an account, `NotFound` without one."""
        ...

    async def unlink(self, issuer: str, subject: str) -> None:
        """Take an identity away. Raises `NotFound`."""
        ...

    async def follow(self, identity: Identity, roles: frozenset[str] | None, scopes: frozenset[str] | None) -> bool:
        """Overwrite the account's roles and scopes as of `identity.as_of`, unless they are of a newer token.

        What is None stays as it is. Returns whether it did. Raises `NotFound` when the account is gone.
        """
        ...


class PasswordStore(Protocol):
    """Password hashes as PHC strings, apart from the accounts so that they never travel with one."""

    async def hash_of(self, user_id: str) -> str | None: ...

    async def replace(self, user_id: str, password_hash: str) -> None:
        """Overwrite the hash of the same password. Raises `NotFound` when the user is gone."""
        ...

    async def change(self, user_id: str, password_hash: str, keep: str | None) -> Sequence[str]:
        """Overwrite the hash by that of a new password, and end all sessions but `keep` (an id), in one step.

        Returns the ids of the sessions that ended. Raises `NotFound` when the user is gone.
        """
        ...


@dataclass(frozen=True, slots=True)
class AuthSession:
    """One login on one device: what its refresh tokens may be exchanged for, and until when.

    `scopes` were granted at login. `used_at` is the login or the last refresh. It ends when nothing was refreshed until
    `expires_at`, which never lies after `ends_at`. Times are in seconds since the epoch.
    """

    id: str
    user_id: str
    client_id: str
    scopes: frozenset[str]
    user_agent: str
    address: str
    created_at: float
    used_at: float
    expires_at: float
    ends_at: float


@dataclass(frozen=True, slots=True)
class Link:
    """What is kept of the one refresh token that is good: SHA-256 of what all of its chain share, and of its own part.

    So a token of the chain that was used before is known for what it is, however old.
    """

    family: bytes
    current: bytes


class Rotation(Enum):
    """How an exchange of refresh tokens went."""

    DONE = auto()
    REUSED = auto()  # the token had been used: the session is ended
    GONE = auto()  # there is no such session any more


class SessionStore(Protocol):
    """Sessions, each call its own transaction. A session that has ended is not there any more."""

    async def add(self, session: AuthSession, link: Link, proof: str | None = None) -> None:
        """Add a session, in one step with a look at the account.

        Raises `NotFound` when the user is gone or disabled, or when `proof`, a password hash, is not theirs any more: a
        password that is changed while it is being verified must begin no session after its sessions were ended.
        """
        ...

    async def by_id(self, session_id: str) -> AuthSession | None: ...

    async def by_family(self, family: bytes) -> AuthSession | None: ...

    async def rotate(self, used: AuthSession, presented: Link, following: bytes) -> Rotation:
        """Put `following` in the place of `presented.current`, with `used_at` and `expires_at` of `used`, or end the
        session when another token is the current one; of many at once exactly one is `DONE`."""
        ...

    async def end(self, user_id: str, session_id: str | None) -> Sequence[str]:
        """End the user's session (None: all of them); returns the ids of those that ended now."""
        ...


class SessionPages(Protocol):
    """Sessions by many."""

    async def page(self, user_id: str, after: tuple[float, str] | None, limit: int) -> Sequence[AuthSession]:
        """Return up to `limit` sessions of the user, newest first, after the one with this `created_at` and id."""
        ...

    async def alive(self, session_ids: Collection[str]) -> frozenset[str]:
        """Return which of up to 500 sessions there still are."""
        ...

    async def prune(self, now: float) -> None:
        """Forget sessions that nobody refreshed in time."""
        ...


class RevocationStore(Protocol):
    """Access tokens that must not be believed although they have not expired yet."""

    async def add(self, token_id: str, expires_at: float) -> None:
        """Note a token; again does nothing."""
        ...

    async def all(self, now: float) -> Mapping[str, float]:
        """Return the ids of revoked tokens that expire after `now`, and when."""
        ...

    async def prune(self, now: float) -> None:
        """Forget tokens that have expired."""
        ...


class SessionWatcher(Protocol):
    """Is told what happened to sessions and tokens, so that live sockets follow. Telling it twice does no harm.

    `at`, in seconds since the epoch, is when it was asked for.
    """

    def sessions_ended(self, user_id: str, session_ids: Collection[str], at: float) -> None:
        """Close the sockets of these sessions."""
        ...

    def token_revoked(self, user_id: str, token_id: str, at: float) -> None:
        """Close the sockets that came with this token."""
        ...

    async def session_renewed(self, principal: Principal) -> None:
        """Let the session's sockets live on as long as this, its newest, principal."""
        ...


@dataclass(frozen=True, slots=True)
class Ticket:
    """What is kept of a ticket: its SHA-256, the claims of the token it stands for, the one room it is good for (None:
    any socket), and when it ends, in seconds since the epoch."""

    digest: bytes
    claims: Claims
    room: str | None
    expires_at: float


class TicketStore(Protocol):
    """Tickets, each of which can be taken once, whichever process asks."""

    async def add(self, ticket: Ticket, now: float) -> None:
        """Add a ticket, and forget those that ended before `now`."""
        ...

    async def take(self, digest: bytes) -> Ticket | None:
        """Remove a ticket and return it; of many who ask for it at once, exactly one gets it."""
        ...


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One thing that somebody did, or tried to.

    `action` names the operation, `outcome` is "ok" or the code of the error. `actor` is a user id, kept beyond the
    account; `target` is `kind:id`. `at` is in seconds since the epoch. With `repeats` it stands for so many that were
    not kept one by one. `id` is the store's, rising.
    """

    action: str
    outcome: str
    actor: str | None = None
    actor_name: str = ""
    session: str | None = None
    target: str | None = None
    room: str | None = None
    address: str = ""
    at: float = 0.0
    repeats: int = 0
    id: int = 0


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries are asked for; None leaves it open. `target` also finds what was done in that room."""

    actor: str | None = None
    action: str | None = None
    target: str | None = None
    since: float | None = None


class AuditStore(Protocol):
    """The audit log; what is in it never changes."""

    async def add(self, entries: Sequence[AuditEntry]) -> None:
        """Add entries in this order, all or none; their `id` is not looked at."""
        ...

    async def page(self, wanted: AuditFilter, before: int | None, limit: int) -> Sequence[AuditEntry]:
        """Return up to `limit` entries, newest first, with an id below `before`."""
        ...

    async def trim(self, before: float) -> None:
        """Forget what is older."""
        ...


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A back end's key: whose powers it has, at most which, and SHA-256 of its secret.

    Times are in seconds since the epoch; `used_at` may lag behind by some minutes.
    """

    id: str
    user_id: str
    name: str
    scopes: frozenset[str]
    digest: bytes = field(repr=False)
    created_at: float
    expires_at: float | None = None
    used_at: float | None = None


class ApiKeyStore(Protocol):
    """API keys, gone with the account that made them."""

    async def add(self, key: ApiKey, most: int) -> None:
        """Add a key. Raises `LimitReached` when the user has `most` of them, `NotFound` when the user is gone."""
        ...

    async def by_id(self, key_id: str) -> ApiKey | None: ...

    async def page(self, after: str | None, limit: int) -> Sequence[ApiKey]:
        """Return up to `limit` keys whose id sorts after `after` (all, when it is None)."""
        ...

    async def remove(self, key_id: str) -> ApiKey:
        """Delete a key and return it. Raises `NotFound`."""
        ...

    async def used(self, at: Mapping[str, float]) -> None:
        """Set `used_at` of these keys; those that are gone stay so."""
        ...
