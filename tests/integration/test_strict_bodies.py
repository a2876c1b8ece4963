"""No body makes a request fail otherwise than by 400, 413 or 422, and no answer repeats what was sent (HC-3)."""

import json
from collections.abc import Mapping
from typing import Any

import httpx2 as httpx
import pytest

from support.in_process import InProcess
from support.operations import Operation, guarded, operations

CANARY = "canary-7f3a"
WITH_JSON = [
    each for each in operations() if "application/json" in each.document.get("requestBody", {}).get("content", {})
]

# What a good body of each is; so that only what a test changes is wrong.
GOOD: Mapping[str, dict[str, Any]] = {
    "POST /auth/login": {"username": "admin", "password": "wrong password"},
    "PUT /auth/me/password": {"current_password": "a password", "new_password": "a long password"},
    "POST /auth/refresh": {"refresh_token": "grr_"},
    "POST /auth/tickets": {"room": "lobby"},
    "POST /auth/register": {"username": "newcomer", "password": "a long password"},
    "POST /api/keys": {"name": "strict", "scopes": []},
    "POST /api/users": {"username": "strict", "password": "a long password"},
    "PATCH /api/users/{user}": {"roles": ["admin"]},
    "POST /api/users/{user}/messages": {"data": 1},
    "POST /api/rooms": {"id": "strict"},
    "PATCH /api/rooms/{room}": {"title": "Lobby"},
    "PUT /api/rooms/{room}/members/{user}": {"role": "owner"},
    "POST /api/rooms/{room}/messages": {"data": 1},
    "POST /api/broadcast": {"data": 1},
    "POST /api/authorize": {"user": "@admin", "action": "read", "room": "lobby"},
    "PUT /api/rooms/{room}/bans/{user}": {"until": "2999-01-01T00:00:00Z"},
    "PUT /api/rooms/{room}/mutes/{user}": {"until": "2999-01-01T00:00:00Z"},
}
NEEDED = [each for each in WITH_JSON if each.document["requestBody"].get("required")]
every_body = pytest.mark.parametrize("operation", WITH_JSON, ids=str)


def send(gateway: InProcess, operation: Operation, content: bytes) -> httpx.Response:
    headers = {**gateway.admin.headers, "Content-Type": "application/json"}
    return gateway.client.request(operation.method, operation.concrete, content=content, headers=headers)


def assert_refused(answer: httpx.Response, *statuses: int) -> None:
    assert answer.status_code in (statuses or (400, 422)), answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert set(problem) == {"type", "title", "status", "detail", "code"}
    assert problem["status"] == answer.status_code
    assert CANARY not in answer.text
    assert CANARY not in str(answer.headers)


def test_the_table_of_good_bodies_is_complete() -> None:
    assert set(GOOD) == {str(operation) for operation in WITH_JSON}


@every_body
@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"canary-7f3a",
        b'"canary-7f3a',
        b'{"canary-7f3a": NaN}',
        b'{"canary-7f3a": Infinity}',
        b'{"canary-7f3a": -Infinity}',
        b'{"canary-7f3a": 1e999}',
        b'{"canary-7f3a": "\\ud800"}',
        b'{"canary-7f3a": "\\udfff\\ud800"}',
        b'{"canary-7f3a": "\xed\xa0\x80"}',
        b'{"canary-7f3a": "\xff"}',
        b'{"canary-7f3a": "\x00"}',
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        b"[" * 60000,
        b'{"a":' * 10000,
        b"[],[]," * 10000,
        b'{"canary-7f3a": ' + b"9" * 60000 + b"}",
        b"{} {}",
        b"{'canary-7f3a': 1}",
    ],
    ids=lambda content: ascii(content[:30]),
)
def test_what_is_not_json_is_refused(gateway: InProcess, operation: Operation, content: bytes) -> None:
    no_body = operation.path == "/auth/refresh" and not content  # the token may be in the cookie
    assert_refused(send(gateway, operation, content), *((401,) if no_body else (400, 422)))


@pytest.mark.parametrize("operation", NEEDED, ids=str)
def test_no_body_where_one_is_needed_is_refused(gateway: InProcess, operation: Operation) -> None:
    assert_refused(send(gateway, operation, b""), 422)


@every_body
@pytest.mark.parametrize("body", [None, True, 0, 1.5, CANARY, [], [CANARY], [{}], {CANARY: CANARY}], ids=str)
def test_what_is_not_the_object_asked_for_is_refused(gateway: InProcess, operation: Operation, body: object) -> None:
    no_body = operation.path == "/auth/refresh" and body is None
    assert_refused(send(gateway, operation, json.dumps(body).encode()), 401 if no_body else 422)


@every_body
def test_an_unknown_field_is_refused_and_not_named(gateway: InProcess, operation: Operation) -> None:
    answer = send(gateway, operation, json.dumps({**GOOD[str(operation)], CANARY: 1}).encode())
    assert_refused(answer, 422)
    assert answer.json()["detail"] == "a field: is unknown."


