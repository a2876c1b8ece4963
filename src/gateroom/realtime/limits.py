"""How much one connection may ask for: the numbers, and the token bucket that counts."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the live path (contract section 7); 0 means no limit. Times in seconds, sizes in bytes."""

    max_connections: int = 0
    max_connections_per_user: int = 50
    max_connections_per_address: int = 0
    handshake_rate: float = 0  # a second, for the whole process; twice that at once
    max_rooms_per_connection: int = 128
    max_message_bytes: int = 65536
    publish_rate: float = 50  # a second, for each connection
    publish_burst: int = 100
    command_rate: float = 50  # the same for all other commands together
    command_burst: int = 300
    max_backlog_bytes: int = 1024 * 1024
    ping_interval: float = 25
    ping_timeout: float = 10
    stall_timeout: float = 10
    max_connection_age: float = 0
    max_violations: int = 10  # a minute
    expiry_notice: float = 60


class TokenBucket:
    """Lets `burst` through at once and `rate` a second for good; a rate of 0 lets everything through."""

    __slots__ = ("_at", "_tokens", "burst", "rate")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self.rate = rate
        self.burst = burst
        self._tokens = burst
        self._at = now

    def take(self, now: float) -> bool:
        """Take one token; `now` is in seconds of a monotonic clock. False when there is none."""
        if not self.rate:
            return True
        tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
        self._at = now
        if tokens < 1:
            self._tokens = tokens
            return False
        self._tokens = tokens - 1
        return True
