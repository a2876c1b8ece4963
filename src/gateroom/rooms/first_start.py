"""What a fresh installation gets: an admin, a lobby, and on request three users to play with."""

import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from gateroom.auth.principal import ALL_SCOPES
from gateroom.auth.registry import Registry
from gateroom.errors import Conflict, InvalidCommand
from gateroom.rooms.directory import Directory
from gateroom.rooms.model import Visibility

ADMIN = "admin"
LOBBY = "lobby"
NOT_CHOSEN = "must be set for the first start in production, best in the environment; nothing is printed there"
DEMO_USERS = ("alice", "bob", "carol")


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account that was just made; `password` only where it was generated, to be shown once."""

    username: str
    password: str | None = field(repr=False)


class FirstStart:
    """Makes what is missing; several processes may do so at once."""

    def __init__(self, registry: Registry, directory: Directory) -> None:
        self._registry = registry
        self._directory = directory

    async def admin(self, password: str | None, tell: Callable[[NewAccount], None], *, generate: bool = True) -> None:
        """Make the first account, with every scope, and the lobby; nothing once there is any account.

        Without `password` one is generated. `tell` gets the account. Raises `InvalidCommand` for a weak password, or
        for none where `generate` is off: what is printed ends up in logs.
        """
        if await self._registry.page(None, 1):
            return
        if password is None and not generate:
            raise InvalidCommand(NOT_CHOSEN)
        chosen = password or secrets.token_urlsafe(15)
        with suppress(Conflict):  # another process was faster
            await self._registry.create(ADMIN, chosen, {ADMIN}, ALL_SCOPES)
            tell(NewAccount(ADMIN, None if password else chosen))
        with suppress(Conflict):
            await self._directory.found(LOBBY, "default", "Lobby", Visibility.PUBLIC)

    async def demo(self, tell: Callable[[NewAccount], None]) -> None:
        """Make those of the demo users that are missing, with generated passwords; `tell` gets each new one."""
        for username in DEMO_USERS:
            password = secrets.token_urlsafe(9)
            with suppress(Conflict):
                await self._registry.create(username, password)
                tell(NewAccount(username, password))
