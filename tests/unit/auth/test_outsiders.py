"""Tokens of outside issuers: which are believed, and that every other is refused and nothing else (TV-1 to TV-6)."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateroom.auth.claims import Claims
from gateroom.auth.key_sets import KeySet
from gateroom.auth.keys import Algorithm, SigningKey
from gateroom.auth.outside_claims import IssuerRules, OutsideClaims
from gateroom.auth.outsiders import MAX_TOKEN_BYTES, Issuer, Outsiders
from gateroom.errors import InvalidToken, TokenExpired
from support.clock import FrozenClock
from support.tokens import as_json, forge, seal, seal_with_hmac, to_base64url

NOW = 1_800_000_000
HERE, THERE = "https://one.example", "https://two.example"
KEY, OTHER_KEY, RSA = (
    SigningKey.generate(Algorithm.ES256),
    SigningKey.generate(Algorithm.ES256),
    SigningKey.generate(Algorithm.RS256),
)
CLAIMS = {"iss": HERE, "sub": "ada", "aud": "api", "exp": NOW + 300, "iat": NOW, "scope": "a b", "roles": ["x"]}
HEADER = {"typ": "JWT", "alg": "ES256", "kid": "same"}


class Admitting:
    """Admits everybody under the subject's own name."""

    async def admit(self, stranger: OutsideClaims, rules: IssuerRules, token_id: str) -> Claims:
        return Claims(
            iss=stranger.issuer,
            sub=stranger.subject,
            aud=stranger.audience,
            exp=stranger.expires_at,
            iat=stranger.issued_at,
            jti=token_id,
            sid="ext.1",
            client_id="outside",
            scope=stranger.scopes or frozenset(),
            roles=stranger.roles,
        )


class Source:
    """A key set, and how often it was asked for."""

    def __init__(self, **keys: SigningKey) -> None:
        self.asked = 0
        self.keys = keys

    async def __call__(self) -> bytes:
        self.asked += 1
        return json.dumps({"keys": [{**(key.jwk() or {}), "kid": kid} for kid, key in self.keys.items()]}).encode()


def issuer(name: str, source: Source, clock: FrozenClock) -> Issuer:
    rules = IssuerRules(name, frozenset({"api"}), scopes_claim="scope", roles_claim="roles")
    return Issuer(rules, KeySet(name, source, clock))


class World:
    """Two issuers whose keys have the same ids."""

    def __init__(self) -> None:
        self.clock = FrozenClock(NOW)
        self.here, self.there = Source(same=KEY, rsa=RSA), Source(same=OTHER_KEY, only_there=RSA)
        issuers = [issuer(HERE, self.here, self.clock), issuer(THERE, self.there, self.clock)]
        self.outsiders = Outsiders(issuers, Admitting(), self.clock)

    async def refused(self, token: str) -> str:
        """Return the code of the refusal, or who was believed."""
        try:
            return f"believed: {await self.outsiders.claims(token)}"
        except (InvalidToken, TokenExpired) as refusal:
            return refusal.code


@pytest.fixture
def world() -> World:
    return World()


def good(**changes: object) -> str:
    return forge(KEY, {**CLAIMS, **changes}, HEADER)


async def test_a_token_of_each_issuer_is_believed_with_its_own_key_of_the_same_id(world: World) -> None:
    assert (await world.outsiders.claims(good())).sub == "ada"
    theirs = forge(OTHER_KEY, {**CLAIMS, "iss": THERE}, HEADER)
    assert (await world.outsiders.claims(theirs)).iss == THERE


async def test_no_key_of_one_issuer_signs_for_the_other(world: World) -> None:
    assert await world.refused(forge(OTHER_KEY, CLAIMS, HEADER)) == "invalid_token"
    assert await world.refused(forge(KEY, {**CLAIMS, "iss": THERE}, HEADER)) == "invalid_token"
    only_there = {"typ": "JWT", "alg": "RS256", "kid": "only_there"}
    assert (await world.outsiders.claims(forge(RSA, {**CLAIMS, "iss": THERE}, only_there))).iss == THERE
    assert await world.refused(forge(RSA, CLAIMS, only_there)) == "invalid_token"


