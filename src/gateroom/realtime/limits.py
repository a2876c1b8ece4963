"""How much one connection, and all of a user's together, may ask for."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from gateroom.errors import RateLimited
from gateroom.rates import Keyed, TokenBucket

USERS_REMEMBERED = 20_000
BYTE_SECONDS, COSTLY_SECONDS = 8, 10  # of their rates, that may come at once


class Cost(Enum):
    """What a command takes from."""

    PUBLISH = auto()
    COSTLY = auto()  # it may have to read history, or tells how many others there are
    CHEAP = auto()


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
    byte_rate: int = 1024 * 1024  # a second, for each connection; eight times that at once
    costly_rate: float = 20  # a second: joins, histories and presences; ten times that at once
    command_rate: float = 50  # the same for all other commands together
    command_burst: int = 300
    user_rate_factor: float = 4  # how many times a connection's rates all of a user's have together
    max_backlog_bytes: int = 1024 * 1024
    ping_interval: float = 25
    ping_timeout: float = 10
    stall_timeout: float = 10
    max_connection_age: float = 0
    max_violations: int = 10  # a minute
    expiry_notice: float = 60


class Allowance:
    """What may still be asked for: messages, costly commands and others apart, and the bytes of all of them."""

    __slots__ = ("_buckets", "_bytes")

    def __init__(self, limits: Limits, factor: float, now: float) -> None:
        """Allow `factor` times what `limits` allows one connection. Where publishing has no limit, bytes have none."""
        byte_rate = limits.byte_rate if limits.publish_rate else 0
        burst = max(BYTE_SECONDS * byte_rate, limits.max_message_bytes)
        rates = (
            (limits.publish_rate, limits.publish_burst),
            (limits.costly_rate, COSTLY_SECONDS * limits.costly_rate),
            (limits.command_rate, limits.command_burst),
        )
        self._bytes = TokenBucket(factor * byte_rate, factor * burst, now)
        self._buckets = tuple(TokenBucket(factor * rate, factor * most, now) for rate, most in rates)

    def take(self, cost: Cost, size: int, now: float) -> bool:
        """Take one command of `size` bytes; false when that is too much."""
        return self._bytes.take(now, size) and self._buckets[cost.value - 1].take(now)


class UserAllowances:
    """What each user may still ask for, over all connections and HTTP."""

    def __init__(self, limits: Limits, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._limited = limits.user_rate_factor > 0
        self._users: Keyed[str, Allowance] = Keyed(
            lambda: Allowance(limits, limits.user_rate_factor, monotonic()), USERS_REMEMBERED
        )

    def take(self, user_id: str, cost: Cost, size: int, now: float) -> bool:
        """Take one command of `size` bytes from the user's allowance; false when that is too much."""
        return not self._limited or self._users.of(user_id).take(cost, size, now)

    def charge(self, user_id: str, cost: Cost, size: int = 0) -> None:
        """Take one request. Raises `RateLimited`."""
        if not self.take(user_id, cost, size, self._monotonic()):
            raise RateLimited
