"""Fixtures for every kind of store: a test module has them with `pytest_plugins = ["support.databases"]`.

PostgreSQL runs once per session and each test gets an empty database of its own. Where it is not installed those
tests skip, or fail with GATEROOM_TEST_REQUIRE=all.
"""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateroom.storage.database import Database, open_database
from gateroom.storage.migrate import upgrade
from support.postgres import PostgresServer
from support.require import require_tool
from support.stores import Stores, in_memory, in_sql


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The session's server."""
    binaries = require_tool("initdb", "postgresql").resolve().parent
    with tempfile.TemporaryDirectory(prefix="gateroom-pg-", ignore_cleanup_errors=True) as folder:
        server = PostgresServer(binaries, Path(folder))
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """The URL of an empty PostgreSQL database that nobody else uses meanwhile."""
    name = postgres.lend()
    yield postgres.url(name)
    postgres.take_back(name)


@pytest.fixture
def sqlite_file(tmp_path: Path) -> Path:
    """A file that does not exist yet, nor its folder."""
    return tmp_path / "data" / "gateroom.db"


@pytest.fixture
def sqlite_url(sqlite_file: Path) -> str:
    """The URL of that file."""
    return f"sqlite:///{sqlite_file}"


@pytest.fixture
async def sqlite(sqlite_url: str) -> AsyncIterator[Database]:
    """That file as an open database with all tables."""
    opened = open_database(sqlite_url)
    await upgrade(opened)
    yield opened
    await opened.close()


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database, of each kind in turn."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An open database with all tables, of each kind in turn."""
    opened = open_database(database_url)
    await upgrade(opened)
    yield opened
    await opened.close()


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def stores_url(request: pytest.FixtureRequest) -> str | None:
    if request.param == "memory":
        return None
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
async def stores(stores_url: str | None) -> AsyncIterator[Stores]:
    """Empty stores, of each adapter and the fake in turn."""
    if stores_url is None:
        yield in_memory()
        return
    opened = open_database(stores_url)
    await upgrade(opened)
    yield in_sql(opened)
    await opened.close()
