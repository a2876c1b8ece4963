"""What the room directory needs from outside."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from gateroom.rooms.model import NO_CAPS, Measure, Member, Restraints, Role, Room, RoomCaps, RoomChanges, Sanction


class RoomStore(Protocol):
    """Rooms, each call its own transaction; `None` means there is no such room."""

    async def add(self, room: Room, owner_id: str | None, caps: RoomCaps = NO_CAPS) -> None:
        """Add a room and, unless None, its owner as first member, in one step with counting what there is.

        Raises `Conflict` when the id is taken, `LimitReached` when it would be one room too many (of those the owner
        has, or if there is to be none, of those the maker has made), `NotFound` when the owner or maker is gone.
        """
        ...

    async def by_id(self, room_id: str) -> Room | None: ...

    async def change(self, room_id: str, changes: RoomChanges) -> Room:
        """Overwrite what is given, whatever the rest is by now, and return the room. Raises `NotFound` when it is
        gone."""
        ...

    async def remove(self, room_id: str) -> None:
        """Delete the room and its memberships. Raises `NotFound` when it is gone."""
        ...

    async def page(self, visible_to: str | None, after: str | None, limit: int) -> Sequence[Room]:
        """Return up to `limit` rooms in order of id after `after`: public ones and those `visible_to` (a user id)
        is a member of, but none they are banned from; every room when it is None."""
        ...


class RoomLives(Protocol):
    """Until when rooms live; each call is its own transaction. Moments are seconds since the epoch."""

    async def touch(self, ends: Mapping[str, float | None]) -> None:
        """Have rooms live until these moments, or for good; those that are gone stay gone."""
        ...

    async def expire(self, now: float, limit: int) -> Sequence[str]:
        """Delete up to `limit` rooms that live no longer, as `RoomStore.remove` does, and return their ids."""
        ...

    async def adopt(self, ttls: Mapping[str, float], now: float) -> None:
        """Follow the configuration: `ttls` has the seconds of each kind (0: for good), "default" among them.

        A room that is to end and had no end gets one, that of one which may no longer live so long comes nearer, and
        one that is to live for good has none.
        """
        ...


Judge = Callable[[Role | None], None]


def anybody(current: Role | None) -> None:
    """Let every membership be changed."""


class MemberStore(Protocol):
    """Memberships, each call its own transaction.

    `judge` is called in it with the role that the user has by then (None: no member), and raises what refuses it.
    """

    async def of(self, room_id: str, user_id: str) -> Member | None: ...

    async def put(self, room_id: str, user_id: str, role: Role, judge: Judge = anybody) -> Member:
        """Add the member or overwrite the role. Raises `NotFound` when the room or the user is gone, `Conflict` when
        it would leave the room without an owner."""
        ...

    async def remove(self, room_id: str, user_id: str, judge: Judge = anybody) -> None:
        """End the membership. Raises `NotFound` when there is none, `Conflict` when it is the last owner's."""
        ...

    async def page(self, room_id: str, after: str | None, limit: int) -> Sequence[Member]:
        """Return up to `limit` members in order of username after `after`."""
        ...


class SanctionStore(Protocol):
    """Bans and mutes in force, each call its own transaction; one whose time is over is as good as none."""

    async def of(self, room_id: str, user_id: str) -> Restraints: ...

    async def put(self, room_id: str, user_id: str, measure: Measure, until: float | None) -> Sanction:
        """Take the measure, or overwrite until when it holds. Raises `NotFound` when the room or the user is gone."""
        ...

    async def lift(self, room_id: str, user_id: str, measure: Measure) -> None:
        """End the measure. Raises `NotFound` when there is none."""
        ...

    async def page(self, room_id: str, measure: Measure, after: str | None, limit: int) -> Sequence[Sanction]:
        """Return up to `limit` of them in order of username after `after`."""
        ...


class Places(Protocol):
    """What is stored of many users in many rooms, read in batches of up to 500. A place is a room's and a user's id."""

    async def rooms(self, room_ids: Collection[str]) -> Mapping[str, Room]:
        """Return those there are, by id."""
        ...

    async def members(self, places: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], Member]:
        """Return the memberships there are."""
        ...

    async def restraints(self, places: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], Restraints]:
        """Return what restrains users in these places; nothing for those whom nothing does."""
        ...


class Watcher(Protocol):
    """Is told, after each change was stored and before its caller is answered, so that live sockets follow it."""

    async def standing_changed(self, room_id: str, user_id: str | None) -> None:
        """Judge anew what the user (None: everybody) may do in the room."""
        ...

    async def room_made(self, room_id: str) -> None:
        """Let go of an earlier room of that id, which another program removed: the new one has nothing of it."""
        ...

    async def room_removed(self, room_id: str) -> None:
        """Let go of the room."""
        ...

    async def kicked(self, room_id: str, user_id: str) -> int:
        """Put the user out of the room, who may come back; returns how many connections were in it."""
        ...
