"""That the check which every started server goes through would find what it looks for."""

import pytest

from gateroom.auth.keys import SigningKey
from gateroom.auth.refresh import PREFIX as REFRESH
from gateroom.auth.tickets import PREFIX as TICKET
from support.secrecy import leaks_in
from support.tokens import forge


@pytest.mark.parametrize(
    "secret",
    [
        forge(SigningKey.generate(), {"sub": "u-ada"}),
        f"{REFRESH}{'x' * 43}",
        f"{TICKET}{'x' * 43}",
        f"grk_{'x' * 43}",
        "the admin's password",
    ],
)
def test_a_secret_is_found_wherever_it_stands(secret: str) -> None:
    lines = ["all is well\n", f'GET "/ws?token={secret}" 403\n', f'{{"event": "{secret}"}}']
    assert leaks_in(lines, ["the admin's password"]) == lines[1:]


def test_a_password_is_shown_by_the_first_start_alone() -> None:
    assert leaks_in(["  new account alice password correct horse\n"], ["correct horse"]) == []
    assert leaks_in(["new account alice correct horse\n", "login of alice, correct horse\n"], ["correct horse"]) == [
        "login of alice, correct horse\n"
    ]


def test_ids_and_hidden_credentials_are_no_secrets() -> None:
    line = "GET /ws?token=[hidden] eyJhbGciOi a3scgpjtxllxjq2cb2pwwwwiha room grk_ticket gateroom.v1\n"
    assert leaks_in([line], ["short", "correct horse"]) == []
