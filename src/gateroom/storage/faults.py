"""What a failure of the database means to whoever called a store."""

from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from gateroom.errors import Conflict, GateroomError, InvalidCommand, NotFound, Unavailable

# By SQLSTATE (PostgreSQL manual, appendix A) and by name of SQLite's result code (sqlite.org/rescode.html).
_INTEGRITY: dict[str, type[GateroomError]] = {
    "23503": NotFound,  # what it refers to is gone
    "23505": Conflict,
    "SQLITE_CONSTRAINT_FOREIGNKEY": NotFound,
    "SQLITE_CONSTRAINT_PRIMARYKEY": Conflict,
    "SQLITE_CONSTRAINT_UNIQUE": Conflict,
}
_UNSTORABLE = "22"  # class: a value that the server cannot hold, such as a string with a NUL
# Classes: connection, authorization, catalogue gone, deadlock, resources, locks, operator, system, server's own fault.
_OUT_OF_ORDER = frozenset({"08", "28", "3D", "40", "53", "55", "57", "58", "XX"})
_READ_ONLY = "25006"  # a standby answers in place of its primary
_WRONG_SQL = "SQLITE_ERROR"


def translate(error: Exception) -> Exception:
    """Return what a store raises for `error`: one of our errors, or `error` itself when the fault is in our code."""
    if isinstance(error, IntegrityError):
        meaning = _INTEGRITY.get(_code(error))
        return meaning() if meaning else error
    if isinstance(error, UnicodeEncodeError):  # a lone surrogate, as JSON lets it through
        return InvalidCommand()
    if isinstance(error, NoConnectionFree | OSError):  # a TimeoutError is an OSError
        return Unavailable()
    if isinstance(error, DBAPIError) and not isinstance(error, ProgrammingError):
        return _by_code(error, _code(error))
    return error


def _by_code(error: DBAPIError, code: str) -> Exception:
    if code.startswith("SQLITE_"):
        return error if code == _WRONG_SQL else Unavailable()
    if not code:  # the driver itself: the connection is closed, or never came to be
        return Unavailable()
    if code[:2] == _UNSTORABLE:
        return InvalidCommand()
    return Unavailable() if code[:2] in _OUT_OF_ORDER or code == _READ_ONLY else error


def _code(error: DBAPIError) -> str:
    found = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", None)
    return str(found or "")


def reason(error: Exception) -> str:
    """Return the driver's own words in one line, without the statement and its parameters."""
    said = getattr(error, "orig", None) or error
    words = str(said).split("\n", 1)[0].removesuffix(".")
    return words.removeprefix(f"{type(said)}: ") or type(said).__name__
