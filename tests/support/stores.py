"""The stores for tests: in memory, complete and held to the same conformance suites as the SQL ones; and these."""

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from gateroom.auth.ports import (
    ApiKeyStore,
    AuditStore,
    AuthSession,
    Clock,
    Identity,
    IdentityStore,
    PasswordStore,
    RevocationStore,
    SessionPages,
    SessionStore,
    Ticket,
    TicketStore,
    User,
    UserPages,
    UserStore,
)
from gateroom.errors import Conflict, LimitReached, NotFound
from gateroom.realtime.ports import StreamLog
from gateroom.realtime.topics import room_topic, user_topic
from gateroom.rooms.model import (
    NO_CAPS,
    Measure,
    Member,
    Restraints,
    Role,
    Room,
    RoomCaps,
    RoomChanges,
    Sanction,
    Visibility,
)
from gateroom.rooms.ports import Judge, MemberStore, Places, RoomLives, RoomStore, SanctionStore, anybody
from gateroom.storage.api_keys import SqlApiKeys
from gateroom.storage.audit import SqlAudit
from gateroom.storage.database import Database
from gateroom.storage.identities import SqlIdentities
from gateroom.storage.lives import SqlLives
from gateroom.storage.places import SqlPlaces
from gateroom.storage.rooms import SqlMembers, SqlRooms
from gateroom.storage.sanctions import SqlSanctions
from gateroom.storage.sessions import SqlRevocations, SqlSessions
from gateroom.storage.streams import SqlStreams
from gateroom.storage.tickets import SqlTickets
from gateroom.storage.users import SqlUsers
from support.back_ends import InMemoryApiKeys, InMemoryAudit
from support.clock import FrozenClock
from support.places import InMemoryPlaces
from support.sessions import InMemoryRevocations, InMemorySessions
from support.streams import InMemoryStreamLog


class InMemoryUsers:
    """The `UserStore`, `UserPages` and `PasswordStore` in a dict."""

    def __init__(self) -> None:
        self._users: dict[str, User] = {}
        self._hashes: dict[str, str] = {}
        self.sessions = InMemorySessions(self._users, self._hashes)
        self.on_remove: list[Callable[[str], None]] = []  # told the id of an account that was deleted

    async def add(self, user: User, password_hash: str) -> None:
        if user.id in self._users or await self.by_name(user.username):
            raise Conflict
        self._users[user.id] = user
        self._hashes[user.id] = password_hash

    async def by_id(self, user_id: str) -> User | None:
        return self._users.get(user_id)

    async def by_name(self, username: str) -> User | None:
        return next((user for user in self._users.values() if user.username == username), None)

    async def save(self, user: User, was: User | None = None) -> None:
        kept = self.existing(user.id)
        if was is not None and kept != was:
            raise Conflict
        self._users[user.id] = replace(user, username=kept.username, created_at=kept.created_at)
        if user.disabled:
            self.sessions.drop(user.id)

    async def remove(self, user_id: str) -> None:
        self.existing(user_id)
        del self._users[user_id]
        self._hashes.pop(user_id, None)
        self.sessions.drop(user_id)
        for tell in self.on_remove:
            tell(user_id)

    async def by_ids(self, user_ids: Collection[str]) -> Sequence[User]:
        return [user for user in self._users.values() if user.id in user_ids]

    async def page(self, after: str | None, limit: int) -> Sequence[User]:
        found = [user for user in self._users.values() if user.username > (after or "")]
        return sorted(found, key=lambda user: user.username)[:limit]

    async def hash_of(self, user_id: str) -> str | None:
        return self._hashes.get(user_id)

    async def replace(self, user_id: str, password_hash: str) -> None:
        self.existing(user_id)
        self._hashes[user_id] = password_hash

    async def change(self, user_id: str, password_hash: str, keep: str | None) -> Sequence[str]:
        await self.replace(user_id, password_hash)
        return self.sessions.drop(user_id, but=keep)

    async def add_without_password(self, user: User) -> None:
        """Add an account that nobody can log in to. Raises `Conflict`."""
        await self.add(user, "")
        del self._hashes[user.id]

    def existing(self, user_id: str) -> User:
        """Return the account. Raises `NotFound`."""
        if user_id not in self._users:
            raise NotFound
        return self._users[user_id]


