"""Rooms, memberships and sanctions of many users at once, in SQL."""

from collections.abc import Collection, Mapping

from sqlalchemy import select

from gateroom.rooms.model import Measure, Member, Restraints, Room
from gateroom.storage.database import Database
from gateroom.storage.rooms import MEMBERS, ROOMS
from gateroom.storage.sanctions import end_of
from gateroom.storage.schema import members, rooms, sanctions


class SqlPlaces:
    """`Places` on a SQL database.

    Asked for are all pairs of these rooms and these users, which an index serves on both databases, and what is no
    place of those asked for is left out.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def rooms(self, room_ids: Collection[str]) -> Mapping[str, Room]:
        found = [Room(*row) for row in await self._database.rows(ROOMS.where(rooms.c.id.in_(room_ids)))]
        return {room.id: room for room in found}

    async def members(self, places: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], Member]:
        room_ids, user_ids = _sides(places)
        asked = MEMBERS.where(members.c.user_id.in_(user_ids), members.c.room_id.in_(room_ids))
        found = [Member(*row) for row in await self._database.rows(asked)]
        return {key: each for each in found if (key := (each.room_id, each.user_id)) in places}

    async def restraints(self, places: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], Restraints]:
        room_ids, user_ids = _sides(places)
        asked = select(sanctions.c.room_id, sanctions.c.user_id, sanctions.c.measure, sanctions.c.until).where(
            sanctions.c.room_id.in_(room_ids), sanctions.c.user_id.in_(user_ids)
        )
        ends: dict[tuple[str, str], dict[Measure, float]] = {}
        for room_id, user_id, measure, until in await self._database.rows(asked):
            if (room_id, user_id) in places:
                ends.setdefault((room_id, user_id), {})[measure] = end_of(until)
        return {
            place: Restraints(found.get(Measure.BAN, 0.0), found.get(Measure.MUTE, 0.0))
            for place, found in ends.items()
        }


def _sides(places: Collection[tuple[str, str]]) -> tuple[set[str], set[str]]:
    return {room_id for room_id, _ in places}, {user_id for _, user_id in places}
