"""What of a request may stand in a log line: no query, no credential, no control character."""

import logging
import re
import traceback
from collections.abc import Mapping

# uvicorn writes `"WebSocket /ws?token=…" [accepted]` to the first, whether or not there is an access log.
LOGGERS = ("uvicorn.error", "uvicorn.access", "uvicorn.asgi")

_HIDDEN = "[hidden]"
_RULES = (
    (re.compile(r"""('query_string': b)(?:'[^']*'|"[^"]*")"""), rf"\1'{_HIDDEN}'"),  # a scope, at uvicorn's TRACE level
    (re.compile(r"""\?[^\s"'?]+"""), "?" + _HIDDEN),
    (re.compile(r"""(?i)\b(bearer|basic)([ .]+)[\w.~+/=-]+"""), rf"\1\2{_HIDDEN}"),
    (
        re.compile(r"""(?i)\b(\w*(?:token|ticket|password|secret|cookie|authorization))(\s*[=:]\s*)[^\s"'&,;]+"""),
        rf"\1\2{_HIDDEN}",
    ),
    (re.compile(r"""\beyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?"""), _HIDDEN),  # a JWT, wherever it comes from
    (re.compile(r"""\bgr[krt]_[\w-]+"""), _HIDDEN),  # an API key, a refresh token, a ticket
)
# C0 and C1 control characters, line separators and what turns the direction of text.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def without_secrets(text: str) -> str:
    """Hide queries and credentials."""
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


def inert(text: str) -> str:
    """Escape what would act on a terminal or begin a new line."""
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


class SafeLines(logging.Filter):
    """Cleans every record that passes it."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = without_secrets(str(record.msg))
        if isinstance(record.args, Mapping):
            record.args = {name: _clean(value) for name, value in record.args.items()}
        elif record.args:
            record.args = tuple(map(_clean, record.args))
        if record.exc_info and record.exc_info[0] is not None:
            # Formatters take this text instead of making it; tracebacks keep their lines.
            lines = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n").split("\n")
            record.exc_text = "\n".join(inert(without_secrets(line)) for line in lines)
        return True


_FILTER = SafeLines()
_UVICORNS = tuple(map(logging.getLogger, LOGGERS))


def keep_logs_safe() -> None:
    """Have uvicorn's loggers cleaned; what `logging.config` does later leaves that in place."""
    for logger in _UVICORNS:  # for every connection: looking them up by name costs more than what it is for
        logger.addFilter(_FILTER)  # does nothing the second time


def _clean(value: object) -> object:
    if value is None or isinstance(value, int | float):
        return value
    text = str(value)
    cleaned = inert(without_secrets(text))
    return value if cleaned == text else cleaned
