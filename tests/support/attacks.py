"""Every forged token that must be refused, with the code of its refusal."""

import json
from collections.abc import Iterator
from typing import NamedTuple

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateroom.auth.keys import KeyRing, SigningKey
from support.tokens import as_json, claims_of, forge, from_base64url, proper_header, seal, seal_with_hmac, to_base64url


class Attack(NamedTuple):
    """A token, what is wrong with it, and the code of the error that refuses it."""

    name: str
    code: str
    token: str

    @property
    def sendable(self) -> bool:
        """Whether it fits into a URL or a header: printable ASCII, at most 5,000 characters."""
        return self.token.isascii() and self.token.isprintable() and 0 < len(self.token) <= 5000


def attacks(ring: KeyRing, token: str) -> list[Attack]:
    """Return everything that must be refused by a server that signs with `ring` and has issued `token` just now."""
    return [
        *_on_the_algorithm(ring, token),
        *_on_the_key(ring, token),
        *_on_the_header(ring, token),
        *_on_the_signature(ring, token),
        *_on_the_claims(ring, token),
        *_on_the_times(ring, token),
        *_on_the_form(ring, token),
    ]


def _on_the_algorithm(ring: KeyRing, token: str) -> Iterator[Attack]:
    key, claims = ring.current, claims_of(token)
    body = token.split(".")[1]
    for alg in ("none", "None", "NONE", "NoNe", "nOnE", ""):
        header = to_base64url(as_json(proper_header(key, alg=alg)))
        yield _invalid(f"alg {alg!r} without a signature", f"{header}.{body}.")
        yield _invalid(f"alg {alg!r} with some signature", f"{header}.{body}.AAAA")
    ours = key.algorithm.value
    not_ours: tuple[object, ...] = (None, 0, True, [ours], {}, ours.swapcase(), f"{ours} ")
    for wrong in not_ours:
        yield _invalid(f"alg {wrong!r}", forge(key, claims, proper_header(key, alg=wrong)))
    for other in ("EdDSA", "Ed25519", "ES256", "RS256", "PS256", "HS256", "HS384", "ES256K"):
        if other != key.algorithm:
            yield _invalid(f"alg {other} over our signature", forge(key, claims, proper_header(key, alg=other)))
    for secret_name, secret in _public_texts(key):
        for alg in ("HS256", "HS512"):
            forged = seal_with_hmac(secret, proper_header(key, alg=alg), claims)
            yield _invalid(f"{alg} with our public key as {secret_name}", forged)


def _public_texts(key: SigningKey) -> Iterator[tuple[str, bytes]]:
    """What an attacker may take our public key for a secret as."""
    yield "nothing", b""
    jwk = key.jwk()
    if jwk is None or isinstance(key.public, bytes):
        return
    pem = key.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    yield "PEM", pem
    yield "PEM without the last line end", pem.rstrip()
    yield "DER", key.public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    yield "JWK", json.dumps(jwk).encode()
    yield "JWK without spaces", json.dumps(jwk, separators=(",", ":")).encode()
    yield "the JWK's main member", (jwk.get("x") or jwk["n"]).encode()


def _on_the_key(ring: KeyRing, token: str) -> Iterator[Attack]:
    key, claims, foreign = ring.current, claims_of(token), SigningKey.generate()
    yield _invalid("foreign key under its own kid", forge(foreign, claims))
    yield _invalid("foreign key under our kid", forge(foreign, claims, proper_header(foreign, kid=key.kid)))
    embedded = foreign.jwk()
    yield _invalid("embedded foreign jwk", forge(foreign, claims, proper_header(foreign, jwk=embedded)))
    yield _invalid("embedded jwk, our kid", forge(foreign, claims, proper_header(foreign, jwk=embedded, kid=key.kid)))
    without = {name: value for name, value in proper_header(key).items() if name != "kid"}
    yield _invalid("no kid", forge(key, claims, without))
    tricks: tuple[object, ...] = (
        "", " ", key.kid + " ", key.kid[:-1], key.kid.swapcase(), key.kid + "\x00", f"./{key.kid}", f"{key.kid}.pem",
        "../../../../dev/null", "/dev/null", "' or 1=1 --", "https://127.0.0.1/key", "k" * 10_000, "\ud800",
        0, 1, -1, 1.5, True, None, [key.kid], {"kid": key.kid},
    )  # fmt: skip
    for kid in tricks:
        shown = repr(kid) if len(repr(kid)) < 60 else "of 10 kB"
        yield _invalid(f"kid {shown}", forge(key, claims, proper_header(key, kid=kid)))


