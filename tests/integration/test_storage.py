"""The database under the stores: what its failures look like, and what a cancelled caller leaves."""

import asyncio
import sqlite3
from collections.abc import Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.pool import QueuePool

from gateroom.errors import InvalidCommand, Unavailable
from gateroom.rooms.model import Role, RoomCaps, RoomChanges
from gateroom.storage.database import Database, open_database
from gateroom.storage.engine import create_engine
from gateroom.storage.migrate import upgrade
from gateroom.storage.schema import users
from support.postgres import PostgresServer
from support.sqlite import write_lock
from support.stores import Stores, a_room, a_user, in_sql

pytest_plugins = ["support.databases"]


def in_use(database: Database) -> int:
    pool = database.engine.pool
    assert isinstance(pool, QueuePool)
    return pool.checkedout()


# What failures look like


async def test_a_postgres_lock_that_is_not_let_go_is_unavailable_by_the_deadline(postgres_url: str) -> None:
    patient = open_database(postgres_url)
    await upgrade(patient)
    stores = in_sql(patient)
    await stores.users.add(a_user("ada"), "h")
    hasty = Database(create_engine(postgres_url), "test", deadline=0.2)
    async with patient.engine.begin() as connection:
        await connection.execute(text("SELECT * FROM users FOR UPDATE"))
        with pytest.raises(Unavailable):
            await in_sql(hasty).users.save(a_user("ada", disabled=True))
    assert in_use(hasty) == 0
    assert await stores.users.by_name("ada") == a_user("ada")
    await hasty.close()
    await patient.close()


async def test_a_postgres_server_that_is_down_is_unavailable(postgres: PostgresServer, unused_tcp_port: int) -> None:
    url = postgres.url("gateroom").replace(str(postgres.port), str(unused_tcp_port))
    database = open_database(url)
    with pytest.raises(Unavailable):
        await database.ping()
    with pytest.raises(Unavailable):
        await in_sql(database).users.add(a_user("ada"), "h")
    await database.close()


async def test_lost_postgres_connections_are_replaced_unnoticed(postgres: PostgresServer, postgres_url: str) -> None:
    database = open_database(postgres_url)
    await upgrade(database)
    await asyncio.gather(*(database.ping() for _ in range(5)))
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    end_them = f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {others}"  # noqa: S608  # constants
    postgres.execute(end_them, postgres_url.rpartition("/")[2])
    await in_sql(database).users.add(a_user("ada"), "h")
    assert await asyncio.gather(*(in_sql(database).users.by_name("ada") for _ in range(5))) == [a_user("ada")] * 5
    await database.close()


async def test_a_postgres_database_that_was_dropped_is_unavailable(postgres: PostgresServer, postgres_url: str) -> None:
    database = open_database(postgres_url)
    await upgrade(database)
    postgres.execute(f"DROP DATABASE {postgres_url.rpartition('/')[2]} WITH (FORCE)")
    for _ in range(2):
        with pytest.raises(Unavailable):
            await in_sql(database).users.by_name("ada")
    await database.close()


async def test_text_that_cannot_be_stored_is_the_callers_mistake(database: Database) -> None:
    stores = in_sql(database)
    with pytest.raises(InvalidCommand):
        await stores.users.by_id("\ud800")
    with pytest.raises(InvalidCommand):
        await stores.users.add(a_user("ada\ud800"), "h")
    assert in_use(database) == 0


async def test_postgres_takes_no_null_character(postgres_url: str) -> None:
    database = open_database(postgres_url)
    await upgrade(database)
    with pytest.raises(InvalidCommand):
        await in_sql(database).users.by_name("ada\0")
    await database.close()


async def test_a_unit_of_work_that_raises_leaves_nothing(database: Database) -> None:
    async def work(connection: AsyncConnection) -> None:
        await connection.execute(
            users.insert().values(
                id="u", username="u", roles=frozenset(), scopes=frozenset(), created_at=0, disabled=False, valid_from=0
            )
        )
        raise KeyError("u")

    with pytest.raises(KeyError):
        await database.write(work)
    assert await in_sql(database).users.by_id("u") is None
    assert in_use(database) == 0


# Callers that are cancelled, and closing


