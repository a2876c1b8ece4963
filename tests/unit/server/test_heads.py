"""What counts as a host."""

import pytest

from gateroom.server.heads import is_host


@pytest.mark.parametrize(
    "host",
    [b"localhost", b"example.org", b"example.org:8000", b"a_b.internal:", b"127.0.0.1:80", b"[::1]", b"[fe80::1]:8000"],
)
def test_a_name_or_an_address_is_a_host(host: bytes) -> None:
    assert is_host([host])


@pytest.mark.parametrize(
    "host",
    [
        b"",
        b":80",
        b"a b",
        b"a/b",
        b"a?b",
        b"a#b",
        b"u@a",
        b"a\\b",
        b"a:b",
        b"a:123456",
        b"::1",
        b"[::1",
        b"a\n",
        b"\xe9",
    ],
)
def test_anything_else_is_not(host: bytes) -> None:
    assert not is_host([host])


def test_there_must_be_exactly_one() -> None:
    assert not is_host([])
    assert not is_host([b"a", b"a"])
