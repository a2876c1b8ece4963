"""How long a peer is borne who goes on asking for too much, or sends what no proper client sends."""

from collections import deque

from gateroom.rates import TokenBucket
from gateroom.realtime.limits import Limits

PERIOD = 60.0  # seconds within which `max_violations` are borne


class Patience:
    """The patience with one peer."""

    __slots__ = ("_excess", "_most", "_violations")

    def __init__(self, limits: Limits, now: float) -> None:
        self._excess = TokenBucket(1, 2 * limits.publish_burst, now)
        self._most = limits.max_violations
        self._violations: deque[float] | None = None  # when the latest were

    def bears_excess(self, now: float) -> bool:
        """Bear one more command beyond what is allowed; false when that is one too many."""
        return self._excess.take(now)

    def bears_violation(self, now: float) -> bool:
        """Bear one more frame that is none of the protocol; false when that is one too many."""
        if not self._most:
            return True
        recent = self._violations = self._violations or deque()
        recent.append(now)
        while recent[0] <= now - PERIOD:
            recent.popleft()
        return len(recent) <= self._most
