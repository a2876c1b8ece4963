"""What was read from the store a moment ago."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Remembers up to `size` values, "there is none" included, for `ttl` seconds at the most; the oldest go first."""

    def __init__(
        self, size: int, ttl: float, now: Callable[[], float], group: Callable[[K], Hashable] | None = None
    ) -> None:
        """`group` says what each key belongs to, for `drop_group`."""
        self._group = group
        self._groups: dict[Hashable, set[K]] = {}
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
        if self._group is not None:
            self._groups.setdefault(self._group(key), set()).add(key)
        if len(self._values) > self._size:
            self.forget(next(iter(self._values)))

    def forget(self, key: K) -> None:
        if self._values.pop(key, None) is not None and self._group is not None:
            group = self._group(key)
            self._groups[group].discard(key)
            if not self._groups[group]:
                del self._groups[group]

    def drop(self, condition: Callable[[K], bool]) -> None:
        """Forget every key that meets the condition."""
        for key in [key for key in self._values if condition(key)]:
            self.forget(key)

    def drop_group(self, group: Hashable) -> None:
        """Forget every key of the group, in no more time than there are such keys."""
        for key in tuple(self._groups.get(group, ())):
            self.forget(key)
