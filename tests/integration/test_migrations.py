"""The schema's history: it ends at what the code expects, and applies once, whole, and never backwards."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Inspector, inspect, text

from gateroom.storage.database import Database, open_database
from gateroom.storage.engine import StorageError
from gateroom.storage.migrate import VERSION_TABLE, upgrade
from gateroom.storage.schema import metadata
from support.stores import a_user, in_sql

pytest_plugins = ["support.databases"]

# One process at start, its log as loud as can be. It waits for a line, so that all of them go at once.
A_START = """
import asyncio, logging, sys
import structlog
from gateroom.storage.database import open_database
from gateroom.storage.migrate import upgrade

async def main():
    database = open_database(sys.argv[1])
    await upgrade(database)
    await database.ping()
    await database.close()

logging.basicConfig(level=logging.INFO, stream=sys.stdout)
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
print("ready", flush=True)
sys.stdin.readline()
asyncio.run(main())
print("done")
"""


async def execute(database: Database, *statements: str) -> None:
    async with database.engine.connect() as connection:
        for statement in statements:
            await connection.execute(text(statement))
        await connection.commit()


async def tables(database: Database) -> set[str]:
    def names(connection: Connection) -> set[str]:
        inspector: Inspector = inspect(connection)
        return set(inspector.get_table_names())

    async with database.engine.connect() as connection:
        return await connection.run_sync(names)


async def start_process(url: str) -> Process:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", A_START, url, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environment
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    return process


async def test_the_migrations_end_at_the_schema_of_the_code(database: Database) -> None:
    def compare(connection: Connection) -> list[object]:
        opts = {"version_table": VERSION_TABLE, "compare_type": True}
        return list(compare_metadata(MigrationContext.configure(connection, opts=opts), metadata))

    async with database.engine.connect() as connection:
        assert await connection.run_sync(compare) == []


async def test_constraints_and_indexes_have_the_names_of_the_schema(database: Database) -> None:
    def names(connection: Connection) -> set[str | None]:
        inspector: Inspector = inspect(connection)
        found: set[str | None] = set()
        for table in metadata.tables:
            found.add(inspector.get_pk_constraint(table)["name"])
            found.update(key["name"] for key in inspector.get_foreign_keys(table))
            found.update(key["name"] for key in inspector.get_unique_constraints(table))
        return found

    async with database.engine.connect() as connection:
        there = await connection.run_sync(names)
    assert there == {constraint.name for table in metadata.tables.values() for constraint in table.constraints}


async def test_upgrading_again_changes_nothing(database: Database) -> None:
    await in_sql(database).users.add(a_user("ada"), "h")
    await upgrade(database)
    assert await in_sql(database).users.by_name("ada") == a_user("ada")


async def test_upgrades_at_once_in_one_process_do_not_meet(database_url: str) -> None:
    opened = [open_database(database_url) for _ in range(4)]
    await asyncio.gather(*(upgrade(database) for database in opened))
    for database in opened:
        await database.ping()
        await database.close()


async def test_two_processes_that_start_at_once_upgrade_once_and_keep_stdout_clean(database_url: str) -> None:
    processes = await asyncio.gather(*(start_process(database_url) for _ in range(2)))
    outputs = await asyncio.wait_for(asyncio.gather(*(process.communicate(b"go\n") for process in processes)), 30)
    assert [(process.returncode, out) for process, (out, _) in zip(processes, outputs, strict=True)] == [
        (0, b"done\n")
    ] * 2, outputs
    assert sum(errors.count(b"storage.upgraded") for _, errors in outputs) == 1


async def test_a_database_newer_than_the_program_is_refused_and_left_alone(database: Database) -> None:
    await execute(database, f"UPDATE {VERSION_TABLE} SET version_num = '9999'")  # noqa: S608  # a constant
    with pytest.raises(StorageError, match="at version 9999, which this program does not know"):
        await upgrade(database)
    async with database.engine.connect() as connection:
        found = await connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608  # a constant
        assert found.scalars().all() == ["9999"]


async def test_an_upgrade_that_fails_leaves_nothing_behind(database_url: str) -> None:
    database = open_database(database_url)
    await execute(database, "CREATE TABLE members (somebody TEXT)")
    with pytest.raises(StorageError, match=r"cannot be used: .*members.* already exists"):
        await upgrade(database)
    assert await tables(database) == {"members"}
    await database.close()


async def test_a_server_that_does_not_answer_is_named_without_its_password(unused_tcp_port: int) -> None:
    database = open_database(f"postgresql://ada:s3cret@127.0.0.1:{unused_tcp_port}/gateroom?password=s3cret")
    with pytest.raises(StorageError) as refused:
        await upgrade(database)
    await database.close()
    said = str(refused.value)
    assert f"ada:***@127.0.0.1:{unused_tcp_port}/gateroom" in said
    assert "\n" not in said
    assert "s3cret" not in said


async def test_parameters_of_libpq_are_understood(postgres_url: str) -> None:
    database = open_database(f"{postgres_url}?sslmode=disable&application_name=ours")
    await upgrade(database)
    await database.close()
    strict = open_database(f"{postgres_url}?sslmode=require")
    with pytest.raises(StorageError, match=r"(?i)ssl"):
        await upgrade(strict)
    await strict.close()
    wrong = open_database(f"{postgres_url}?sslmode=perhaps")
    with pytest.raises(StorageError, match="sslmode"):
        await upgrade(wrong)
    await wrong.close()
