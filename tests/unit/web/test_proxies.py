"""Whose word counts for where a request comes from (DS-6)."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send

from gateroom.web.proxies import Style, TrustedProxiesMiddleware

TRUSTED = ["10.0.0.0/8", "2001:db8::/32"]
PROXY, STRANGER, CLIENT = "10.0.0.1", "203.0.113.9", "192.0.2.7"

Headers = Sequence[tuple[str, str]]


async def seen(
    headers: Headers | Sequence[tuple[bytes, bytes]],
    *,
    peer: str = PROXY,
    style: Style = "x-forwarded",
    scheme: str = "http",
) -> tuple[str, str]:
    """Return the client's address and the scheme as an application sees them."""
    found: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        found.append(scope)

    async def nothing(*_: Any) -> Any:
        raise AssertionError("nobody sends or receives here")

    raw = [tuple(part.encode() if isinstance(part, str) else part for part in pair) for pair in headers]
    kind = "websocket" if scheme.startswith("ws") else "http"
    scope = {"type": kind, "client": (peer, 50000), "scheme": scheme, "headers": raw}
    await TrustedProxiesMiddleware(app, TRUSTED, style)(scope, nothing, nothing)
    return found[0]["client"][0], found[0]["scheme"]


@pytest.mark.parametrize(
    ("value", "client"),
    [
        (CLIENT, CLIENT),
        (f"1.1.1.1, {CLIENT}", CLIENT),
        (f"{CLIENT}, 10.0.0.2", CLIENT),
        (f"{CLIENT}, 10.0.0.2,10.9.9.9", CLIENT),
        (f"1.1.1.1, {STRANGER}, {CLIENT}, 10.0.0.2", CLIENT),
        (f"{CLIENT}:4711", CLIENT),
        ("2001:db9::1", "2001:db9::1"),
        ("[2001:db9::1]:443", "2001:db9::1"),
        (f"::ffff:{CLIENT}", CLIENT),
        ("10.0.0.3, 10.0.0.2", "10.0.0.3"),  # all of them trusted: the one farthest away
        (f"{CLIENT}, unknown", PROXY),
        (f"{CLIENT}, unknown, 10.0.0.2", "10.0.0.2"),
        (f"{CLIENT}, ", PROXY),
        ("", PROXY),
        ("unknown", PROXY),
        ("1.2.3", PROXY),
        (f"{CLIENT}%eth0", PROXY),
        ("fe80::1%<script>", PROXY),
        ("\u0661.1.1.1", PROXY),
        (", ".join([CLIENT] + ["10.0.0.2"] * 100), "10.0.0.2"),
    ],
)
async def test_the_client_is_the_first_from_the_right_that_is_no_trusted_proxy(value: str, client: str) -> None:
    assert (await seen([("x-forwarded-for", value)]))[0] == client


async def test_the_lines_of_a_header_make_one_list() -> None:
    headers = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", CLIENT), ("x-forwarded-for", "10.0.0.2")]
    assert (await seen(headers))[0] == CLIENT


@pytest.mark.parametrize("peer", [STRANGER, "127.0.0.1", "11.0.0.1", "2001:db9::1", "", "testclient"])
@pytest.mark.parametrize("style", ["x-forwarded", "forwarded"])
async def test_a_stranger_speaks_for_nobody(peer: str, style: Style) -> None:
    headers = [
        ("x-forwarded-for", CLIENT),
        ("x-forwarded-proto", "https"),
        ("forwarded", f"for={CLIENT};proto=https"),
    ]
    assert await seen(headers, peer=peer, style=style) == (peer, "http")


@pytest.mark.parametrize("peer", [PROXY, f"::ffff:{PROXY}", "2001:db8::7"])
async def test_a_trusted_proxy_is_known_by_any_form_of_its_address(peer: str) -> None:
    assert (await seen([("x-forwarded-for", CLIENT)], peer=peer))[0] == CLIENT


async def test_only_the_configured_kind_of_header_is_read() -> None:
    """A proxy that writes the one passes the other on as the client made it up."""
    both = [("x-forwarded-for", CLIENT), ("forwarded", "for=6.6.6.6;proto=https")]
    assert await seen(both) == (CLIENT, "http")
    assert await seen(both, style="forwarded") == ("6.6.6.6", "https")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (f"for={CLIENT}", (CLIENT, "http")),
        (f'For="{CLIENT}:80";Proto=HTTPS;by=10.0.0.1', (CLIENT, "https")),
        ('for="[2001:db9::1]:4711";proto=https', ("2001:db9::1", "https")),
        (f"for=6.6.6.6;proto=https, for={CLIENT};proto=http, for=10.0.0.2;proto=https", (CLIENT, "http")),
        (f"for={CLIENT}, for=_hidden", (PROXY, "http")),
        ("proto=https", (PROXY, "http")),
        (";;;=,=;", (PROXY, "http")),
    ],
)
async def test_the_standard_header_is_understood(value: str, expected: tuple[str, str]) -> None:
    """RFC 7239 section 4."""
    assert await seen([("forwarded", value)], style="forwarded") == expected


@pytest.mark.parametrize(
    ("senders", "schemes", "before", "after"),
    [
        (CLIENT, "https", "http", "https"),
        (CLIENT, "HTTPS", "ws", "wss"),
        (CLIENT, "http", "https", "http"),
        (CLIENT, "", "http", "http"),
        (CLIENT, "gopher", "http", "http"),
        (f"{CLIENT}, 10.0.0.2", "https", "http", "https"),
        (f"{CLIENT}, 10.0.0.2", "https, http", "http", "https"),
        (f"{CLIENT}, 10.0.0.2", "http, https", "http", "http"),
        (f"6.6.6.6, {CLIENT}", "https, http", "http", "http"),
        (CLIENT, "https, http", "http", "http"),  # of whom is unknown
    ],
)
async def test_the_scheme_is_that_of_the_client(senders: str, schemes: str, before: str, after: str) -> None:
    headers = [("x-forwarded-for", senders), ("x-forwarded-proto", schemes)]
    assert (await seen(headers, scheme=before))[1] == after


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"x-forwarded-for", b"x-forwarded-proto", b"forwarded"]),
            st.binary(max_size=60) | st.from_regex(rb'(for=)?"?\[?[0-9a-f:.]{1,20}\]?"?(;proto=https)?(, )?'),
        ),
        max_size=6,
    ),
    st.sampled_from(["x-forwarded", "forwarded"]),
)
async def test_no_header_breaks_anything(headers: list[tuple[bytes, bytes]], style: Style) -> None:
    client, scheme = await seen(headers, style=style)
    assert client
    assert scheme in ("http", "https")
    assert await seen(headers, style=style, peer=STRANGER) == (STRANGER, "http")
