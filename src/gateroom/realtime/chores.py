"""What is to be done again and again off the message path: trimming, and storing what may wait."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import structlog

_log = structlog.get_logger("gateroom.chores")

Chore = Callable[[], Awaitable[None]]


class Chores:
    """Does each chore every so many seconds, and all of them once more at the end; one that fails comes again."""

    def __init__(self, chores: Mapping[str, tuple[float, Chore]]) -> None:
        """`chores` are given by name, with their interval in seconds."""
        self._chores = chores

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Do the chores as long as the block runs."""
        tasks = [
            asyncio.create_task(self._again_and_again(name, interval)) for name, (interval, _) in self._chores.items()
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for name in self._chores:
                await self._do(name)

    async def _again_and_again(self, name: str, interval: float) -> None:
        while True:
            await asyncio.sleep(interval)
            await self._do(name)

    async def _do(self, name: str) -> None:
        try:
            await self._chores[name][1]()
        except Exception:
            _log.exception("chore_failed", chore=name)
