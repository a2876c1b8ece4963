"""Which claims are believed; what is not is tried in full in test_tokens.py."""

import pytest

from gateroom.auth.claims import ClaimRules, Claims, parse_scopes
from gateroom.errors import InvalidToken, TokenExpired

NOW = 1_800_000_000
RULES = ClaimRules("https://gateroom.example", "gateroom")
CLAIMS = Claims(
    iss="https://gateroom.example",
    sub="u-ada",
    aud="gateroom",
    exp=NOW + 900,
    iat=NOW,
    jti="t-1",
    sid="s-1",
    client_id="gateroom",
    scope=frozenset({"users:send", "rooms:create"}),
    roles=frozenset({"staff", "admin"}),
)


def test_what_was_said_is_what_is_believed() -> None:
    assert CLAIMS.payload()["scope"] == "rooms:create users:send"
    assert CLAIMS.payload()["roles"] == ["admin", "staff"]
    assert RULES.believe(CLAIMS.payload(), NOW) == CLAIMS


@pytest.mark.parametrize(
    ("changes", "now"),
    [
        ({"exp": NOW + 3600}, NOW),
        ({"exp": NOW + 1}, NOW),
        ({}, NOW + 904.9),
        ({}, NOW - 5),
        ({"sub": "x"}, NOW),
        ({"sub": "x" * 255}, NOW),
        ({"sub": "ünïcode id"}, NOW),
        ({"scope": ""}, NOW),
        ({"scope": "x" * 4096}, NOW),
        ({"scope": "!#[]~ a"}, NOW),
        ({"roles": []}, NOW),
        ({"roles": ["x" * 64] * 64}, NOW),
    ],
)
def test_a_claim_at_its_bound_is_believed(changes: dict[str, object], now: float) -> None:
    assert RULES.believe(CLAIMS.payload() | changes, now).iss == RULES.issuer


@pytest.mark.parametrize(
    ("changes", "now"),
    [
        ({"exp": NOW + 3601}, NOW),
        ({"exp": NOW}, NOW),
        ({}, NOW - 5.1),
        ({"scope": "x" * 4097}, NOW),
        ({"roles": ["x"] * 65}, NOW),
        ({"sub": "x" * 256}, NOW),
    ],
)
def test_a_claim_beyond_its_bound_is_not(changes: dict[str, object], now: float) -> None:
    with pytest.raises(InvalidToken):
        RULES.believe(CLAIMS.payload() | changes, now)


def test_it_is_too_late_on_and_after_the_end_and_the_leeway() -> None:
    with pytest.raises(TokenExpired):
        RULES.believe(CLAIMS.payload(), NOW + 905)


def test_a_token_that_is_bad_and_late_is_bad() -> None:
    with pytest.raises(InvalidToken):
        RULES.believe(CLAIMS.payload() | {"sid": ""}, NOW + 10_000)


def test_without_leeway_a_time_rounded_up_to_the_second_is_still_believed() -> None:
    strict = ClaimRules(RULES.issuer, RULES.audience, leeway=0)
    assert strict.believe(CLAIMS.payload(), NOW - 0.9) == CLAIMS
    with pytest.raises(TokenExpired):
        strict.believe(CLAIMS.payload(), NOW + 900)


@pytest.mark.parametrize(
    ("issuer", "audience", "lifetime", "leeway"),
    [
        ("", "a", 900, 5),
        ("i", "", 900, 5),
        ("i", "a", 0, 5),
        ("i", "a", 3601, 5),
        ("i", "a", 900, -1),
        ("i", "a", 900, 31),
    ],
)
def test_rules_out_of_bounds_are_refused(issuer: str, audience: str, lifetime: int, leeway: int) -> None:
    with pytest.raises(ValueError, match=r"must not be empty|seconds"):
        ClaimRules(issuer, audience, lifetime, leeway)


def test_a_scope_string_is_a_set_of_scope_tokens() -> None:
    assert parse_scopes("") == frozenset()
    assert parse_scopes("a b a") == {"a", "b"}


@pytest.mark.parametrize("text", [" ", " a", "a ", "a  b", "a\nb", 'a"', "a\\", "é", "x" * 4097])
def test_a_malformed_scope_string_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="malformed scope"):
        parse_scopes(text)
