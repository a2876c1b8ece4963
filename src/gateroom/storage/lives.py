"""Until when rooms live, in SQL."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Float, bindparam, case, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateroom.storage.database import Database
from gateroom.storage.schema import rooms

_TOUCH = update(rooms).where(rooms.c.id == bindparam("of")).values(expires_at=bindparam("end"))


class SqlLives:
    """The `RoomLives` on a SQL database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def touch(self, ends: Mapping[str, float | None]) -> None:
        """Rooms are locked in order of id, as everywhere in storage."""
        rows = [{"of": room_id, "end": ends[room_id]} for room_id in sorted(ends)]

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(_TOUCH, rows)

        await self._database.write(work)

    async def expire(self, now: float, limit: int) -> Sequence[str]:
        over = select(rooms.c.id).where(rooms.c.expires_at <= now).order_by(rooms.c.id).limit(limit)
        found = [row[0] for row in await self._database.rows(over)]
        if not found:  # the usual case, without a transaction
            return []

        async def work(connection: AsyncConnection) -> Sequence[str]:
            locked = over.where(rooms.c.id.in_(found)).with_for_update()
            ended = [row[0] for row in await connection.execute(locked)]
            await connection.execute(delete(rooms).where(rooms.c.id.in_(ended)))
            return ended

        return await self._database.write(work)

    async def adopt(self, ttls: Mapping[str, float], now: float) -> None:
        default = ttls["default"]
        ttl = case(
            (rooms.c.ttl.is_not(None), rooms.c.ttl),
            *((rooms.c.kind == kind, seconds) for kind, seconds in ttls.items()),
            else_=default,
        ).cast(Float(53))
        later = or_(rooms.c.expires_at.is_(None), rooms.c.expires_at > ttl + now)

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(update(rooms).where(ttl > 0, later).values(expires_at=ttl + now))
            immortal = update(rooms).where(ttl == 0, rooms.c.expires_at.is_not(None))
            await connection.execute(immortal.values(expires_at=None))

        await self._database.write(work)
