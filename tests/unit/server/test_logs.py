"""What log lines look like, and what they never show."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from gateroom.server.logs import configure


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, before = root.handlers[:], root.level, structlog.get_config()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**before)


def fail_with(secret: str) -> None:
    """Log a mistake in a function that knows a secret."""
    try:
        raise ValueError(f"{len(secret)} characters")
    except ValueError:
        structlog.get_logger("gateroom.test").exception("session_failed", error_id="abc")
        logging.getLogger("uvicorn.error").exception("Exception in %s application", "ASGI")


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_traceback_says_where_and_shows_no_values(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure("json" if form == "json" else "console", "info")
    fail_with("canary")
    said = capsys.readouterr().err
    assert said.count("in fail_with") == 2
    assert said.count("ValueError: 6 characters") == 2
    assert "canary" not in said
    assert len(said.splitlines()) < 30


def test_json_lines_are_one_object_each_ours_and_the_libraries(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "info")
    fail_with("canary")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["event"], line["logger"], line["level"]) for line in lines] == [
        ("session_failed", "gateroom.test", "error"),
        ("Exception in ASGI application", "uvicorn.error", "error"),
    ]
    assert all(line["timestamp"].endswith("Z") and "Traceback" in line["exception"] for line in lines)


@pytest.mark.parametrize("form", ["console", "json"])
def test_no_text_begins_a_line_or_moves_a_terminal(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure("json" if form == "json" else "console", "info")
    structlog.get_logger("gateroom.test").info(
        "noted\r\nforged", username="a\r\nforged\x1b[2J", room="\u202eb", count=1
    )
    logging.getLogger("a.library").warning("it said %s", "a\nforged\x1b[2J")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)
    assert [line.count("forged") for line in lines] == [2, 1]
