"""The life of tokens over real processes and sockets: expiry, reuse, revocation, and changes made behind the back."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime

import httpx2 as httpx
import pytest

from support.cli import run_cli
from support.gateway import RunningGateway, running_gateway
from support.visitors import Visitor, visiting

REVOKED = (1008, "session_revoked")
PROMISED = 1.0  # seconds from an order to the close
SLACK = 3.0  # seconds that a busy machine may be late


class Login:
    """One session, as a program that keeps its tokens."""

    def __init__(self, stack: ExitStack, gateway: RunningGateway, username: str) -> None:
        self.client = stack.enter_context(gateway.client())
        self.gateway = gateway
        body = {"username": username, "password": gateway.passwords.get(username, gateway.admin_password)}
        self._take(self.client.post("/auth/login", json=body))

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access}"}

    def refresh(self) -> None:
        self._take(self.client.post("/auth/refresh", json={"refresh_token": self.refresh_token}))

    def grant(self) -> None:
        form = {"grant_type": "refresh_token", "refresh_token": self.refresh_token}
        self._take(self.client.post("/auth/token", data=form))

    def _take(self, answer: httpx.Response) -> None:
        assert answer.status_code == 200, answer.text
        self.access, self.refresh_token = answer.json()["access_token"], answer.json()["refresh_token"]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def connected(stack: ExitStack, login: Login) -> Visitor:
    visitor = stack.enter_context(visiting(login.gateway.ws_url, "/ws", headers=login.headers))
    visitor.event("welcome")
    return visitor


def seconds_of(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def test_a_socket_is_warned_and_ends_with_its_token_unless_it_is_carried_on(stack: ExitStack) -> None:
    brief = {"GATEROOM_AUTH__ACCESS_TTL": "4", "GATEROOM_REALTIME__EXPIRY_NOTICE": "2"}
    gateway = stack.enter_context(running_gateway(demo=True, environment=brief))
    logins = [Login(stack, gateway, "alice") for _ in range(3)]
    left, by_command, by_http = visitors = [connected(stack, login) for login in logins]
    ends = [seconds_of(visitor.event("expiring")["expires_at"]) for visitor in visitors]
    assert all(end - 2 <= time.time() < end for end in ends)
    logins[1].grant()
    answer = by_command.ask("refresh", token=logins[1].access)
    assert seconds_of(answer["expires_at"]) > ends[1]
    logins[2].refresh()
    assert left.closed() == (1008, "token_expired")
    assert ends[0] <= time.time() < ends[0] + PROMISED + SLACK
    assert [visitor.ask("ping")["type"] for visitor in (by_command, by_http)] == ["reply"] * 2
    for visitor in (by_command, by_http):
        visitor.event("expiring")
        assert visitor.closed() == (1008, "token_expired")


def test_of_twenty_refreshes_at_once_one_wins_and_its_session_is_over(
    gateway: RunningGateway, stack: ExitStack
) -> None:
    login = Login(stack, gateway, "alice")
    body = {"refresh_token": login.refresh_token}
    with ThreadPoolExecutor(20) as crowd:
        answers = list(crowd.map(lambda _: login.client.post("/auth/refresh", json=body), range(20)))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 401: 19}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 401} == {"session_revoked"}
    (won,) = [answer.json() for answer in answers if answer.status_code == 200]
    assert login.client.post("/auth/refresh", json={"refresh_token": won["refresh_token"]}).status_code == 401
    me = login.client.get("/auth/me", headers={"Authorization": f"Bearer {won['access_token']}"})
    assert me.json()["code"] == "session_revoked"
    assert any("refresh_reused" in line for line in gateway.output)
    assert not any(secret in line for line in gateway.output for secret in (login.refresh_token, won["refresh_token"]))


def test_an_order_reaches_the_socket_within_a_second_and_is_measured(gateway: RunningGateway, stack: ExitStack) -> None:
    login = Login(stack, gateway, "bob")
    visitor = connected(stack, login)
    asked = time.monotonic()
    assert login.client.post("/auth/logout", headers=login.headers).status_code == 204
    assert visitor.closed() == REVOKED
    assert time.monotonic() - asked < PROMISED + SLACK
    metrics = login.client.get("/metrics").text
    measured = [line for line in metrics.splitlines() if line.startswith("gateroom_revocation_seconds_bucket")]
    within_a_second = next(line for line in measured if 'le="1.0"' in line)
    assert float(within_a_second.rpartition(" ")[2]) >= 1


def test_what_the_command_line_changes_reaches_live_sockets_by_itself(stack: ExitStack) -> None:
    """It tells the server nothing: the next round finds it, within a minute (LC-2)."""
    gateway = stack.enter_context(running_gateway(demo=True))
    admin, alice, bob, carol = [Login(stack, gateway, name) for name in ("admin", "alice", "bob", "carol")]
    for room in ("den", "attic"):
        admin.client.post("/api/rooms", json={"id": room}, headers=admin.headers)
    admin.client.put("/api/rooms/den/members/@carol", json={"role": "member"}, headers=admin.headers)
    owner, first, second, third = [connected(stack, login) for login in (admin, alice, bob, carol)]
    assert owner.ask("join", room="attic")["type"] == "reply"
    assert third.ask("join", room="den")["type"] == "reply"
    for command in (
        ("users", "disable", "alice"),
        ("users", "passwd", "bob"),
        ("rooms", "member", "den", "carol", "--remove"),
        ("rooms", "delete", "attic"),
    ):
        ran = run_cli(*command, "--data-dir", gateway.data_dir)
        assert ran.status == 0, ran.err
    changed = time.monotonic()
    assert first.closed(patience=60) == (1008, "user_disabled")
    assert second.closed(patience=60) == REVOKED
    assert third.event("removed", patience=60) == {"type": "removed", "room": "den", "reason": "forbidden"}
    assert owner.event("removed", patience=60) == {"type": "removed", "room": "attic", "reason": "room_closed"}
    assert time.monotonic() - changed < 60
    assert owner.ask("ping")["type"] == third.ask("ping")["type"] == "reply"
