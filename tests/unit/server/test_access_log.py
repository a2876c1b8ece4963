"""What reaches a log line."""

import io
import logging
import uuid
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uvicorn.logging import AccessFormatter

from gateroom.server.access_log import LOGGERS, SafeLines, inert, keep_logs_safe, without_secrets

JWT = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl"
CANARY = "canary-7f3a"


@pytest.fixture
def log() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    logger = logging.getLogger(f"test.{uuid.uuid4()}")
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger.addHandler(handler)
    logger.addFilter(SafeLines())
    logger.propagate = False
    logger.setLevel(1)
    yield logger, stream
    logger.removeHandler(handler)


@pytest.mark.parametrize(
    "text",
    [
        f"GET /ws?token={CANARY} HTTP/1.1",
        f'"WebSocket /ws?a=b&ticket={CANARY}" [accepted]',
        f"/path?anything-{CANARY}",
        f"/path?a?b={CANARY}",
        f"Authorization: Bearer {CANARY}",
        f"authorization: basic {CANARY}",
        f"gateroom.v1, bearer.{CANARY}",
        f"Cookie: {CANARY}",
        f"password={CANARY}",
        f"refresh_token={CANARY}&grant_type=refresh_token",
        f"grk_{CANARY}",
        f"grr_{CANARY}",
        f"the ticket grt_{CANARY} was taken",
        f"{{'query_string': b'token={CANARY}', 'path': '/ws'}}",
        f"{{'query_string': b'other={CANARY}', 'path': '/ws'}}",
        f"{{'query_string': b\"it's {CANARY}\", 'path': '/ws'}}",
        f"the token {JWT} is bad",
    ],
)
def test_queries_and_credentials_are_hidden(text: str) -> None:
    hidden = without_secrets(text)
    assert CANARY not in hidden
    assert JWT not in hidden


@pytest.mark.parametrize(
    "text", ["GET /api/rooms HTTP/1.1", "Did you mean this? Or that?", "200 OK", "token", "bearer"]
)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert without_secrets(text) == text


@given(st.text())
def test_an_inert_line_is_one_line_and_moves_no_terminal(text: str) -> None:
    line = inert(text)
    assert line.splitlines() in ([line], [])
    assert not any(character in line for character in "\r\n\x1b\x7f\x9b\u202e\u2028")


def test_control_characters_are_shown() -> None:
    assert inert('a\r\n{"event":"login"}\x1b[2J\u202e') == 'a\\u000d\\u000a{"event":"login"}\\u001b[2J\\u202e'


def test_arguments_are_cleaned_and_numbers_stay_numbers(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = log
    logger.info('%s - "WebSocket %s" %d', "1.2.3.4:5", f"/ws?token={CANARY}\n", 403)
    assert stream.getvalue() == '1.2.3.4:5 - "WebSocket /ws?[hidden]\\u000a" 403\n'


def test_the_access_line_of_uvicorn_is_cleaned(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = log
    logger.handlers[0].setFormatter(AccessFormatter('%(client_addr)s "%(request_line)s" %(status_code)s'))
    logger.info('%s - "%s %s HTTP/%s" %d', "1.2.3.4:5", "GET", f"/x?token={CANARY}", "1.1", 200)
    assert stream.getvalue() == '1.2.3.4:5 "GET /x?[hidden] HTTP/1.1" 200 OK\n'


def test_a_scope_as_an_argument_is_cleaned(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = log
    scope = {"type": "websocket", "query_string": f"x={CANARY}".encode()}
    logger.log(5, "%s [%d] Started scope=%s", "1.2.3.4:5 - ASGI", 7, scope)
    logger.log(5, "at %(path)s", {"path": f"/ws?token={CANARY}"})
    assert CANARY not in stream.getvalue()
    assert "websocket" in stream.getvalue()


def test_a_traceback_keeps_its_lines_and_loses_its_secrets(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = log
    try:
        raise ValueError(f"cannot read /ws?token={CANARY} \x1b[2J")
    except ValueError:
        logger.exception("it failed")
    lines = stream.getvalue().splitlines()
    assert lines[:2] == ["it failed", "Traceback (most recent call last):"]
    assert lines[-1] == "ValueError: cannot read /ws?[hidden] \\u001b[2J"


def test_uvicorns_loggers_are_cleaned_once() -> None:
    keep_logs_safe()
    keep_logs_safe()
    for name in LOGGERS:
        filters = logging.getLogger(name).filters
        assert len([one for one in filters if isinstance(one, SafeLines)]) == 1
