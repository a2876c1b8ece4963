"""What this process knows of accounts, so that a handshake costs no SQL."""

import asyncio
from dataclasses import dataclass
from functools import partial

from gateroom.auth.claims import Claims
from gateroom.auth.ports import Clock, User, UserStore
from gateroom.auth.principal import Principal
from gateroom.auth.recent import Recent
from gateroom.errors import TokenRevoked, UserDisabled


@dataclass(slots=True)
class _Reading:
    """One read under way, for everybody who asks meanwhile; `stale` once the account changed behind its back."""

    task: asyncio.Task[User | None]
    stale: bool = False


class Accounts:
    """The accounts seen lately, each read again when `recheck` seconds have passed, at most `capacity` of them.

    Changes made here or told by a control order are followed by `forget`; the re-check bounds how long a lost order
    can matter.
    """

    def __init__(self, users: UserStore, clock: Clock, *, recheck: float = 30.0, capacity: int = 20_000) -> None:
        """`clock` may be any that counts seconds; one that is never set back is best."""
        self._users = users
        self._recent: Recent[str, User] = Recent(capacity, recheck, clock)
        self._readings: dict[str, _Reading] = {}

    async def get(self, user_id: str) -> User:
        """Return the account. Raises `UserDisabled` when it is disabled or gone, and what the store raises."""
        user = await self._look(user_id)
        if user is None or user.disabled:
            raise UserDisabled
        return user

    def known(self, user_id: str) -> User | None:
        """Return the account, disabled or not, if it need not be read now; None also when it is gone."""
        found = self._recent.get(user_id)
        return None if found is None else found[0]

    def forget(self, user_id: str) -> None:
        """Read the account again before it is next believed; a read under way counts no more."""
        self._recent.forget(user_id)
        if (reading := self._readings.pop(user_id, None)) is not None:
            reading.stale = True

    async def principal(self, claims: Claims) -> Principal:
        """Return who a believed token's bearer may act as now.

        Raises `UserDisabled`, or `TokenRevoked` when the account's tokens of that time are dead. Roles and scopes are
        those of the token that the account still has.
        """
        user = await self.get(claims.sub)
        if claims.iat < user.valid_from:
            raise TokenRevoked
        return Principal(
            user_id=user.id,
            username=user.username,
            roles=claims.roles & user.roles,
            scopes=claims.scope & user.scopes,
            session_id=claims.sid,
            token_id=claims.jti,
            expires_at=float(claims.exp),
        )

    async def close(self) -> None:
        """Wait for the reads under way."""
        await asyncio.gather(*(reading.task for reading in self._readings.values()), return_exceptions=True)

    async def _look(self, user_id: str) -> User | None:
        while (found := self._recent.get(user_id)) is None:
            reading = self._readings.get(user_id) or self._start(user_id)
            # Shielded: the others wait for it too, and a cancelled database call costs its connection.
            user = await asyncio.shield(reading.task)
            if not reading.stale:
                return user
        return found[0]

    def _start(self, user_id: str) -> _Reading:
        reading = _Reading(asyncio.create_task(self._users.by_id(user_id)))
        self._readings[user_id] = reading
        reading.task.add_done_callback(partial(self._finish, user_id, reading))
        return reading

    def _finish(self, user_id: str, reading: _Reading, task: asyncio.Task[User | None]) -> None:
        # Asked for even when stale: an exception that nobody waits for any more must not be reported as lost.
        failed = task.cancelled() or task.exception() is not None
        if reading.stale:
            return
        del self._readings[user_id]
        if not failed:
            self._recent.put(user_id, task.result())


def powers_of(user: User) -> Principal:
    """Return the account as a principal with all it may hold, whatever its tokens carry."""
    return Principal(user.id, user.username, user.roles, user.scopes, "", "", 0.0)