NOT_TEXT: tuple[object, ...] = ([CANARY], {CANARY: CANARY}, {"$gt": ""}, 1, -1.5, 10**20, True, [[[]]])
NOT_TEXTS: tuple[object, ...] = (CANARY, {CANARY: CANARY}, 1, [1], [None], [[CANARY]], [f"{CANARY} "], [CANARY] * 65)


@every_body
def test_a_field_of_the_wrong_type_is_refused_by_name(gateway: InProcess, operation: Operation) -> None:
    good = GOOD[str(operation)]
    for name, right in good.items():
        if name != "data":  # any JSON is right there
            for wrong in NOT_TEXT if isinstance(right, str) else NOT_TEXTS:
                answer = send(gateway, operation, json.dumps({**good, name: wrong}).encode())
                assert_refused(answer, 422)
                assert answer.json()["detail"].startswith(name)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        ("POST /auth/login", "username"),
        ("POST /auth/login", "password"),
        ("POST /auth/login", "cookie"),
        ("POST /api/users", "username"),
        ("POST /api/users", "password"),
        ("POST /api/users", "roles"),
        ("POST /api/users", "scopes"),
        ("PATCH /api/users/{user}", "disabled"),
        ("POST /api/rooms", "id"),
        ("POST /api/rooms", "kind"),
        ("POST /api/rooms", "title"),
        ("POST /api/rooms", "visibility"),
        ("PATCH /api/rooms/{room}", "title"),
        ("PATCH /api/rooms/{room}", "visibility"),
        ("PUT /api/rooms/{room}/members/{user}", "role"),
    ],
)
def test_a_text_that_is_no_value_of_its_field_is_refused_and_not_repeated(
    gateway: InProcess, call: str, name: str
) -> None:
    operation = next(each for each in WITH_JSON if str(each) == call)
    answer = send(gateway, operation, json.dumps({**GOOD[call], name: f"{CANARY} \r\n" * 200}).encode())
    assert_refused(answer, 422)
    assert name in answer.json()["detail"]


@every_body
def test_a_body_over_64_kib_is_refused(gateway: InProcess, operation: Operation) -> None:
    content = json.dumps({**GOOD[str(operation)], "x": CANARY * 10000}).encode()
    assert len(content) > 65536
    answer = send(gateway, operation, content)
    assert_refused(answer, 413)
    assert answer.json()["code"] == "too_large"


def test_a_chunked_body_over_64_kib_is_refused(gateway: InProcess) -> None:
    chunks = iter([b'{"username": "', *[CANARY.encode() * 100] * 100, b'"}'])
    answer = gateway.client.post("/auth/login", content=chunks, headers={"Content-Type": "application/json"})
    assert_refused(answer, 413)


@pytest.mark.parametrize("path", ["/api/rooms/lobby/messages", "/api/users/@admin/messages"])
@pytest.mark.parametrize(
    "data", [b"[" * 100 + b"]" * 100, b'{"a":' * 100 + b"1" + b"}" * 100], ids=["arrays", "objects"]
)
def test_data_nested_too_deep_for_other_receivers_is_refused(gateway: InProcess, path: str, data: bytes) -> None:
    headers = {**gateway.admin.headers, "Content-Type": "application/json"}
    answer = gateway.client.post(path, content=b'{"data":' + data + b"}", headers=headers)
    assert_refused(answer, 422)
    assert "nested" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/api/rooms/lobby/messages", "/api/users/@admin/messages"])
def test_a_message_needs_data(gateway: InProcess, path: str) -> None:
    assert gateway.post(path, gateway.admin, {}).json()["detail"] == "data: is required."


@every_body
@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""])
def test_only_json_is_read(gateway: InProcess, operation: Operation, content_type: str) -> None:
    headers = {**gateway.admin.headers, "Content-Type": content_type}
    content = json.dumps(GOOD[str(operation)]).encode()
    answer = gateway.client.request(operation.method, operation.concrete, content=content, headers=headers)
    assert_refused(answer, 415, 422)


@pytest.mark.parametrize("operation", guarded(), ids=str)
def test_a_path_is_not_repeated(gateway: InProcess, operation: Operation) -> None:
    path = operation.path.format(room=f"{CANARY}%20", user=f"{CANARY}%20", session=f"{CANARY}%20", key=f"{CANARY}%20")
    if path != operation.path:
        answer = gateway.client.request(operation.method, path, headers=gateway.admin.headers)
        assert_refused(answer, 422)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_an_unknown_path_is_not_repeated(gateway: InProcess, method: str) -> None:
    for path in (f"/{CANARY}", f"/api/rooms/lobby/{CANARY}?{CANARY}", f"/console/{CANARY}", f"/%00{CANARY}"):
        answer = gateway.client.request(method, path, headers=gateway.admin.headers)
        assert_refused(answer, 404, 405)


def test_a_method_that_a_path_has_not_is_named_with_those_it_has(gateway: InProcess) -> None:
    for path, allowed in (("/auth/login", "POST"), ("/auth/me", "GET"), ("/healthz", "GET")):
        answer = gateway.client.delete(path)
        assert_refused(answer, 405)
        assert answer.headers["Allow"] == allowed  # RFC 9110 section 15.5.6
