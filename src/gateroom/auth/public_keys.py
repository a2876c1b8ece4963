"""The keys of outside issuers: read from what they publish or from a file, and used to verify (RFC 7517)."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt import PyJWTError
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from gateroom.auth.keys import MIN_RSA_BITS, Algorithm, KeyRefused, PublicKey, SigningKey
from gateroom.auth.signatures import is_good

MAX_SET_BYTES = 65536
MAX_SET_KEYS = 64
MAX_KID_LENGTH = 255  # characters
_MAX_RSA_BITS = 8192  # what takes longer to verify is no key but an attack
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_READERS: Mapping[str, Callable[[dict[str, Any]], object]] = {
    "OKP": OKPAlgorithm.from_jwk,
    "EC": ECAlgorithm.from_jwk,
    "RSA": RSAAlgorithm.from_jwk,
}


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A key of somebody else's, and the one algorithm it is used with; `kid` is None where its owner gave none."""

    kid: str | None
    algorithm: Algorithm
    public: PublicKey = field(repr=False)  # compared too: an issuer may use an id again

    def verifies(self, signature: bytes, signed: bytes) -> bool:
        """Tell whether `signature` over `signed` was made with the private half."""
        try:
            return is_good(signature, signed, self.algorithm, self.public)
        except (PyJWTError, ValueError, TypeError):
            return False


def parse_key_set(text: bytes) -> tuple[VerifyingKey, ...]:
    """Return the keys in a JWK set that we can verify with, at least one; others are passed over.

    Raises `KeyRefused` when it is no set, has no such key, or is over `MAX_SET_BYTES` or `MAX_SET_KEYS`.
    """
    try:
        entries = _object(text)["keys"]
    except (KeyError, ValueError, RecursionError):
        raise KeyRefused("This is not a JWK set") from None
    if type(entries) is not list or len(entries) > MAX_SET_KEYS:
        raise KeyRefused(f"This is not a JWK set of up to {MAX_SET_KEYS} keys")
    found = [key for entry in entries if (key := _usable(entry)) is not None]
    if not found:
        raise KeyRefused("The JWK set has no key for EdDSA, ES256 or RS256")
    return tuple(found)


def parse_key_file(text: bytes) -> tuple[VerifyingKey, ...]:
    """Return the keys in a file: one public key as PEM or JWK, or a JWK set. Raises `KeyRefused`."""
    if not text.lstrip().startswith(b"{"):
        return (_from_pem(text),)
    try:
        entry = _object(text)
    except (ValueError, RecursionError):
        raise KeyRefused("This is not a JWK") from None
    if "keys" in entry:
        return parse_key_set(text)
    key = _usable(entry)
    if key is None:
        raise KeyRefused("The JWK is not a public key for EdDSA, ES256 or RS256")
    return (key,)


def shared_secret(text: bytes) -> tuple[VerifyingKey, ...]:
    """Take a secret that we share with an issuer, for HS256. Raises `KeyRefused` when it is too weak."""
    key = SigningKey.from_secret(text)
    return (VerifyingKey(None, key.algorithm, key.public),)


def _from_pem(text: bytes) -> VerifyingKey:
    try:
        public = load_pem_public_key(text)
    except (ValueError, UnsupportedAlgorithm):
        raise KeyRefused("This is neither a PEM public key nor a JWK") from None
    algorithm = _algorithm_of(public)
    if algorithm is None:
        raise KeyRefused(f"The key is neither Ed25519 nor P-256 nor RSA of at least {MIN_RSA_BITS} bits")
    return VerifyingKey(None, algorithm, public)  # type: ignore[arg-type]  # `_algorithm_of` knows no other kind


def _usable(entry: object) -> VerifyingKey | None:
    """Read one JWK; None when it is not for verifying, not public, or of a kind we do not know."""
    if not isinstance(entry, Mapping) or _PRIVATE_MEMBERS & entry.keys() or entry.get("use", "sig") != "sig":
        return None
    kid, reader = entry.get("kid"), _READERS.get(str(entry.get("kty")))
    if reader is None or not (kid is None or (type(kid) is str and 1 <= len(kid) <= MAX_KID_LENGTH)):
        return None
    try:
        public = reader(dict(entry))
    except (PyJWTError, ValueError, TypeError, KeyError, UnsupportedAlgorithm):
        return None
    algorithm = _algorithm_of(public)
    if algorithm is None or entry.get("alg", algorithm.value) != algorithm:
        return None
    return VerifyingKey(kid, algorithm, public)  # type: ignore[arg-type]  # `_algorithm_of` knows no other kind


def _algorithm_of(public: object) -> Algorithm | None:
    match public:
        case Ed25519PublicKey():
            return Algorithm.EDDSA
        case EllipticCurvePublicKey(curve=SECP256R1()):
            return Algorithm.ES256
        case RSAPublicKey(key_size=bits) if MIN_RSA_BITS <= bits <= _MAX_RSA_BITS:
            return Algorithm.RS256
    return None


def _object(text: bytes) -> Mapping[str, Any]:
    if len(text) > MAX_SET_BYTES:
        raise ValueError("too large")
    parsed = json.loads(text.decode("utf-8"))
    if type(parsed) is not dict:
        raise ValueError("not an object")
    return parsed


def by_kid(keys: Sequence[VerifyingKey]) -> Mapping[tuple[str | None, str], VerifyingKey]:
    """Index keys by id and algorithm; of two that are alike in both the first counts."""
    return {(key.kid, key.algorithm.value): key for key in reversed(keys)}


def read_key_file(file: Path, *, shared: bool) -> tuple[VerifyingKey, ...]:
    """Read an issuer's public keys from a file, or with `shared` a secret. Raises `KeyRefused`, naming the file."""
    try:
        with file.open("rb") as opened:
            if shared and os.fstat(opened.fileno()).st_mode & 0o077:
                raise KeyRefused(f"others may read it; mend it with: chmod 600 {file}")
            text = opened.read(MAX_SET_BYTES + 1)
        return shared_secret(text.strip()) if shared else parse_key_file(text)
    except OSError as error:
        raise KeyRefused(f"{file}: {error.strerror}") from None
    except KeyRefused as refused:
        raise KeyRefused(f"{file}: {refused}") from None
