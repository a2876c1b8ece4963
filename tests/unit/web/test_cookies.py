"""Which cookies of a request are ours: names are compared as the bytes that came (HS-3)."""

import pytest
from starlette.requests import HTTPConnection

from gateroom.web.cookies import values

NAME = "gateroom_access"


def of(*lines: bytes) -> HTTPConnection:
    return HTTPConnection({"type": "http", "headers": [(b"cookie", line) for line in lines]})


@pytest.mark.parametrize("before", [b"\xa0", b"\x85", b"\x1c", b"\x0b", b"\xc2\xa0", b"x", b'"', b"__Host-"])
def test_a_name_that_a_parser_would_strip_or_spell_otherwise_is_another(before: bytes) -> None:
    name = NAME.encode()
    for other in (before + name, name + before.strip(b"x"), name.upper()):
        if other != name:
            assert values(of(other + b"=evil"), NAME) == []


def test_every_value_is_seen_however_the_cookies_are_sent() -> None:
    assert values(of(b"a=1; gateroom_access=x;gateroom_access=y", b"\tgateroom_access=z"), NAME) == ["x", "y", "z"]


def test_what_has_no_value_is_no_cookie() -> None:
    assert values(of(b"gateroom_access", b"; ;=;"), NAME) == []
    assert values(of(b"gateroom_access="), NAME) == [""]
