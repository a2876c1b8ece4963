"""How often something may happen: token buckets, and many of them by key in bounded memory."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class TokenBucket:
    """Lets `burst` through at once and `rate` a second for good; a rate of 0 lets everything through."""

    __slots__ = ("_at", "_tokens", "burst", "rate")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self.rate = rate
        self.burst = burst
        self._tokens = burst
        self._at = now

    def take(self, now: float, cost: float = 1) -> bool:
        """Take `cost` tokens; `now` is in seconds of a monotonic clock. False, and none taken, when there are fewer."""
        if not self.rate:
            return True
        tokens = self._tokens
        if now > self._at:  # else it was made after the caller had looked at the clock
            tokens = min(self.burst, tokens + (now - self._at) * self.rate)
            self._at = now
        if tokens < cost:
            self._tokens = tokens
            return False
        self._tokens = tokens - cost
        return True

    def give_back(self, cost: float = 1) -> None:
        """Put back what was taken for something that turned out to be free."""
        self._tokens = min(self.burst, self._tokens + cost)

    def wait(self, now: float, cost: float = 1) -> float:
        """Say in how many seconds `cost` tokens will be there."""
        missing = cost - self._tokens - (now - self._at) * self.rate
        return max(0.0, missing / self.rate) if self.rate else 0.0


class Keyed(Generic[K, V]):
    """One value for each key, of the `size` keys used last: who is forgotten begins with a new one."""

    def __init__(self, make: Callable[[], V], size: int = 20_000) -> None:
        self._make = make
        self._size = size
        self._values: OrderedDict[K, V] = OrderedDict()

    def of(self, key: K) -> V:
        """Return the value of this key."""
        value = self._values.get(key)
        if value is None:
            value = self._values[key] = self._make()
            if len(self._values) > self._size:
                self._values.popitem(last=False)
        else:
            self._values.move_to_end(key)
        return value

    def __len__(self) -> int:
        return len(self._values)


class Buckets(Keyed[K, TokenBucket]):
    """One bucket for each key."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float], size: int = 20_000) -> None:
        """`clock` counts seconds and is never set back."""
        super().__init__(lambda: TokenBucket(rate, burst, clock()), size)
