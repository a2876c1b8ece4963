"""The one thing a socket is waiting for, and what happens when it does not come."""

import asyncio
from collections.abc import Callable


class Deadline:
    """At most one pending timer; an idle socket has none."""

    __slots__ = ("_timer",)

    def __init__(self) -> None:
        self._timer: asyncio.TimerHandle | None = None

    @property
    def pending(self) -> bool:
        return self._timer is not None

    def set(self, seconds: float, act: Callable[[], None]) -> None:
        """Call `act` after `seconds` instead of what was pending; 0 seconds: never."""
        self.clear()
        if seconds > 0:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._due, act)

    def clear(self) -> None:
        """Forget what was pending."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _due(self, act: Callable[[], None]) -> None:
        self._timer = None
        act()
