"""`/api/rooms/{room}/state`: a room's shared document over HTTP, the same one that sockets see."""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from support.in_process import Account, InProcess, running_in_process

JSON_PATCH = "application/json-patch+json"


def patch(
    gateway: InProcess, room: str, by: Account, body: object, if_match: str | None = None, **headers: str
) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"Content-Type": JSON_PATCH, **by.headers, **headers, **({"If-Match": if_match} if if_match else {})}
    return gateway.client.patch(f"/api/rooms/{room}/state", content=content, headers=sent)


def adding(key: str, value: object = 1) -> list[Mapping[str, object]]:
    return [{"op": "add", "path": f"/{key}", "value": value}]


def state(gateway: InProcess, room: str, by: Account) -> httpx.Response:
    answer = gateway.get(f"/api/rooms/{room}/state", by)
    assert answer.status_code == 200, answer.text
    return answer


def assert_problem(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_an_untouched_state_is_an_empty_object(gateway: InProcess, room: str, ada: Account) -> None:
    answer = state(gateway, room, ada)
    assert answer.json() == {}
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["State-Version"] == "0"
    assert answer.headers["ETag"].startswith('"')


def test_a_patch_is_answered_with_its_version_and_read_again(gateway: InProcess, room: str, ada: Account) -> None:
    first = patch(gateway, room, ada, adding("topic", {"title": "tea"}))
    assert (first.status_code, first.json()) == (200, {"state_version": 1})
    second = patch(gateway, room, ada, [{"op": "replace", "path": "/topic/title", "value": "cake"}])
    assert second.json() == {"state_version": 2}
    now = state(gateway, room, ada)
    assert now.json() == {"topic": {"title": "cake"}}
    assert (now.headers["ETag"], now.headers["State-Version"]) == (second.headers["ETag"], "2")
    assert first.headers["ETag"] != second.headers["ETag"]


def test_sockets_hear_what_is_patched_over_http_and_the_other_way_round(
    gateway: InProcess, room: str, ada: Account, ben: Account
) -> None:
    with gateway.connected(ben) as peer:
        assert peer.join(room)["state"] == {}
        patch(gateway, room, ada, adding("a"))
        event = peer.event("state")
        assert event == {
            "type": "state",
            "room": room,
            "state_version": 1,
            "patch": adding("a"),
            "by": ada.person,
        }
        _, answer = peer.ask_among("patch", room=room, patch=adding("b"), version=1)
        assert answer["state_version"] == 2
    now = state(gateway, room, ada)
    assert (now.json(), now.headers["State-Version"]) == ({"a": 1, "b": 1}, "2")


def test_if_match_lets_only_the_first_of_two_through(gateway: InProcess, room: str, ada: Account, ben: Account) -> None:
    tag = state(gateway, room, ada).headers["ETag"]
    first = patch(gateway, room, ada, adding("a"), tag)
    assert first.status_code == 200
    assert_problem(patch(gateway, room, ben, adding("b"), tag), 409, "conflict")
    assert patch(gateway, room, ben, adding("b"), f'"other", {first.headers["ETag"]}').status_code == 200
    assert patch(gateway, room, ben, adding("c"), "*").status_code == 200
    assert state(gateway, room, ada).json() == {"a": 1, "b": 1, "c": 1}


def test_of_many_at_once_who_match_one_version_exactly_one_gets_through(
    gateway: InProcess, room: str, ada: Account
) -> None:
    tag = state(gateway, room, ada).headers["ETag"]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda number: patch(gateway, room, ada, adding(f"k{number}"), tag), range(16)))
    assert sorted(answer.status_code for answer in answers) == [200, *[409] * 15]
    assert state(gateway, room, ada).headers["State-Version"] == "1"


@pytest.mark.parametrize("tag", ['"0"', "0", 'W/"{0}"', "{0}", "", '"', '"\xe9"'])
def test_what_names_no_version_matches_none(gateway: InProcess, room: str, ada: Account, tag: str) -> None:
    now = state(gateway, room, ada).headers["ETag"].strip('"')
    headers = [(b"if-match", tag.format(now).encode("latin-1")), (b"content-type", JSON_PATCH.encode())]
    headers += [(name.encode(), value.encode()) for name, value in ada.headers.items()]
    answer = gateway.client.patch(f"/api/rooms/{room}/state", content=b"[]", headers=headers)
    assert_problem(answer, 409, "conflict")


def test_a_version_is_not_taken_for_that_of_a_room_of_the_same_name(gateway: InProcess, ada: Account) -> None:
    def made() -> str:
        assert gateway.post("/api/rooms", gateway.admin, {"id": "again", "visibility": "public"}).status_code == 201
        return str(patch(gateway, "again", ada, adding("a")).headers["ETag"])

    old = made()
    assert gateway.delete("/api/rooms/again", gateway.admin).status_code == 204
    assert_problem(gateway.get("/api/rooms/again/state", ada), 404, "not_found")
    assert made() != old
    assert_problem(patch(gateway, "again", ada, adding("b"), old), 409, "conflict")
    assert state(gateway, "again", ada).json() == {"a": 1}


