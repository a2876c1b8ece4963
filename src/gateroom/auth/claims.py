"""What an access token says, and when that is believed (RFC 9068 section 2.2, RFC 8725 sections 3.8 to 3.11)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from gateroom.auth.principal import scope_text
from gateroom.errors import InvalidToken, TokenExpired

MAX_LIFETIME = 3600  # seconds
MAX_LEEWAY = 30  # seconds
MAX_ID_LENGTH = 255  # characters
MAX_SCOPE_LENGTH = 4096  # characters, more than fit into a token
MAX_ROLES = 64
MAX_ROLE_LENGTH = 64  # characters

# One or more scope tokens with one space between them (RFC 6749 section 3.3).
_SCOPES = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*")


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of an access token that is believed; exactly these. Times are in seconds since the epoch."""

    iss: str
    sub: str
    aud: str
    exp: int
    iat: int
    jti: str
    sid: str
    client_id: str
    scope: frozenset[str]
    roles: frozenset[str]

    def payload(self) -> dict[str, object]:
        """Return the JSON object that a token carries; lists in it are sorted."""
        plain = {name: getattr(self, name) for name in NAMES}
        return plain | {"scope": scope_text(self.scope), "roles": sorted(self.roles)}

    @classmethod
    def restored(cls, payload: Mapping[str, Any]) -> "Claims":
        """Make the claims again from a payload of our own, which nobody else can have written."""
        return cls(**{**payload, "scope": parse_scopes(payload["scope"]), "roles": frozenset(payload["roles"])})


NAMES = frozenset(field.name for field in fields(Claims))


@dataclass(frozen=True, slots=True)
class ClaimRules:
    """What claims are measured by: whose they must be, for whom, and how long at most (seconds).

    `leeway` (seconds) makes up for clocks that differ.
    """

    issuer: str
    audience: str
    max_lifetime: int = MAX_LIFETIME
    leeway: int = 5

    def __post_init__(self) -> None:
        if not self.issuer or not self.audience:
            raise ValueError("issuer and audience must not be empty")
        if not 1 <= self.max_lifetime <= MAX_LIFETIME:
            raise ValueError(f"an access token lives from 1 to {MAX_LIFETIME} seconds")
        if not 0 <= self.leeway <= MAX_LEEWAY:
            raise ValueError(f"the leeway is from 0 to {MAX_LEEWAY} seconds")

    def believe(self, payload: Mapping[str, object], now: float) -> Claims:
        """Return the claims in `payload`, whose signature is known to be good.

        Raises `InvalidToken` when one is missing, of the wrong type, out of bounds, not for us or when there is one
        too many; `TokenExpired` when all of them would do but it is too late.
        """
        if payload.keys() != NAMES:
            raise InvalidToken("The token has not the claims of an access token.")
        if payload["iss"] != self.issuer:
            raise InvalidToken("The token has another issuer.")
        if payload["aud"] != self.audience:
            raise InvalidToken("The token is for another audience.")
        iat, exp = _time(payload["iat"]), _time(payload["exp"])
        # A new token's `iat` may be rounded up to the next second.
        if iat > now + max(self.leeway, 1):
            raise InvalidToken("The token was issued in the future.")
        if not 0 < exp - iat <= self.max_lifetime:
            raise InvalidToken("The token lives too long.")
        claims = Claims(
            iss=self.issuer,
            sub=_id(payload["sub"]),
            aud=self.audience,
            exp=exp,
            iat=iat,
            jti=_id(payload["jti"]),
            sid=_id(payload["sid"]),
            client_id=_id(payload["client_id"]),
            scope=_scope(payload["scope"]),
            roles=_roles(payload["roles"]),
        )
        self.require_alive(claims, now)
        return claims

    def require_alive(self, claims: Claims, now: float) -> None:
        """Raise `TokenExpired` on and after `exp` (RFC 7519 section 4.1.4), the leeway added."""
        if now >= claims.exp + self.leeway:
            raise TokenExpired


def parse_scopes(text: str) -> frozenset[str]:
    """Return the scopes in an OAuth 2 scope string, none for an empty one. Raises `ValueError` when it is malformed."""
    if not text:
        return frozenset()
    if len(text) > MAX_SCOPE_LENGTH or not _SCOPES.fullmatch(text):
        raise ValueError("malformed scope")
    return frozenset(text.split(" "))


def _time(value: object) -> int:
    # bool is an int to isinstance; a float or a string is not a time to us, though PyJWT takes both.
    if type(value) is not int or value < 0:
        raise InvalidToken("A time in the token is not a whole number.")
    return value


def _id(value: object) -> str:
    # What is printable has no lone surrogate, so it can always be encoded again.
    if type(value) is not str or not 1 <= len(value) <= MAX_ID_LENGTH or not value.isprintable():
        raise InvalidToken("An id in the token is not an id.")
    return value


def _scope(value: object) -> frozenset[str]:
    if type(value) is not str:
        raise InvalidToken("The scope of the token is not a string.")
    try:
        return parse_scopes(value)
    except ValueError:
        raise InvalidToken("The scope of the token is malformed.") from None


def _roles(value: object) -> frozenset[str]:
    if type(value) is not list or len(value) > MAX_ROLES:
        raise InvalidToken("The roles in the token are not a short list.")
    for role in value:
        if type(role) is not str or not 1 <= len(role) <= MAX_ROLE_LENGTH or not role.isprintable():
            raise InvalidToken("A role in the token is not a role.")
    return frozenset(value)