@pytest.mark.parametrize(
    "iss",
    [
        "https://evil.example",
        HERE + "/",
        HERE.upper(),
        HERE + "\u0000",
        "http://169.254.169.254/",
        "",
        None,
        1,
        [HERE],
        {"iss": HERE},
        True,
    ],
)
async def test_a_token_of_nobody_we_know_has_nothing_fetched(world: World, iss: object) -> None:
    assert await world.refused(good(iss=iss)) == "invalid_token"
    assert (world.here.asked, world.there.asked) == (0, 0)


KIDS: Sequence[object] = (
    "",
    "other",
    "../../dev/null",
    "' or 1=1",
    "k" * 4000,
    0,
    True,
    None,
    ["same"],
    {},
    "\ud800",
    "rsa",
)
ATTACKS: Sequence[tuple[str, str]] = [
    ("no signature", seal(KEY, as_json(HEADER), as_json(CLAIMS)).rpartition(".")[0] + "."),
    *(
        (f"alg {alg}", forge(KEY, CLAIMS, {**HEADER, "alg": alg}))
        for alg in ("none", "NONE", "HS256", "RS256", "ES384", "EdDSA", "es256", "", None, 1, ["ES256"])
    ),
    *(
        (f"{alg} with the public key", seal_with_hmac(secret, {**HEADER, "alg": alg}, CLAIMS))
        for alg in ("HS256", "HS512")
        for secret in (b"", json.dumps(KEY.jwk()).encode(), str((KEY.jwk() or {})["x"]).encode())
    ),
    *(
        (f"header with {name}", forge(KEY, CLAIMS, {**HEADER, name: value}))
        for name, value in {
            "crit": ["exp"],
            "b64": False,
            "jku": "http://127.0.0.1:9/",
            "x5u": "http://127.0.0.1:9/",
            "x5c": ["MIIB"],
            "jwk": KEY.jwk(),
            "zip": "DEF",
            "enc": "A256GCM",
        }.items()
    ),
    *(
        (f"typ {typ!r}", forge(KEY, CLAIMS, {**HEADER, "typ": typ}))
        for typ in ("rt+jwt", "logout+jwt", "", None, 1, ["JWT"])
    ),
    *((f"kid {kid!r}"[:40], forge(KEY, CLAIMS, {**HEADER, "kid": kid})) for kid in KIDS),
    ("foreign key", forge(SigningKey.generate(Algorithm.ES256), CLAIMS, HEADER)),
    ("five segments", good() + ".a.b"),
    ("two segments", good().rpartition(".")[0]),
    ("padding", good() + "="),
    ("space", good() + " "),
    ("a claim twice", forge(KEY, as_json(CLAIMS)[:-1] + b',"sub":"eve"}', HEADER)),
    ("a header twice", forge(KEY, CLAIMS, as_json(HEADER)[:-1] + b',"kid":"rsa"}')),
    ("NaN", forge(KEY, as_json(CLAIMS)[:-1] + b',"exp":NaN}', HEADER)),
    ("not UTF-8", forge(KEY, b'{"iss":"\xff"}', HEADER)),
    ("nesting", forge(KEY, b"[" * 5000, HEADER)),
    ("an array", forge(KEY, b"[]", HEADER)),
    ("another audience", good(aud="other")),
    ("10 kB", good(x="y" * 10_000)),
    ("", ""),
    ("dots", ".."),
    ("a surrogate", "\ud800.a.b"),
    ("not ASCII", good() + "é"),
]


@pytest.mark.parametrize(("name", "token"), ATTACKS, ids=[name for name, _ in ATTACKS])
async def test_every_attack_is_refused(world: World, name: str, token: str) -> None:
    for _ in range(2):
        assert await world.refused(token) == "invalid_token"


