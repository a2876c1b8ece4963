"""The command `refresh`: a socket carries on with a newer token of its own session."""

from gateroom.auth.accounts import Accounts
from gateroom.auth.bearers import Bearers
from gateroom.auth.principal import Principal
from gateroom.errors import Forbidden, Refusal
from gateroom.realtime.rights import judge_rooms
from gateroom.realtime.session import Session


class Renewal:
    """Believes tokens on a socket as the handshake does, but for its own session only."""

    def __init__(self, bearers: Bearers, accounts: Accounts) -> None:
        self._bearers = bearers
        self._accounts = accounts

    async def carry_on(self, session: Session, token: str) -> None:
        """Let the session live on as the token has it, its rights judged anew.

        Raises `Forbidden`, and counts a violation, for a token that is not good, of another user or session, or older
        than what the socket has; `Unavailable` when it cannot be judged.
        """
        try:
            principal = await self._believe(session.principal, token)
        except Refusal:
            session.violation()
            raise Forbidden from None
        if not session.ended:
            session.renew(principal, principal.scopes)
            await judge_rooms(session)

    async def _believe(self, current: Principal, token: str) -> Principal:
        claims = await self._bearers.claims(token)
        same = (claims.sub, claims.sid) == (current.user_id, current.session_id)
        # Equal is as good as newer: `POST /auth/refresh` may have carried the socket on with this very token.
        if not same or claims.exp < current.expires_at:
            raise Forbidden
        return await self._accounts.principal(claims)
