"""Many standings at once, by what is stored now: to find out which of those remembered do not hold any more."""

from collections.abc import Sequence

from gateroom.auth.principal import Principal
from gateroom.rooms.model import UNRESTRAINED
from gateroom.rooms.ports import Places
from gateroom.rooms.standings import Standing, Standings


class Review:
    """Judges by the same rules as `Standings`, but neither uses nor changes what those remember."""

    def __init__(self, standings: Standings, places: Places) -> None:
        self._standings = standings
        self._places = places

    async def of(self, asked: Sequence[tuple[Principal, str]]) -> Sequence[Standing]:
        """Judge up to 500 principals, each in the room with that id. Raises `Unavailable`."""
        rooms = await self._places.rooms({room_id for _, room_id in asked})
        keys = {(room_id, principal.user_id) for principal, room_id in asked}
        members, restraints = await self._places.members(keys), await self._places.restraints(keys)
        return [
            self._standings.judge(
                principal,
                rooms.get(room_id),
                members.get((room_id, principal.user_id)),
                restraints.get((room_id, principal.user_id), UNRESTRAINED),
            )
            for principal, room_id in asked
        ]
