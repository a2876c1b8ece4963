"""What makes a shared HMAC secret too weak to sign tokens with (RFC 8725 section 3.5, RFC 7518 section 3.2)."""

import re
from itertools import pairwise

MIN_SECRET_BYTES = 32

# Secrets printed in tutorials and documentation that are long enough to pass for real ones.
_PUBLISHED = frozenset(
    {
        "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
        "a-string-secret-at-least-256-bits-long",
        "a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
        "thisisasecretkeythatshouldbechangedinproduction",
    }
)
# What placeholders are made of; a secret that is hardly more than these was never drawn at random.
_PLACEHOLDER = re.compile(
    r"please|change|replace|secret|password|passwd|default|example|insecure|development|production|testing|test|signing|"
    r"super|random|string|token|your|this|that|with|must|need|safe|some|long|very|here|local|value|least|"
    r"jwt|key|dev|prod|hmac|hs256|sha256|256|512|bits?|bytes?|char(?:acter)?s?|for|the|and|not|you|use|"
    r"is|in|at|me|my|it|to|be|an|or|of|do|a|[\s._-]+"
)
_MIN_REST = 16  # characters that are not placeholder words
_MIN_VARIETY = 8  # different bytes, and different steps from one byte to the next


def weakness(secret: bytes) -> str | None:
    """Say in words, which never contain the secret, why it must not be used; None when it may."""
    if len(secret) < MIN_SECRET_BYTES:
        return f"it has {len(secret)} bytes and needs at least {MIN_SECRET_BYTES}"
    if _looks_like_a_key(secret):
        return "it is a PEM, SSH or JWK key, which others may know, and not a secret"
    if _is_repetitive(secret):
        return "it is repetitive or a sequence"
    if not secret.isascii():
        return None
    text = secret.decode("ascii").strip().lower()
    if text in _PUBLISHED:
        return "it is a published example"
    if len(_PLACEHOLDER.sub("", text)) < _MIN_REST:
        return "it is a placeholder made of ordinary words"
    return None


def _looks_like_a_key(secret: bytes) -> bool:
    text = secret.strip()
    return (
        b"-----BEGIN" in text
        or b"---- BEGIN" in text
        or text.startswith((b"ssh-", b"ecdsa-sha2-"))
        or (text.startswith(b"{") and b'"kty"' in text)
    )


def _is_repetitive(secret: bytes) -> bool:
    steps = {(after - before) % 256 for before, after in pairwise(secret)}
    if len(set(secret)) < _MIN_VARIETY or len(steps) < _MIN_VARIETY:
        return True
    return any(secret[period:] == secret[:-period] for period in range(1, len(secret) // 2 + 1))
