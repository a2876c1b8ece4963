"""Accounts and their password hashes in SQL."""

from collections.abc import Collection, Sequence

from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateroom.auth.ports import User
from gateroom.errors import Conflict, NotFound
from gateroom.storage.database import Database
from gateroom.storage.schema import members, passwords, rooms, sanctions, users
from gateroom.storage.sessions import end_sessions

_USERS = select(
    users.c.id,
    users.c.username,
    users.c.roles,
    users.c.scopes,
    users.c.created_at,
    users.c.disabled,
    users.c.valid_from,
)


class SqlUsers:
    """The `UserStore`, `UserPages` and `PasswordStore` on a SQL database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, user: User, password_hash: str) -> None:
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
            await connection.execute(insert(passwords).values(user_id=user.id, hash=password_hash))

        await self._database.write(work)

    async def by_id(self, user_id: str) -> User | None:
        rows = await self._database.rows(_USERS.where(users.c.id == user_id))
        return User(*rows[0]) if rows else None

    async def by_name(self, username: str) -> User | None:
        rows = await self._database.rows(_USERS.where(users.c.username == username))
        return User(*rows[0]) if rows else None

    async def save(self, user: User, was: User | None = None) -> None:
        async def work(connection: AsyncConnection) -> None:
            if was is not None:
                await _require_unchanged(connection, was)
            changed = await connection.execute(
                update(users)
                .where(users.c.id == user.id)
                .values(roles=user.roles, scopes=user.scopes, disabled=user.disabled, valid_from=user.valid_from)
            )
            if not changed.rowcount:
                raise NotFound
            if user.disabled:
                await end_sessions(connection, user.id)

        await self._database.write(work)

    async def remove(self, user_id: str) -> None:
        async def work(connection: AsyncConnection) -> None:
            # Locked in the order that all of storage keeps, users before rooms before members: the cascade touches all
            # of them, and would deadlock with a change of membership otherwise.
            account = select(users.c.id).where(users.c.id == user_id).with_for_update()
            if await connection.scalar(account) is None:
                raise NotFound
            joined = select(members.c.room_id).where(members.c.user_id == user_id)
            sanctioned = select(sanctions.c.room_id).where(sanctions.c.user_id == user_id)
            concerned = or_(rooms.c.created_by == user_id, rooms.c.id.in_(joined), rooms.c.id.in_(sanctioned))
            touched = select(rooms.c.id).where(concerned)
            await connection.execute(touched.order_by(rooms.c.id).with_for_update())
            await connection.execute(delete(users).where(users.c.id == user_id))

        await self._database.write(work)

    async def by_ids(self, user_ids: Collection[str]) -> Sequence[User]:
        return [User(*row) for row in await self._database.rows(_USERS.where(users.c.id.in_(user_ids)))]

    async def page(self, after: str | None, limit: int) -> Sequence[User]:
        following = _USERS.where(users.c.username > (after or "")).order_by(users.c.username).limit(limit)
        return [User(*row) for row in await self._database.rows(following)]

    async def hash_of(self, user_id: str) -> str | None:
        rows = await self._database.rows(select(passwords.c.hash).where(passwords.c.user_id == user_id))
        return rows[0][0] if rows else None

    async def replace(self, user_id: str, password_hash: str) -> None:
        async def work(connection: AsyncConnection) -> None:
            await _replace(connection, user_id, password_hash)

        await self._database.write(work)

    async def change(self, user_id: str, password_hash: str, keep: str | None) -> Sequence[str]:
        async def work(connection: AsyncConnection) -> Sequence[str]:
            await _replace(connection, user_id, password_hash)
            return await end_sessions(connection, user_id, but=keep)

        return await self._database.write(work)


async def _require_unchanged(connection: AsyncConnection, was: User) -> None:
    """Raise `Conflict` unless the account is as it was, and keep it so until this is committed."""
    row = (await connection.execute(_USERS.where(users.c.id == was.id).with_for_update())).one_or_none()
    if row is None:
        raise NotFound
    if User(*row) != was:
        raise Conflict


async def _replace(connection: AsyncConnection, user_id: str, password_hash: str) -> None:
    changed = await connection.execute(
        update(passwords).where(passwords.c.user_id == user_id).values(hash=password_hash)
    )
    if not changed.rowcount:
        raise NotFound
