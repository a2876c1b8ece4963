"""Refresh tokens: opaque, told apart at sight from every other kind, and kept only as digests (RFC 9700 4.14)."""

import hashlib
import re
import secrets

from gateroom.auth.ports import Link
from gateroom.errors import InvalidToken

PREFIX = "grr_"
_FAMILY_BYTES, _OWN_BYTES = 16, 32
_FAMILY_LENGTH = 22  # characters of base64url
_FORM = re.compile(r"grr_[A-Za-z0-9_-]{65}")


def new_token() -> str:
    """Make the first refresh token of a session: 128 random bits that the chain shares, and 256 of its own."""
    return PREFIX + secrets.token_urlsafe(_FAMILY_BYTES) + secrets.token_urlsafe(_OWN_BYTES)


def next_token(token: str) -> str:
    """Make the token that follows `token` in its chain."""
    return token[: len(PREFIX) + _FAMILY_LENGTH] + secrets.token_urlsafe(_OWN_BYTES)


def link_of(token: str) -> Link:
    """Return what is kept of a token. Raises `InvalidToken` for what is no refresh token."""
    if not _FORM.fullmatch(token):
        raise InvalidToken
    body = token.removeprefix(PREFIX)
    return Link(_digest(body[:_FAMILY_LENGTH]), _digest(body[_FAMILY_LENGTH:]))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("ascii")).digest()
