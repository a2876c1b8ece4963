"""Tickets in SQL."""

from sqlalchemy import delete, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from gateroom.auth.claims import Claims
from gateroom.auth.ports import Ticket
from gateroom.storage.database import Database
from gateroom.storage.schema import tickets


class SqlTickets:
    """The `TicketStore` on a SQL database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, ticket: Ticket, now: float) -> None:
        async def work(connection: AsyncConnection) -> None:
            await connection.execute(delete(tickets).where(tickets.c.expires_at < now))
            await connection.execute(
                insert(tickets).values(
                    digest=ticket.digest,
                    claims=ticket.claims.payload(),
                    room=ticket.room,
                    expires_at=ticket.expires_at,
                )
            )

        await self._database.write(work)

    async def take(self, digest: bytes) -> Ticket | None:
        async def work(connection: AsyncConnection) -> Ticket | None:
            # The row is locked by its deletion: whoever comes second finds nothing once the first has committed.
            taken = delete(tickets).where(tickets.c.digest == digest)
            row = (await connection.execute(taken.returning(*tickets.c))).one_or_none()
            return None if row is None else Ticket(row.digest, Claims.restored(row.claims), row.room, row.expires_at)

        return await self._database.write(work)
