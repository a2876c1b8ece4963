"""The compact form of a token, read strictly (RFC 7515 section 3.1)."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any


def decode(segment: str) -> bytes:
    """Undo base64url in its only canonical form, so that one token has one spelling. Raises `ValueError`."""
    # The decoder skips what is not of the alphabet and ignores surplus bits: only the way back tells.
    raw = urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    if urlsafe_b64encode(raw).rstrip(b"=") != segment.encode():
        raise ValueError("not canonical base64url")
    return raw


def strict_object(text: bytes) -> dict[str, object]:
    """Parse a JSON object without duplicate names (RFC 7519 section 4). Raises `ValueError` or `RecursionError`."""
    parsed = _OBJECTS.decode(text.decode("utf-8"))
    if type(parsed) is not dict:
        raise ValueError("not an object")
    return parsed


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice")
    return found


_OBJECTS = json.JSONDecoder(object_pairs_hook=_distinct)
