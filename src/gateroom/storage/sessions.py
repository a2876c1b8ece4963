"""Sessions and revoked access tokens in SQL."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import and_, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateroom.auth.ports import AuthSession, Link, Rotation
from gateroom.errors import Conflict, NotFound
from gateroom.storage.database import Database
from gateroom.storage.schema import passwords, revoked_tokens, sessions, users

_SESSIONS = select(
    sessions.c.id,
    sessions.c.user_id,
    sessions.c.client_id,
    sessions.c.scopes,
    sessions.c.user_agent,
    sessions.c.address,
    sessions.c.created_at,
    sessions.c.used_at,
    sessions.c.expires_at,
    sessions.c.ends_at,
)


class SqlSessions:
    """The `SessionStore` and `SessionPages` on a SQL database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, session: AuthSession, link: Link, proof: str | None = None) -> None:
        async def work(connection: AsyncConnection) -> None:
            await _require_account(connection, session.user_id, proof)
            await connection.execute(
                insert(sessions).values(
                    id=session.id,
                    user_id=session.user_id,
                    client_id=session.client_id,
                    scopes=session.scopes,
                    user_agent=session.user_agent,
                    address=session.address,
                    created_at=session.created_at,
                    used_at=session.used_at,
                    expires_at=session.expires_at,
                    ends_at=session.ends_at,
                    family=link.family,
                    current=link.current,
                )
            )

        await self._database.write(work)

    async def by_id(self, session_id: str) -> AuthSession | None:
        rows = await self._database.rows(_SESSIONS.where(sessions.c.id == session_id))
        return _session(rows[0]) if rows else None

    async def by_family(self, family: bytes) -> AuthSession | None:
        rows = await self._database.rows(_SESSIONS.where(sessions.c.family == family))
        return _session(rows[0]) if rows else None

    async def rotate(self, used: AuthSession, presented: Link, following: bytes) -> Rotation:
        async def work(connection: AsyncConnection) -> Rotation:
            # One statement compares and replaces: of many at once the first takes the row, the others then see its
            # `current` and not the one they brought.
            mine = and_(sessions.c.id == used.id, sessions.c.family == presented.family)
            rotated = await connection.execute(
                update(sessions)
                .where(mine, sessions.c.current == presented.current)
                .values(current=following, used_at=used.used_at, expires_at=used.expires_at)
            )
            if rotated.rowcount:
                return Rotation.DONE
            ended = await connection.execute(delete(sessions).where(mine))
            return Rotation.REUSED if ended.rowcount else Rotation.GONE

        return await self._database.write(work)

    async def end(self, user_id: str, session_id: str | None) -> Sequence[str]:
        async def work(connection: AsyncConnection) -> Sequence[str]:
            return await end_sessions(connection, user_id, only=session_id)

        return await self._database.write(work)

    async def page(self, user_id: str, after: tuple[float, str] | None, limit: int) -> Sequence[AuthSession]:
        mine = _SESSIONS.where(sessions.c.user_id == user_id)
        if after is not None:
            at, session_id = after
            same = and_(sessions.c.created_at == at, sessions.c.id < session_id)
            mine = mine.where(or_(sessions.c.created_at < at, same))
        rows = await self._database.rows(mine.order_by(sessions.c.created_at.desc(), sessions.c.id.desc()).limit(limit))
        return [_session(row) for row in rows]

    async def alive(self, session_ids: Collection[str]) -> frozenset[str]:
        rows = await self._database.rows(select(sessions.c.id).where(sessions.c.id.in_(session_ids)))
        return frozenset(row[0] for row in rows)

    async def prune(self, now: float) -> None:
        async def work(connection: AsyncConnection) -> None:
            await connection.execute(delete(sessions).where(sessions.c.expires_at <= now))

        await self._database.write(work)


class SqlRevocations:
    """The `RevocationStore` on a SQL database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, token_id: str, expires_at: float) -> None:
        async def work(connection: AsyncConnection) -> None:
            await connection.execute(insert(revoked_tokens).values(id=token_id, expires_at=expires_at))

        with suppress(Conflict):
            await self._database.write(work)

    async def all(self, now: float) -> Mapping[str, float]:
        living = select(revoked_tokens.c.id, revoked_tokens.c.expires_at).where(revoked_tokens.c.expires_at > now)
        return {token_id: expires_at for token_id, expires_at in await self._database.rows(living)}

    async def prune(self, now: float) -> None:
        async def work(connection: AsyncConnection) -> None:
            await connection.execute(delete(revoked_tokens).where(revoked_tokens.c.expires_at <= now))

        await self._database.write(work)


async def _require_account(connection: AsyncConnection, user_id: str, proof: str | None) -> None:
    """Raise `NotFound` unless the account may begin a session; both rows stay as they are until this is committed."""
    disabled = select(users.c.disabled).where(users.c.id == user_id).with_for_update(read=True)
    if await connection.scalar(disabled) is not False:
        raise NotFound
    if proof is not None:
        stored = select(passwords.c.hash).where(passwords.c.user_id == user_id).with_for_update(read=True)
        if await connection.scalar(stored) != proof:
            raise NotFound


def _session(row: Sequence[Any]) -> AuthSession:
    return AuthSession(*row)


async def end_sessions(
    connection: AsyncConnection, user_id: str, *, only: str | None = None, but: str | None = None
) -> Sequence[str]:
    """Delete a user's sessions within a transaction that does more: all, `only` one, or all `but` one."""
    which = delete(sessions).where(sessions.c.user_id == user_id)
    if only is not None:
        which = which.where(sessions.c.id == only)
    if but is not None:
        which = which.where(sessions.c.id != but)
    return (await connection.scalars(which.returning(sessions.c.id))).all()
