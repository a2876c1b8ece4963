"""What a crowd that has gone leaves behind: memory, given back to the system."""

import ctypes
import gc
from collections.abc import Callable

LEAST = 500  # connections whose going is worth the work
CALM = 10  # counts in a row, none of them smaller than the one before


class Ebb:
    """Notices that at least half of the most connections have gone, and that the rest seem to stay."""

    def __init__(self) -> None:
        self._most = self._last = self._calm = 0

    def over(self, connections: int) -> bool:
        """Tell whether it is so, once for each time; called now and then with how many connections there are."""
        self._most = max(self._most, connections)
        self._calm = self._calm + 1 if connections >= self._last else 0
        self._last = connections
        if self._calm < CALM or self._most - connections < max(LEAST, self._most / 2):
            return False
        self._most = connections
        return True


def give_back() -> None:
    """Let go of free lists and of free pages; takes some ten milliseconds in a process that was large."""
    gc.collect()
    if _trim is not None:
        _trim(0)


def _found() -> Callable[[int], int] | None:
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):  # only glibc has it
        return None
    return trim


_trim = _found()
