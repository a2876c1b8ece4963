"""The keys of outside issuers: which are taken, and how often their owner is asked (TV-5)."""

import asyncio
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec_key
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm, get_default_algorithms

from gateroom.auth.key_sets import PATIENCE, KeySet, KeySetUnreachable
from gateroom.auth.keys import Algorithm, KeyRefused, SigningKey
from gateroom.auth.public_keys import MAX_SET_BYTES, parse_key_file, parse_key_set, read_key_file
from gateroom.errors import Unavailable
from support.clock import FrozenClock

SECRET = "q8Zt0mX1vN5cR7yB3wK9uJ2hG6fD4sLp"


def jwk(kid: str | None = "k", algorithm: Algorithm = Algorithm.ES256, **changes: object) -> dict[str, object]:
    made = {**(SigningKey.generate(algorithm).jwk() or {}), "kid": kid, **changes}
    return {name: value for name, value in made.items() if value is not None}


def a_set(*keys: object) -> bytes:
    return json.dumps({"keys": keys}).encode()


class Source:
    """What an issuer would answer, and how often it was asked."""

    def __init__(self, *keys: object) -> None:
        self.answer: bytes | None = a_set(*keys)
        self.asked = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.was_asked = asyncio.Event()

    async def __call__(self) -> bytes:
        self.asked += 1
        self.was_asked.set()
        await self.may_answer.wait()
        if self.answer is None:
            raise KeySetUnreachable("it answered 500")
        return self.answer


# Which keys


@pytest.mark.parametrize("algorithm", [Algorithm.EDDSA, Algorithm.ES256, Algorithm.RS256])
def test_a_published_key_verifies_what_its_owner_signed(algorithm: Algorithm) -> None:
    owner, other = SigningKey.generate(algorithm), SigningKey.generate(algorithm)
    (key,) = parse_key_set(a_set(owner.jwk()))
    assert (key.kid, key.algorithm) == (owner.kid, algorithm)
    sign = get_default_algorithms()[algorithm].sign
    assert key.verifies(sign(b"text", owner.private), b"text")
    for bad in (b"", b"x" * 64, sign(b"text", other.private), sign(b"other", owner.private)):
        assert not key.verifies(bad, b"text")


def test_a_key_without_an_algorithm_has_that_of_its_kind() -> None:
    (key,) = parse_key_set(a_set(jwk(algorithm=Algorithm.RS256, alg=None, use=None)))
    assert key.algorithm is Algorithm.RS256


def test_keys_that_are_not_for_us_are_passed_over() -> None:
    small = json.loads(RSAAlgorithm.to_jwk(generate_rsa_key(65537, 1024).public_key()))  # noqa: S505 - weak on purpose
    unusable: list[object] = [
        jwk(use="enc"),
        jwk(alg="ES384"),
        jwk(alg="HS256"),
        jwk(alg=["ES256"]),
        jwk(crv="P-384"),
        jwk(x="AAAA"),
        jwk(kty="oct", k="c2VjcmV0"),
        jwk(d="AAAA"),
        jwk(kid=""),
        jwk(kid="x" * 256),
        jwk(kty="X"),
        jwk(**{"kid": 1}),  # type: ignore[arg-type]  # as an issuer might write it
        {**small, "kid": "small"},
        {"kty": "EC"},
        None,
        "key",
        [],
    ]
    assert [key.kid for key in parse_key_set(a_set(*unusable, jwk("good")))] == ["good"]
    with pytest.raises(KeyRefused, match="no key"):
        parse_key_set(a_set(*unusable))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"keys": {}}',
        b'{"keys": []}',
        b"\xff",
        b"[" * 60_000,
        b"<html>",
        a_set(*[jwk()] * 65),
        a_set(jwk()) + b" " * MAX_SET_BYTES,
    ],
    ids=range(11),
)
def test_what_is_no_set_is_refused(text: bytes) -> None:
    with pytest.raises(KeyRefused):
        parse_key_set(text)


def test_a_file_holds_one_key_or_a_set(tmp_path: Path) -> None:
    owner = SigningKey.generate(Algorithm.ES256)
    assert not isinstance(owner.public, bytes)
    pem = owner.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for text, kid in ((pem, None), (json.dumps(owner.jwk()).encode(), owner.kid), (a_set(owner.jwk()), owner.kid)):
        (tmp_path / "key").write_bytes(text)
        (key,) = read_key_file(tmp_path / "key", shared=False)
        assert (key.kid, key.algorithm) == (kid, Algorithm.ES256)


def test_what_is_no_public_key_is_refused(tmp_path: Path) -> None:
    p384 = generate_ec_key(SECP384R1()).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for text in (b"", SECRET.encode(), SigningKey.generate().pem(), p384, b"{", json.dumps(jwk(use="enc")).encode()):
        with pytest.raises(KeyRefused):
            parse_key_file(text)
    with pytest.raises(KeyRefused, match="none"):
        read_key_file(tmp_path / "none", shared=False)


