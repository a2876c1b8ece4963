"""`POST /auth/register`: closed unless it was opened, and slow for whoever wants many accounts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateroom.auth.registration import BURST
from support.in_process import InProcess, running_in_process

ADA = {"username": "ada", "password": "correct horse battery"}


@pytest.fixture
def open_gateway(tmp_path: Path) -> Iterator[InProcess]:
    with running_in_process(tmp_path, auth={"registration": "open"}) as running:
        yield running


def test_it_is_closed_by_default(gateway: InProcess) -> None:
    answer = gateway.client.post("/auth/register", json=ADA)
    assert (answer.status_code, answer.json()["code"]) == (403, "registration_closed")
    form = {"grant_type": "password", **ADA}
    assert gateway.client.post("/auth/token", data=form).status_code == 400


def test_where_it_is_open_anybody_makes_an_account_with_the_default_scopes(open_gateway: InProcess) -> None:
    answer = open_gateway.client.post("/auth/register", json=ADA)
    assert answer.status_code == 201
    assert (answer.json()["username"], answer.json()["scopes"]) == ("ada", ["rooms:create", "users:send"])
    assert "password" not in answer.text
    account = open_gateway.log_in(ADA["username"], ADA["password"])
    with open_gateway.connected(account):
        pass
    again = open_gateway.client.post("/auth/register", json=ADA)
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


@pytest.mark.parametrize(
    "body",
    [
        {**ADA, "scopes": ["users:admin"]},
        {**ADA, "roles": ["staff"]},
        {**ADA, "username": "A"},
        {**ADA, "password": "short"},
        {**ADA, "password": "password1"},
        {"username": "ada"},
    ],
)
def test_nobody_chooses_their_own_powers_or_a_bad_password(open_gateway: InProcess, body: dict[str, object]) -> None:
    answer = open_gateway.client.post("/auth/register", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_command")


def test_one_address_cannot_make_accounts_without_end(open_gateway: InProcess) -> None:
    bodies = [{"username": f"user{number}", "password": "short"} for number in range(BURST + 2)]
    statuses = [open_gateway.client.post("/auth/register", json=body).status_code for body in bodies]
    assert statuses == [422] * BURST + [429] * 2
    answer = open_gateway.client.post("/auth/register", json=ADA)
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
