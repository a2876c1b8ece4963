"""Links between outside subjects and accounts in SQL."""

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateroom.auth.ports import Identity, User
from gateroom.errors import NotFound
from gateroom.storage.database import Database
from gateroom.storage.schema import identities, users


class SqlIdentities:
    """The `IdentityStore` on a SQL database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, issuer: str, subject: str) -> Identity | None:
        columns = (identities.c.issuer, identities.c.subject, identities.c.user_id, identities.c.as_of)
        rows = await self._database.rows(
            select(*columns).where(identities.c.issuer == issuer, identities.c.subject == subject)
        )
        return Identity(*rows[0]) if rows else None

    async def create(self, user: User, identity: Identity) -> None:
        async def work(connection: AsyncConnection) -> None:
            await connection.execute(
                insert(users).values(
                    id=user.id,
                    username=user.username,
                    roles=user.roles,
                    scopes=user.scopes,
                    created_at=user.created_at,
                    disabled=user.disabled,
                    valid_from=user.valid_from,
                )
            )
            await _insert(connection, identity)

        await self._database.write(work)

    async def link(self, identity: Identity) -> None:
        async def work(connection: AsyncConnection) -> None:
            if await connection.scalar(select(users.c.id).where(users.c.id == identity.user_id)) is None:
                raise NotFound
            await _insert(connection, identity)

        await self._database.write(work)

    async def unlink(self, issuer: str, subject: str) -> None:
        async def work(connection: AsyncConnection) -> None:
            gone = await connection.execute(
                delete(identities).where(identities.c.issuer == issuer, identities.c.subject == subject)
            )
            if not gone.rowcount:
                raise NotFound

        await self._database.write(work)

    async def follow(self, identity: Identity, roles: frozenset[str] | None, scopes: frozenset[str] | None) -> bool:
        async def work(connection: AsyncConnection) -> bool:
            # The account first, as everywhere in storage: whoever removes it locks it first, too.
            account = select(users.c.id).where(users.c.id == identity.user_id).with_for_update()
            if await connection.scalar(account) is None:
                raise NotFound
            moved = await connection.execute(
                update(identities)
                .where(
                    identities.c.issuer == identity.issuer,
                    identities.c.subject == identity.subject,
                    identities.c.as_of < identity.as_of,
                )
                .values(as_of=identity.as_of)
            )
            if not moved.rowcount:
                return False
            powers = {"roles": roles, "scopes": scopes}
            told = {name: value for name, value in powers.items() if value is not None}
            if told:
                await connection.execute(update(users).where(users.c.id == identity.user_id).values(told))
            return True

        return await self._database.write(work)


async def _insert(connection: AsyncConnection, identity: Identity) -> None:
    await connection.execute(
        insert(identities).values(
            issuer=identity.issuer, subject=identity.subject, user_id=identity.user_id, as_of=identity.as_of
        )
    )
