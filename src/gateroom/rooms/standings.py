"""What a principal may do in a room, from memory where possible: the live path cannot wait for SQL."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from operator import itemgetter

from gateroom.auth.principal import Principal
from gateroom.auth.recent import Recent
from gateroom.errors import Banned, NotFound
from gateroom.rooms import policy
from gateroom.rooms.model import UNRESTRAINED, Action, Grants, Measure, Member, Restraints, Room, RoomKind
from gateroom.rooms.ports import MemberStore, Places, RoomStore, SanctionStore

MEMORY_SIZE = 50_000  # rooms, and as many places of users in them
AT_ONCE = 500  # places in one read
RECHECK = 30.0  # seconds after which a change made by another program is seen


@dataclass(frozen=True, slots=True)
class Standing:
    """A room (None: there is no such room) and what one principal may do in it."""

    room: Room | None
    kind: RoomKind
    grants: Grants

    @property
    def capacity(self) -> int:
        """How many users may be in the room at once; 0: no limit."""
        return self.kind.capacity_of(self.room)

    @property
    def ttl(self) -> float:
        """How many seconds the room lives after it was last used; 0: for good."""
        return self.kind.ttl_of(self.room)


@dataclass(frozen=True, slots=True)
class _Place:
    """What is stored of one user in one room."""

    member: Member | None
    restraints: Restraints


class Reading:
    """Something that is being found out of the store; `stale` once it may be out of date."""

    __slots__ = ("stale", "user_id")

    def __init__(self, user_id: str | None) -> None:
        """None: of more than one user."""
        self.user_id = user_id
        self.stale = False


_NO_PLACE = _Place(None, UNRESTRAINED)


class Standings:
    """Loads rooms, memberships and sanctions, remembers them for a while, and judges by the policy."""

    def __init__(
        self,
        rooms: RoomStore,
        members: MemberStore,
        sanctions: SanctionStore,
        kinds: Mapping[str, RoomKind],
        now: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        """`kinds` has at least "default"; `now` is seconds since the epoch, `monotonic` of a clock never set back."""
        self._room_store = rooms
        self._member_store = members
        self._sanction_store = sanctions
        self._kinds = kinds
        self._now = now
        self._rooms: Recent[str, Room] = Recent(MEMORY_SIZE, RECHECK, monotonic)
        self._places: Recent[tuple[str, str], _Place] = Recent(MEMORY_SIZE, RECHECK, monotonic, group=itemgetter(0))
        self._readings: dict[str, set[Reading]] = {}  # under way, by room

    def kind(self, room: Room | None) -> RoomKind:
        return self._kinds.get(room.kind if room else "default", self._kinds["default"])

    def known(self, principal: Principal, room_id: str) -> Standing | None:
        """Judge from memory alone; None when something must be read first."""
        room = self._rooms.get(room_id)
        place = self._places.get((room_id, principal.user_id))
        if room is None or place is None:
            return None
        return self._judge(principal, room[0], place[0])

    async def of(self, principal: Principal, room_id: str) -> Standing:
        """Judge by what holds now. Raises `Unavailable` when the store cannot be read."""
        while True:
            known = self.known(principal, room_id)
            if known is not None:
                return known
            with self.reading(principal, room_id) as reading:
                known_room = self._rooms.get(room_id)
                room = known_room or (await self._room_store.by_id(room_id),)
                known_place = self._places.get((room_id, principal.user_id))
                place = known_place or (await self._place(room_id, principal.user_id),)
                if not reading.stale:
                    # Only what was read just now: else a busy room would never be read again.
                    if known_room is None:
                        self._rooms.put(room_id, room[0])
                    if known_place is None:
                        self._places.put((room_id, principal.user_id), place[0])
                    return self._judge(principal, room[0], place[0])

    async def prepare(self, room_id: str, user_ids: Iterable[str], places: Places) -> None:
        """Read what is not known of these users in the room, hundreds at once, before each of them is judged.

        Raises `Unavailable`.
        """
        unknown = iter([user_id for user_id in user_ids if self._places.get((room_id, user_id)) is None])
        while some := {(room_id, user_id) for user_id in islice(unknown, AT_ONCE)}:
            with self._reading(None, room_id) as reading:
                members, restraints = await places.members(some), await places.restraints(some)
                if not reading.stale:
                    for key in some:
                        self._places.put(key, _Place(members.get(key), restraints.get(key, UNRESTRAINED)))

    def reading(self, principal: Principal, room_id: str) -> AbstractContextManager[Reading]:
        """Watch over what is read for the principal in the room, as long as the block runs.

        Of this room alone: what moves in others would have everybody who waits for SQL begin again.
        """
        return self._reading(principal.user_id, room_id)

    @contextmanager
    def _reading(self, user_id: str | None, room_id: str) -> Iterator[Reading]:
        reading, readings = Reading(user_id), self._readings.setdefault(room_id, set())
        readings.add(reading)
        try:
            yield reading
        finally:
            readings.discard(reading)
            if not readings:
                del self._readings[room_id]

    async def allowed(self, principal: Principal, room_id: str, action: Action) -> tuple[Room, Standing]:
        """Return the room and the standing of who may do `action` in it.

        Raises `NotFound` where the room may not be read, as if there were none (security.md RA-2), `Banned` to whom it
        could be but for that, and else what `policy.require` raises.
        """
        standing = await self.of(principal, room_id)
        if standing.room is None or Action.READ not in standing.grants.actions:
            raise Banned if standing.grants.measure is Measure.BAN else NotFound
        policy.require(action, standing.grants)
        return standing.room, standing

    def would_be(self, room: Room, owner: Member | None, principal: Principal) -> Standing:
        """Judge in a room that is not made yet, `owner` being the caller or nobody."""
        return self.judge(principal, room, owner, UNRESTRAINED)

    async def kind_of(self, room_id: str) -> RoomKind:
        """Return the kind of a room. Raises `NotFound` when there is no such room."""
        room = (self._rooms.get(room_id) or (await self._room_store.by_id(room_id),))[0]
        if room is None:
            raise NotFound
        return self.kind(room)

    def forget(self, room_id: str, user_id: str | None) -> None:
        """Read the room, and the user's place in it (None: everybody's), anew from now on."""
        for reading in self._readings.get(room_id, ()):
            reading.stale = True
        self._rooms.forget(room_id)
        if user_id is None:
            self._places.drop_group(room_id)
        else:
            self._places.forget((room_id, user_id))

    def forget_absence(self, room_id: str) -> None:
        """Read the room anew where it is remembered that there is none, which turns out to be wrong."""
        if self._rooms.get(room_id) == (None,):
            self.forget(room_id, None)

    def forget_user(self, user_id: str) -> None:
        """Read all of the user's places anew from now on."""
        for reading in chain.from_iterable(self._readings.values()):
            reading.stale = reading.stale or reading.user_id in (user_id, None)
        self._places.drop(lambda key: key[1] == user_id)

    async def _place(self, room_id: str, user_id: str) -> _Place:
        member = await self._member_store.of(room_id, user_id)
        return _Place(member, await self._sanction_store.of(room_id, user_id))

    def judge(self, principal: Principal, room: Room | None, member: Member | None, restraints: Restraints) -> Standing:
        """Judge by what was just read."""
        kind = self.kind(room)
        granted = policy.grants(room, member, restraints, principal, kind.public_role, self._now())
        return Standing(room, kind, granted)

    def _judge(self, principal: Principal, room: Room | None, place: _Place | None) -> Standing:
        place = place or _NO_PLACE
        return self.judge(principal, room, place.member, place.restraints)
