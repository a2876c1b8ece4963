"""Logins with both tokens, as clients that refresh have them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2 as httpx

from support.in_process import ADMIN_PASSWORD, Account, InProcess
from support.tokens import claims_of

OWN_ORIGIN = "http://127.0.0.1"


@dataclass(frozen=True, slots=True)
class Pair:
    """A session's tokens."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access}"}

    @property
    def session(self) -> str:
        return str(claims_of(self.access)["sid"])

    def account(self, user: Account) -> Account:
        """The owner, with this access token."""
        return Account(user.id, user.name, user.password, self.access)


def pair_of(answer: httpx.Response) -> Pair:
    """Return the pair in an answer, which must be good."""
    assert answer.status_code == 200, answer.text
    return Pair(answer.json()["access_token"], answer.json()["refresh_token"])


def log_in(gateway: InProcess, user: Account | None = None, **headers: str) -> Pair:
    """Begin a session, the administrator's by default."""
    name, password = (user.name, user.password) if user else ("admin", ADMIN_PASSWORD)
    body = {"username": name, "password": password}
    return pair_of(gateway.client.post("/auth/login", json=body, headers=headers))


def refresh(gateway: InProcess, token: str) -> httpx.Response:
    return gateway.client.post("/auth/refresh", json={"refresh_token": token})


def renewed(gateway: InProcess, token: str) -> Pair:
    """Exchange a refresh token that must be good."""
    return pair_of(refresh(gateway, token))


def grant(gateway: InProcess, token: str, **fields: str) -> httpx.Response:
    """Exchange a refresh token by OAuth."""
    form = {"grant_type": "refresh_token", "refresh_token": token, **fields}
    return gateway.client.post("/auth/token", data=form)


def log_in_by_cookie(gateway: InProcess) -> str:
    """Log a browser in as the administrator; returns its CSRF token."""
    gateway.client.cookies.clear()
    body = {"username": "admin", "password": ADMIN_PASSWORD, "cookie": True}
    token: str = gateway.client.post("/auth/login", json=body).json()["csrf_token"]
    return token


def proof(csrf_token: str) -> dict[str, str]:
    """What a page of ours sends with a change."""
    return {"X-CSRF-Token": csrf_token, "Origin": OWN_ORIGIN}


def code_of(answer: httpx.Response) -> tuple[int, Any]:
    """Return the status and the code of a problem, or OAuth's error."""
    body: Mapping[str, Any] = answer.json()
    return answer.status_code, body.get("code", body.get("error"))
