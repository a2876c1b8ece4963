"""Keys: which are taken, how they are told apart, and the ring of those in force."""

import json
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec_key
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from jwt import PyJWKSet

from gateroom.auth.keys import Algorithm, KeyRefused, KeyRing, SigningKey
from support.tokens import from_base64url

SECRET = "q8Zt0mX1vN5cR7yB3wK9uJ2hG6fD4sLp"


def pem_of(key: PrivateKeyTypes, encryption: KeySerializationEncryption | None = None) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())


def p256() -> SigningKey:
    return SigningKey.from_pem(pem_of(generate_ec_key(SECP256R1())))


def rsa() -> SigningKey:
    return SigningKey.from_pem(pem_of(generate_rsa_key(65537, 2048)))


# Which keys


def test_the_id_of_a_key_is_its_thumbprint() -> None:
    """RFC 8037 appendix A.1 and A.3."""
    private = Ed25519PrivateKey.from_private_bytes(from_base64url("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"))
    key = SigningKey.from_pem(pem_of(private))
    assert key.kid == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    assert key.jwk() == {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        "kid": key.kid,
        "alg": "EdDSA",
        "use": "sig",
    }


@pytest.mark.parametrize(
    ("make", "algorithm"),
    [
        (SigningKey.generate, Algorithm.EDDSA),
        (p256, Algorithm.ES256),
        (rsa, Algorithm.RS256),
        (lambda: SigningKey.from_secret(SECRET), Algorithm.HS256),
    ],
)
def test_each_kind_of_key_has_one_algorithm(make: Callable[[], SigningKey], algorithm: Algorithm) -> None:
    assert make().algorithm is algorithm


@pytest.mark.parametrize(
    ("pem", "reason"),
    [
        (b"", "not a PEM private key"),
        (b"not a key", "not a PEM private key"),
        (pem_of(Ed25519PrivateKey.generate())[:-40], "not a PEM private key"),
        (
            Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            "not a PEM private key",
        ),
        (pem_of(Ed25519PrivateKey.generate(), BestAvailableEncryption(b"pass")), "encrypted"),
        (pem_of(generate_rsa_key(65537, 1024)), "1024 bits"),  # noqa: S505 - weak on purpose
        (pem_of(generate_ec_key(SECP384R1())), "another kind"),
        (pem_of(Ed448PrivateKey.generate()), "another kind"),
    ],
    ids=["empty", "text", "cut off", "public", "encrypted", "short RSA", "P-384", "Ed448"],
)
def test_what_is_no_good_key_is_refused_with_a_reason(pem: bytes, reason: str) -> None:
    with pytest.raises(KeyRefused, match=reason):
        SigningKey.from_pem(pem)


def test_a_key_is_written_as_it_was_read() -> None:
    for key in (SigningKey.generate(), p256(), rsa()):
        assert SigningKey.from_pem(key.pem()).kid == key.kid


@pytest.mark.parametrize(
    "secret",
    [
        "secret",
        "changeme" * 8,
        pem_of(Ed25519PrivateKey.generate()),
        generate_ec_key(SECP256R1()).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(SigningKey.generate().jwk()),
        "\ud800" * 32,
    ],
    ids=["known", "repetitive", "PEM", "DER", "JWK", "surrogates"],
)
def test_a_bad_secret_is_refused_and_not_shown(secret: str | bytes) -> None:
    with pytest.raises(KeyRefused) as refused:
        SigningKey.from_secret(secret)
    shown = secret if isinstance(secret, str) else secret.decode("latin-1")
    assert shown not in str(refused.value).replace("The secret is refused", "")
    assert "openssl rand" in str(refused.value)


def test_nothing_secret_is_printed_with_a_key() -> None:
    for key in (SigningKey.generate(), SigningKey.from_secret(SECRET)):
        assert "private" not in repr(key)
        assert SECRET not in repr(key)
    with pytest.raises(KeyRefused):
        SigningKey.from_secret(SECRET).pem()


# The ring


@pytest.mark.parametrize("algorithm", [Algorithm.EDDSA, Algorithm.ES256, Algorithm.RS256])
def test_a_new_key_is_made_for_one_algorithm(algorithm: Algorithm) -> None:
    key = SigningKey.generate(algorithm)
    assert key.algorithm is SigningKey.from_pem(key.pem()).algorithm is algorithm


def test_a_shared_secret_is_not_made_up() -> None:
    with pytest.raises(KeyRefused, match=r"auth\.hmac_secret"):
        SigningKey.generate(Algorithm.HS256)


def test_a_ring_knows_its_own_keys_and_no_other() -> None:
    first, second = SigningKey.generate(), SigningKey.generate()
    ring = KeyRing(first, second)
    assert ring.by_kid(first.kid) is first
    assert ring.by_kid(second.kid) is second
    assert ring.by_kid(SigningKey.generate().kid) is None
    assert ring.current is first


def test_the_published_set_holds_public_keys_only() -> None:
    ring = KeyRing(SigningKey.generate(), p256(), rsa(), SigningKey.from_secret(SECRET))
    published = ring.jwks()
    assert [key["alg"] for key in published["keys"]] == ["EdDSA", "ES256", "RS256"]
    assert [key["kid"] for key in published["keys"]] == [key.kid for key in ring.keys[:3]]
    private_members = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
    assert not any(private_members & key.keys() for key in published["keys"])
    assert len(list(PyJWKSet.from_dict(published))) == 3


def test_a_ring_of_secrets_publishes_nothing() -> None:
    assert KeyRing(SigningKey.from_secret(SECRET)).jwks() == {"keys": []}


def test_derived_secrets_differ_by_purpose_and_by_key_and_stay_the_same() -> None:
    keys = [SigningKey.generate(), p256(), rsa(), SigningKey.from_secret(SECRET)]
    ring = KeyRing(*keys)
    derived = ring.derive("csrf") + ring.derive("tickets")
    assert len(set(derived)) == 8
    assert {len(secret) for secret in derived} == {32}
    read_again = KeyRing(*(SigningKey.from_pem(key.pem()) for key in keys[:3]), SigningKey.from_secret(SECRET))
    assert read_again.derive("csrf") == ring.derive("csrf") == derived[:4]


def test_a_rotation_changes_what_signs_what_verifies_and_what_is_derived() -> None:
    old, new = SigningKey.generate(), SigningKey.generate()
    ring = KeyRing(old)
    before = ring.derive("csrf")
    ring.replace(new, old)
    assert ring.current is new
    assert ring.derive("csrf")[1:] == before
    assert ring.generation == 1
    ring.replace(new)
    assert ring.by_kid(old.kid) is None
    assert len(ring.derive("csrf")) == 1


def test_what_was_derived_from_a_retired_key_still_counts_but_its_tokens_do_not() -> None:
    old, new = SigningKey.generate(), SigningKey.generate()
    before = KeyRing(old).derive("csrf")
    ring = KeyRing(new, retired=[old])
    assert ring.derive("csrf")[1:] == before
    assert ring.by_kid(old.kid) is None
    assert [key["kid"] for key in ring.jwks()["keys"]] == [new.kid]