def test_who_has_the_state_is_not_sent_it_again(gateway: InProcess, room: str, ada: Account) -> None:
    tag = patch(gateway, room, ada, adding("a")).headers["ETag"]
    for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        headers = {**ada.headers, "If-None-Match": known}
        answer = gateway.client.get(f"/api/rooms/{room}/state", headers=headers)
        assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", tag)
    patch(gateway, room, ada, adding("b"))
    headers = {**ada.headers, "If-None-Match": tag}
    assert gateway.client.get(f"/api/rooms/{room}/state", headers=headers).status_code == 200


@pytest.mark.parametrize("kind", ["application/json", "application/merge-patch+json", "text/plain", ""])
def test_only_json_patch_is_taken(gateway: InProcess, room: str, ada: Account, kind: str) -> None:
    answer = patch(gateway, room, ada, adding("a"), **{"Content-Type": kind})
    assert_problem(answer, 415, "unsupported_media_type")
    assert JSON_PATCH in answer.json()["detail"]
    assert patch(gateway, room, ada, adding("a"), **{"Content-Type": f"{JSON_PATCH}; charset=utf-8"}).status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "invalid_command"),
        (b"[", 400, "invalid_command"),
        (b'[{"op":"add","path":"/a","value":NaN}]', 400, "invalid_command"),
        (b'[{"op":"add","path":"/a","value":"\\ud800"}]', 400, "invalid_command"),
        (b"[" * 100_000, 413, "too_large"),
        (b"[" * 10_000, 400, "invalid_command"),
        (b'{"op":"add","path":"/a","value":1}', 422, "invalid_command"),
        (b'[{"op":"spam","path":"/a","value":1}]', 422, "invalid_command"),
        (b'[{"op":"add","path":"a","value":1}]', 422, "invalid_command"),
        (b'[{"op":"add","path":"/a","value":' + b"[" * 70 + b"]" * 70 + b"}]", 422, "invalid_command"),
        (b'[{"op":"test","path":"/a","value":1}]', 409, "conflict"),
        (b'[{"op":"remove","path":"/a"}]', 409, "conflict"),
    ],
    ids=lambda value: value[:40].decode() if isinstance(value, bytes) else str(value),
)
def test_what_cannot_be_applied_says_why_and_changes_nothing(
    gateway: InProcess, room: str, ada: Account, body: bytes, status: int, code: str
) -> None:
    answer = patch(gateway, room, ada, body)
    assert_problem(answer, status, code)
    assert "spam" not in answer.text
    assert state(gateway, room, ada).headers["State-Version"] == "0"


def test_data_may_name_a_member_twice_and_the_last_counts(gateway: InProcess, room: str, ada: Account) -> None:
    patch(gateway, room, ada, b'[{"op":"add","path":"/a","value":{"x":1,"x":2}}]')
    assert state(gateway, room, ada).json() == {"a": {"x": 2}}


def test_a_muted_member_may_read_and_not_patch(gateway: InProcess, room: str, ada: Account, ben: Account) -> None:
    assert gateway.put(f"/api/rooms/{room}/mutes/{ben.id}", ada, {}).status_code < 300
    assert_problem(patch(gateway, room, ben, adding("a")), 403, "muted")
    assert state(gateway, room, ben).json() == {}


def test_a_state_has_the_size_that_its_kind_allows(tmp_path: Path) -> None:
    rooms = {"kinds": {"default": {"max_state_bytes": 30}, "note": {"durability": "memory", "max_state_bytes": "10"}}}
    with running_in_process(tmp_path, rooms=rooms) as gateway:
        gateway.post("/api/rooms", gateway.admin, {"id": "note", "kind": "note"})
        for room, fits in (("lobby", 30), ("note", 10)):
            value = "x" * (fits - len('{"a":""}'))
            assert_problem(patch(gateway, room, gateway.admin, adding("a", f"{value}x")), 413, "too_large")
            assert patch(gateway, room, gateway.admin, adding("a", value)).status_code == 200


def test_a_durable_state_survives_a_restart_and_one_in_memory_begins_anew(tmp_path: Path) -> None:
    rooms: dict[str, Any] = {"kinds": {"note": {"durability": "memory"}}}
    tags = {}
    with running_in_process(tmp_path, rooms=rooms) as gateway:
        gateway.post("/api/rooms", gateway.admin, {"id": "note", "kind": "note"})
        for room in ("lobby", "note"):
            tags[room] = patch(gateway, room, gateway.admin, adding("a")).headers["ETag"]
    with running_in_process(tmp_path, rooms=rooms) as gateway:
        assert state(gateway, "lobby", gateway.admin).json() == {"a": 1}
        assert patch(gateway, "lobby", gateway.admin, adding("b"), tags["lobby"]).json() == {"state_version": 2}
        assert state(gateway, "note", gateway.admin).json() == {}
        patch(gateway, "note", gateway.admin, adding("a"))
        assert_problem(patch(gateway, "note", gateway.admin, adding("b"), tags["note"]), 409, "conflict")
