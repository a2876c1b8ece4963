"""When things leave: all that one event-loop tick brought about is numbered, joined and written once, at its end."""

import asyncio
from collections.abc import Callable


class Tick:
    """Runs its stages, in order, once at the end of each event-loop tick in which somebody called `wake`.

    Work that a stage brings about for an earlier one (a reply that submits again) is for the next tick.
    """

    def __init__(self) -> None:
        self._stages: tuple[Callable[[], None], ...] = ()
        self._awake = False

    def stages(self, *stages: Callable[[], None]) -> None:
        self._stages = stages

    def wake(self) -> None:
        """Ask for a run at the end of this tick; must be called on the event loop."""
        if not self._awake:
            self._awake = True
            asyncio.get_running_loop().call_soon(self.run)

    def run(self) -> None:
        self._awake = False
        for stage in self._stages:
            stage()
