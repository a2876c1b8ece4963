"""Users as others name them: by id, or by `@username`."""

from collections.abc import Callable

from gateroom.auth.accounts import Accounts
from gateroom.auth.ports import User, UserStore
from gateroom.auth.recent import Recent
from gateroom.errors import NotFound, UserDisabled

MEMORY_SIZE = 50_000  # names
RECHECK = 30.0  # seconds after which a name given anew by another program is seen


class People:
    """Finds the enabled account behind a reference, from memory where possible."""

    def __init__(self, users: UserStore, accounts: Accounts, now: Callable[[], float]) -> None:
        """`now` is in seconds of a monotonic clock."""
        self._users = users
        self._accounts = accounts
        self._ids: Recent[str, str] = Recent(MEMORY_SIZE, RECHECK, now)

    def known(self, reference: str) -> User | None:
        """Look in memory only; None when it has to be read, or there is no such enabled user."""
        user_id = reference
        if reference.startswith("@"):
            found = self._ids.get(reference[1:])
            user_id = (found[0] if found else None) or ""
        user = self._accounts.known(user_id)
        return None if user is None or user.disabled else user

    async def find(self, reference: str) -> User:
        """Return the user. Raises `NotFound` when there is none, or the account is disabled."""
        user_id: str | None = reference
        if reference.startswith("@"):
            user_id = await self._id_of(reference[1:])
        if user_id is None:
            raise NotFound
        try:
            return await self._accounts.get(user_id)
        except UserDisabled:
            raise NotFound from None

    async def any(self, reference: str) -> User:
        """Return the user as stored now, disabled or not. Raises `NotFound`."""
        by_name = reference.startswith("@")
        user = await (self._users.by_name(reference[1:]) if by_name else self._users.by_id(reference))
        if user is None:
            raise NotFound
        self._ids.put(user.username, user.id)
        return user

    def id_of_known(self, reference: str) -> str | None:
        """Return the id behind an `@username` that was looked up lately."""
        found = self._ids.get(reference.removeprefix("@"))
        return found[0] if found else None

    async def _id_of(self, username: str) -> str | None:
        found = self._ids.get(username)
        if found is None:
            user = await self._users.by_name(username)
            found = (user.id if user else None,)
            if user:  # a name that is free now may be given any moment
                self._ids.put(username, user.id)
        return found[0]
