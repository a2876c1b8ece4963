"""Tokens where both our own and those of an outside issuer are believed: neither widens the other (TV-2, TV-6)."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateroom.auth.bearers import Bearers
from gateroom.auth.claims import Claims
from gateroom.auth.key_sets import KeySet
from gateroom.auth.keys import Algorithm, KeyRing, SigningKey
from gateroom.auth.outside_claims import IssuerRules, OutsideClaims
from gateroom.auth.outsiders import Issuer, Outsiders
from gateroom.auth.ports import User
from gateroom.auth.public_keys import parse_key_set
from gateroom.auth.tokens import AccessTokens
from gateroom.errors import InvalidToken, TokenExpired
from support.attacks import attacks
from support.clock import FrozenClock
from support.tokens import claims_of, forge

NOW = 1_800_000_000
HERE, THERE = "https://gateroom.example", "https://login.example"
ADA = User("u-ada", "ada", frozenset(), frozenset({"users:send"}), created_at=1.0)
CLOCK = FrozenClock(NOW)
RING = KeyRing(SigningKey.generate())
TOKENS = AccessTokens(RING, HERE, "gateroom", 900, CLOCK)
OURS = TOKENS.issue(ADA, "s-1", ADA.scopes, "gateroom").token
KEY = SigningKey.generate(Algorithm.ES256)
CLAIMS = {"iss": THERE, "sub": "ada", "aud": "gateroom", "exp": NOW + 300, "iat": NOW}
THEIRS = forge(KEY, CLAIMS, {"typ": "JWT", "alg": "ES256", "kid": KEY.kid})


class Admitting:
    """Admits everybody, and marks them as guests."""

    async def admit(self, stranger: OutsideClaims, rules: IssuerRules, token_id: str) -> Claims:
        return Claims(
            stranger.issuer,
            stranger.subject,
            stranger.audience,
            stranger.expires_at,
            stranger.issued_at,
            token_id,
            "ext.1",
            "outside",
            frozenset(),
            frozenset(),
        )


def bearers_trusting(*keys: SigningKey) -> Bearers:
    found = parse_key_set(json.dumps({"keys": [key.jwk() for key in keys]}).encode())
    rules = IssuerRules(THERE, frozenset({"gateroom"}))
    return Bearers(TOKENS, Outsiders([Issuer(rules, KeySet(THERE, found, CLOCK))], Admitting(), CLOCK))


BEARERS = bearers_trusting(KEY)


def outcome(token: str, bearers: Bearers = BEARERS) -> str:
    """Return whose token it is, or the code of the refusal; anything else that is raised is a fault."""
    try:
        return asyncio.run(bearers.claims(token)).iss
    except (InvalidToken, TokenExpired) as refusal:
        return refusal.code


def test_both_are_believed_each_for_what_it_is() -> None:
    assert (outcome(OURS), outcome(THEIRS)) == (HERE, THERE)


def test_every_attack_on_our_own_tokens_is_refused_as_before() -> None:
    surprises = {
        attack.name: found for attack in attacks(RING, OURS) if (found := outcome(attack.token)) != attack.code
    }
    assert surprises == {}


def test_without_outside_issuers_the_reason_is_that_of_our_own() -> None:
    with pytest.raises(InvalidToken, match="header"):
        asyncio.run(Bearers(TOKENS).claims(THEIRS))


def test_an_issuer_that_has_our_very_key_makes_no_tokens_of_ours() -> None:
    """Nor do we make any of its: whose a token is, its issuer says, and only the key set of that issuer counts."""
    ours = RING.current
    same = bearers_trusting(ours, KEY)
    assert outcome(OURS, same) == HERE
    header = {"typ": "at+jwt", "alg": "EdDSA", "kid": ours.kid}
    assert outcome(forge(ours, {**claims_of(OURS), "iss": THERE}, header)) == "invalid_token"
    for header in (
        {"typ": "at+jwt", "alg": "ES256", "kid": KEY.kid},
        {"typ": "at+jwt", "alg": "ES256", "kid": ours.kid},
    ):
        assert outcome(forge(KEY, claims_of(OURS), header), same) == "invalid_token"


@st.composite
def mutations(draw: st.DrawFn) -> str:
    """Draw a good token with some characters replaced, left out, put in or moved."""
    token = draw(st.sampled_from([OURS, THEIRS]))
    alphabet = st.sampled_from("AZaz09-_=.+/ é\x00\ud800")
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(token)))
        end = min(len(token), start + draw(st.integers(0, 8)))
        token = token[:start] + draw(st.text(alphabet, max_size=8)) + token[end:]
    if draw(st.booleans()):
        token = ".".join(draw(st.permutations(token.split("."))))
    return token


@given(mutations())
def test_every_mutation_of_a_good_token_is_refused(token: str) -> None:
    assert token in (OURS, THEIRS) or outcome(token) == "invalid_token"


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=30),
    st.lists(st.text(max_size=5), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


@given(st.sampled_from(sorted(CLAIMS)), values)
def test_a_claim_of_another_value_makes_another_token_or_none(name: str, value: Any) -> None:
    changed = forge(KEY, {**CLAIMS, name: value}, {"typ": "JWT", "alg": "ES256", "kid": KEY.kid})
    found = outcome(changed)
    if found == THERE:
        assert claims_of(changed)["iss"] == THERE
        assert type(claims_of(changed)["exp"]) is int
        assert claims_of(changed)["exp"] > NOW - 30
    else:
        assert found in ("invalid_token", "token_expired")
