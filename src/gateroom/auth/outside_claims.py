"""What the token of an outside issuer says, and when that is believed (RFC 8725 sections 3.8 to 3.12)."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateroom.auth.claims import MAX_ID_LENGTH, MAX_LEEWAY
from gateroom.errors import InvalidToken, TokenExpired

MAX_LIFETIME = 86400  # seconds
MAX_NAMES = 512  # roles or scopes of one token
MAX_AUDIENCES = 64

# What is no access token, though the same key has signed it: OpenID Connect's ID token and logout token, and by
# Keycloak's claim `typ` its refresh tokens.
_FOREIGN_CLAIMS = frozenset({"at_hash", "c_hash", "events"})
_FOREIGN_TYPES = frozenset({"ID", "Refresh", "Offline", "Logout"})


@dataclass(frozen=True, slots=True)
class OutsideClaims:
    """What a token of an outside issuer says that is believed; times are in seconds since the epoch.

    `session` is the issuer's session, or None; `issued_at` is 0 where it does not say; `scopes` is None where nobody
    asked for them.
    """

    issuer: str
    subject: str
    audience: str
    expires_at: int
    issued_at: int
    token_id: str | None
    session: str | None
    username: str | None
    roles: frozenset[str]
    scopes: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class IssuerRules:
    """What the claims of one issuer are measured by, and where in them its users' names and powers are.

    A claim is named as it is, or by a path with dots, such as `realm_access.roles`. `role_scopes` gives scopes of ours
    for roles of theirs. `leeway` and `max_lifetime` are in seconds.
    """

    issuer: str
    audiences: frozenset[str]
    algorithms: frozenset[str] = frozenset({"EdDSA", "ES256", "RS256"})
    types: frozenset[str] = frozenset({"at+jwt", "application/at+jwt", "jwt"})  # in lower case
    leeway: int = 5
    max_lifetime: int = MAX_LIFETIME
    username_claim: str = "preferred_username"
    roles_claim: str | None = None
    scopes_claim: str | None = None
    role_scopes: Mapping[str, frozenset[str]] | None = None
    create_users: bool = False

    def __post_init__(self) -> None:
        if not self.issuer or not self.audiences or not all(self.audiences):
            raise ValueError("issuer and audience must not be empty")
        if not 1 <= self.max_lifetime <= MAX_LIFETIME or not 0 <= self.leeway <= MAX_LEEWAY:
            raise ValueError(f"a token lives up to {MAX_LIFETIME} seconds, and the leeway is up to {MAX_LEEWAY}")

    def believe(self, payload: Mapping[str, object], now: float) -> OutsideClaims:
        """Return the claims in `payload`, whose signature is known to be good.

        Raises `InvalidToken` when one is missing, of the wrong type, out of bounds or not for us, or when it is no
        access token; `TokenExpired` when all of them would do but it is too late.
        """
        if payload.get("iss") != self.issuer:
            raise InvalidToken("The token has another issuer.")
        if not _FOREIGN_CLAIMS.isdisjoint(payload) or str(payload.get("typ")) in _FOREIGN_TYPES:
            raise InvalidToken("This is not an access token.")
        audience = self._audience(payload.get("aud"))
        expires_at = _time(payload.get("exp"))
        issued_at = _time(payload["iat"]) if "iat" in payload else 0
        not_before = _time(payload["nbf"]) if "nbf" in payload else 0
        if max(issued_at, not_before) > now + max(self.leeway, 1):
            raise InvalidToken("The token is not valid yet.")
        if issued_at >= expires_at:
            raise InvalidToken("The token ends before it begins.")
        if expires_at - (issued_at or now) > self.max_lifetime:
            raise InvalidToken("The token lives too long.")
        claims = OutsideClaims(
            issuer=self.issuer,
            subject=_id(payload.get("sub")),
            audience=audience,
            expires_at=expires_at,
            issued_at=issued_at,
            token_id=_id(payload["jti"]) if "jti" in payload else None,
            session=_id(payload["sid"]) if "sid" in payload else None,
            username=_optional_text(_at(payload, self.username_claim)),
            roles=_names(_at(payload, self.roles_claim)) if self.roles_claim else frozenset(),
            scopes=_names(_at(payload, self.scopes_claim)) if self.scopes_claim else None,
        )
        self.require_alive(claims, now)
        return claims

    def require_alive(self, claims: OutsideClaims, now: float) -> None:
        """Raise `TokenExpired` on and after its end, the leeway added (RFC 7519 section 4.1.4)."""
        if now >= claims.expires_at + self.leeway:
            raise TokenExpired

    def scopes_of(self, roles: frozenset[str]) -> frozenset[str]:
        """Return the scopes of ours that these roles of theirs bring."""
        return frozenset(scope for role in roles for scope in (self.role_scopes or {}).get(role, ()))

    def _audience(self, value: object) -> str:
        given = value if type(value) is list else [value]
        if len(given) > MAX_AUDIENCES or not all(type(each) is str for each in given):
            raise InvalidToken("The audience of the token is not a string or a short list of them.")
        for each in given:
            if each in self.audiences:
                return str(each)
        raise InvalidToken("The token is for another audience.")


def _at(payload: Mapping[str, object], path: str) -> object:
    """Return the claim of that very name, or else what the path with dots leads to; None when there is none."""
    if path in payload:
        return payload[path]
    found: object = payload
    for name in path.split("."):
        if not isinstance(found, Mapping) or name not in found:
            return None
        found = found[name]
    return found


def _time(value: object) -> int:
    if type(value) is not int or value <= 0:
        raise InvalidToken("A time in the token is not a whole number.")
    return value


def _id(value: object) -> str:
    if type(value) is not str or not 1 <= len(value) <= MAX_ID_LENGTH or not value.isprintable():
        raise InvalidToken("An id in the token is not an id.")
    return value


def _optional_text(value: object) -> str | None:
    if value is None:
        return None
    return _id(value)


def _names(value: object) -> frozenset[str]:
    """Return the names in a list, or in a string with spaces between them, as some issuers write a single one."""
    names = value.split() if type(value) is str else [] if value is None else value
    if type(names) is not list or len(names) > MAX_NAMES:
        raise InvalidToken("The roles or scopes of the token are not a list.")
    return frozenset(_id(name) for name in names)