async def test_an_algorithm_that_an_issuer_does_not_use_is_refused_though_it_has_such_a_key() -> None:
    clock = FrozenClock(NOW)
    rules = IssuerRules(HERE, frozenset({"api"}), algorithms=frozenset({"RS256"}))
    outsiders = Outsiders([Issuer(rules, KeySet(HERE, Source(same=KEY, rsa=RSA), clock))], Admitting(), clock)
    by_rsa = forge(RSA, CLAIMS, {"typ": "JWT", "alg": "RS256", "kid": "rsa"})
    assert (await outsiders.claims(by_rsa)).sub == "ada"
    with pytest.raises(InvalidToken):
        await outsiders.claims(good())


async def test_a_header_as_entra_writes_it_and_one_without_typ_are_fine(world: World) -> None:
    for header in (
        {**HEADER, "x5t": "abc", "nonce": "x"},
        {"alg": "ES256", "kid": "same"},
        {**HEADER, "typ": "AT+jwt"},
    ):
        assert (await world.outsiders.claims(forge(KEY, CLAIMS, header))).sub == "ada"


async def test_a_token_may_be_longer_than_ours(world: World) -> None:
    long = good(x="y" * 5000)
    assert 4096 < len(long) <= MAX_TOKEN_BYTES
    assert (await world.outsiders.claims(long)).sub == "ada"


async def test_a_token_is_believed_until_its_end_however_often_it_was_seen(world: World) -> None:
    token = good()
    for _ in range(2):
        assert (await world.outsiders.claims(token)).exp == NOW + 300
    world.clock.advance(304.9)
    assert (await world.outsiders.claims(token)).exp == NOW + 300
    world.clock.advance(0.1)
    for _ in range(2):
        assert await world.refused(token) == "token_expired"


async def test_a_remembered_token_dies_with_its_key() -> None:
    clock = FrozenClock(NOW)
    source = Source(same=KEY)
    keys = KeySet(HERE, source, clock)
    outsiders = Outsiders([Issuer(IssuerRules(HERE, frozenset({"api"})), keys)], Admitting(), clock)
    await outsiders.claims(good())
    source.keys = {"same": OTHER_KEY}
    await keys.refresh()
    with pytest.raises(InvalidToken):
        await outsiders.claims(good())


async def test_every_single_changed_character_is_noticed(world: World) -> None:
    token = good()
    for index, character in enumerate(token):
        changed = token[:index] + ("A" if character != "A" else "B") + token[index + 1 :]
        assert await world.refused(changed) == "invalid_token"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=10), inner, max_size=5),
    max_leaves=10,
)
texts = st.text() | st.binary().map(lambda raw: raw.decode("latin-1"))


@given(
    texts
    | st.lists(st.binary(max_size=200), min_size=3, max_size=3).map(lambda parts: ".".join(map(to_base64url, parts)))
)
async def test_no_text_is_believed_or_breaks_anything(text: str) -> None:
    assert await World().refused(text) == "invalid_token"


@given(st.dictionaries(st.sampled_from(["typ", "alg", "kid", "crit", "jku"]) | st.text(max_size=9), json_values))
async def test_no_header_breaks_anything(header: dict[str, object]) -> None:
    assert await World().refused(forge(KEY, CLAIMS, header)) == "invalid_token"


@given(st.dictionaries(st.sampled_from([*CLAIMS, "nbf", "jti", "sid", "typ"]), json_values, min_size=1, max_size=3))
async def test_changed_claims_are_refused_or_believed_as_they_are(changes: dict[str, object]) -> None:
    world = World()
    try:
        believed = await world.outsiders.claims(good(**changes))
    except (InvalidToken, TokenExpired):
        return
    told = {**CLAIMS, **changes}
    assert (believed.iss, believed.sub, believed.exp) == (told["iss"], told["sub"], told["exp"])
    assert believed.aud == "api"