class InMemoryIdentities:
    """The `IdentityStore` in a dict."""

    def __init__(self, users: InMemoryUsers) -> None:
        self._users = users
        self._identities: dict[tuple[str, str], Identity] = {}
        users.on_remove.append(self._forget_user)

    async def find(self, issuer: str, subject: str) -> Identity | None:
        return self._identities.get((issuer, subject))

    async def create(self, user: User, identity: Identity) -> None:
        self._require_free(identity)
        await self._users.add_without_password(user)
        self._identities[identity.issuer, identity.subject] = identity

    async def link(self, identity: Identity) -> None:
        self._users.existing(identity.user_id)
        self._require_free(identity)
        self._identities[identity.issuer, identity.subject] = identity

    async def unlink(self, issuer: str, subject: str) -> None:
        if self._identities.pop((issuer, subject), None) is None:
            raise NotFound

    async def follow(self, identity: Identity, roles: frozenset[str] | None, scopes: frozenset[str] | None) -> bool:
        user = self._users.existing(identity.user_id)
        kept = self._identities.get((identity.issuer, identity.subject))
        if kept is None or kept.as_of >= identity.as_of:
            return False
        self._identities[identity.issuer, identity.subject] = replace(kept, as_of=identity.as_of)
        roles, scopes = user.roles if roles is None else roles, user.scopes if scopes is None else scopes
        await self._users.save(replace(user, roles=roles, scopes=scopes))
        return True

    def _require_free(self, identity: Identity) -> None:
        if (identity.issuer, identity.subject) in self._identities:
            raise Conflict

    def _forget_user(self, user_id: str) -> None:
        self._identities = {key: found for key, found in self._identities.items() if found.user_id != user_id}


class InMemoryRooms:
    """The `RoomStore` and `RoomLives` in a dict; `members` is the `MemberStore` of the same rooms."""

    def __init__(self, users: InMemoryUsers, clock: Clock | None = None) -> None:
        self.members = InMemoryMembers(self, users, clock or FrozenClock())
        self._users = users
        self._rooms: dict[str, Room] = {}
        self._ends: dict[str, float] = {}
        self.bans: Callable[[str, str], bool] = lambda room_id, user_id: False
        self.on_remove: list[Callable[[str], None]] = []  # told the id of a room that was deleted
        users.on_remove.append(self._forget_user)

    async def add(self, room: Room, owner_id: str | None, caps: RoomCaps = NO_CAPS) -> None:
        if room.id in self._rooms:
            raise Conflict
        if owner_id is not None:
            owned = self.members.owned_by(owner_id)
        else:
            owned = sum(other.created_by == room.created_by for other in self._rooms.values() if room.created_by)
        if len(self._rooms) >= caps.max_rooms > 0 or owned >= caps.max_rooms_per_user > 0:
            raise LimitReached
        for user_id in {room.created_by, owner_id} - {None}:
            self._users.existing(str(user_id))
        self._rooms[room.id] = room
        if owner_id is not None:
            self.members.start(room, owner_id)

    async def by_id(self, room_id: str) -> Room | None:
        return self._rooms.get(room_id)

    async def change(self, room_id: str, changes: RoomChanges) -> Room:
        given = {name: value for name, value in asdict(changes).items() if value is not None}
        self._rooms[room_id] = replace(self.existing(room_id), **given)
        return self._rooms[room_id]

    async def remove(self, room_id: str) -> None:
        self.existing(room_id)
        del self._rooms[room_id]
        self._ends.pop(room_id, None)
        self.members.forget(room_id=room_id)
        for tell in self.on_remove:
            tell(room_id)

    async def page(self, visible_to: str | None, after: str | None, limit: int) -> Sequence[Room]:
        def seen(room: Room) -> bool:
            public = room.visibility is Visibility.PUBLIC
            if visible_to is None:
                return True
            return (public or self.members.has(room.id, visible_to)) and not self.bans(room.id, visible_to)

        found = [room for room in self._rooms.values() if room.id > (after or "") and seen(room)]
        return sorted(found, key=lambda room: room.id)[:limit]

    async def touch(self, ends: Mapping[str, float | None]) -> None:
        for room_id in ends.keys() & self._rooms.keys():
            self._set_end(room_id, ends[room_id])

    async def expire(self, now: float, limit: int) -> Sequence[str]:
        over = sorted(room_id for room_id, end in self._ends.items() if end <= now)[:limit]
        for room_id in over:
            await self.remove(room_id)
        return over

    async def adopt(self, ttls: Mapping[str, float], now: float) -> None:
        for room in self._rooms.values():
            ttl = ttls.get(room.kind, ttls["default"]) if room.ttl is None else room.ttl
            self._set_end(room.id, min(self._ends.get(room.id, math.inf), now + ttl) if ttl else None)

    def _set_end(self, room_id: str, end: float | None) -> None:
        if end is None:
            self._ends.pop(room_id, None)
        else:
            self._ends[room_id] = end

    def existing(self, room_id: str) -> Room:
        """Return the room. Raises `NotFound`."""
        if room_id not in self._rooms:
            raise NotFound
        return self._rooms[room_id]

    def _forget_user(self, user_id: str) -> None:
        self.members.forget(user_id=user_id)
        for room in list(self._rooms.values()):
            if room.created_by == user_id:
                self._rooms[room.id] = replace(room, created_by=None)


