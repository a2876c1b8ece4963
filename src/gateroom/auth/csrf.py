"""Proof that a cookie-authenticated change was asked for by our own pages (OWASP CSRF cheat sheet, signed token)."""

import hashlib
import hmac
from base64 import urlsafe_b64encode

from gateroom.auth.keys import KeyRing
from gateroom.errors import InvalidCsrf


class Csrf:
    """CSRF tokens: an HMAC of the session id, so that nothing is stored and a token is of no use elsewhere."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    def token(self, session_id: str) -> str:
        """Return the token of a session: 43 base64url characters, the same until the signing key changes."""
        return _token(self._ring.derive("csrf")[0], session_id)

    def check(self, session_id: str, presented: str | None) -> None:
        """Raise `InvalidCsrf` unless `presented` is the session's token under any of our keys; in constant time."""
        given = (presented or "").encode("utf-8", "backslashreplace")
        matches = [
            hmac.compare_digest(_token(secret, session_id).encode(), given) for secret in self._ring.derive("csrf")
        ]
        if not any(matches):
            raise InvalidCsrf


def _token(secret: bytes, session_id: str) -> str:
    return urlsafe_b64encode(hmac.digest(secret, session_id.encode(), hashlib.sha256)).rstrip(b"=").decode()
