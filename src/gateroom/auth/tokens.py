"""Access tokens: signed and believed here, nowhere else (RFC 9068, RFC 8725)."""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import floor, inf

from jwt import PyJWS, PyJWTError

from gateroom.auth import signatures
from gateroom.auth.claims import ClaimRules, Claims
from gateroom.auth.compact import decode, strict_object
from gateroom.auth.ids import new_id
from gateroom.auth.keys import Algorithm, KeyRing
from gateroom.auth.ports import Clock, User
from gateroom.errors import InvalidToken, LimitReached, TokenExpired

TYP = "at+jwt"
MAX_TOKEN_BYTES = 4096  # also what browsers allow a cookie
# Nothing else: `crit`, `b64`, `jku`, `jwk`, `x5u` and `x5c` could only change how or by which key we verify.
_HEADER_NAMES = frozenset({"typ", "alg", "kid"})


@dataclass(frozen=True, slots=True)
class Issued:
    """A new access token, and what it says."""

    token: str = field(repr=False)
    claims: Claims


class AccessTokens:
    """Issues access tokens and verifies them; to be used from one thread.

    A token issued or verified here is remembered by its SHA-256 until it expires or the keys change, since a signature
    costs more than all else in a handshake, logins are followed by one and a storm of reconnections repeats them.
    """

    def __init__(
        self,
        ring: KeyRing,
        issuer: str,
        audience: str,
        ttl: int,
        clock: Clock,
        *,
        leeway: int = 5,
        remembered: int = 20_000,
    ) -> None:
        """Issue tokens for `ttl` seconds, at most an hour; remember up to `remembered`. Raises `ValueError`."""
        self._rules = ClaimRules(issuer, audience, leeway=leeway)
        if not 1 <= ttl <= self._rules.max_lifetime:
            raise ValueError(f"an access token lives from 1 to {self._rules.max_lifetime} seconds")
        self._ttl = ttl
        self._ring = ring
        self._clock = clock
        self._jws = PyJWS(algorithms=list(Algorithm))
        self._known: OrderedDict[bytes, Claims] = OrderedDict()
        self._room = remembered
        self._generation = ring.generation

    @property
    def issuer(self) -> str:
        """The claim `iss` of every token."""
        return self._rules.issuer

    def issue(self, user: User, session_id: str, scopes: Iterable[str], client_id: str, until: float = inf) -> Issued:
        """Sign a token for `user` with `scopes`, which ends with its session at the latest, `until` (seconds since the
        epoch).

        Raises `LimitReached` when it would be over 4096 bytes, `ValueError` when an id, a role or a scope is such that
        nobody would believe it.
        """
        now = self._clock()
        issued_at = floor(now)
        if issued_at < user.valid_from <= now:
            issued_at += 1  # not dead from birth: older tokens died within this very second
        claims = Claims(
            iss=self._rules.issuer,
            sub=user.id,
            aud=self._rules.audience,
            exp=max(issued_at + 1, int(min(issued_at + self._ttl, until))),
            iat=issued_at,
            jti=new_id(),
            sid=session_id,
            client_id=client_id,
            scope=frozenset(scopes),
            roles=user.roles,
        )
        key = self._ring.current
        payload = json.dumps(claims.payload(), separators=(",", ":")).encode()
        token = self._jws.encode(payload, key.private, key.algorithm, {"typ": TYP, "kid": key.kid})
        if len(token) > MAX_TOKEN_BYTES:
            raise LimitReached("The account has too many roles and scopes for one token.")
        self._require_believable(claims, now)
        self._forget_by_old_keys()
        self._remember(_digest(token), claims)
        return Issued(token, claims)

    def _require_believable(self, claims: Claims, now: float) -> None:
        try:
            same = self._rules.believe(claims.payload(), now) == claims
        except InvalidToken as refused:
            raise ValueError(refused.detail) from None
        if not same:
            raise ValueError("A scope is not a scope token (RFC 6749 section 3.3).")

    def verify(self, token: str) -> Claims:
        """Return what `token` says. Raises `InvalidToken` or `TokenExpired`, whatever the input, and nothing else."""
        if len(token) > MAX_TOKEN_BYTES or not token.isascii():
            raise InvalidToken
        self._forget_by_old_keys()
        digest = _digest(token)
        claims = self._known.get(digest)
        if claims is None:
            claims = self._verify_signed(token)
            self._remember(digest, claims)
            return claims
        try:
            self._rules.require_alive(claims, self._clock())
        except TokenExpired:
            del self._known[digest]
            raise
        self._known.move_to_end(digest)
        return claims

    def _forget_by_old_keys(self) -> None:
        if self._generation != self._ring.generation:
            self._known.clear()
            self._generation = self._ring.generation

    def _remember(self, digest: bytes, claims: Claims) -> None:
        self._known[digest] = claims
        if len(self._known) > self._room:
            self._known.popitem(last=False)

    def _verify_signed(self, token: str) -> Claims:
        try:
            return self._rules.believe(self._open(token), self._clock())
        # What PyJWT, base64 and json raise on hostile input.
        except (PyJWTError, ValueError, TypeError, RecursionError):
            raise InvalidToken from None

    def _open(self, token: str) -> dict[str, object]:
        """Return the payload of `token` once its form, header and signature are good."""
        header, payload, signature = [decode(segment) for segment in token.split(".", 3)]
        fields = strict_object(header)
        if fields.keys() != _HEADER_NAMES or fields["typ"] != TYP:
            raise InvalidToken("The header is not that of an access token.")
        kid = fields["kid"]
        key = self._ring.by_kid(kid) if isinstance(kid, str) else None
        if key is None or fields["alg"] != key.algorithm:
            raise InvalidToken("The token was signed by another key.")
        # The form is checked above, more strictly than PyJWT's own decoder would, and at a third of its cost.
        signed = token.rpartition(".")[0].encode("ascii")
        if not signatures.is_good(signature, signed, key.algorithm, key.public):
            raise InvalidToken
        return strict_object(payload)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("ascii")).digest()
