"""What a principal may do in a room, from memory where possible: the live path cannot wait for SQL."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateroom.auth.principal import Principal
from gateroom.auth.recent import Recent
from gateroom.errors import NotFound
from gateroom.rooms import policy
from gateroom.rooms.model import Grants, Member, Room, RoomKind
from gateroom.rooms.ports import MemberStore, RoomStore

MEMORY_SIZE = 50_000  # rooms, and as many memberships
RECHECK = 30.0  # seconds after which a change made by another program is seen


@dataclass(frozen=True, slots=True)
class Standing:
    """A room (None: there is no such room) and what one principal may do in it."""

    room: Room | None
    kind: RoomKind
    grants: Grants


class Standings:
    """Loads rooms and memberships, remembers them for a while, and judges by the policy."""

    def __init__(
        self, rooms: RoomStore, members: MemberStore, kinds: Mapping[str, RoomKind], now: Callable[[], float]
    ) -> None:
        """`kinds` has at least "default"; `now` is in seconds of a monotonic clock."""
        self._room_store = rooms
        self._member_store = members
        self._kinds = kinds
        self._rooms: Recent[str, Room] = Recent(MEMORY_SIZE, RECHECK, now)
        self._members: Recent[tuple[str, str], Member] = Recent(MEMORY_SIZE, RECHECK, now)
        self.changes = 0  # rises with every `forget`, so that who waited for SQL sees that things have moved

    def kind(self, room: Room | None) -> RoomKind:
        return self._kinds.get(room.kind if room else "default", self._kinds["default"])

    def known(self, principal: Principal, room_id: str) -> Standing | None:
        """Judge from memory alone; None when something must be read first."""
        room = self._rooms.get(room_id)
        member = self._members.get((room_id, principal.user_id))
        if room is None or member is None:
            return None
        return self._judge(room[0], member[0], principal)

    async def of(self, principal: Principal, room_id: str) -> Standing:
        """Judge by what holds now. Raises `Unavailable` when the store cannot be read."""
        while True:
            changes = self.changes
            known_room = self._rooms.get(room_id)
            room = known_room or (await self._room_store.by_id(room_id),)
            known_member = self._members.get((room_id, principal.user_id))
            member = known_member or (await self._member_store.of(room_id, principal.user_id),)
            if changes == self.changes:
                # Only what was read just now: else a busy room would never be read again.
                if known_room is None:
                    self._rooms.put(room_id, room[0])
                if known_member is None:
                    self._members.put((room_id, principal.user_id), member[0])
                return self._judge(room[0], member[0], principal)

    async def kind_of(self, room_id: str) -> RoomKind:
        """Return the kind of a room. Raises `NotFound` when there is no such room."""
        room = (self._rooms.get(room_id) or (await self._room_store.by_id(room_id),))[0]
        if room is None:
            raise NotFound
        return self.kind(room)

    def forget(self, room_id: str, user_id: str | None) -> None:
        """Read the room, and the user's membership of it (None: everybody's), anew from now on."""
        self.changes += 1
        self._rooms.forget(room_id)
        if user_id is None:
            self._members.drop(lambda key: key[0] == room_id)
        else:
            self._members.forget((room_id, user_id))

    def forget_user(self, user_id: str) -> None:
        """Read all of the user's memberships anew from now on."""
        self.changes += 1
        self._members.drop(lambda key: key[1] == user_id)

    def _judge(self, room: Room | None, member: Member | None, principal: Principal) -> Standing:
        kind = self.kind(room)
        return Standing(room, kind, policy.grants(room, member, principal, kind.public_role))
