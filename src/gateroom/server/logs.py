"""How log lines look: for people on a console, or as JSON; one pipeline for our own and the libraries' lines."""

import logging
import sys
from typing import Literal

import structlog
from structlog.typing import EventDict, Processor

from gateroom.server.access_log import inert

_QUIET = ("aiosqlite", "asyncio", "alembic", "httpx", "python_multipart")  # only their warnings
_UVICORN = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi")


def _without_colour(_: object, __: str, event: EventDict) -> EventDict:
    """Drop uvicorn's second, coloured version of its own message."""
    event.pop("color_message", None)
    return event


def _inert(_: object, __: str, event: EventDict) -> EventDict:
    """Escape what would begin a line or act on a terminal, whoever it comes from; only a stack has lines."""
    return {
        name: inert(value) if isinstance(value, str) and name != "stack" else value for name, value in event.items()
    }


def _console() -> structlog.dev.ConsoleRenderer:
    # Where rich is installed structlog would show the local variables of every frame: passwords and tokens among them,
    # and seconds of work on the event loop for one traceback.
    plain = structlog.dev.plain_traceback
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)


def configure(form: Literal["console", "json"], level: str) -> None:
    """Send every log line to stderr in one form; UTC times (RFC 3339)."""
    shared: list[Processor] = [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.StackInfoRenderer(),
        structlog.stdlib.ExtraAdder(),
        _without_colour,
        _inert,
    ]
    last: list[Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()] if form == "json" else [_console()]
    )
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _UVICORN:  # whatever a configuration of its own has made of them
        library = logging.getLogger(name)
        library.handlers.clear()
        library.setLevel(logging.NOTSET)
        library.propagate, library.disabled = True, False
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
