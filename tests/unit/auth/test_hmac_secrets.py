"""Which shared secrets are refused, and what the refusal shows of them."""

import secrets

import pytest

from gateroom.auth.hmac_secrets import weakness

WEAK = {
    "empty": b"",
    "secret": b"secret",
    "changeme": b"changeme",
    "the old jwt.io example": b"your-256-bit-secret",
    "the new jwt.io example": b"a-string-secret-at-least-256-bits-long",
    "the FastAPI tutorial's": b"09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    "31 bytes": secrets.token_bytes(31),
    "one character": b"a" * 64,
    "zero bytes": bytes(32),
    "two characters": b"ab" * 32,
    "a word again and again": b"changeme" * 8,
    "a random block twice": secrets.token_bytes(16) * 2,
    "a block two and a half times": (b"Zk3vQ9tXw2LmB7cR" * 3)[:40],
    "the alphabet": b"abcdefghijklmnopqrstuvwxyz012345",
    "digits": b"01234567890123456789012345678901",
    "counting bytes": bytes(range(64)),
    "ordinary words": b"my-super-secret-key-for-jwt-signing-please-change",
    "words in capitals": b"CHANGE_THIS_SECRET_KEY_IN_PRODUCTION",
    "a sentence": b"this is a very long secret string for testing the token",
    "an SSH key": b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl",
    "a PEM key": b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n",
    "a JWK": b'{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}',
}


@pytest.mark.parametrize("secret", WEAK.values(), ids=list(WEAK))
def test_a_weak_secret_is_refused_without_showing_it(secret: bytes) -> None:
    reason = weakness(secret)
    assert reason is not None
    assert len(secret) < 7 or secret.decode("latin-1") not in reason


@pytest.mark.parametrize("size", [32, 33, 48, 64])
def test_random_secrets_are_accepted_however_they_are_written(size: int) -> None:
    for _ in range(100):
        assert weakness(secrets.token_bytes(size)) is None
        assert weakness(secrets.token_hex(size // 2).encode()) is None
        assert weakness(secrets.token_urlsafe(size).encode()) is None
