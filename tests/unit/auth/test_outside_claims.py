"""Which claims of an outside issuer are believed."""

import math
from collections.abc import Mapping
from typing import Any

import pytest

from gateroom.auth.outside_claims import MAX_LIFETIME, IssuerRules
from gateroom.errors import InvalidToken, TokenExpired

NOW = 1_800_000_000
RULES = IssuerRules(
    "https://login.example/realms/main",
    frozenset({"gateroom-api"}),
    roles_claim="realm_access.roles",
    scopes_claim="scope",
    role_scopes={"chat-admin": frozenset({"users:admin", "rooms:admin"}), "chat": frozenset({"rooms:create"})},
)
KEYCLOAK: Mapping[str, Any] = {
    "iss": RULES.issuer,
    "sub": "f:1:ada",
    "aud": ["gateroom-api", "account"],
    "exp": NOW + 300,
    "iat": NOW,
    "jti": "onrtac:1",
    "typ": "Bearer",
    "azp": "web",
    "sid": "kc-session",
    "preferred_username": "ada",
    "realm_access": {"roles": ["chat", "offline_access"]},
    "scope": "openid users:send",
}


def test_a_keycloak_token_is_understood() -> None:
    claims = RULES.believe(KEYCLOAK, NOW)
    assert (claims.subject, claims.audience, claims.username) == ("f:1:ada", "gateroom-api", "ada")
    assert (claims.issued_at, claims.expires_at, claims.session) == (NOW, NOW + 300, "kc-session")
    assert claims.roles == {"chat", "offline_access"}
    assert claims.scopes == frozenset({"openid", "users:send"})
    assert RULES.scopes_of(claims.roles) == {"rooms:create"}
    assert RULES.scopes_of(frozenset({"chat", "chat-admin"})) == {"rooms:create", "users:admin", "rooms:admin"}


def test_an_entra_token_is_understood() -> None:
    rules = IssuerRules("https://sts.example/v2.0", frozenset({"api-id"}), roles_claim="roles", scopes_claim="scp")
    payload = {
        "iss": rules.issuer,
        "sub": "AAAA",
        "aud": "api-id",
        "exp": NOW + 4000,
        "iat": NOW,
        "nbf": NOW,
        "preferred_username": "Ada@Contoso.example",
        "roles": ["Chat.Admin"],
        "scp": "rooms.create access_as_user",
        "uti": "x",
        "ver": "2.0",
    }
    claims = rules.believe(payload, NOW)
    assert (claims.username, claims.token_id, claims.session) == ("Ada@Contoso.example", None, None)
    assert claims.roles == {"Chat.Admin"}
    assert claims.scopes == frozenset({"rooms.create", "access_as_user"})


def test_an_auth0_claim_with_dots_in_its_name_is_found() -> None:
    name = "https://example.org/roles"
    rules = IssuerRules("https://tenant.example/", frozenset({"a"}), roles_claim=name, username_claim="nickname")
    payload = {"iss": rules.issuer, "sub": "auth0|1", "aud": "a", "exp": NOW + 1, name: ["x"], "nickname": "ada"}
    claims = rules.believe(payload, NOW)
    assert claims.roles == {"x"}
    assert (claims.scopes, claims.issued_at, claims.username) == (None, 0, "ada")


@pytest.mark.parametrize(
    ("changes", "now"),
    [
        ({"exp": NOW + MAX_LIFETIME}, NOW),
        ({}, NOW + 304.9),
        ({}, NOW - 5),
        ({"nbf": NOW + 5}, NOW),
        ({"aud": "gateroom-api"}, NOW),
        ({"aud": ["x"] * 63 + ["gateroom-api"]}, NOW),
        ({"iat": ...}, NOW),
        ({"jti": ..., "sid": ..., "preferred_username": ..., "realm_access": ..., "scope": ...}, NOW),
        ({"realm_access": {}}, NOW),
        ({"realm_access": {"roles": "chat staff"}}, NOW),
        ({"realm_access": []}, NOW),
        ({"scope": ["users:send"]}, NOW),
        ({"sub": "x" * 255}, NOW),
    ],
)
def test_a_claim_at_its_bound_is_believed(changes: dict[str, object], now: float) -> None:
    assert RULES.believe(changed(changes), now).issuer == RULES.issuer


