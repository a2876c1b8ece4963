"""The rooms there are and who belongs to them: every use case, judged by the policy."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from gateroom.auth.principal import Principal, Scope
from gateroom.errors import Forbidden, InvalidCommand
from gateroom.rooms import policy
from gateroom.rooms.activity import Activity
from gateroom.rooms.model import NO_CAPS, Action, Member, Role, Room, RoomCaps, RoomChanges, RoomKind, Visibility
from gateroom.rooms.ports import Judge, MemberStore, RoomStore, Watcher, anybody
from gateroom.rooms.standings import Standings
from gateroom.rooms.templates import Templates


class Directory:
    """Makes, shows, changes and removes rooms and memberships; live sockets follow through the `Watcher`.

    To whom may not read it, a room is `NotFound`, as one that does not exist (security.md RA-2).
    """

    def __init__(
        self,
        rooms: RoomStore,
        members: MemberStore,
        standings: Standings,
        kinds: Mapping[str, RoomKind],
        caps: RoomCaps,
        templates: Templates,
        activity: Activity,
        watcher: Watcher,
        now: Callable[[], float],
    ) -> None:
        """`now` is in seconds since the epoch."""
        self._rooms = rooms
        self._members = members
        self._standings = standings
        self._kinds = kinds
        self._caps = caps
        self._templates = templates
        self._activity = activity
        self._watcher = watcher
        self._now = now

    async def create(
        self,
        principal: Principal,
        room_id: str,
        kind: str,
        title: str,
        visibility: Visibility,
        capacity: int | None = None,
        ttl: float | None = None,
    ) -> Room:
        """Make a room owned by the caller. Raises `Forbidden`, `Conflict`, `InvalidCommand` or `LimitReached`.

        What a template makes on first use is not taken before by anybody, but with the scope over all rooms.
        """
        principal.require(Scope.ROOMS_CREATE)
        if self._templates.reserve(room_id) and Scope.ROOMS_ADMIN not in principal.scopes:
            raise Forbidden("Rooms of such a name come into being by themselves.")
        room = self._new(room_id, kind, title, visibility, principal.user_id)
        return await self._add(replace(room, capacity=capacity, ttl=ttl), principal.user_id, self._caps)

    async def found(self, room_id: str, kind: str, title: str, visibility: Visibility) -> Room:
        """Make a room on the server's own account, without owner. Raises `Conflict` or `InvalidCommand`."""
        return await self._add(self._new(room_id, kind, title, visibility, None), None, NO_CAPS)

    def _new(self, room_id: str, kind: str, title: str, visibility: Visibility, created_by: str | None) -> Room:
        if kind not in self._kinds:
            raise InvalidCommand("There is no such kind of room.")
        return Room(room_id, kind, title, visibility, created_by, self._now())

    async def _add(self, room: Room, owner_id: str | None, caps: RoomCaps) -> Room:
        await self._rooms.add(room, owner_id, caps)
        self._standings.forget(room.id, owner_id)
        await self._watcher.room_made(room.id)
        self._activity.note(room.id, self._kinds[room.kind].ttl_of(room))
        return room

    async def show(self, principal: Principal, room_id: str) -> Room:
        return (await self._standings.allowed(principal, room_id, Action.READ))[0]

    async def page(self, principal: Principal, after: str | None, limit: int) -> Sequence[Room]:
        """List public rooms and the caller's own, by id; with scope `rooms:admin` all of them."""
        visible_to = None if Scope.ROOMS_ADMIN in principal.scopes else principal.user_id
        return await self._rooms.page(visible_to, after, limit)

    async def change(
        self,
        principal: Principal,
        room_id: str,
        title: str | None,
        visibility: Visibility | None,
        capacity: int | None = None,
        ttl: float | None = None,
    ) -> Room:
        """Set what is not None; who may no longer read the room is removed from it at once."""
        _, standing = await self._standings.allowed(principal, room_id, Action.CHANGE)
        changed = await self._rooms.change(room_id, RoomChanges(title, visibility, capacity, ttl))
        try:
            await self._tell(room_id, None)
        finally:
            if ttl is not None:  # only now: until sockets have heard of it they note uses with the ttl from before
                self._activity.note(room_id, standing.kind.ttl_of(changed))
        return changed

    async def remove(self, principal: Principal, room_id: str) -> None:
        await self._standings.allowed(principal, room_id, Action.DELETE)
        await self._rooms.remove(room_id)
        self._standings.forget(room_id, None)
        await self._watcher.room_removed(room_id)

    async def members(self, principal: Principal, room_id: str, after: str | None, limit: int) -> Sequence[Member]:
        """List members by username; for moderators and above."""
        await self._standings.allowed(principal, room_id, Action.MANAGE)
        return await self._members.page(room_id, after, limit)

    async def put_member(self, principal: Principal, room_id: str, user_id: str, role: Role) -> Member:
        """Add a member or change the role. Raises `Forbidden`, `NotFound`, or `Conflict` for the last owner."""
        judge = await self._may_set(principal, room_id, user_id, role)
        member = await self._members.put(room_id, user_id, role, judge)
        await self._tell(room_id, user_id)
        return member

    async def remove_member(self, principal: Principal, room_id: str, user_id: str) -> None:
        """End a membership; everybody may end their own."""
        if user_id == principal.user_id:
            await self._standings.allowed(principal, room_id, Action.READ)
            judge: Judge = anybody
        else:
            judge = await self._may_set(principal, room_id, user_id, None)
        await self._members.remove(room_id, user_id, judge)
        await self._tell(room_id, user_id)

    async def _may_set(self, principal: Principal, room_id: str, user_id: str, role: Role | None) -> Judge:
        """Judge by who the user is, and return what judges once more by who they are when it is stored."""
        current = await self._members.of(room_id, user_id)
        action = policy.action_to_set_role(current.role if current else None, role)
        _, standing = await self._standings.allowed(principal, room_id, action)

        def judge(now: Role | None) -> None:
            policy.require(policy.action_to_set_role(now, role), standing.grants)

        return judge

    async def _tell(self, room_id: str, user_id: str | None) -> None:
        self._standings.forget(room_id, user_id)
        await self._watcher.standing_changed(room_id, user_id)
