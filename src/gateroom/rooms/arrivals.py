"""How rooms come into being by a template: when somebody comes who may read them then."""

from collections.abc import Callable

from gateroom.auth.principal import Principal
from gateroom.errors import Conflict, NotFound
from gateroom.rooms.activity import Activity
from gateroom.rooms.model import Action, Member, Role, Room, RoomCaps
from gateroom.rooms.ports import RoomStore, Watcher
from gateroom.rooms.standings import Standing, Standings
from gateroom.rooms.templates import Template, Templates


class Arrivals:
    """Makes rooms of templates on first use, within the caps.

    A room by a personal template belongs to the caller; any other has no owner, and comes into being only for whom its
    visibility lets in.
    """

    def __init__(
        self,
        templates: Templates,
        rooms: RoomStore,
        standings: Standings,
        caps: RoomCaps,
        activity: Activity,
        now: Callable[[], float],
    ) -> None:
        """`now` is in seconds since the epoch."""
        self._templates = templates
        self._rooms = rooms
        self._standings = standings
        self._caps = caps
        self._activity = activity
        self._now = now
        self._watcher: Watcher | None = None

    def tell(self, watcher: Watcher) -> None:
        """Have the watcher told of rooms that are made; it is itself made later than this."""
        self._watcher = watcher

    def due(self, principal: Principal, room_id: str) -> bool:
        """Say whether `arrive` may have something to do, should there be no such room."""
        return self._templates.match(room_id, principal.user_id) is not None

    async def arrive(self, principal: Principal, room_id: str) -> None:
        """Make the room if there is none, and a template and the caller's rights allow it. Raises `LimitReached`."""
        template = self._templates.match(room_id, principal.user_id)
        if template is None or (await self._standings.of(principal, room_id)).room is not None:
            return
        room, owner = self._new(template, principal, room_id)
        future = self._standings.would_be(room, owner, principal)
        if Action.READ in future.grants.actions:
            try:
                await self._rooms.add(room, owner.user_id if owner else None, self._caps)
            except (Conflict, NotFound):  # somebody was faster; the account is gone
                self._standings.forget_absence(room_id)
            else:
                self._standings.forget(room_id, principal.user_id)
                if self._watcher is not None:
                    await self._watcher.room_made(room_id)
            self._activity.used(future)  # it is to end even if the caller changes their mind

    async def outlook(self, principal: Principal, room_id: str) -> tuple[Standing, Template | None]:
        """Judge the caller as on arrival, without making anything; with the template, where there is no room yet."""
        standing = await self._standings.of(principal, room_id)
        template = self._templates.match(room_id, principal.user_id)
        if template is None or standing.room is not None:
            return standing, None
        room, owner = self._new(template, principal, room_id)
        return self._standings.would_be(room, owner, principal), template

    def _new(self, template: Template, principal: Principal, room_id: str) -> tuple[Room, Member | None]:
        now = self._now()
        room = Room(room_id, template.kind, "", template.visibility, principal.user_id, now)
        owner = Member(room_id, principal.user_id, principal.username, Role.OWNER, now) if template.personal else None
        return room, owner
