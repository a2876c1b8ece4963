"""`Places` for tests: in memory, by asking the other stores one by one."""

from collections.abc import Collection, Mapping

from gateroom.rooms.model import UNRESTRAINED, Member, Restraints, Room
from gateroom.rooms.ports import MemberStore, RoomStore, SanctionStore


class InMemoryPlaces:
    """What the other fakes know, in batches."""

    def __init__(self, rooms: RoomStore, members: MemberStore, sanctions: SanctionStore) -> None:
        self._rooms = rooms
        self._members = members
        self._sanctions = sanctions

    async def rooms(self, room_ids: Collection[str]) -> Mapping[str, Room]:
        found = {room_id: await self._rooms.by_id(room_id) for room_id in room_ids}
        return {room_id: room for room_id, room in found.items() if room}

    async def members(self, places: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], Member]:
        found = {place: await self._members.of(*place) for place in places}
        return {place: member for place, member in found.items() if member}

    async def restraints(self, places: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], Restraints]:
        found = {place: await self._sanctions.of(*place) for place in places}
        return {place: restraints for place, restraints in found.items() if restraints != UNRESTRAINED}
