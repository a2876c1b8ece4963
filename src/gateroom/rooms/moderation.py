"""What moderators do to users of a room: bans, mutes and kicks, judged by the policy."""

from collections.abc import Callable, Sequence

from gateroom.auth.accounts import powers_of
from gateroom.auth.ports import User
from gateroom.auth.principal import Principal
from gateroom.errors import InvalidCommand
from gateroom.incidents import note
from gateroom.rooms import policy
from gateroom.rooms.model import Action, Measure, Sanction
from gateroom.rooms.ports import SanctionStore, Watcher
from gateroom.rooms.standings import Standings


class Moderation:
    """Takes and lifts measures; live sockets follow through the `Watcher`.

    Every method raises `NotFound` for a room that the caller may not read, and `Forbidden` for what they may not do.
    """

    def __init__(
        self, sanctions: SanctionStore, standings: Standings, watcher: Watcher, now: Callable[[], float]
    ) -> None:
        """`now` is in seconds since the epoch."""
        self._sanctions = sanctions
        self._standings = standings
        self._watcher = watcher
        self._now = now

    async def put(
        self, principal: Principal, room_id: str, user: User, measure: Measure, until: float | None
    ) -> Sanction:
        """Ban or mute the user until a moment (seconds since the epoch), or for good; at once, on live sockets too.

        Raises `InvalidCommand` when the moment is over.
        """
        await self._judge(principal, room_id, user)
        if until is not None and until <= self._now():
            raise InvalidCommand("until: must lie in the future.")
        sanction = await self._sanctions.put(room_id, user.id, measure, until)
        await self._tell(principal, room_id, user, measure)
        return sanction

    async def lift(self, principal: Principal, room_id: str, user: User, measure: Measure) -> None:
        """End a ban or mute. Raises `NotFound` when there is none."""
        await self._judge(principal, room_id, user)
        await self._sanctions.lift(room_id, user.id, measure)
        await self._tell(principal, room_id, user, f"lift_{measure}")

    async def page(
        self, principal: Principal, room_id: str, measure: Measure, after: str | None, limit: int
    ) -> Sequence[Sanction]:
        """List bans or mutes in force by username."""
        await self._standings.allowed(principal, room_id, Action.MODERATE)
        return await self._sanctions.page(room_id, measure, after, limit)

    async def kick(self, principal: Principal, room_id: str, user: User) -> int:
        """Put the user out, who may come back; returns how many connections were in the room."""
        await self._judge(principal, room_id, user)
        note("moderated", code="kick", by=principal.user_id, user=user.id, room=room_id)
        return await self._watcher.kicked(room_id, user.id)

    async def _judge(self, principal: Principal, room_id: str, user: User) -> None:
        _, standing = await self._standings.allowed(principal, room_id, Action.MODERATE)
        target = await self._standings.of(powers_of(user), room_id)
        policy.require_over(user.id, target.grants, principal, standing.grants)

    async def _tell(self, principal: Principal, room_id: str, user: User, code: str) -> None:
        note("moderated", code=code, by=principal.user_id, user=user.id, room=room_id)
        self._standings.forget(room_id, user.id)
        await self._watcher.standing_changed(room_id, user.id)