class InMemoryMembers:
    """The `MemberStore` in a dict; made by `InMemoryRooms`."""

    def __init__(self, rooms: InMemoryRooms, users: InMemoryUsers, clock: Clock) -> None:
        self._rooms = rooms
        self._users = users
        self._clock = clock
        self._members: dict[tuple[str, str], Member] = {}

    async def of(self, room_id: str, user_id: str) -> Member | None:
        return self._members.get((room_id, user_id))

    async def put(self, room_id: str, user_id: str, role: Role, judge: Judge = anybody) -> Member:
        self._rooms.existing(room_id)
        user = self._users.existing(user_id)
        kept = self._members.get((room_id, user_id))
        judge(kept.role if kept else None)
        if kept is not None and role is not Role.OWNER:
            self._require_another_owner(kept)
        since = kept.since if kept else self._clock()
        member = Member(room_id, user_id, user.username, role, since)
        self._members[room_id, user_id] = member
        return member

    async def remove(self, room_id: str, user_id: str, judge: Judge = anybody) -> None:
        member = self._members.get((room_id, user_id))
        if member is None:
            raise NotFound
        judge(member.role)
        self._require_another_owner(member)
        del self._members[room_id, user_id]

    async def page(self, room_id: str, after: str | None, limit: int) -> Sequence[Member]:
        found = [member for member in self._in(room_id) if member.username > (after or "")]
        return sorted(found, key=lambda member: member.username)[:limit]

    def owned_by(self, user_id: str | None) -> int:
        """Count the rooms in which the user is an owner."""
        return sum(member.user_id == user_id and member.role is Role.OWNER for member in self._members.values())

    def has(self, room_id: str, user_id: str) -> bool:
        """Tell whether the user is a member."""
        return (room_id, user_id) in self._members

    def start(self, room: Room, owner_id: str) -> None:
        """Note the first owner of a new room."""
        owner = self._users.existing(owner_id)
        self._members[room.id, owner_id] = Member(room.id, owner_id, owner.username, Role.OWNER, room.created_at)

    def forget(self, room_id: str | None = None, user_id: str | None = None) -> None:
        """Drop the memberships of a room or a user that is gone."""
        for key in list(self._members):
            if room_id == key[0] or user_id == key[1]:
                del self._members[key]

    def _in(self, room_id: str) -> Iterable[Member]:
        return [member for member in self._members.values() if member.room_id == room_id]

    def _require_another_owner(self, member: Member) -> None:
        owners = [other for other in self._in(member.room_id) if other.role is Role.OWNER]
        if owners == [member]:
            raise Conflict


class InMemorySanctions:
    """The `SanctionStore` in a dict."""

    def __init__(self, rooms: InMemoryRooms, users: InMemoryUsers, clock: Clock) -> None:
        self._rooms = rooms
        self._users = users
        self._clock = clock
        self._taken: dict[tuple[str, str, Measure], Sanction] = {}
        rooms.bans = lambda room_id, user_id: _end(self._taken.get((room_id, user_id, Measure.BAN))) > self._clock()
        rooms.on_remove.append(lambda room_id: self._forget(0, room_id))
        users.on_remove.append(lambda user_id: self._forget(1, user_id))

    async def of(self, room_id: str, user_id: str) -> Restraints:
        ban, mute = (self._taken.get((room_id, user_id, measure)) for measure in (Measure.BAN, Measure.MUTE))
        return Restraints(_end(ban), _end(mute))

    async def put(self, room_id: str, user_id: str, measure: Measure, until: float | None) -> Sanction:
        self._rooms.existing(room_id)
        username = self._users.existing(user_id).username
        taken = Sanction(measure, room_id, user_id, username, self._clock(), until)
        self._taken[room_id, user_id, measure] = taken
        return taken

    async def lift(self, room_id: str, user_id: str, measure: Measure) -> None:
        taken = self._taken.pop((room_id, user_id, measure), None)
        if _end(taken) <= self._clock():
            raise NotFound

    async def page(self, room_id: str, measure: Measure, after: str | None, limit: int) -> Sequence[Sanction]:
        found = [
            taken
            for taken in self._taken.values()
            if (taken.room_id, taken.measure) == (room_id, measure) and taken.username > (after or "")
        ]
        found = [taken for taken in found if _end(taken) > self._clock()]
        return sorted(found, key=lambda taken: taken.username)[:limit]

    def _forget(self, place: int, gone: str) -> None:
        for key in [key for key in self._taken if key[place] == gone]:
            del self._taken[key]


