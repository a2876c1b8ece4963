"""Whose tokens are believed: our own first, then those of outside issuers. The one way in for HTTP and sockets."""

from gateroom.auth.claims import Claims
from gateroom.auth.outsiders import Outsiders
from gateroom.auth.tokens import AccessTokens
from gateroom.errors import InvalidToken


class Bearers:
    """Verifies access tokens, whoever issued them."""

    def __init__(self, tokens: AccessTokens, outsiders: Outsiders | None = None) -> None:
        """Without `outsiders`, only our own tokens are believed."""
        self._tokens = tokens
        self._outsiders = outsiders

    async def claims(self, token: str) -> Claims:
        """Return what `token` says, for the account its bearer has here.

        Raises `InvalidToken` or `TokenExpired` whatever the input; of an outside issuer's token also `UserDisabled`
        and `Unavailable`.
        """
        try:
            return self._tokens.verify(token)
        except InvalidToken:
            if self._outsiders is None:
                raise
        return await self._outsiders.claims(token)
