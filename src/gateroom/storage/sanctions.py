"""Bans and mutes in SQL."""

import math
from collections.abc import Sequence

from sqlalchemy import delete, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateroom.auth.ports import Clock
from gateroom.errors import NotFound
from gateroom.rooms.model import Measure, Restraints, Sanction
from gateroom.storage.database import Database
from gateroom.storage.rooms import lock_place
from gateroom.storage.schema import sanctions, users


class SqlSanctions:
    """The `SanctionStore` on a SQL database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def of(self, room_id: str, user_id: str) -> Restraints:
        found = select(sanctions.c.measure, sanctions.c.until).where(
            sanctions.c.room_id == room_id, sanctions.c.user_id == user_id
        )
        ends = {measure: end_of(until) for measure, until in await self._database.rows(found)}
        return Restraints(ends.get(Measure.BAN, 0.0), ends.get(Measure.MUTE, 0.0))

    async def put(self, room_id: str, user_id: str, measure: Measure, until: float | None) -> Sanction:
        """Take the measure anew, and forget what is over in this room."""
        now = self._clock()
        ours = (sanctions.c.measure == measure) & (sanctions.c.user_id == user_id)

        async def work(connection: AsyncConnection) -> Sanction:
            username = await lock_place(connection, room_id, user_id)
            over = delete(sanctions).where(sanctions.c.room_id == room_id, or_(ours, sanctions.c.until <= now))
            await connection.execute(over)
            await connection.execute(
                insert(sanctions).values(room_id=room_id, measure=measure, user_id=user_id, since=now, until=until)
            )
            return Sanction(measure, room_id, user_id, username, now, until)

        return await self._database.write(work)

    async def lift(self, room_id: str, user_id: str, measure: Measure) -> None:
        now = self._clock()

        async def work(connection: AsyncConnection) -> None:
            lifted = await connection.execute(
                delete(sanctions).where(
                    sanctions.c.room_id == room_id,
                    sanctions.c.measure == measure,
                    sanctions.c.user_id == user_id,
                    or_(sanctions.c.until.is_(None), sanctions.c.until > now),
                )
            )
            if not lifted.rowcount:
                raise NotFound

        await self._database.write(work)

    async def page(self, room_id: str, measure: Measure, after: str | None, limit: int) -> Sequence[Sanction]:
        following = (
            select(users.c.id, users.c.username, sanctions.c.since, sanctions.c.until)
            .join(users, users.c.id == sanctions.c.user_id)
            .where(
                sanctions.c.room_id == room_id,
                sanctions.c.measure == measure,
                or_(sanctions.c.until.is_(None), sanctions.c.until > self._clock()),
                users.c.username > (after or ""),
            )
            .order_by(users.c.username)
            .limit(limit)
        )
        rows = await self._database.rows(following)
        return [Sanction(measure, room_id, user_id, name, since, until) for user_id, name, since, until in rows]


def end_of(until: float | None) -> float:
    return math.inf if until is None else until
