"""The SQLite file: what its connections are told, who may read it, and what becomes of them when it goes away."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from gateroom.errors import Unavailable
from gateroom.storage.database import Database, open_database
from gateroom.storage.engine import Synchronous
from gateroom.storage.migrate import upgrade
from support.sqlite import backup, modes, restore, write_lock
from support.stores import a_user, in_sql

pytest_plugins = ["support.databases"]


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def readable_file(sqlite_file: Path) -> Path:
    sqlite_file.parent.mkdir()
    sqlite_file.touch()
    sqlite_file.chmod(0o644)
    return sqlite_file


@pytest.fixture
def junk(tmp_path: Path) -> Path:
    file = tmp_path / "junk"
    file.write_bytes(b"hello world " * 1000)
    return file


@pytest.mark.parametrize(("synchronous", "level"), [("normal", 1), ("full", 2)])
async def test_every_connection_waits_keeps_references_and_is_as_durable_as_asked(
    sqlite_url: str, synchronous: Synchronous, level: int
) -> None:
    database = open_database(sqlite_url, synchronous)
    told: list[list[object]] = []
    async with database.engine.connect() as one, database.engine.connect() as other:
        for connection in (one, other):
            names = ("journal_mode", "foreign_keys", "busy_timeout", "synchronous")
            told.append([(await connection.exec_driver_sql(f"PRAGMA {name}")).scalar() for name in names])
    await database.close()
    assert told == [["wal", 1, 5000, level]] * 2


@pytest.mark.usefixtures("open_umask")
async def test_nobody_else_can_read_the_data_whatever_the_umask(sqlite: Database, sqlite_file: Path) -> None:
    await sqlite.ping()
    assert modes(sqlite_file.parent) == {"gateroom.db": 0o600, "gateroom.db-wal": 0o600, "gateroom.db-shm": 0o600}


async def test_a_file_that_others_could_read_is_closed_to_them(readable_file: Path) -> None:
    database = open_database(f"sqlite:///{readable_file}")
    await database.close()
    assert modes(readable_file.parent) == {"gateroom.db": 0o600}


async def test_a_path_may_have_any_characters(tmp_path: Path) -> None:
    file = tmp_path / "50% off #1" / "é ü.db"
    database = open_database(f"sqlite:///{file}")
    await upgrade(database)
    await in_sql(database).users.add(a_user("ada"), "h")
    await database.close()
    assert modes(file.parent) == {file.name: 0o600}


async def test_a_file_that_is_gone_is_unavailable_until_it_is_back(sqlite: Database, sqlite_file: Path) -> None:
    stores = in_sql(sqlite)
    await stores.users.add(a_user("ada"), "h")
    elsewhere = sqlite_file.with_name("elsewhere.db")
    os.rename(sqlite_file, elsewhere)
    for call in (stores.users.by_id("u-ada"), stores.users.add(a_user("bob"), "h"), sqlite.ping()):
        with pytest.raises(Unavailable):
            await call
    assert sqlite_file.name not in modes(sqlite_file.parent)
    os.rename(elsewhere, sqlite_file)
    assert await stores.users.by_id("u-ada") == a_user("ada")


async def test_a_file_that_was_replaced_is_read_anew(sqlite: Database, sqlite_file: Path) -> None:
    stores = in_sql(sqlite)
    await stores.users.add(a_user("ada"), "h")
    copy = backup(sqlite_file)
    await stores.users.add(a_user("bob"), "h")
    restore(copy, sqlite_file)
    assert await stores.users.by_name("ada") == a_user("ada")
    assert await stores.users.by_name("bob") is None


async def test_a_file_that_is_no_database_is_unavailable(sqlite: Database, sqlite_file: Path, junk: Path) -> None:
    restore(junk, sqlite_file)
    with pytest.raises(Unavailable):
        await sqlite.ping()


async def test_a_lock_that_is_not_let_go_is_unavailable(sqlite: Database, sqlite_url: str, sqlite_file: Path) -> None:
    def be_hasty(connection: Any, entry: object) -> None:
        connection.cursor().execute("PRAGMA busy_timeout = 50")

    hasty = open_database(sqlite_url)
    event.listen(hasty.engine.sync_engine, "connect", be_hasty)
    with write_lock(sqlite_file):
        with pytest.raises(Unavailable):
            await in_sql(hasty).users.add(a_user("ada"), "h")
        assert await in_sql(sqlite).users.by_name("ada") is None
    await in_sql(hasty).users.add(a_user("ada"), "h")
    assert await in_sql(sqlite).users.by_name("ada") == a_user("ada")
    await hasty.close()
