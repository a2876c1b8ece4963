"""New ids that nobody can guess."""

import secrets
from base64 import b32encode


def new_id() -> str:
    """Return 128 random bits as 26 characters of a-z and 2-7: for users, sessions and tokens alike.

    In lower case (RFC 4648 section 6, otherwise), so that a user's id can stand in a room's.
    """
    return b32encode(secrets.token_bytes(16)).decode().rstrip("=").lower()
