"""Who a request or a socket acts as, and the global powers (scopes) there are."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from gateroom.errors import InsufficientScope

# In front of the session ids of outside issuers' tokens: none of ours has a dot, and nothing is stored of theirs.
OUTSIDE_SESSION = "ext."


class Scope(StrEnum):
    """The scopes Gateroom itself asks for; an embedding application may add its own."""

    USERS_ADMIN = "users:admin"
    USERS_SEND = "users:send"
    CONNECTIONS_ADMIN = "connections:admin"
    ROOMS_CREATE = "rooms:create"
    ROOMS_ADMIN = "rooms:admin"
    BROADCAST = "broadcast"
    AUDIT_READ = "audit:read"
    KEYS_ADMIN = "keys:admin"
    TOKENS_INTROSPECT = "tokens:introspect"
    OPERATIONS_READ = "operations:read"


ALL_SCOPES: frozenset[str] = frozenset(Scope)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a request acts as, once its token has been believed.

    `scopes` are those of the token that the account still has. `issued_at` and `expires_at`, in seconds since the
    epoch, are the token's.
    """

    user_id: str
    username: str
    roles: frozenset[str]
    scopes: frozenset[str]
    session_id: str
    token_id: str
    expires_at: float
    issued_at: float = 0.0

    def require(self, *scopes: str) -> None:
        """Raise `InsufficientScope`, a `Forbidden`, unless every one of `scopes` is held."""
        if not self.scopes.issuperset(scopes):
            raise InsufficientScope(scopes)


KEY_SESSION = "key:"  # before an API key's id, in place of a session's


def is_kept(session_id: str) -> bool:
    """Tell whether there would be a session of this id in the store: not "", of nobody's, an outsider's or a key's."""
    return bool(session_id) and not session_id.startswith((OUTSIDE_SESSION, KEY_SESSION))


def is_key(session_id: str) -> bool:
    """Tell whether this stands for an API key, whose id is then the token's, and not for a session."""
    return session_id.startswith(KEY_SESSION)


def scope_text(scopes: Iterable[str]) -> str:
    """Return `scopes` as one OAuth 2 scope string (RFC 6749 section 3.3), sorted."""
    return " ".join(sorted(scopes))
