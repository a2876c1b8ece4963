"""Rooms and their members in SQL."""

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import delete, func, insert, or_, select, union, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateroom.auth.ports import Clock
from gateroom.errors import Conflict, LimitReached, NotFound
from gateroom.rooms.model import NO_CAPS, Measure, Member, Role, Room, RoomCaps, RoomChanges, Visibility
from gateroom.rooms.ports import Judge, anybody
from gateroom.storage.database import Database
from gateroom.storage.schema import members, rooms, sanctions, users

ROOMS = select(
    rooms.c.id,
    rooms.c.kind,
    rooms.c.title,
    rooms.c.visibility,
    rooms.c.created_by,
    rooms.c.created_at,
    rooms.c.capacity,
    rooms.c.ttl,
)
MEMBERS = select(members.c.room_id, members.c.user_id, users.c.username, members.c.role, members.c.since).join(
    users, users.c.id == members.c.user_id
)

_COUNTING = 0x6761746572  # the advisory lock of those who count rooms before they add one


class SqlRooms:
    """The `RoomStore` on a SQL database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def add(self, room: Room, owner_id: str | None, caps: RoomCaps = NO_CAPS) -> None:
        """Add a room and its owner, a member since the room was created."""

        async def work(connection: AsyncConnection) -> None:
            if caps != NO_CAPS:
                await _require_space(connection, room, owner_id, caps)
            await connection.execute(
                insert(rooms).values(
                    id=room.id,
                    kind=room.kind,
                    title=room.title,
                    visibility=room.visibility,
                    created_by=room.created_by,
                    created_at=room.created_at,
                    capacity=room.capacity,
                    ttl=room.ttl,
                )
            )
            if owner_id is not None:
                await connection.execute(
                    insert(members).values(room_id=room.id, user_id=owner_id, role=Role.OWNER, since=room.created_at)
                )

        await self._database.write(work)

    async def by_id(self, room_id: str) -> Room | None:
        rows = await self._database.rows(ROOMS.where(rooms.c.id == room_id))
        return Room(*rows[0]) if rows else None

    async def change(self, room_id: str, changes: RoomChanges) -> Room:
        given = {name: value for name, value in asdict(changes).items() if value is not None}

        async def work(connection: AsyncConnection) -> Room:
            if given:
                await connection.execute(update(rooms).where(rooms.c.id == room_id).values(given))
            row = (await connection.execute(ROOMS.where(rooms.c.id == room_id))).one_or_none()
            if row is None:
                raise NotFound
            return Room(*row)

        return await self._database.write(work)

    async def remove(self, room_id: str) -> None:
        async def work(connection: AsyncConnection) -> None:
            changed = await connection.execute(delete(rooms).where(rooms.c.id == room_id))
            if not changed.rowcount:
                raise NotFound

        await self._database.write(work)

    async def page(self, visible_to: str | None, after: str | None, limit: int) -> Sequence[Room]:
        following = ROOMS.where(rooms.c.id > (after or "")).order_by(rooms.c.id).limit(limit)
        if visible_to is not None:
            banned = select(sanctions.c.room_id).where(
                sanctions.c.user_id == visible_to,
                sanctions.c.measure == Measure.BAN,
                or_(sanctions.c.until.is_(None), sanctions.c.until > self._clock()),
            )
            # Two short walks along an index each; one walk with an OR would read every room there is.
            public = (
                select(rooms.c.id)
                .where(rooms.c.visibility == Visibility.PUBLIC, rooms.c.id > (after or ""), rooms.c.id.not_in(banned))
                .order_by(rooms.c.id)
                .limit(limit)
                .subquery()
            )
            joined = (
                select(members.c.room_id)
                .where(
                    members.c.user_id == visible_to, members.c.room_id > (after or ""), members.c.room_id.not_in(banned)
                )
                .order_by(members.c.room_id)
                .limit(limit)
                .subquery()
            )
            following = following.where(rooms.c.id.in_(union(select(public.c.id), select(joined.c.room_id))))
        return [Room(*row) for row in await self._database.rows(following)]


class SqlMembers:
    """The `MemberStore` on a SQL database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def of(self, room_id: str, user_id: str) -> Member | None:
        rows = await self._database.rows(MEMBERS.where(members.c.room_id == room_id, members.c.user_id == user_id))
        return Member(*rows[0]) if rows else None

    async def put(self, room_id: str, user_id: str, role: Role, judge: Judge = anybody) -> Member:
        """Add the member or overwrite the role; `since` stays as it was. A room that never had an owner may go on
        without."""

        async def work(connection: AsyncConnection) -> Member:
            username = await lock_place(connection, room_id, user_id)
            now = await _current(connection, room_id, user_id)
            judge(now[0] if now else None)
            if now is None:
                since = self._clock()
                await connection.execute(
                    insert(members).values(room_id=room_id, user_id=user_id, role=role, since=since)
                )
                return Member(room_id, user_id, username, role, since)
            was, since = now
            if was is Role.OWNER and role is not Role.OWNER:
                await _require_another_owner(connection, room_id, user_id)
            await connection.execute(
                update(members).where(members.c.room_id == room_id, members.c.user_id == user_id).values(role=role)
            )
            return Member(room_id, user_id, username, role, since)

        return await self._database.write(work)

    async def remove(self, room_id: str, user_id: str, judge: Judge = anybody) -> None:
        async def work(connection: AsyncConnection) -> None:
            await lock_place(connection, room_id, user_id)
            now = await _current(connection, room_id, user_id)
            if now is None:
                raise NotFound
            judge(now[0])
            if now[0] is Role.OWNER:
                await _require_another_owner(connection, room_id, user_id)
            await connection.execute(delete(members).where(members.c.room_id == room_id, members.c.user_id == user_id))

        await self._database.write(work)

    async def page(self, room_id: str, after: str | None, limit: int) -> Sequence[Member]:
        following = MEMBERS.where(members.c.room_id == room_id, users.c.username > (after or ""))
        rows = await self._database.rows(following.order_by(users.c.username).limit(limit))
        return [Member(*row) for row in rows]


