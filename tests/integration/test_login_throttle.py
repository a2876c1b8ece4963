"""Guessing passwords gets slower, and nobody is locked out by it (PW-4)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2 as httpx
import pytest
from starlette.testclient import TestClient

from gateroom import create_app
from support.in_process import ADMIN_PASSWORD, HOST, settings_for

VICTIM, ATTACKER = "192.0.2.7", "203.0.113.9"


@contextmanager
def throttled(data_dir: Path) -> Iterator[dict[str, TestClient]]:
    """Run with the default rate; a client for each address."""
    app = create_app(settings_for(data_dir, auth={"login_rate": 10}))
    with TestClient(app, base_url=f"http://{HOST}", client=(VICTIM, 1)) as first:
        yield {VICTIM: first, ATTACKER: TestClient(app, base_url=f"http://{HOST}", client=(ATTACKER, 1))}


def by_json(client: TestClient, name: str, password: str) -> httpx.Response:
    return client.post("/auth/login", json={"username": name, "password": password})


def by_form(client: TestClient, name: str, password: str) -> httpx.Response:
    return client.post("/auth/token", data={"grant_type": "password", "username": name, "password": password})


@pytest.mark.parametrize("name", ["admin", "nobody-at-all", "Not A Name"])
@pytest.mark.parametrize("log_in", [by_json, by_form])
def test_the_eleventh_failure_is_not_even_looked_at_whether_or_not_the_name_exists(
    tmp_path: Path, log_in: Callable[[TestClient, str, str], httpx.Response], name: str
) -> None:
    with throttled(tmp_path) as clients:
        answers = [log_in(clients[ATTACKER], name, f"wrong {number}") for number in range(20)]
        statuses = [answer.status_code for answer in answers]
        assert statuses == [400 if log_in is by_form else 401] * 10 + [429] * 10
        assert all(1 <= int(answer.headers["Retry-After"]) <= 6 for answer in answers[10:])
        assert len({answer.text for answer in answers[10:]}) == 1
        assert log_in(clients[ATTACKER], "admin", ADMIN_PASSWORD).status_code == 429
        assert log_in(clients[VICTIM], "admin", ADMIN_PASSWORD).status_code == 200


def test_who_logged_in_before_is_not_held_up_by_others_at_the_same_address(tmp_path: Path) -> None:
    with throttled(tmp_path) as clients:
        neighbours = clients[VICTIM]
        assert by_json(neighbours, "admin", ADMIN_PASSWORD).status_code == 200
        assert [by_json(neighbours, "bob", "wrong").status_code for _ in range(12)][-2:] == [429, 429]
        assert by_json(neighbours, "admin", ADMIN_PASSWORD).status_code == 200


def test_right_passwords_are_never_too_many(tmp_path: Path) -> None:
    with throttled(tmp_path) as clients:
        assert {by_json(clients[VICTIM], "admin", ADMIN_PASSWORD).status_code for _ in range(15)} == {200}


def test_a_stolen_token_is_no_way_to_guess_the_password(tmp_path: Path) -> None:
    with throttled(tmp_path) as clients:
        token = by_json(clients[VICTIM], "admin", ADMIN_PASSWORD).json()["access_token"]
        thief, headers = clients[ATTACKER], {"Authorization": f"Bearer {token}"}
        guesses = [{"current_password": f"guess {number}", "new_password": "another password"} for number in range(12)]
        answers = [thief.put("/auth/me/password", json=guess, headers=headers) for guess in guesses]
        assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 2
        assert int(answers[-1].headers["Retry-After"]) >= 1
        right = {"current_password": ADMIN_PASSWORD, "new_password": "another password"}
        assert thief.put("/auth/me/password", json=right, headers=headers).status_code == 429
        assert clients[VICTIM].put("/auth/me/password", json=right, headers=headers).status_code == 204
