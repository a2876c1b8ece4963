"""Forged access tokens."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

from jwt.algorithms import get_default_algorithms

from gateroom.auth.keys import SigningKey


def forge(
    key: SigningKey, claims: Mapping[str, object] | bytes, header: Mapping[str, object] | bytes | None = None
) -> str:
    """Sign whatever is given with `key`, properly; bytes stand for JSON text that no encoder would write."""
    return seal(key, as_json(proper_header(key) if header is None else header), as_json(claims))


def proper_header(key: SigningKey, **changes: object) -> dict[str, object]:
    """Return the header of a good token by `key`, with `changes`."""
    return {"typ": "at+jwt", "alg": key.algorithm.value, "kid": key.kid, **changes}


def claims_of(token: str) -> dict[str, Any]:
    """Return the claims in `token` without believing them."""
    claims: dict[str, Any] = json.loads(from_base64url(token.split(".")[1]))
    return claims


def seal(key: SigningKey, header: bytes, payload: bytes) -> str:
    """Return the compact form of the two, signed with `key` and its own algorithm, whatever the header says."""
    signed = f"{to_base64url(header)}.{to_base64url(payload)}"
    signature = get_default_algorithms()[key.algorithm].sign(signed.encode(), key.private)
    return f"{signed}.{to_base64url(signature)}"


def seal_with_hmac(secret: bytes, header: Mapping[str, object], claims: Mapping[str, object]) -> str:
    """Return the compact form of the two with an HMAC of any secret, a public key for instance."""
    signed = f"{to_base64url(as_json(header))}.{to_base64url(as_json(claims))}"
    digest = {"HS256": hashlib.sha256, "HS512": hashlib.sha512}[str(header["alg"])]
    return f"{signed}.{to_base64url(hmac.digest(secret, signed.encode(), digest))}"


def to_base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def as_json(value: Mapping[str, object] | bytes) -> bytes:
    """Return JSON text without spaces; bytes are taken to be text already."""
    return value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()
