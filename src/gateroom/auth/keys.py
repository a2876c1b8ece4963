"""The keys that tokens are signed and verified with."""

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt.algorithms import ECAlgorithm, HMACAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.exceptions import InvalidKeyError

from gateroom.auth.hmac_secrets import weakness

PrivateKey = Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey | bytes
PublicKey = Ed25519PublicKey | EllipticCurvePublicKey | RSAPublicKey | bytes

MIN_RSA_BITS = 2048
# The members that make a public key, in the order in which its thumbprint is taken (RFC 7638 section 3.2).
_MEMBERS = {"OKP": ("crv", "kty", "x"), "EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n")}


class KeyRefused(ValueError):
    """A key or a secret must not be used; the message says why and how to mend it, and never shows it."""


class Algorithm(StrEnum):
    """How a key signs: each key has exactly one (RFC 8725 section 3.1)."""

    EDDSA = "EdDSA"
    ES256 = "ES256"
    RS256 = "RS256"
    HS256 = "HS256"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key, the one algorithm it is used with, and its id: the RFC 7638 thumbprint of its public half.

    A shared secret has no public half; its id is the thumbprint of a value derived from it, so that the id tells
    nothing about the secret (RFC 7638 section 7).
    """

    kid: str
    algorithm: Algorithm
    private: PrivateKey = field(repr=False, compare=False)  # the kid tells them apart
    public: PublicKey = field(repr=False, compare=False)

    @classmethod
    def generate(cls, algorithm: Algorithm = Algorithm.EDDSA) -> "SigningKey":
        """Make a new key: Ed25519, P-256, or RSA of 2048 bits. Raises `KeyRefused` for HS256."""
        match algorithm:
            case Algorithm.EDDSA:
                return cls._of(algorithm, Ed25519PrivateKey.generate())
            case Algorithm.ES256:
                return cls._of(algorithm, generate_ec_key(SECP256R1()))
            case Algorithm.RS256:
                return cls._of(algorithm, generate_rsa_key(65537, MIN_RSA_BITS))
        raise KeyRefused("A shared secret is not made here: `openssl rand -base64 48` makes one for auth.hmac_secret")

    @classmethod
    def from_pem(cls, pem: bytes) -> "SigningKey":
        """Take an unencrypted PEM private key: Ed25519, P-256, or RSA of at least 2048 bits. Raises `KeyRefused`."""
        try:
            private = load_pem_private_key(pem, password=None)
        except TypeError:
            raise KeyRefused(
                "The key is encrypted; store it without a passphrase, readable by its owner only"
            ) from None
        except (ValueError, UnsupportedAlgorithm):
            raise KeyRefused("This is not a PEM private key; `openssl genpkey -algorithm ed25519` makes one") from None
        match private:
            case Ed25519PrivateKey():
                return cls._of(Algorithm.EDDSA, private)
            case EllipticCurvePrivateKey(curve=SECP256R1()):
                return cls._of(Algorithm.ES256, private)
            case RSAPrivateKey(key_size=bits) if bits >= MIN_RSA_BITS:
                return cls._of(Algorithm.RS256, private)
            case RSAPrivateKey(key_size=bits):
                raise KeyRefused(f"The RSA key has {bits} bits and needs at least {MIN_RSA_BITS}")
        raise KeyRefused("The key is of another kind than Ed25519, P-256 or RSA")

    @classmethod
    def from_secret(cls, secret: str | bytes) -> "SigningKey":
        """Take a shared secret for HS256, at least 32 bytes that nobody can guess. Raises `KeyRefused`."""
        raw = secret.encode("utf-8", "surrogatepass") if isinstance(secret, str) else secret
        problem = weakness(raw)
        if problem is None:
            try:
                HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(raw)
            except InvalidKeyError:
                problem = "it is a public key or a certificate, which others know, and not a secret"
        if problem is not None:
            raise KeyRefused(f"The secret is refused: {problem}; `openssl rand -base64 48` makes a good one")
        stand_in = {"k": _base64url(_hkdf(raw, "kid")), "kty": "oct"}
        return cls(_thumbprint(stand_in), Algorithm.HS256, raw, raw)

    @classmethod
    def _of(
        cls, algorithm: Algorithm, private: Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey
    ) -> "SigningKey":
        public = private.public_key()
        return cls(_thumbprint(_public_members(public)), algorithm, private, public)

    def jwk(self) -> dict[str, str] | None:
        """Return the public half as an RFC 7517 key; None for a shared secret, which has none."""
        if isinstance(self.public, bytes):
            return None
        return _public_members(self.public) | {"kid": self.kid, "alg": self.algorithm.value, "use": "sig"}

    def pem(self) -> bytes:
        """Return the private key as unencrypted PKCS #8. Raises `KeyRefused` for a shared secret."""
        if isinstance(self.private, bytes):
            raise KeyRefused("A shared secret is not kept as PEM")
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def derive(self, purpose: str) -> bytes:
        """Return 32 bytes for `purpose` that tell nothing about the key or about other purposes (RFC 5869)."""
        match self.private:
            case Ed25519PrivateKey():
                raw = self.private.private_bytes_raw()
            case EllipticCurvePrivateKey():
                raw = self.private.private_numbers().private_value.to_bytes(32, "big")
            case RSAPrivateKey():
                raw = self.private.private_numbers().d.to_bytes(self.private.key_size // 8 + 1, "big")
            case bytes():
                raw = self.private
        return _hkdf(raw, purpose)


@dataclass(frozen=True, slots=True)
class Keys:
    """The key that signs, the others whose tokens are believed, and those of which only derived secrets still count."""

    current: SigningKey
    others: tuple[SigningKey, ...] = ()
    retired: tuple[SigningKey, ...] = ()


class KeyRing:
    """The keys in force; one ring serves the whole process.

    A `kid` selects among these keys and nothing else (RFC 8725 section 3.10). `generation` rises with each rotation.
    """

    def __init__(self, current: SigningKey, *others: SigningKey, retired: Sequence[SigningKey] = ()) -> None:
        self.generation = 0
        self._set(Keys(current, others, tuple(retired)))

    def _set(self, keys: Keys) -> None:
        self.current = keys.current
        self._by_kid = {key.kid: key for key in (keys.current, *keys.others)}
        self._retired = keys.retired
        self._derived: dict[str, list[bytes]] = {}

    def replace(self, current: SigningKey, *others: SigningKey, retired: Sequence[SigningKey] = ()) -> None:
        """Rotate: sign with `current` from now on, believe it and `others` and no more."""
        self._set(Keys(current, others, tuple(retired)))
        self.generation += 1

    def by_kid(self, kid: str) -> SigningKey | None:
        """Return the key of that id, if it is one of ours."""
        return self._by_kid.get(kid)

    @property
    def keys(self) -> tuple[SigningKey, ...]:
        """Every key, the one that signs first."""
        return tuple(self._by_kid.values())

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """Return the public keys as an RFC 7517 set: nothing private, nothing symmetric."""
        return {"keys": [jwk for key in self.keys if (jwk := key.jwk()) is not None]}

    def derive(self, purpose: str) -> list[bytes]:
        """Return a secret of 32 bytes for `purpose` from each key, the one that signs first.

        Retired keys count too: what was derived from them is held by sessions that outlive their tokens by far.
        """
        secrets = self._derived.get(purpose)
        if secrets is None:
            every = (*self.keys, *self._retired)
            secrets = self._derived[purpose] = [key.derive(purpose) for key in every]
        return secrets


def _public_members(key: Ed25519PublicKey | EllipticCurvePublicKey | RSAPublicKey) -> dict[str, str]:
    jwk: dict[str, Any]
    match key:
        case Ed25519PublicKey():
            jwk = OKPAlgorithm.to_jwk(key, as_dict=True)
        case EllipticCurvePublicKey():
            jwk = ECAlgorithm.to_jwk(key, as_dict=True)
        case RSAPublicKey():
            jwk = RSAAlgorithm.to_jwk(key, as_dict=True)
    return {name: jwk[name] for name in _MEMBERS[jwk["kty"]]}


def _thumbprint(members: dict[str, str]) -> str:
    return _base64url(hashlib.sha256(json.dumps(members, separators=(",", ":"), sort_keys=True).encode()).digest())


def _hkdf(secret: bytes, purpose: str) -> bytes:
    return HKDF(SHA256(), length=32, salt=None, info=f"gateroom {purpose}".encode()).derive(secret)


def _base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
