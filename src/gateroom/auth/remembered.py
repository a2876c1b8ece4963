"""What a store says about each key, remembered for a while: one read at a time, shared by all who ask meanwhile."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from gateroom.auth.recent import Recent

K = TypeVar("K")
V = TypeVar("V")


@dataclass(slots=True)
class _Reading(Generic[V]):
    """One read under way; `stale` once the value changed behind its back."""

    task: asyncio.Task[V | None]
    stale: bool = False


class Remembered(Generic[K, V]):
    """Reads a key when it was not read lately. Changes are followed by `forget`; the re-check bounds how long a change
    that nobody told of can matter."""

    def __init__(
        self,
        read: Callable[[K], Coroutine[Any, Any, V | None]],
        capacity: int,
        recheck: float,
        now: Callable[[], float],
    ) -> None:
        """Read with `read`, again after `recheck` seconds by `now`; remember up to `capacity` keys."""
        self._read = read
        self._recent: Recent[K, V] = Recent(capacity, recheck, now)
        self._readings: dict[K, _Reading[V]] = {}

    def known(self, key: K) -> tuple[V | None] | None:
        """Return the value in a tuple of one if it need not be read now."""
        return self._recent.get(key)

    async def get(self, key: K) -> V | None:
        """Return the value, None when there is none. Raises what the store raises."""
        while (found := self._recent.get(key)) is None:
            reading = self._readings.get(key) or self._start(key)
            # Shielded: the others wait for it too, and a cancelled database call costs its connection.
            value = await asyncio.shield(reading.task)
            if not reading.stale:
                return value
        return found[0]

    def put(self, key: K, value: V) -> None:
        """Remember a value that was stored just now."""
        self.forget(key)
        self._recent.put(key, value)

    def confirm(self, key: K) -> None:
        """Put off the next read of a key whose value, if it is known, was found unchanged in the store."""
        if (found := self._recent.get(key)) is not None:
            self._recent.put(key, found[0])

    def forget(self, key: K) -> None:
        """Read anew before the key is next believed; a read under way counts no more."""
        self._recent.forget(key)
        if (reading := self._readings.pop(key, None)) is not None:
            reading.stale = True

    def forget_where(self, condition: Callable[[K], bool]) -> None:
        """Forget every key that meets the condition."""
        self._recent.drop(condition)
        for key in [key for key in self._readings if condition(key)]:
            self.forget(key)

    async def close(self) -> None:
        """Wait for the reads under way."""
        await asyncio.gather(*(reading.task for reading in self._readings.values()), return_exceptions=True)

    def _start(self, key: K) -> _Reading[V]:
        reading = _Reading(asyncio.create_task(self._read(key)))
        self._readings[key] = reading
        reading.task.add_done_callback(partial(self._finish, key, reading))
        return reading

    def _finish(self, key: K, reading: _Reading[V], task: asyncio.Task[V | None]) -> None:
        # Asked for even when stale: an exception that nobody waits for any more must not be reported as lost.
        failed = task.cancelled() or task.exception() is not None
        if reading.stale:
            return
        del self._readings[key]
        if not failed:
            self._recent.put(key, task.result())