def _on_the_header(ring: KeyRing, token: str) -> Iterator[Attack]:
    key, claims = ring.current, claims_of(token)
    types: tuple[object, ...] = (
        "JWT", "jwt", "at+JWT", "AT+JWT", "application/at+jwt", "at+jwt ", "rt+jwt", "logout+jwt", "dpop+jwt", "",
        None, 1, True, ["at+jwt"], {},
    )  # fmt: skip
    for typ in types:
        yield _invalid(f"typ {typ!r}", forge(key, claims, proper_header(key, typ=typ)))
    without = {name: value for name, value in proper_header(key).items() if name != "typ"}
    yield _invalid("no typ", forge(key, claims, without))
    extras: dict[str, object] = {
        "crit": ["exp"],
        "b64": False,
        "jku": "https://127.0.0.1:9/jwks.json",
        "x5u": "https://127.0.0.1:9/cert.pem",
        "x5c": ["MIIB"],
        "x5t": "AAAA",
        "jwk": key.jwk() or {},
        "cty": "JWT",
        "zip": "DEF",
        "enc": "A256GCM",
        "unknown": 1,
    }
    for name, value in extras.items():
        yield _invalid(f"header with {name}", forge(key, claims, proper_header(key, **{name: value})))
    for crit in ([], ["b64"], "b64", None, [1]):
        yield _invalid(f"header with crit {crit!r}", forge(key, claims, proper_header(key, crit=crit)))
    yield _invalid("b64 true", forge(key, claims, proper_header(key, b64=True)))
    detached = to_base64url(as_json(proper_header(key, b64=False, crit=["b64"])))
    yield _invalid("b64 false, detached payload", f"{detached}..{token.split('.')[2]}")
    good = as_json(proper_header(key))
    for name in ("alg", "kid", "typ"):
        value = json.dumps(proper_header(key)[name]).encode()
        doubled = good[:-1] + b',"' + name.encode() + b'":' + value + b"}"
        yield _invalid(f"{name} twice in the header", forge(key, claims, doubled))
    for text in (b"", b"{", b"[]", b"null", b"1", b'"at+jwt"', b"\xff\xfe", b"\xef\xbb\xbf" + good, good + b"x"):
        yield _invalid(f"header {text[:20]!r}", forge(key, claims, text))
    yield _invalid("header nested 2,900 deep", forge(key, b"{}", b"[" * 2900))


def _on_the_signature(ring: KeyRing, token: str) -> Iterator[Attack]:
    header, body, signature = token.split(".")
    raw = from_base64url(signature)
    for bit in (0, 7, len(raw) * 4, len(raw) * 8 - 1):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        yield _invalid(f"signature with bit {bit} flipped", f"{header}.{body}.{to_base64url(bytes(flipped))}")
    for name, wrong in (("cut", raw[:-1]), ("longer", raw + b"\0"), ("empty", b""), ("zero", bytes(len(raw)))):
        yield _invalid(f"signature {name}", f"{header}.{body}.{to_base64url(wrong)}")
    promoted = claims_of(token) | {"scope": "users:admin rooms:admin"}
    yield _invalid("payload changed", f"{header}.{to_base64url(as_json(promoted))}.{signature}")
    respelled = json.dumps(claims_of(token)).encode()
    yield _invalid("payload spelled otherwise", f"{header}.{to_base64url(respelled)}.{signature}")
    reheaded = to_base64url(json.dumps(proper_header(ring.current), indent=1).encode())
    yield _invalid("header spelled otherwise", f"{reheaded}.{body}.{signature}")


# What no claim may be, by the type it must have.
_NOT_A_TIME: tuple[object, ...] = (
    None, True, False, 1.5, 1800000000.0, "1800000000", "", [], {}, [1800000000], -1, 0, 10**30, 1e30, 2**63,
    float("nan"), float("inf"), float("-inf"),
)  # fmt: skip
_NOT_AN_ID: tuple[object, ...] = (
    None,
    True,
    1,
    1.5,
    [],
    {},
    ["x"],
    "",
    "x" * 256,
    "a\nb",
    "a\x00b",
    "\ud800",
    "\u202e",
)
_NOT_US: tuple[object, ...] = (None, True, 1, [], {}, "", " ", "somebody-else", "*")
_NOT_A_SCOPE: tuple[object, ...] = (
    None, True, 1, {}, [], ["rooms:create"], " ", " a", "a ", "a  b", "a\tb", 'a"b', "a\\b", "é", "\ud800", "x" * 4097,
)  # fmt: skip
_NOT_ROLES: tuple[object, ...] = (
    None, True, 1, {}, "", "admin", [1], [None], [True], [["admin"]], [""], ["x" * 65], ["\ud800"], ["a\n"], ["r"] * 65,
)  # fmt: skip
_WRONG: dict[str, tuple[object, ...]] = {
    "iss": _NOT_US,
    "aud": _NOT_US,
    "exp": _NOT_A_TIME,
    "iat": _NOT_A_TIME,
    "sub": _NOT_AN_ID,
    "jti": _NOT_AN_ID,
    "sid": _NOT_AN_ID,
    "client_id": _NOT_AN_ID,
    "scope": _NOT_A_SCOPE,
    "roles": _NOT_ROLES,
}