WRONG: tuple[object, ...] = (..., None, "", 0, -1, 1.5, True, math.nan, math.inf, 1e30, [], {}, [NOW])


@pytest.mark.parametrize("name", ["iss", "sub", "aud", "exp"])
@pytest.mark.parametrize("value", WRONG, ids=repr)
def test_what_is_required_is_there_and_of_its_type(name: str, value: object) -> None:
    with pytest.raises(InvalidToken):
        RULES.believe(changed({name: value}), NOW)


@pytest.mark.parametrize("name", ["iat", "nbf", "jti", "sid", "preferred_username"])
@pytest.mark.parametrize("value", WRONG, ids=repr)
def test_what_may_be_missing_is_of_its_type_where_it_is_there(name: str, value: object) -> None:
    if value is ... or (name == "preferred_username" and value is None):
        assert RULES.believe(changed({name: value}), NOW).subject == "f:1:ada"
        return
    with pytest.raises(InvalidToken):
        RULES.believe(changed({name: value}), NOW)


@pytest.mark.parametrize(
    ("changes", "now"),
    [
        ({"iss": RULES.issuer + "/"}, NOW),
        ({"iss": RULES.issuer.upper()}, NOW),
        ({"iss": [RULES.issuer]}, NOW),
        ({"aud": "gateroom"}, NOW),
        ({"aud": ["gateroom-api", 1]}, NOW),
        ({"aud": ["gateroom-api"] * 65}, NOW),
        ({"exp": NOW + MAX_LIFETIME + 1}, NOW),
        ({"exp": NOW + MAX_LIFETIME + 1, "iat": ...}, NOW),
        ({"exp": 10**30}, NOW),
        ({"exp": str(NOW + 300)}, NOW),
        ({"iat": str(NOW)}, NOW),
        ({"iat": NOW + 301, "exp": NOW + 301}, NOW + 299),
        ({}, NOW - 5.1),
        ({"nbf": NOW + 6}, NOW),
        ({"sub": "x" * 256}, NOW),
        ({"sub": "a\nb"}, NOW),
        ({"sub": "\ud800"}, NOW),
        ({"typ": "ID"}, NOW),
        ({"typ": "Refresh"}, NOW),
        ({"typ": "Offline"}, NOW),
        ({"typ": "Logout"}, NOW),
        ({"at_hash": "x"}, NOW),
        ({"events": {}}, NOW),
        ({"realm_access": {"roles": [1]}}, NOW),
        ({"realm_access": {"roles": {"chat": True}}}, NOW),
        ({"realm_access": {"roles": ["x"] * 513}}, NOW),
        ({"scope": 1}, NOW),
        ({"preferred_username": "\u202eada"}, NOW),
    ],
)
def test_a_token_that_is_not_for_us_or_not_now_or_no_access_token_is_refused(
    changes: dict[str, object], now: float
) -> None:
    with pytest.raises(InvalidToken):
        RULES.believe(changed(changes), now)


def test_it_is_too_late_on_and_after_the_end_and_the_leeway() -> None:
    with pytest.raises(TokenExpired):
        RULES.believe(KEYCLOAK, NOW + 305)
    with pytest.raises(InvalidToken):
        RULES.believe(changed({"sub": ""}), NOW + 305)


@pytest.mark.parametrize("bad", [{"leeway": 31}, {"leeway": -1}, {"max_lifetime": 0}, {"max_lifetime": 86401}])
def test_rules_out_of_bounds_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="lives"):
        IssuerRules("i", frozenset({"a"}), **bad)


def test_rules_without_issuer_or_audience_are_refused() -> None:
    for issuer, audiences in (("", {"a"}), ("i", set()), ("i", {""})):
        with pytest.raises(ValueError, match="empty"):
            IssuerRules(issuer, frozenset(audiences))


def changed(changes: Mapping[str, object]) -> dict[str, object]:
    """Return the token's claims with these; ... leaves one out."""
    return {name: value for name, value in {**KEYCLOAK, **changes}.items() if value is not ...}
