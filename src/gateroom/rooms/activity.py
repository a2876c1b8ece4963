"""Which rooms were used since somebody last looked: what keeps those with a ttl alive."""

from collections.abc import Mapping

from gateroom.rooms.standings import Standing


class Activity:
    """Notes uses in memory, so that they cost the message path next to nothing."""

    def __init__(self) -> None:
        self._ttls: dict[str, float] = {}

    def note(self, room_id: str, ttl: float) -> None:
        """Note a use of a room that lives for `ttl` seconds after each; 0: for good."""
        self._ttls[room_id] = ttl

    def used(self, standing: Standing) -> None:
        """Note a use of a room, if it has an end at all."""
        if standing.room is not None and standing.ttl:
            self._ttls[standing.room.id] = standing.ttl

    def take(self) -> Mapping[str, float]:
        """Return the ttl of each room noted since the last call."""
        taken, self._ttls = self._ttls, {}
        return taken

    def put_back(self, taken: Mapping[str, float]) -> None:
        """Note again what could not be stored, unless it is known better by now."""
        self._ttls = {**taken, **self._ttls}
