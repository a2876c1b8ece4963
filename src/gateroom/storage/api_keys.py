"""API keys in SQL."""

from collections.abc import Mapping, Sequence

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateroom.auth.ports import ApiKey
from gateroom.errors import LimitReached, NotFound
from gateroom.storage.database import Database
from gateroom.storage.schema import api_keys, users

_COLUMNS = (
    api_keys.c.id,
    api_keys.c.user_id,
    api_keys.c.name,
    api_keys.c.scopes,
    api_keys.c.digest,
    api_keys.c.created_at,
    api_keys.c.expires_at,
    api_keys.c.used_at,
)
_KEYS = select(*_COLUMNS)


class SqlApiKeys:
    """The `ApiKeyStore` on a SQL database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, key: ApiKey, most: int) -> None:
        async def work(connection: AsyncConnection) -> None:
            # The account is locked: two that come at once must not both be the last one allowed.
            owner = select(users.c.id).where(users.c.id == key.user_id).with_for_update()
            if await connection.scalar(owner) is None:
                raise NotFound
            count = select(func.count()).select_from(api_keys).where(api_keys.c.user_id == key.user_id)
            if (await connection.scalar(count) or 0) >= most:
                raise LimitReached
            await connection.execute(
                insert(api_keys).values(
                    id=key.id,
                    user_id=key.user_id,
                    name=key.name,
                    scopes=key.scopes,
                    digest=key.digest,
                    created_at=key.created_at,
                    expires_at=key.expires_at,
                    used_at=key.used_at,
                )
            )

        await self._database.write(work)

    async def by_id(self, key_id: str) -> ApiKey | None:
        rows = await self._database.rows(_KEYS.where(api_keys.c.id == key_id))
        return ApiKey(*rows[0]) if rows else None

    async def page(self, after: str | None, limit: int) -> Sequence[ApiKey]:
        following = _KEYS.where(api_keys.c.id > (after or "")).order_by(api_keys.c.id).limit(limit)
        return [ApiKey(*row) for row in await self._database.rows(following)]

    async def remove(self, key_id: str) -> ApiKey:
        async def work(connection: AsyncConnection) -> ApiKey:
            removed = delete(api_keys).where(api_keys.c.id == key_id).returning(*_COLUMNS)
            row = (await connection.execute(removed)).mappings().one_or_none()
            if row is None:
                raise NotFound
            return ApiKey(**row)

        return await self._database.write(work)

    async def used(self, at: Mapping[str, float]) -> None:
        async def work(connection: AsyncConnection) -> None:
            for key_id, moment in sorted(at.items()):  # in one order: two processes must not wait for each other
                await connection.execute(update(api_keys).where(api_keys.c.id == key_id).values(used_at=moment))

        await self._database.write(work)
