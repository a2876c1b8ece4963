"""Accounts that people make for themselves."""

from collections.abc import Callable
from math import ceil

from gateroom.auth.ports import User
from gateroom.auth.registry import Registry
from gateroom.auth.throttle import network_of
from gateroom.errors import RateLimited, RegistrationClosed
from gateroom.rates import Buckets

BURST, RATE = 10, 1 / 60  # accounts that one address may try to make at once, and for good in a second


class Registration:
    """Makes accounts with the default scopes for whoever asks, where that is open."""

    def __init__(self, registry: Registry, *, is_open: bool, clock: Callable[[], float]) -> None:
        """`clock` counts seconds and is never set back."""
        self._registry = registry
        self._open = is_open
        self._clock = clock
        self._addresses: Buckets[str] = Buckets(RATE, BURST, clock)

    async def register(self, username: str, password: str, address: str) -> User:
        """Make an account; `address` is the client's.

        Raises `RegistrationClosed`, `RateLimited` with the seconds to wait, or what `Registry.create` raises.
        """
        if not self._open:
            raise RegistrationClosed
        now, bucket = self._clock(), self._addresses.of(network_of(address))
        if not bucket.take(now):
            raise RateLimited("Too many accounts from here; wait before the next.", retry_after=ceil(bucket.wait(now)))
        return await self._registry.create(username, password)
