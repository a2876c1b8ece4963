"""What this process knows of accounts, so that a handshake costs no SQL."""

from dataclasses import replace

from gateroom.auth.alive import Alive
from gateroom.auth.claims import Claims
from gateroom.auth.ports import Clock, User, UserStore
from gateroom.auth.principal import Principal
from gateroom.auth.remembered import Remembered
from gateroom.errors import TokenRevoked, UserDisabled


class Accounts:
    """The accounts seen lately, each read again when `recheck` seconds have passed, at most `capacity` of them.

    Changes made here or told by a control order are followed by `forget`; the re-check bounds how long a lost order
    can matter.
    """

    def __init__(
        self, users: UserStore, alive: Alive, clock: Clock, *, recheck: float = 30.0, capacity: int = 20_000
    ) -> None:
        """`clock` may be any that counts seconds; one that is never set back is best."""
        self._alive = alive
        self._users: Remembered[str, User] = Remembered(users.by_id, capacity, recheck, clock)

    async def get(self, user_id: str) -> User:
        """Return the account. Raises `UserDisabled` when it is disabled or gone, and what the store raises."""
        user = await self._users.get(user_id)
        if user is None or user.disabled:
            raise UserDisabled
        return user

    def known(self, user_id: str) -> User | None:
        """Return the account, disabled or not, if it need not be read now; None also when it is gone."""
        found = self._users.known(user_id)
        return None if found is None else found[0]

    def forget(self, user_id: str) -> None:
        """Read the account and its sessions again before they are next believed; a read under way counts no more."""
        self._users.forget(user_id)
        self._alive.forget_user(user_id)

    def confirm(self, user: User) -> None:
        """Take note that the account was found so in the store."""
        if self.known(user.id) == user:
            self._users.confirm(user.id)

    async def principal(self, claims: Claims) -> Principal:
        """Return who a believed token's bearer may act as now.

        Raises `UserDisabled`, `TokenRevoked` when it or the account's tokens of that time are dead, `SessionRevoked`
        when its session has ended. Roles and scopes are those of the token that the account still has.
        """
        user = await self._judged(claims.sub, claims.sid, claims.jti, claims.iat)
        return Principal(
            user_id=user.id,
            username=user.username,
            roles=claims.roles & user.roles,
            scopes=claims.scope & user.scopes,
            session_id=claims.sid,
            token_id=claims.jti,
            expires_at=float(claims.exp),
            issued_at=float(claims.iat),
        )

    def is_known(self, principal: Principal) -> bool:
        """Tell whether account, session and token are known to be good for the principal's powers without a read."""
        user = self.known(principal.user_id)
        if user is None or user.disabled or principal.issued_at < user.valid_from:
            return False
        held = principal.roles <= user.roles and principal.scopes <= user.scopes
        return held and self._alive.is_known(principal)

    async def judge(self, principal: Principal) -> Principal:
        """Return the principal with the powers that it has now. Raises as `principal` does."""
        user = await self._judged(principal.user_id, principal.session_id, principal.token_id, principal.issued_at)
        return replace(principal, roles=principal.roles & user.roles, scopes=principal.scopes & user.scopes)

    async def _judged(self, user_id: str, session_id: str, token_id: str, issued_at: float) -> User:
        while True:
            user = await self.get(user_id)
            if issued_at < user.valid_from:
                raise TokenRevoked
            await self._alive.require(user_id, session_id, token_id)
            if self.known(user_id) == user:  # else it has changed while the session was read
                return user

    async def close(self) -> None:
        """Wait for the reads under way."""
        await self._users.close()


def powers_of(user: User) -> Principal:
    """Return the account as a principal with all it may hold, whatever its tokens carry."""
    return Principal(user.id, user.username, user.roles, user.scopes, "", "", 0.0)
