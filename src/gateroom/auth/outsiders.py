"""Access tokens of outside issuers: believed here, nowhere else (RFC 8725, RFC 9068)."""

import hashlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from gateroom.auth.claims import Claims
from gateroom.auth.compact import decode, strict_object
from gateroom.auth.key_sets import KeySet
from gateroom.auth.outside_claims import IssuerRules, OutsideClaims
from gateroom.auth.ports import Clock
from gateroom.errors import InvalidToken, TokenExpired

T = TypeVar("T")

MAX_TOKEN_BYTES = 8192  # providers put long lists of roles into theirs
# Each could only change how, or by which key, we verify (RFC 8725 section 3.10).
_REFUSED_HEADERS = frozenset({"crit", "b64", "jku", "jwk", "x5u", "x5c", "zip", "enc"})


@dataclass(frozen=True, slots=True)
class Issuer:
    """One outside issuer: the rules for its claims, and its own keys."""

    rules: IssuerRules
    keys: KeySet


class Newcomers(Protocol):
    """Finds or makes the account that an outside subject acts as."""

    async def admit(self, stranger: OutsideClaims, rules: IssuerRules, token_id: str) -> Claims:
        """Return the claims of the account. Raises `UserDisabled` when there is none, and what the store raises."""
        ...


@dataclass(frozen=True, slots=True)
class _Opened:
    """A token taken apart, nothing of it believed yet."""

    header: dict[str, object]
    payload: dict[str, object]
    signed: bytes
    signature: bytes


class Outsiders:
    """Verifies tokens of the configured issuers; to be used from one thread.

    A verified token is remembered by its SHA-256 until it expires or its issuer's keys change.
    """

    def __init__(
        self, issuers: Sequence[Issuer], newcomers: Newcomers, clock: Clock, *, remembered: int = 20_000
    ) -> None:
        self._issuers = {issuer.rules.issuer: issuer for issuer in issuers}
        self._newcomers = newcomers
        self._clock = clock
        self._known: OrderedDict[bytes, tuple[Issuer, int, OutsideClaims]] = OrderedDict()
        self._room = remembered

    @asynccontextmanager
    async def keys_kept_fresh(self) -> AsyncIterator[None]:
        """Look at the issuers' key sets at once and then regularly, as long as the block runs."""
        async with AsyncExitStack() as stack:
            for issuer in self._issuers.values():
                await stack.enter_async_context(issuer.keys.kept_fresh())
            yield

    async def claims(self, token: str) -> Claims:
        """Return what `token` says, for the account its bearer has here.

        Raises `InvalidToken` or `TokenExpired` whatever the input, `UserDisabled` when there is no account,
        `Unavailable` when the issuer's keys or the store cannot be read, and nothing else.
        """
        if len(token) > MAX_TOKEN_BYTES or not token.isascii():
            raise InvalidToken
        digest = hashlib.sha256(token.encode("ascii")).digest()
        issuer, stranger = self._recall(digest) or await self._verify(token, digest)
        return await self._newcomers.admit(stranger, issuer.rules, _id_of(token, stranger))

    def _recall(self, digest: bytes) -> tuple[Issuer, OutsideClaims] | None:
        found = self._known.get(digest)
        if found is None:
            return None
        issuer, generation, stranger = found
        if generation != issuer.keys.generation:
            del self._known[digest]
            return None
        try:
            issuer.rules.require_alive(stranger, self._clock())
        except TokenExpired:
            del self._known[digest]
            raise
        self._known.move_to_end(digest)
        return issuer, stranger

    async def _verify(self, token: str, digest: bytes) -> tuple[Issuer, OutsideClaims]:
        opened = _refusing(lambda: _open(token))
        # Compared before anything is fetched or looked up: the issuer chooses among what is configured, no more.
        iss = opened.payload.get("iss")
        issuer = self._issuers.get(iss) if type(iss) is str else None
        if issuer is None:
            raise InvalidToken("The token has another issuer.")
        kid, algorithm = _judge_header(opened.header, issuer.rules)
        key = await issuer.keys.find(kid, algorithm)
        if key is None:
            raise InvalidToken("The token was signed by another key.")
        generation = issuer.keys.generation
        if not _refusing(lambda: key.verifies(opened.signature, opened.signed)):
            raise InvalidToken
        stranger = _refusing(lambda: issuer.rules.believe(opened.payload, self._clock()))
        self._known[digest] = (issuer, generation, stranger)
        if len(self._known) > self._room:
            self._known.popitem(last=False)
        return issuer, stranger


def _id_of(token: str, stranger: OutsideClaims) -> str:
    """Return what a revocation names: its issuer's id, or else what was signed.

    Never the signature: of those by ES256 there are always two for the same content.
    """
    named = stranger.token_id or token.rpartition(".")[0]
    return hashlib.sha256(f"{stranger.issuer}\0{named}".encode()).hexdigest()


def _open(token: str) -> _Opened:
    header, payload, signature = token.split(".", 3)
    return _Opened(
        strict_object(decode(header)),
        strict_object(decode(payload)),
        f"{header}.{payload}".encode("ascii"),
        decode(signature),
    )


def _judge_header(header: dict[str, object], rules: IssuerRules) -> tuple[str | None, str]:
    """Return key id and algorithm of a header that may be believed; without `typ` it is a plain JWT."""
    typ, algorithm, kid = header.get("typ", "JWT"), header.get("alg"), header.get("kid")
    if not _REFUSED_HEADERS.isdisjoint(header) or type(typ) is not str or typ.lower() not in rules.types:
        raise InvalidToken("The header is not that of an access token.")
    if type(algorithm) is not str or algorithm not in rules.algorithms or not (kid is None or type(kid) is str):
        raise InvalidToken("The token was signed by another key.")
    return kid, algorithm


def _refusing(work: Callable[[], T]) -> T:
    """Say what json, base64 and hostile values raise as `InvalidToken`."""
    try:
        return work()
    except (ValueError, TypeError, RecursionError):
        raise InvalidToken from None
