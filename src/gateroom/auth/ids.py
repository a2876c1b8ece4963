"""New ids that nobody can guess."""

import secrets


def new_id() -> str:
    """Return 128 random bits as 22 base64url characters: for users, sessions and tokens alike."""
    return secrets.token_urlsafe(16)
