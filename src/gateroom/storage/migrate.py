"""Bringing the database to the schema of this program, at start."""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

import structlog
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext, MigrationStep, RevisionStep
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from gateroom.storage.database import Database
from gateroom.storage.engine import StorageError
from gateroom.storage.faults import reason

_log = structlog.get_logger("gateroom.storage")

VERSION_TABLE = "gateroom_version"  # an embedding application may have an `alembic_version` of its own
PATIENCE = 500.0  # seconds that another process may take to upgrade
DEADLINE = 600.0  # seconds for all of it
_LOCK = 0x6761_7465_726F_6F6D  # any number that all processes share, for pg_advisory_xact_lock

_MIGRATIONS = Path(__file__).parent / "migrations"

# It narrates each run at INFO; what an operator wants to know is logged here.
logging.getLogger("alembic").setLevel(logging.WARNING)


async def upgrade(database: Database) -> None:
    """Apply the migrations that `database` lacks, all or none, one process at a time.

    Raises `StorageError` when the database does not answer, has tables of somebody else in the way, or was written by
    a newer program.
    """
    try:
        async with asyncio.timeout(DEADLINE), database.engine.connect() as connection:
            try:
                await _lock(connection, database.is_sqlite)
                await connection.run_sync(_apply)
                await connection.commit()
            finally:
                if database.is_sqlite:
                    await connection.invalidate()  # it is too patient for daily use
    except (SQLAlchemyError, OSError) as error:
        raise StorageError(f"The database {database.name} cannot be used: {reason(error)}.") from error


async def _lock(connection: AsyncConnection, is_sqlite: bool) -> None:
    if is_sqlite:
        await connection.exec_driver_sql(f"PRAGMA busy_timeout = {int(PATIENCE * 1000)}")
        await connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        await connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))


def _apply(connection: Connection) -> None:
    script = ScriptDirectory(_MIGRATIONS)

    def missing(heads: Sequence[str], context: MigrationContext) -> list[RevisionStep]:
        steps = list(script.iterate_revisions("head", tuple(heads), implicit_base=True))
        return [MigrationStep.upgrade_from_script(script.revision_map, step) for step in reversed(steps)]

    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "fn": missing})
    found = context.get_current_heads()
    known = {step.revision for step in script.walk_revisions()}
    unknown = [revision for revision in found if revision not in known]
    if unknown:
        raise StorageError(
            f"The database is at version {unknown[0]}, which this program does not know: start the newer Gateroom "
            "that wrote it, or restore a backup made before."
        )
    # Handed on as an argument: alembic's own `op` is one global of the whole process.
    context.run_migrations(op=Operations(context))
    reached = context.get_current_heads()
    if reached != found:
        _log.info("storage.upgraded", before=found[0] if found else None, now=reached[0])