async def _require_space(connection: AsyncConnection, room: Room, owner_id: str | None, caps: RoomCaps) -> None:
    """Raise `LimitReached` unless the room is within the caps, and `Conflict` first when its id is taken."""
    if connection.dialect.name == "postgresql":  # SQLite has one writer at a time
        await connection.execute(select(func.pg_advisory_xact_lock(_COUNTING)))
    if await connection.scalar(select(rooms.c.id).where(rooms.c.id == room.id)) is not None:
        raise Conflict
    if caps.max_rooms and (await connection.scalar(select(func.count()).select_from(rooms)) or 0) >= caps.max_rooms:
        raise LimitReached
    if owner_id is not None:
        owned = select(func.count()).where(members.c.user_id == owner_id, members.c.role == Role.OWNER)
    else:
        owned = select(func.count()).where(rooms.c.created_by == room.created_by)
    if caps.max_rooms_per_user and (await connection.scalar(owned) or 0) >= caps.max_rooms_per_user:
        raise LimitReached


async def lock_place(connection: AsyncConnection, room_id: str, user_id: str) -> str:
    """Keep others from changing who is what in this room, and this account from being removed; return its username.

    In the order that all of storage keeps: users before rooms before members. Raises `NotFound` when one is gone.
    """
    account = select(users.c.username).where(users.c.id == user_id).with_for_update(read=True, key_share=True)
    username = await connection.scalar(account)
    room = await connection.scalar(select(rooms.c.id).where(rooms.c.id == room_id).with_for_update())
    if username is None or room is None:
        raise NotFound
    return username


async def _current(connection: AsyncConnection, room_id: str, user_id: str) -> tuple[Role, float] | None:
    found = await connection.execute(
        select(members.c.role, members.c.since).where(members.c.room_id == room_id, members.c.user_id == user_id)
    )
    row = found.one_or_none()
    return None if row is None else (row[0], row[1])


async def _require_another_owner(connection: AsyncConnection, room_id: str, user_id: str) -> None:
    other = select(members.c.user_id).where(
        members.c.room_id == room_id, members.c.role == Role.OWNER, members.c.user_id != user_id
    )
    if await connection.scalar(other.limit(1)) is None:
        raise Conflict("A room keeps at least one owner.")
