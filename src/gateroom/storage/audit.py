"""The audit log in SQL."""

from collections.abc import Sequence

from sqlalchemy import delete, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateroom.auth.ports import AuditEntry, AuditFilter
from gateroom.storage.database import Database
from gateroom.storage.schema import audit

_ENTRIES = select(
    audit.c.action,
    audit.c.outcome,
    audit.c.actor,
    audit.c.actor_name,
    audit.c.session,
    audit.c.target,
    audit.c.room,
    audit.c.address,
    audit.c.at,
    audit.c.repeats,
    audit.c.id,
)


class SqlAudit:
    """The `AuditStore` on a SQL database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, entries: Sequence[AuditEntry]) -> None:
        rows = [
            {
                "action": entry.action,
                "outcome": entry.outcome,
                "actor": entry.actor,
                "actor_name": entry.actor_name,
                "session": entry.session,
                "target": entry.target,
                "room": entry.room,
                "address": entry.address,
                "at": entry.at,
                "repeats": entry.repeats,
            }
            for entry in entries
        ]

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(insert(audit), rows)

        await self._database.write(work)

    async def page(self, wanted: AuditFilter, before: int | None, limit: int) -> Sequence[AuditEntry]:
        found = _ENTRIES.order_by(audit.c.id.desc()).limit(limit)
        if before is not None:
            found = found.where(audit.c.id < before)
        if wanted.actor is not None:
            found = found.where(audit.c.actor == wanted.actor)
        if wanted.action is not None:
            found = found.where(audit.c.action == wanted.action)
        if wanted.target is not None:
            kind, _, name = wanted.target.partition(":")
            exactly = audit.c.target == wanted.target
            found = found.where(or_(exactly, audit.c.room == name) if kind == "room" else exactly)
        if wanted.since is not None:
            found = found.where(audit.c.at >= wanted.since)
        return [AuditEntry(*row) for row in await self._database.rows(found)]

    async def trim(self, before: float) -> None:
        async def work(connection: AsyncConnection) -> None:
            await connection.execute(delete(audit).where(audit.c.at < before))

        await self._database.write(work)
