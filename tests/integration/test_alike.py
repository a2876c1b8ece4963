"""What may not be known and what does not exist are answered alike, after the same work in the database (RA-2)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx2 as httpx
import pytest
from sqlalchemy import Engine, event

from support.in_process import Account, InProcess

Hidden = tuple[str, str]  # the id of something that is there, and one of something that is not
CALLS: tuple[tuple[str, str, object], ...] = (
    ("GET", "", None),
    ("PATCH", "", {"title": "mine"}),
    ("DELETE", "", None),
    ("GET", "/members", None),
    ("PUT", "/members/@admin", {"role": "viewer"}),
    ("DELETE", "/members/@admin", None),
    ("GET", "/messages", None),
    ("POST", "/messages", {"data": 1}),
    ("GET", "/presence", None),
    ("GET", "/state", None),
    ("GET", "/bans", None),
    ("PUT", "/bans/@admin", {}),
    ("DELETE", "/mutes/@admin", None),
    ("DELETE", "/connections/@admin", None),
)


@contextmanager
def statements() -> Iterator[list[str]]:
    """Gather the SQL that runs meanwhile, without the audit log's."""
    seen: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        if " audit " not in statement and not statement.startswith(("BEGIN", "PRAGMA")):
            seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


@pytest.fixture
def hidden(gateway: InProcess, ada: Account) -> Hidden:
    """A private room of ada's, and an id of the same length that no room has."""
    room = gateway.room(ada)
    return room, f"n{room[1:]}"


def shown(answer: httpx.Response) -> tuple[int, str, dict[str, str]]:
    return answer.status_code, answer.text, dict(answer.headers)


def told_apart(ask: Callable[[str], object], hidden: Hidden) -> bool:
    """Ask about what is hidden and about what is not there; tell whether answers or work differ."""
    found = []
    for name in hidden:
        with statements() as seen:
            answer = ask(name)
        found.append((answer, list(seen)))
    return found[0] != found[1]


@pytest.mark.parametrize(("method", "path", "body"), CALLS, ids=[f"{call[0]} {call[1]}" for call in CALLS])
def test_a_hidden_room_says_and_costs_what_no_room_does(
    gateway: InProcess, ben: Account, hidden: Hidden, method: str, path: str, body: object
) -> None:
    gateway.get("/auth/me", ben)  # so that the account is known either time

    def ask(room: str) -> object:
        url = f"/api/rooms/{room}{path}"
        return shown(gateway.client.request(method, url, json=body, headers=ben.headers))

    assert not told_apart(ask, hidden)


def test_a_hidden_room_says_and_costs_what_no_room_does_on_a_socket(
    gateway: InProcess, ben: Account, hidden: Hidden
) -> None:
    with gateway.connected(ben) as peer:
        assert not told_apart(lambda room: peer.ask("join", room=room), hidden)
        assert peer.ask("join", room=hidden[0])["code"] == "forbidden"


def test_a_hidden_room_says_and_costs_what_no_room_does_at_the_handshake(
    gateway: InProcess, ben: Account, hidden: Hidden
) -> None:
    with gateway.connected(ben):  # so that the inbox is known either time
        assert not told_apart(lambda room: gateway.refusal(f"/ws/rooms/{room}", headers=ben.headers), hidden)


def test_a_disabled_user_says_what_no_user_does(gateway: InProcess, ada: Account) -> None:
    gone = gateway.user()
    assert gateway.patch(f"/api/users/{gone.id}", gateway.admin, {"disabled": True}).status_code == 200
    pair = (f"@{gone.name}", f"@n{gone.name[1:]}")

    def send(user: str) -> object:
        return shown(gateway.post(f"/api/users/{user}/messages", ada, {"data": 1}))

    assert send(pair[0]) == send(pair[1])
    with gateway.connected(ada) as peer:
        assert peer.ask("send", user=pair[0], data=1) == peer.ask("send", user=pair[1], data=1)


def test_a_difference_would_be_seen(gateway: InProcess, ada: Account, hidden: Hidden) -> None:
    assert told_apart(lambda room: shown(gateway.get(f"/api/rooms/{room}", ada)), hidden)
