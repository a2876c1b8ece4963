"""Problem responses as bytes."""

import json

from gateroom.errors import Forbidden, InternalError, Overloaded, RoomFull
from gateroom.server.problem import HEAD_TOO_LARGE, MALFORMED, MALFORMED_UPGRADE, Problem


def parts(response: bytes) -> tuple[str, dict[str, str], object]:
    head, _, body = response.decode().partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert int(headers["content-length"]) == len(body)
    return first, headers, json.loads(body)


def test_a_refusal_is_said_as_rfc_9457_says() -> None:
    first, headers, body = parts(Problem.of(Forbidden).response([(b"date", b"today")]))
    assert first == "HTTP/1.1 403 Forbidden"
    assert headers["content-type"] == "application/problem+json"
    assert headers["date"] == "today"
    assert headers["connection"] == "close"
    assert headers["cache-control"] == "no-store"
    assert "retry-after" not in headers
    assert body == Forbidden().document(403)


def test_the_status_is_that_of_a_handshake() -> None:
    assert parts(Problem.of(RoomFull).response([]))[0] == "HTTP/1.1 403 Forbidden"


def test_a_limit_says_when_to_come_back() -> None:
    first, headers, _ = parts(Problem.of(Overloaded).response([]))
    assert first == "HTTP/1.1 503 Service Unavailable"
    assert headers["retry-after"] == str(Overloaded.retry_after)


def test_a_detail_can_be_given() -> None:
    assert b"The error id is 7." in Problem.of(InternalError, "The error id is 7.").response([])


def test_a_malformed_upgrade_is_told_the_version_and_a_malformed_request_is_not() -> None:
    assert parts(MALFORMED_UPGRADE.response([]))[1]["sec-websocket-version"] == "13"
    assert "sec-websocket-version" not in parts(MALFORMED.response([]))[1]
    assert parts(MALFORMED.response([]))[2] == parts(MALFORMED_UPGRADE.response([]))[2]


def test_a_large_head_has_a_status_of_its_own() -> None:
    assert parts(HEAD_TOO_LARGE.response([]))[0] == "HTTP/1.1 431 Request Header Fields Too Large"