def _on_the_claims(ring: KeyRing, token: str) -> Iterator[Attack]:
    key, claims = ring.current, claims_of(token)
    for name, wrong in _WRONG.items():
        yield _invalid(f"no {name}", forge(key, {left: claims[left] for left in claims if left != name}))
        for value in wrong:
            shown = repr(value) if len(repr(value)) < 60 else f"{repr(value)[:20]}…"
            yield _invalid(f"{name} {shown}", forge(key, claims | {name: value}))
        doubled = as_json(claims)[:-1] + b"," + as_json({name: claims[name]})[1:]
        yield _invalid(f"{name} twice", forge(key, doubled))
    for name in ("iss", "aud"):
        for value in (
            [claims[name]],
            {"0": claims[name]},
            claims[name] + "/",
            claims[name] + " ",
            claims[name].upper(),
        ):
            if value != claims[name]:
                yield _invalid(f"{name} {value!r}", forge(key, claims | {name: value}))
    for name, value in (("nbf", claims["iat"]), ("azp", "x"), ("email", "x@example.org"), ("admin", True), ("", 1)):
        yield _invalid(f"one claim more: {name!r}", forge(key, claims | {name: value}))
    for text in (
        b"{}",
        b"[]",
        b"null",
        b"1",
        b'"x"',
        b"\xff",
        b"{",
        as_json(claims) + b"x",
        b"\xef\xbb\xbf" + as_json(claims),
    ):
        yield _invalid(f"payload {text[:20]!r}", forge(key, text))
    long = {"roles": [f"{number:060}" for number in range(60)]}
    yield _invalid("over 4 kB, good otherwise", forge(key, claims | long))
    yield _invalid("payload nested 2,900 deep", forge(key, b"[" * 2900))
    yield _invalid(
        "time of 2,000 digits", forge(key, as_json(claims | {"exp": 0}).replace(b'"exp":0', b'"exp":' + b"9" * 2000))
    )


def _on_the_times(ring: KeyRing, token: str) -> Iterator[Attack]:
    key, claims = ring.current, claims_of(token)
    iat, exp = claims["iat"], claims["exp"]
    hour = 3600
    yield _invalid("issued in an hour", forge(key, claims | {"iat": iat + hour, "exp": exp + hour}))
    yield _invalid("issued in a minute and a half", forge(key, claims | {"iat": iat + 90, "exp": exp + 90}))
    yield _invalid("lives an hour and a second", forge(key, claims | {"exp": iat + hour + 1}))
    yield _invalid("lives for ever", forge(key, claims | {"exp": 2**53}))
    yield _invalid("expires when issued", forge(key, claims | {"exp": iat}))
    yield _invalid("expires before it was issued", forge(key, claims | {"exp": iat - 1}))
    yield Attack(
        "expired an hour ago", "token_expired", forge(key, claims | {"iat": iat - 2 * hour, "exp": iat - hour})
    )
    yield Attack("expired a minute ago", "token_expired", forge(key, claims | {"iat": iat - hour, "exp": iat - 60}))


def _on_the_form(ring: KeyRing, token: str) -> Iterator[Attack]:
    header, body, signature = token.split(".")
    texts = {
        "nothing": "",
        "a space": " ",
        "a word": "garbage",
        "dots": "..",
        "three dots": "...",
        "two parts": f"{header}.{body}",
        "no signature": f"{header}.{body}.",
        "four parts": f"{token}.{signature}",
        "five parts, as encrypted": f"{header}.{body}.{signature}.{body}.{signature}",
        "trailing =": f"{token}=",
        "trailing ==": f"{token}==",
        "padded header": f"{header}=.{body}.{signature}",
        "trailing space": f"{token} ",
        "leading space": f" {token}",
        "trailing line end": f"{token}\n",
        "trailing NUL": f"{token}\x00",
        "Bearer in front": f"Bearer {token}",
        "quoted": f'"{token}"',
        "standard base64": f"{header}.{body}.{'+/' * 43}",
        "other last bits": f"{header}.{body}.{_respell(signature)}",
        "JSON serialisation": json.dumps({"protected": header, "payload": body, "signature": signature}),
        "non-ASCII letter": f"{token}é",
        "fullwidth letters": token.replace("e", "\uff45"),
        "lone surrogate": "\ud800.a.b",
        "lone surrogate at the end": f"{token}\udfff",
        "5 kB": f"{header}.{to_base64url(b'x' * 3600)}.{signature}",
        "1 MB": f"{header}.{'A' * 1_000_000}.{signature}",
        "1 MB of dots": "." * 1_000_000,
        "nested 100,000 deep": seal(ring.current, as_json(proper_header(ring.current)), b"[" * 100_000),
    }
    for name, text in texts.items():
        yield _invalid(name, text)


def _respell(signature: str) -> str:
    """Return another spelling of the same bytes: the last character has bits that decoders ignore."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    if not len(signature) % 4:
        return signature + "A"
    return signature[:-1] + alphabet[alphabet.index(signature[-1]) ^ 1]


def _invalid(name: str, token: str) -> Attack:
    return Attack(name, "invalid_token", token)
