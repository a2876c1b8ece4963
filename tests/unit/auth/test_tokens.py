"""What makes an access token believed, and what does not."""

import json
from dataclasses import replace
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from gateroom.auth.claims import Claims
from gateroom.auth.keys import Algorithm, KeyRing, SigningKey
from gateroom.auth.ports import User
from gateroom.auth.tokens import AccessTokens
from gateroom.errors import InvalidToken, LimitReached, TokenExpired
from support.attacks import attacks
from support.clock import FrozenClock
from support.tokens import claims_of, forge, from_base64url, to_base64url

ADA = User(
    id="u-ada",
    username="ada",
    roles=frozenset({"staff"}),
    scopes=frozenset({"users:send", "rooms:create"}),
    created_at=1.0,
)


@cache
def key_of(algorithm: Algorithm) -> SigningKey:
    match algorithm:
        case Algorithm.EDDSA:
            return SigningKey.generate()
        case Algorithm.ES256:
            private = generate_private_key(SECP256R1())
            return SigningKey.from_pem(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        case Algorithm.RS256:
            rsa = generate_rsa_key(65537, 2048)
            return SigningKey.from_pem(rsa.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        case Algorithm.HS256:
            return SigningKey.from_secret("q8Zt0mX1vN5cR7yB3wK9uJ2hG6fD4sLp")


def tokens_of(ring: KeyRing, clock: FrozenClock, *, ttl: int = 900, remembered: int = 20_000) -> AccessTokens:
    return AccessTokens(ring, "https://gateroom.example", "gateroom", ttl, clock, remembered=remembered)


class CountingRing(KeyRing):
    """A ring that counts how often a key was asked for, which is once per signature that is checked."""

    def __init__(self, current: SigningKey) -> None:
        super().__init__(current)
        self.asked = 0

    def by_kid(self, kid: str) -> SigningKey | None:
        self.asked += 1
        return super().by_kid(kid)


CLOCK = FrozenClock()
RING = KeyRing(key_of(Algorithm.EDDSA))
TOKENS = tokens_of(RING, CLOCK)
GOOD = TOKENS.issue(ADA, "s-1", ADA.scopes, "gateroom").token


# Issuing


def test_a_token_carries_exactly_the_promised_header_and_claims() -> None:
    issued = TOKENS.issue(ADA, "s-1", frozenset({"users:send"}), "gateroom")
    assert json.loads(from_base64url(issued.token.split(".")[0])) == {
        "typ": "at+jwt",
        "alg": "EdDSA",
        "kid": RING.current.kid,
    }
    assert claims_of(issued.token) == {
        "iss": "https://gateroom.example",
        "sub": "u-ada",
        "aud": "gateroom",
        "exp": 1_800_000_900,
        "iat": 1_800_000_000,
        "jti": issued.claims.jti,
        "sid": "s-1",
        "client_id": "gateroom",
        "scope": "users:send",
        "roles": ["staff"],
    }


def test_every_token_has_an_id_of_its_own() -> None:
    ids = {TOKENS.issue(ADA, "s-1", (), "gateroom").claims.jti for _ in range(100)}
    assert len(ids) == 100
    assert {len(jti) for jti in ids} == {26}


def test_a_token_says_nothing_when_it_is_printed() -> None:
    issued = TOKENS.issue(ADA, "s-1", ADA.scopes, "gateroom")
    assert issued.token not in repr(issued)


@pytest.mark.parametrize("ttl", [0, -1, 3601, 86400])
def test_a_token_may_not_live_longer_than_an_hour(ttl: int) -> None:
    with pytest.raises(ValueError, match="3600"):
        tokens_of(RING, CLOCK, ttl=ttl)


def test_a_token_that_would_be_too_long_is_not_issued() -> None:
    many = frozenset(f"{number:064}" for number in range(64))
    with pytest.raises(LimitReached):
        TOKENS.issue(replace(ADA, roles=many), "s-1", ADA.scopes, "gateroom")
    with pytest.raises(LimitReached):
        TOKENS.issue(ADA, "s-1", many, "gateroom")


@pytest.mark.parametrize(
    ("user", "session", "scopes", "client"),
    [
        (ADA, "", ADA.scopes, "gateroom"),
        (ADA, "s-1", ADA.scopes, "x" * 256),
        (ADA, "s-1", ADA.scopes, "a\nb"),
        (ADA, "s-1", {"users:send users:admin"}, "gateroom"),
        (ADA, "s-1", {""}, "gateroom"),
        (replace(ADA, id=""), "s-1", ADA.scopes, "gateroom"),
        (replace(ADA, roles=frozenset({"x" * 65})), "s-1", ADA.scopes, "gateroom"),
    ],
)
def test_a_token_that_nobody_would_believe_is_not_issued(
    user: User, session: str, scopes: frozenset[str], client: str
) -> None:
    with pytest.raises(ValueError, match="token"):
        TOKENS.issue(user, session, scopes, client)


def test_a_token_issued_in_the_second_that_killed_the_older_ones_is_not_dead_itself() -> None:
    clock = FrozenClock(1_800_000_000.2)
    tokens = tokens_of(RING, clock)
    older = tokens.issue(ADA, "s-1", (), "gateroom").claims
    changed = replace(ADA, valid_from=1_800_000_000.5)
    clock.advance(0.5)
    newer = tokens.issue(changed, "s-2", (), "gateroom")
    assert older.iat < changed.valid_from <= newer.claims.iat
    assert tokens.verify(newer.token) == newer.claims


# Believing


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_an_issued_token_is_believed(algorithm: Algorithm) -> None:
    tokens = tokens_of(KeyRing(key_of(algorithm)), CLOCK)
    issued = tokens.issue(ADA, "s-1", ADA.scopes, "gateroom")
    assert tokens.verify(issued.token) == issued.claims
    assert tokens.verify(issued.token) == issued.claims


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_every_attack_is_refused_with_its_code(algorithm: Algorithm) -> None:
    ring = KeyRing(key_of(algorithm))
    tokens = tokens_of(ring, CLOCK)
    believed = []
    tried = attacks(ring, tokens.issue(ADA, "s-1", ADA.scopes, "gateroom").token)
    for attack in tried:
        try:
            tokens.verify(attack.token)
        except (InvalidToken, TokenExpired) as refusal:
            if refusal.code == attack.code:
                continue
        believed.append(attack.name)
    assert believed == []
    assert len(tried) > 250


def test_a_forged_token_without_a_fault_is_believed() -> None:
    claims = claims_of(GOOD)
    assert TOKENS.verify(forge(RING.current, claims)).payload() == claims
    longest = claims | {"exp": claims["iat"] + 3600, "scope": "", "roles": [], "client_id": "x" * 255}
    assert TOKENS.verify(forge(RING.current, longest)).payload() == longest


def test_the_attacks_have_names_of_their_own_and_most_can_be_sent() -> None:
    tried = attacks(RING, GOOD)
    assert len({attack.name for attack in tried}) == len(tried)
    assert sum(attack.sendable for attack in tried) > 0.9 * len(tried)


def test_an_attack_stays_refused_when_it_is_repeated() -> None:
    forged = f"{GOOD[:-8]}{'A' * 8}"
    for _ in range(3):
        with pytest.raises(InvalidToken):
            TOKENS.verify(forged)


def test_every_single_changed_character_is_noticed() -> None:
    for index, character in enumerate(GOOD):
        changed = GOOD[:index] + ("A" if character != "A" else "B") + GOOD[index + 1 :]
        with pytest.raises(InvalidToken):
            TOKENS.verify(changed)


def test_a_public_key_is_no_secret_even_for_a_ring_of_several_algorithms() -> None:
    ring = KeyRing(*(key_of(algorithm) for algorithm in Algorithm))
    tokens = tokens_of(ring, CLOCK)
    for kid in (key.kid for key in ring.keys):
        for other in ring.keys:
            if kid != other.kid:
                header = {"typ": "at+jwt", "alg": other.algorithm.value, "kid": kid}
                with pytest.raises(InvalidToken):
                    tokens.verify(forge(other, claims_of(GOOD), header))


# Times


@pytest.mark.parametrize("remembered", [False, True])
def test_a_token_is_believed_until_its_end_and_the_leeway(remembered: bool) -> None:
    clock = FrozenClock()
    tokens = tokens_of(RING, clock)
    token = tokens.issue(ADA, "s-1", (), "gateroom").token
    if remembered:
        tokens.verify(token)
    clock.advance(904.99)
    assert tokens.verify(token).sub == "u-ada"
    clock.advance(0.01)
    for _ in range(2):
        with pytest.raises(TokenExpired):
            tokens.verify(token)


def test_a_token_from_a_clock_that_is_ahead_is_believed_within_the_leeway() -> None:
    claims = claims_of(GOOD)
    assert TOKENS.verify(forge(RING.current, claims | {"iat": claims["iat"] + 5})).iat == claims["iat"] + 5
    with pytest.raises(InvalidToken):
        TOKENS.verify(forge(RING.current, claims | {"iat": claims["iat"] + 6}))


# Keys that change


def test_an_old_key_verifies_until_it_is_removed_and_a_new_one_signs() -> None:
    old, new = SigningKey.generate(), SigningKey.generate()
    ring = KeyRing(old)
    tokens = tokens_of(ring, CLOCK)
    before = tokens.issue(ADA, "s-1", (), "gateroom").token
    tokens.verify(before)

    ring.replace(new, old)
    after = tokens.issue(ADA, "s-1", (), "gateroom").token
    assert tokens.verify(before).sid == tokens.verify(after).sid == "s-1"

    ring.replace(new)
    with pytest.raises(InvalidToken):
        tokens.verify(before)
    assert tokens.verify(after).sid == "s-1"


# Remembering


def test_a_signature_is_checked_once() -> None:
    ring = CountingRing(SigningKey.generate())
    tokens = tokens_of(ring, CLOCK)
    token = tokens_of(ring, CLOCK).issue(ADA, "s-1", (), "gateroom").token
    for _ in range(10):
        tokens.verify(token)
    assert ring.asked == 1


def test_who_signed_a_token_need_not_check_it() -> None:
    ring = CountingRing(SigningKey.generate())
    tokens = tokens_of(ring, CLOCK)
    issued = tokens.issue(ADA, "s-1", (), "gateroom")
    assert tokens.verify(issued.token) == issued.claims
    assert ring.asked == 0
    ring.replace(SigningKey.generate())
    with pytest.raises(InvalidToken):
        tokens.verify(issued.token)


def test_the_token_used_longest_ago_is_forgotten_when_there_are_too_many() -> None:
    ring = CountingRing(SigningKey.generate())
    tokens = tokens_of(ring, CLOCK, remembered=2)
    elsewhere = tokens_of(ring, CLOCK)
    first, second, third = (elsewhere.issue(ADA, f"s-{number}", (), "gateroom").token for number in range(3))
    for token in (first, second, first, third):
        tokens.verify(token)
    assert ring.asked == 3
    tokens.verify(first)
    assert ring.asked == 3
    tokens.verify(second)
    assert ring.asked == 4


def test_a_refused_token_is_not_remembered() -> None:
    ring = CountingRing(SigningKey.generate())
    tokens = tokens_of(ring, CLOCK)
    token = forge(ring.current, claims_of(GOOD) | {"aud": "another"})
    for _ in range(3):
        with pytest.raises(InvalidToken):
            tokens.verify(token)
    assert ring.asked == 3


# Anything at all


def refuses(token: str) -> bool:
    try:
        TOKENS.verify(token)
    except (InvalidToken, TokenExpired):
        return True
    return False


@settings(deadline=None)
@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")) | st.text("Ae-_.=+/ \ud800é", max_size=5000))
def test_no_text_is_believed_or_breaks_anything(text: str) -> None:
    assert refuses(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=10), inner, max_size=5),
    max_leaves=10,
)


@settings(deadline=None)
@given(st.tuples(*[st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode())] * 3))
def test_no_three_segments_are_believed_or_break_anything(segments: tuple[bytes, ...]) -> None:
    assert refuses(".".join(to_base64url(segment) for segment in segments))


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["typ", "alg", "kid", "crit", "b64", "jwk", "jku"]) | st.text(), json_values))
def test_no_header_but_ours_is_believed_or_breaks_anything(header: dict[str, object]) -> None:
    assert refuses(forge(RING.current, claims_of(GOOD), header))


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(st.sampled_from(sorted(claims_of(GOOD))), json_values, min_size=1, max_size=3))
def test_changed_claims_are_refused_or_believed_as_they_are(changes: dict[str, object]) -> None:
    claims = claims_of(GOOD) | changes
    token = forge(RING.current, claims)
    try:
        believed = TOKENS.verify(token)
    except (InvalidToken, TokenExpired):
        return
    assert isinstance(believed, Claims)
    assert believed.payload() == claims | {
        "scope": " ".join(sorted(set(str(claims["scope"]).split()))),
        "roles": sorted(set(claims["roles"])),
    }
