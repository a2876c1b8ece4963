"""How a SQL database is opened by its URL, and what each of its connections is told first."""

import fcntl
import logging
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import URL, event, exc, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

Synchronous = Literal["normal", "full"]

BUSY_TIMEOUT = 5.0  # seconds SQLite waits for another process's write lock
CONNECT_TIMEOUT = 10.0  # seconds, PostgreSQL
SQLITE_CONNECTIONS = 5  # a thread each
POSTGRES_CONNECTIONS = 10

# aiosqlite logs every parameter at DEBUG, password hashes too.
logging.getLogger("aiosqlite").setLevel(logging.INFO)


class StorageError(Exception):
    """The database cannot be used as configured; one sentence for the operator, without secrets."""


def create_engine(url: str, synchronous: Synchronous = "normal") -> AsyncEngine:
    """Return an engine for a `sqlite:///<file>` or `postgresql://…` URL; nothing is sent to a server yet.

    A SQLite file is created when missing, readable by its owner alone. `synchronous` is SQLite's: "full" survives
    loss of power, "normal" the death of the process; PostgreSQL's own setting decides there. A PostgreSQL URL is
    read by asyncpg and may have the parameters of libpq (`sslmode`, `sslrootcert`, several hosts).
    Raises `StorageError`.
    """
    try:
        parsed = make_url(url)
    except (exc.ArgumentError, ValueError):
        # The parser's own message may contain the password.
        raise StorageError("The storage URL is none: write sqlite:///<file> or postgresql://<host>/<name>.") from None
    match parsed.drivername:
        case "sqlite" | "sqlite+aiosqlite":
            return _sqlite(parsed, synchronous)
        case "postgresql" | "postgres" | "postgresql+asyncpg":
            return _postgres(parsed)
        case _:
            raise StorageError("The storage URL must start with sqlite:/// or postgresql://.")


def _postgres(url: URL) -> AsyncEngine:
    try:
        return create_async_engine(
            "postgresql+asyncpg://",
            connect_args={
                "dsn": url.set(drivername="postgresql").render_as_string(hide_password=False),
                "timeout": CONNECT_TIMEOUT,
                "server_settings": {"application_name": "gateroom"},
            },
            pool_size=POSTGRES_CONNECTIONS,
            max_overflow=0,
            pool_use_lifo=True,
            pool_pre_ping=True,  # a restarted server must not cost one failure per pooled connection
            hide_parameters=True,
        )
    except ModuleNotFoundError:
        raise StorageError("PostgreSQL needs the driver asyncpg: pip install 'gateroom[postgres]'.") from None


def _sqlite(url: URL, synchronous: Synchronous) -> AsyncEngine:
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise StorageError("SQLite needs a file here: write sqlite:///<file>.")
    if url.query or url.host:
        raise StorageError("A SQLite URL has a path only: write sqlite:///<file>, with four slashes when absolute.")
    path = Path(url.database).absolute()
    try:
        _prepare_file(path)
    except (OSError, sqlite3.Error) as error:
        raise StorageError(f"The database file {path} cannot be used: {error}.") from error
    # mode=rw: a file that went missing is an error, not a new empty database.
    engine = create_async_engine(
        URL.create("sqlite+aiosqlite", database=path.as_uri(), query={"mode": "rw", "uri": "true"}),
        # The driver never begins by itself; `Database` does.
        connect_args={"isolation_level": None, "timeout": BUSY_TIMEOUT},
        pool_size=SQLITE_CONNECTIONS,
        max_overflow=0,
        pool_use_lifo=True,
        hide_parameters=True,
    )
    _tell_sqlite(engine, path, synchronous)
    return engine


def _prepare_file(path: Path) -> None:
    """Create the file, close it to others and switch it to WAL, one process at a time.

    SQLite does not wait for its lock when two switch at once, so the folder is locked meanwhile. A file that exists
    is never opened here except through SQLite: closing another descriptor would drop this process's locks on it.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        for file in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
            if file.exists() and file.stat().st_mode & 0o077:
                file.chmod(0o600)
        with closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
    finally:
        os.close(folder)


def _tell_sqlite(engine: AsyncEngine, path: Path, synchronous: Synchronous) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def connected(connection: Any, entry: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute(f"PRAGMA synchronous = {'FULL' if synchronous == 'full' else 'NORMAL'}")
        cursor.close()
        entry.info["file"] = _identity(path)

    @event.listens_for(engine.sync_engine, "checkout")
    def checked_out(connection: Any, entry: ConnectionPoolEntry, proxy: Any) -> None:
        # What is written to a file that was deleted or replaced would be lost without a word.
        if entry.info.get("file") != _identity(path):
            raise exc.DisconnectionError("the database file was moved or replaced")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
