import sqlite3

import pytest
from sqlalchemy import exc

from gateroom.errors import Conflict, GateroomError, InvalidCommand, NotFound, Unavailable
from gateroom.storage.faults import reason, translate


class DriverError(Exception):
    """What a driver raises, with either database's way of naming it."""

    def __init__(self, sqlstate: str | None = None, sqlite_errorname: str | None = None) -> None:
        super().__init__("told by the driver.\nDETAIL: Key (username)=(ada) is secret.")
        self.sqlstate = sqlstate
        self.sqlite_errorname = sqlite_errorname


def database_error(kind: type[exc.DBAPIError], **code: str) -> exc.DBAPIError:
    return kind("SELECT :secret", {"secret": "hash"}, DriverError(**code))


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        ({"sqlstate": "23505"}, Conflict),
        ({"sqlstate": "23503"}, NotFound),
        ({"sqlite_errorname": "SQLITE_CONSTRAINT_PRIMARYKEY"}, Conflict),
        ({"sqlite_errorname": "SQLITE_CONSTRAINT_UNIQUE"}, Conflict),
        ({"sqlite_errorname": "SQLITE_CONSTRAINT_FOREIGNKEY"}, NotFound),
    ],
)
def test_a_broken_constraint_says_what_was_taken_or_gone(code: dict[str, str], meaning: type[GateroomError]) -> None:
    assert type(translate(database_error(exc.IntegrityError, **code))) is meaning


@pytest.mark.parametrize("code", [{"sqlstate": "23502"}, {"sqlite_errorname": "SQLITE_CONSTRAINT_NOTNULL"}, {}])
def test_any_other_constraint_is_a_fault_of_ours(code: dict[str, str]) -> None:
    error = database_error(exc.IntegrityError, **code)
    assert translate(error) is error


@pytest.mark.parametrize(
    "error",
    [
        database_error(exc.OperationalError, sqlite_errorname="SQLITE_BUSY"),
        database_error(exc.OperationalError, sqlite_errorname="SQLITE_CANTOPEN"),
        database_error(exc.OperationalError, sqlite_errorname="SQLITE_FULL"),
        database_error(exc.DatabaseError, sqlite_errorname="SQLITE_CORRUPT"),
        database_error(exc.DatabaseError, sqlite_errorname="SQLITE_NOTADB"),
        database_error(exc.DBAPIError, sqlstate="57P01"),
        database_error(exc.DBAPIError, sqlstate="40P01"),
        database_error(exc.DBAPIError, sqlstate="3D000"),
        database_error(exc.DBAPIError, sqlstate="53300"),
        database_error(exc.DBAPIError, sqlstate="25006"),
        database_error(exc.InterfaceError),
        exc.TimeoutError(),
        TimeoutError(),
        ConnectionRefusedError(),
    ],
    ids=repr,
)
def test_a_database_that_does_not_do_its_part_is_unavailable(error: Exception) -> None:
    assert type(translate(error)) is Unavailable


@pytest.mark.parametrize(
    "error",
    [
        database_error(exc.OperationalError, sqlite_errorname="SQLITE_ERROR"),
        database_error(exc.ProgrammingError, sqlstate="42703"),
        database_error(exc.DBAPIError, sqlstate="25001"),
        exc.InvalidRequestError(),
        KeyError("role"),
        NotFound(),
    ],
    ids=repr,
)
def test_a_fault_in_our_code_stays_what_it_is(error: Exception) -> None:
    assert translate(error) is error


@pytest.mark.parametrize(
    "error",
    [database_error(exc.DBAPIError, sqlstate="22021"), UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogate")],
    ids=repr,
)
def test_a_value_that_cannot_be_stored_is_the_callers_mistake(error: Exception) -> None:
    assert type(translate(error)) is InvalidCommand


def test_the_reason_is_one_line_of_the_driver_without_statement_or_parameters() -> None:
    assert reason(database_error(exc.OperationalError)) == "told by the driver"
    assert reason(exc.OperationalError("SELECT 1", {}, sqlite3.OperationalError("disk I/O error"))) == "disk I/O error"
    assert reason(TimeoutError()) == "TimeoutError"
