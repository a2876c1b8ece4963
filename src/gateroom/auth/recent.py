"""What was read from the store a moment ago."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Remembers up to `size` values, "there is none" included, for `ttl` seconds at the most; the oldest go first."""

    def __init__(self, size: int, ttl: float, now: Callable[[], float]) -> None:
        self._size = size
        self._ttl = ttl
        self._now = now
        self._values: OrderedDict[K, tuple[float, V | None]] = OrderedDict()

    def get(self, key: K) -> tuple[V | None] | None:
        """Return the value in a tuple of one, or None when nothing is known."""
        found = self._values.get(key)
        if found is None or found[0] < self._now():
            return None
        return (found[1],)

    def put(self, key: K, value: V | None) -> None:
        self._values[key] = (self._now() + self._ttl, value)
        self._values.move_to_end(key)
        if len(self._values) > self._size:
            self._values.popitem(last=False)

    def forget(self, key: K) -> None:
        self._values.pop(key, None)

    def drop(self, condition: Callable[[K], bool]) -> None:
        """Forget every key that meets the condition."""
        for key in [key for key in self._values if condition(key)]:
            del self._values[key]
