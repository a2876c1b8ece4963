"""How often something may happen: token buckets, and many of them by key in bounded memory."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


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
        tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
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


class Buckets(Generic[K]):
    """One bucket for each key, of the `size` keys used last: who is forgotten begins with a full one."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float], size: int = 20_000) -> None:
        """`clock` counts seconds and is never set back."""
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._size = size
        self._buckets: OrderedDict[K, TokenBucket] = OrderedDict()

    def of(self, key: K) -> TokenBucket:
        """Return the bucket of this key."""
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = TokenBucket(self._rate, self._burst, self._clock())
            if len(self._buckets) > self._size:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(key)
        return bucket

    def __len__(self) -> int:
        return len(self._buckets)