def test_a_shared_secret_is_strong_and_nobody_elses(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET + "\n")
    file.chmod(0o640)
    with pytest.raises(KeyRefused, match="chmod 600"):
        read_key_file(file, shared=True)
    file.chmod(0o600)
    assert [key.algorithm for key in read_key_file(file, shared=True)] == [Algorithm.HS256]
    file.write_text("changeme")
    with pytest.raises(KeyRefused, match="8 bytes") as refused:
        read_key_file(file, shared=True)
    assert "changeme" not in str(refused.value)


# How often the issuer is asked


async def test_a_known_key_costs_no_question() -> None:
    source = Source(jwk("a"), jwk("b"))
    keys = KeySet("i", source, FrozenClock())
    for _ in range(10):
        assert await keys.find("a", "ES256") is not None
        assert await keys.find("b", "ES256") is not None
    assert source.asked == 1


async def test_a_hundred_unknown_keys_cost_one_question_in_half_a_minute() -> None:
    source, clock = Source(jwk("a"), jwk("b")), FrozenClock()
    keys = KeySet("i", source, clock)
    await keys.refresh()
    for number in range(100):
        assert await keys.find(f"unknown-{number}", "ES256") is None
    assert source.asked == 2
    clock.advance(PATIENCE - 0.1)
    assert await keys.find("unknown", "ES256") is None
    assert source.asked == 2
    clock.advance(0.1)
    source.answer = a_set(jwk("unknown"))
    assert await keys.find("unknown", "ES256") is not None
    assert source.asked == 3


async def test_all_who_wait_share_one_question() -> None:
    source = Source(jwk("a"))
    source.may_answer.clear()
    keys = KeySet("i", source, FrozenClock())
    waiting = [asyncio.create_task(keys.find("a", "ES256")) for _ in range(50)]
    await asyncio.sleep(0)
    waiting[0].cancel()  # one who goes away takes nobody with it
    source.may_answer.set()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert source.asked == 1
    assert isinstance(found[0], asyncio.CancelledError)
    assert all(key is not None and not isinstance(key, BaseException) for key in found[1:])


async def test_a_key_is_of_one_algorithm() -> None:
    keys = KeySet("i", Source(jwk("a"), jwk("b")), FrozenClock())
    assert await keys.find("a", "ES256") is not None
    for algorithm in ("RS256", "EdDSA", "HS256", "none"):
        assert await keys.find("a", algorithm) is None


async def test_where_there_is_one_key_without_a_name_it_needs_none() -> None:
    named, unnamed = KeySet("i", Source(jwk("a")), FrozenClock()), KeySet("i", Source(jwk(None)), FrozenClock())
    assert await named.find(None, "ES256") is not None
    assert await named.find("b", "ES256") is None
    assert await unnamed.find("whatever", "ES256") is not None
    several = KeySet("i", Source(jwk("a"), jwk(None)), FrozenClock())
    assert await several.find(None, "ES256") is None


@pytest.mark.parametrize("answer", [None, b"", b"<html>", a_set(), a_set(jwk(use="enc"))], ids=range(5))
async def test_old_keys_outlive_an_outage_and_nonsense(answer: bytes | None) -> None:
    source, clock = Source(jwk("a")), FrozenClock()
    keys = KeySet("i", source, clock)
    before = await keys.find("a", "ES256")
    source.answer = answer
    await keys.refresh()
    assert await keys.find("b", "ES256") is None
    assert await keys.find("a", "ES256") is before is not None
    assert keys.generation == 1


async def test_a_key_that_its_owner_withdrew_is_gone() -> None:
    source = Source(jwk("a"), jwk("b"))
    keys = KeySet("i", source, FrozenClock())
    assert await keys.find("a", "ES256") is not None
    source.answer = a_set(jwk("b"), jwk("c"))
    await keys.refresh()
    assert keys.known("a", "ES256") is None
    assert keys.generation == 2


async def test_without_any_keys_nobody_is_told_that_a_token_is_bad() -> None:
    source, clock = Source(), FrozenClock()
    source.answer = None
    keys = KeySet("i", source, clock)
    for _ in range(10):
        with pytest.raises(Unavailable):
            await keys.find("a", "ES256")
    assert source.asked == 1
    source.answer = a_set(jwk("a"))
    clock.advance(PATIENCE)
    assert await keys.find("a", "ES256") is not None


async def test_fixed_keys_ask_nobody() -> None:
    keys = KeySet("i", parse_key_set(a_set(jwk("a"))), FrozenClock())
    async with keys.kept_fresh():
        assert await keys.find("a", "ES256") is not None
        assert await keys.find("b", "ES256") is None


async def test_a_set_is_fetched_from_the_start_and_let_go_in_the_end() -> None:
    source = Source(jwk("a"))
    keys = KeySet("i", source, FrozenClock())
    async with keys.kept_fresh():
        await source.was_asked.wait()
        assert await keys.find("a", "ES256") is not None
    source.may_answer.clear()
    source.was_asked.clear()
    hanging = KeySet("i", source, FrozenClock())
    async with asyncio.timeout(5), hanging.kept_fresh():
        await source.was_asked.wait()
