"""The keys that an outside issuer publishes, as this process knows them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from gateroom.auth.keys import KeyRefused
from gateroom.auth.public_keys import VerifyingKey, by_kid, parse_key_set
from gateroom.errors import Unavailable
from gateroom.incidents import note

REFRESH = 300.0  # seconds between two looks at a set
PATIENCE = 30.0  # seconds between two looks because of keys that are not known, and after one that failed

# Returns the text of the set, bounded in size and time. Raises `KeySetUnreachable`.
Fetch = Callable[[], Awaitable[bytes]]


class KeySetUnreachable(Exception):
    """The issuer did not answer with a key set; the message has nothing of its answer."""


class KeySet:
    """The keys of one issuer and of no other, whatever their ids are; fetched ones outlive an outage."""

    def __init__(self, issuer: str, source: Fetch | Sequence[VerifyingKey], monotonic: Callable[[], float]) -> None:
        """`source` is where to fetch them, or the keys themselves; `monotonic` counts seconds."""
        self._issuer = issuer
        self._monotonic = monotonic
        self._fetch = source if callable(source) else None
        self._good = False
        self._keys: tuple[VerifyingKey, ...] = ()
        self._by_kid = by_kid(())
        self._fetching: asyncio.Task[None] | None = None
        self._again = float("-inf")  # when the next look because of an unknown key is allowed
        self.generation = 0  # rises when the keys change
        if not callable(source):
            self._take(tuple(source))

    def known(self, kid: str | None, algorithm: str) -> VerifyingKey | None:
        """Return the key of that id; where there is only one, and either names none, that one."""
        if len(self._keys) == 1 and (kid is None or self._keys[0].kid is None):
            only = self._keys[0]
            return only if only.algorithm == algorithm else None
        return self._by_kid.get((kid, algorithm)) if kid is not None else None

    async def find(self, kid: str | None, algorithm: str) -> VerifyingKey | None:
        """Return the key, after a look at the issuer's set when it is not known.

        Looks because of unknown keys are at least `PATIENCE` apart, whoever asks. Raises `Unavailable` when the set was
        never seen.
        """
        key = self.known(kid, algorithm)
        if key is not None or self._fetch is None:
            return key
        now = self._monotonic()
        if self._fetching is not None:
            await self.refresh()
        elif now >= self._again:
            self._again = now + PATIENCE
            await self.refresh()
        if not self._keys:
            raise Unavailable
        return self.known(kid, algorithm)

    async def refresh(self) -> None:
        """Look at the issuer's set, once for all who wait; what went wrong is noted, and the old keys stay."""
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._look())
            self._fetching.add_done_callback(self._looked)
        # Shielded: the others wait for it too.
        await asyncio.shield(self._fetching)

    @asynccontextmanager
    async def kept_fresh(self) -> AsyncIterator[None]:
        """Look at once and then regularly, as long as the block runs."""
        task = asyncio.create_task(self._forever()) if self._fetch else None
        try:
            yield
        finally:
            tasks = [each for each in (task, self._fetching) if each is not None]
            for each in tasks:
                each.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _forever(self) -> None:
        while True:
            await self.refresh()
            await asyncio.sleep(REFRESH if self._good else PATIENCE)

    async def _look(self) -> None:
        assert self._fetch is not None  # noqa: S101 - only who may fetch looks
        try:
            keys = parse_key_set(await self._fetch())
        except (KeySetUnreachable, KeyRefused) as fault:
            self._good = False
            note("issuer_keys_unavailable", issuer=self._issuer, reason=str(fault))
            return
        self._good = True
        if keys != self._keys:
            self._take(keys)
            note("issuer_keys_changed", issuer=self._issuer, keys=len(keys))

    def _looked(self, _: asyncio.Task[None]) -> None:
        self._fetching = None

    def _take(self, keys: tuple[VerifyingKey, ...]) -> None:
        self._keys = keys
        self._by_kid = by_kid(keys)
        self.generation += 1
