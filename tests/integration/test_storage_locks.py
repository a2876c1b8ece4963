"""The order of locks on PostgreSQL: users before rooms before members, so that nobody waits in a circle."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from gateroom.errors import NotFound
from gateroom.rooms.model import Role
from gateroom.storage.database import Database, open_database
from gateroom.storage.migrate import upgrade
from support.stores import a_room, a_user, in_sql

pytest_plugins = ["support.databases"]

SOMEBODY_WAITS_FOR_US = """
DO $$ BEGIN
    WHILE NOT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))) LOOP
        PERFORM pg_sleep(0.01);
    END LOOP;
END $$
"""


# A removed account cascades in the order in which the references to it were made; a restored dump has another one.
AS_RESTORED_FROM_A_DUMP = (
    "ALTER TABLE rooms DROP CONSTRAINT fk_rooms_created_by",
    "ALTER TABLE rooms ADD CONSTRAINT fk_rooms_created_by FOREIGN KEY (created_by) REFERENCES users ON DELETE SET NULL",
)


@pytest.fixture
async def contended(postgres_url: str) -> AsyncIterator[Database]:
    """A PostgreSQL database with a desk that ada made and owns, where bob is a member."""
    database = open_database(postgres_url)
    await upgrade(database)
    stores = in_sql(database)
    for name in ("ada", "bob"):
        await stores.users.add(a_user(name), "h")
    await stores.rooms.add(a_room("desk", created_by="u-ada"), "u-ada")
    await stores.members.put("desk", "u-bob", Role.MEMBER)
    yield database
    await database.close()


async def test_an_account_is_removed_beside_its_room_without_a_deadlock(contended: Database) -> None:
    async with contended.engine.begin() as restoring:
        for statement in AS_RESTORED_FROM_A_DUMP:
            await restoring.execute(text(statement))
    async with asyncio.timeout(10), contended.engine.begin() as removing_the_room:
        await removing_the_room.execute(text("SELECT * FROM rooms FOR UPDATE"))
        account = asyncio.create_task(in_sql(contended).users.remove("u-ada"))
        await removing_the_room.execute(text(SOMEBODY_WAITS_FOR_US))
        await removing_the_room.execute(text("DELETE FROM rooms"))
    await account
    assert await in_sql(contended).users.by_name("ada") is None


@pytest.mark.parametrize("change", ["put", "remove"])
async def test_a_membership_changes_beside_the_removal_of_its_account_without_a_deadlock(
    contended: Database, change: str
) -> None:
    members = in_sql(contended).members
    async with asyncio.timeout(10), contended.engine.begin() as removing_the_account:
        await removing_the_account.execute(text("SELECT * FROM users WHERE id = 'u-bob' FOR UPDATE"))
        call = members.put("desk", "u-bob", Role.VIEWER) if change == "put" else members.remove("desk", "u-bob")
        changing = asyncio.ensure_future(call)
        await removing_the_account.execute(text(SOMEBODY_WAITS_FOR_US))
        await removing_the_account.execute(text("SELECT * FROM rooms FOR UPDATE NOWAIT"))
        await removing_the_account.execute(text("DELETE FROM users WHERE id = 'u-bob'"))
    with pytest.raises(NotFound):
        await changing
