"""Doors in front of stores and history, so that a test decides when a read is answered, and whether it is."""

import asyncio
from collections.abc import Sequence

from gateroom.auth.ports import AuthSession, SessionStore, User, UserStore
from gateroom.protocol.patches import State
from gateroom.realtime.ports import Broker, Done, Page, Position, Record, Retention
from gateroom.rooms.model import Member, Restraints, Role, Room
from gateroom.rooms.ports import Judge, MemberStore, RoomStore, SanctionStore, anybody


class Gate:
    """Lets everybody through at once, until it is told otherwise."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self.fault: Exception | None = None  # raised to whoever comes through
        self.passages = 0

    def hold(self) -> None:
        """Keep back who comes from now on."""
        self._open.clear()

    def release(self) -> None:
        """Let through those who wait, and who comes from now on."""
        self._open.set()

    async def passage(self) -> None:
        self.passages += 1
        await self._open.wait()
        if self.fault is not None:
            raise self.fault


class GatedUsers:
    """A `UserStore` whose reads wait at the gate; the answer is what holds when they set out."""

    def __init__(self, users: UserStore, gate: Gate) -> None:
        self._users = users
        self._gate = gate
        self.add, self.save, self.remove = users.add, users.save, users.remove

    async def by_id(self, user_id: str) -> User | None:
        found = await self._users.by_id(user_id)
        await self._gate.passage()
        return found

    async def by_name(self, username: str) -> User | None:
        found = await self._users.by_name(username)
        await self._gate.passage()
        return found


class GatedSessions:
    """A `SessionStore` in the same way."""

    def __init__(self, sessions: SessionStore, gate: Gate) -> None:
        self._sessions = sessions
        self._gate = gate
        self.add, self.rotate, self.end, self.by_family = (
            sessions.add,
            sessions.rotate,
            sessions.end,
            sessions.by_family,
        )

    async def by_id(self, session_id: str) -> AuthSession | None:
        found = await self._sessions.by_id(session_id)
        await self._gate.passage()
        return found


class GatedRooms:
    """A `RoomStore` in the same way."""

    def __init__(self, rooms: RoomStore, gate: Gate) -> None:
        self._rooms = rooms
        self._gate = gate
        self.add, self.change, self.remove, self.page = rooms.add, rooms.change, rooms.remove, rooms.page

    async def by_id(self, room_id: str) -> Room | None:
        found = await self._rooms.by_id(room_id)
        await self._gate.passage()
        return found


class GatedMembers:
    """A `MemberStore` in the same way."""

    def __init__(self, members: MemberStore, gate: Gate) -> None:
        self._members = members
        self._gate = gate

    async def of(self, room_id: str, user_id: str) -> Member | None:
        found = await self._members.of(room_id, user_id)
        await self._gate.passage()
        return found

    async def put(self, room_id: str, user_id: str, role: Role, judge: Judge = anybody) -> Member:
        return await self._members.put(room_id, user_id, role, judge)

    async def remove(self, room_id: str, user_id: str, judge: Judge = anybody) -> None:
        await self._members.remove(room_id, user_id, judge)

    async def page(self, room_id: str, after: str | None, limit: int) -> Sequence[Member]:
        return await self._members.page(room_id, after, limit)


class GatedSanctions:
    """A `SanctionStore` in the same way."""

    def __init__(self, sanctions: SanctionStore, gate: Gate) -> None:
        self._sanctions = sanctions
        self._gate = gate
        self.put, self.lift, self.page = sanctions.put, sanctions.lift, sanctions.page

    async def of(self, room_id: str, user_id: str) -> Restraints:
        found = await self._sanctions.of(room_id, user_id)
        await self._gate.passage()
        return found


class GatedBroker:
    """A `Broker` whose history has to be waited for, as over a network; it is read when the gate opens."""

    def __init__(self, broker: Broker, gate: Gate) -> None:
        self._broker = broker
        self._gate = gate

    def submit(self, record: Record, done: Done) -> None:
        self._broker.submit(record, done)

    def step(self) -> None:
        self._broker.step()

    def head(self, topic: str) -> Position | None:
        return self._broker.head(topic)

    def state(self, topic: str) -> State | None:
        return self._broker.state(topic)

    async def open(self, topic: str, retention: Retention) -> None:
        await self._broker.open(topic, retention)

    async def history(
        self, topic: str, retention: Retention, since: Position | None, limit: int, max_bytes: int
    ) -> Page:
        await self._gate.passage()
        return await self._broker.history(topic, retention, since, limit, max_bytes)

    def forget(self, topic: str) -> None:
        self._broker.forget(topic)

    @property
    def pending(self) -> bool:
        return self._broker.pending

    async def settled(self) -> None:
        await self._broker.settled()

    async def close(self) -> None:
        await self._broker.close()
