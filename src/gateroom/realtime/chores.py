"""What is to be done again and again off the message path: trimming, and storing what may wait."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from gateroom.repeating import Work, attempt, repeating

Chore = Work


class Chores:
    """Does each chore every so many seconds, and all of them once more at the end; one that fails comes again."""

    def __init__(self, chores: Mapping[str, tuple[float, Chore]]) -> None:
        """`chores` are given by name, with their interval in seconds."""
        self._chores = chores

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Do the chores as long as the block runs."""
        try:
            async with AsyncExitStack() as stack:
                for name, (interval, chore) in self._chores.items():
                    await stack.enter_async_context(repeating(name, interval, chore))
                yield
        finally:
            for name, (_, chore) in self._chores.items():
                await attempt(name, chore)