async def held_up_in(database: Database, call: Coroutine[Any, Any, object]) -> None:
    """Call, and be cancelled while the call waits for a lock that somebody else has."""
    under_way = asyncio.Event()
    event.listen(database.engine.sync_engine, "checkout", lambda *_: under_way.set(), once=True)
    task = asyncio.create_task(call)
    await asyncio.wait_for(under_way.wait(), 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert in_use(database) == 1


async def test_what_a_cancelled_caller_began_is_carried_through_on_sqlite(sqlite: Database, sqlite_file: Path) -> None:
    stores = in_sql(sqlite)
    with write_lock(sqlite_file):
        await held_up_in(sqlite, stores.users.add(a_user("ada"), "h"))
    await stores.users.add(a_user("bob"), "h")
    assert [user.username for user in await stores.pages.page(None, 10)] == ["ada", "bob"]
    assert in_use(sqlite) == 0


async def test_what_a_cancelled_caller_began_is_carried_through_on_postgres(postgres_url: str) -> None:
    database = open_database(postgres_url)
    await upgrade(database)
    stores = in_sql(database)
    for name in ("ada", "bob"):
        await stores.users.add(a_user(name), "h")
    await stores.rooms.add(a_room("desk"), "u-ada")
    other = create_engine(postgres_url)
    async with other.begin() as connection:
        await connection.execute(text("SELECT * FROM rooms FOR UPDATE"))
        await held_up_in(database, stores.members.put("desk", "u-bob", Role.MODERATOR))
    await other.dispose()
    await stores.members.put("desk", "u-ada", Role.OWNER)  # waits for the same room, so comes after it
    bob = await stores.members.of("desk", "u-bob")
    assert bob is not None
    assert bob.role is Role.MODERATOR
    assert in_use(database) == 0
    await database.close()


async def test_callers_cancelled_by_the_hundred_cost_the_pool_nothing(database: Database) -> None:
    stores = in_sql(database)
    connected: list[object] = []
    event.listen(database.engine.sync_engine, "connect", lambda connection, entry: connected.append(connection))
    for round_number in range(5):
        adding = [asyncio.create_task(stores.users.add(a_user(f"u{round_number}.{n}"), "h")) for n in range(20)]
        reading = [asyncio.create_task(stores.users.by_name(f"u{round_number}.{n}")) for n in range(20)]
        await adding[round_number]
        for task in (*adding, *reading):
            task.cancel()
        await asyncio.gather(*adding, *reading, return_exceptions=True)
    await stores.users.add(a_user("zoe"), "h")
    names = [user.username for user in await stores.pages.page(None, 200)]
    assert names[-1] == "zoe"
    pool = database.engine.pool
    assert isinstance(pool, QueuePool)
    assert len(connected) <= pool.size()


async def test_closing_lets_what_was_begun_end(sqlite: Database, sqlite_url: str) -> None:
    stores = in_sql(sqlite)
    adding = [asyncio.create_task(stores.users.add(a_user(f"u{number}"), "h")) for number in range(20)]
    await adding[0]
    await sqlite.close()
    await asyncio.gather(*adding)
    again = open_database(sqlite_url)
    assert len(await in_sql(again).pages.page(None, 100)) == 20
    await again.close()


async def test_a_closed_database_is_unavailable(database: Database) -> None:
    await database.close()
    with pytest.raises(Unavailable):
        await database.ping()
    with pytest.raises(Unavailable):
        await in_sql(database).users.add(a_user("ada"), "h")


# Many at once, and much


async def test_two_processes_worth_of_writers_share_a_file_without_refusals(sqlite: Database, sqlite_url: str) -> None:
    other = open_database(sqlite_url)
    adding = [
        in_sql(database).users.add(a_user(f"{side}{number}"), "h")
        for number in range(40)
        for side, database in (("a", sqlite), ("b", other))
    ]
    await asyncio.gather(*adding)
    assert len(await in_sql(other).pages.page(None, 100)) == 80
    await other.close()


async def every_call(stores: Stores) -> None:
    await stores.users.add(a_user("ada"), "h")
    await stores.users.add(a_user("bob"), "h")
    await stores.users.by_id("u-ada")
    await stores.users.by_name("ada")
    await stores.users.save(a_user("ada"))
    await stores.pages.page("a", 10)
    await stores.passwords.hash_of("u-ada")
    await stores.passwords.replace("u-ada", "h2")
    await stores.rooms.add(a_room("desk", created_by="u-ada"), "u-ada")
    await stores.rooms.by_id("desk")
    await stores.rooms.change("desk", RoomChanges(title="Desk"))
    await stores.rooms.page("u-ada", "a", 10)
    await stores.rooms.page(None, "a", 10)
    await stores.members.put("desk", "u-bob", Role.OWNER)
    await stores.members.put("desk", "u-bob", Role.MEMBER)
    await stores.members.of("desk", "u-bob")
    await stores.members.page("desk", "a", 10)
    await stores.rooms.add(a_room("more"), "u-bob", RoomCaps(max_rooms_per_user=9))
    await stores.members.remove("desk", "u-bob")
    await stores.rooms.remove("desk")
    await stores.users.remove("u-ada")


async def test_no_statement_of_any_store_reads_a_whole_table(sqlite: Database, sqlite_file: Path) -> None:
    said: list[tuple[str, tuple[object, ...]]] = []

    @event.listens_for(sqlite.engine.sync_engine, "before_cursor_execute")
    def note(connection: object, cursor: object, statement: str, parameters: tuple[object, ...], *rest: object) -> None:
        said.append((statement, parameters))

    await every_call(in_sql(sqlite))
    plans: set[str] = set()
    with closing(sqlite3.connect(sqlite_file)) as connection:
        for statement, parameters in said:
            if not statement.startswith(("BEGIN", "INSERT")):
                found = connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
                plans.update(f"{row[3]}  <- {' '.join(statement.split())}" for row in found)
    tables = ("users", "passwords", "rooms", "members")
    assert len(plans) > 15
    assert [plan for plan in plans if plan.startswith(tuple(f"SCAN {table}" for table in tables))] == []


async def test_a_read_sees_what_was_written_before_it_on_every_connection(database: Database) -> None:
    stores = in_sql(database)
    for number in range(5):
        await stores.users.add(a_user(f"u{number}"), "h")
        counts = await asyncio.gather(*(database.rows(select(users.c.id)) for _ in range(5)))
        assert [len(rows) for rows in counts] == [number + 1] * 5
