"""What the live path counts: plain numbers, since a locked counter costs more than a message does."""

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

# Upper bounds of the buckets, in seconds; what is above the last one counts as infinite.
FLUSH_BOUNDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
ORDER_BOUNDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 30.0)
LAG_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Histogram:
    """Counts observations by bucket."""

    __slots__ = ("bounds", "buckets", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.buckets = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        self.buckets[bisect_left(self.bounds, value)] += 1
        self.total += value


@dataclass(slots=True)
class Counts:
    """Running totals since the process started. Keys are bounded: codes and types, never names."""

    deliveries: int = 0  # events handed to connections, one per receiver
    bytes_out: int = 0  # their frames
    bytes_in: int = 0  # text received, without frame headers
    commands: Counter[tuple[str, str]] = field(default_factory=Counter)  # type, outcome: "ok" or an error code
    handshakes: Counter[str] = field(default_factory=Counter)  # outcome: "accepted" or the reason of the refusal
    url_tokens: int = 0  # handshakes with a token in their URL, where proxies log it
    flushes: Histogram = field(default_factory=lambda: Histogram(FLUSH_BOUNDS))  # seconds of a tick's fan-out
    lag: Histogram = field(default_factory=lambda: Histogram(LAG_BOUNDS))  # seconds the loop was late for the sweep
    orders: Histogram = field(default_factory=lambda: Histogram(ORDER_BOUNDS))  # seconds from revoking to the close
    closes: Counter[tuple[int, str]] = field(default_factory=Counter)  # code and reason; 1006 "" when the peer vanished
