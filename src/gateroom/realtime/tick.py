"""When things leave: all that one event-loop tick brought about is numbered, joined and written once, at its end."""

import asyncio
from collections.abc import Callable


class Tick:
    """Runs its stages, in order, once at the end of each event-loop tick in which somebody called `wake`.

    What a stage brings about for a later one is done in the same run, for itself or an earlier one in the next tick.
    """

    def __init__(self) -> None:
        self._stages: tuple[Callable[[], None], ...] = ()
        self._awake = False
        self._running = 0  # the stage that runs now; between runs, one that none comes after

    def stages(self, *stages: Callable[[], None]) -> None:
        self._stages = stages
        self._running = len(stages)

    def wake(self, stage: int = 0) -> None:
        """Ask for a run of the stage with this number at the end of this tick; must be called on the event loop."""
        if stage <= self._running and not self._awake:
            self._awake = True
            asyncio.get_running_loop().call_soon(self.run)

    def run(self) -> None:
        """Run all stages now."""
        self._awake = False
        try:
            for number, stage in enumerate(self._stages):
                self._running = number
                stage()
        finally:  # a stage that fails must not make later calls of `wake` go unheard
            self._running = len(self._stages)
