"""Which CSRF token opens which session."""

import pytest

from gateroom.auth.csrf import Csrf
from gateroom.auth.keys import KeyRing, SigningKey
from gateroom.errors import InvalidCsrf


def test_a_session_is_opened_by_its_own_token() -> None:
    csrf = Csrf(KeyRing(SigningKey.generate()))
    csrf.check("s-1", csrf.token("s-1"))
    assert len(csrf.token("s-1")) == 43


def test_the_token_of_another_session_or_server_opens_nothing() -> None:
    csrf, another = Csrf(KeyRing(SigningKey.generate())), Csrf(KeyRing(SigningKey.generate()))
    for token in (csrf.token("s-2"), another.token("s-1")):
        with pytest.raises(InvalidCsrf):
            csrf.check("s-1", token)


@pytest.mark.parametrize("presented", [None, "", " ", "x" * 43, "é", "\ud800", "\x00", "x" * 100_000])
def test_whatever_else_is_presented_is_refused(presented: str | None) -> None:
    with pytest.raises(InvalidCsrf):
        Csrf(KeyRing(SigningKey.generate())).check("s-1", presented)


def test_a_token_with_anything_added_or_changed_is_refused() -> None:
    csrf = Csrf(KeyRing(SigningKey.generate()))
    token = csrf.token("s-1")
    for changed in (token + "=", token + " ", " " + token, token[:-1], token.swapcase()):
        with pytest.raises(InvalidCsrf):
            csrf.check("s-1", changed)


def test_a_token_outlives_a_rotation_until_its_key_is_removed() -> None:
    old, new = SigningKey.generate(), SigningKey.generate()
    ring = KeyRing(old)
    csrf = Csrf(ring)
    before = csrf.token("s-1")
    ring.replace(new, old)
    csrf.check("s-1", before)
    assert csrf.token("s-1") != before
    ring.replace(new, retired=[old])  # the page that holds it may live for weeks
    csrf.check("s-1", before)
    ring.replace(new)
    with pytest.raises(InvalidCsrf):
        csrf.check("s-1", before)