def _end(taken: Sanction | None) -> float:
    if taken is None:
        return 0.0
    return math.inf if taken.until is None else taken.until


class InMemoryTickets:
    """The `TicketStore` in a dict."""

    def __init__(self) -> None:
        self._tickets: dict[bytes, Ticket] = {}

    async def add(self, ticket: Ticket, now: float) -> None:
        self._tickets = {digest: kept for digest, kept in self._tickets.items() if kept.expires_at >= now}
        self._tickets[ticket.digest] = ticket

    async def take(self, digest: bytes) -> Ticket | None:
        return self._tickets.pop(digest, None)


@dataclass(frozen=True, slots=True)
class Stores:
    """All stores on one set of data, and the clock they read."""

    users: UserStore
    identities: IdentityStore
    pages: UserPages
    passwords: PasswordStore
    sessions: SessionStore
    devices: SessionPages
    revocations: RevocationStore
    rooms: RoomStore
    members: MemberStore
    sanctions: SanctionStore
    lives: RoomLives
    places: Places
    streams: StreamLog
    tickets: TicketStore
    audit: AuditStore
    api_keys: ApiKeyStore
    clock: FrozenClock


def in_memory() -> Stores:
    """Return empty stores in memory."""
    clock = FrozenClock()
    users = InMemoryUsers()
    rooms = InMemoryRooms(users, clock)
    sanctions = InMemorySanctions(rooms, users, clock)
    streams = InMemoryStreamLog(rooms, users, clock)
    rooms.on_remove.append(lambda room_id: streams.drop(room_topic(room_id)))
    users.on_remove.append(lambda user_id: streams.drop(user_topic(user_id)))
    sessions, revoked = users.sessions, InMemoryRevocations()
    return Stores(
        users=users,
        identities=InMemoryIdentities(users),
        pages=users,
        passwords=users,
        sessions=sessions,
        devices=sessions,
        revocations=revoked,
        rooms=rooms,
        members=rooms.members,
        sanctions=sanctions,
        lives=rooms,
        places=InMemoryPlaces(rooms, rooms.members, sanctions),
        streams=streams,
        tickets=InMemoryTickets(),
        audit=InMemoryAudit(),
        api_keys=InMemoryApiKeys(users),
        clock=clock,
    )


def in_sql(database: Database) -> Stores:
    """Return the SQL stores on `database`."""
    clock = FrozenClock()
    users = SqlUsers(database)
    sessions, revoked = SqlSessions(database), SqlRevocations(database)
    rooms, members = SqlRooms(database, clock), SqlMembers(database, clock)
    sanctions, streams = SqlSanctions(database, clock), SqlStreams(database, clock)
    return Stores(
        users=users,
        identities=SqlIdentities(database),
        pages=users,
        passwords=users,
        sessions=sessions,
        devices=sessions,
        revocations=revoked,
        rooms=rooms,
        members=members,
        sanctions=sanctions,
        lives=SqlLives(database),
        places=SqlPlaces(database),
        streams=streams,
        tickets=SqlTickets(database),
        audit=SqlAudit(database),
        api_keys=SqlApiKeys(database),
        clock=clock,
    )


def a_user(name: str, **changes: Any) -> User:
    """Build an account called `name`, with the id `u-<name>`."""
    return replace(User(f"u-{name}", name, frozenset(), frozenset(), created_at=1_700_000_000.25), **changes)


def a_room(room_id: str, **changes: Any) -> Room:
    """Build a private room."""
    return replace(Room(room_id, "default", "", Visibility.PRIVATE, None, created_at=1_700_000_000.5), **changes)


def a_session(session_id: str, user_id: str, **changes: Any) -> AuthSession:
    """Build a session that began with the epoch of `FrozenClock` and lives for a month."""
    began = FrozenClock()()
    session = AuthSession(
        id=session_id,
        user_id=user_id,
        client_id="tests",
        scopes=frozenset(),
        user_agent="",
        address="",
        created_at=began,
        used_at=began,
        expires_at=began + 30 * 86400,
        ends_at=began + 90 * 86400,
    )
    return replace(session, **changes)
