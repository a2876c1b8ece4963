"""How many may come in: counted before accept, so that the surplus costs almost nothing."""

from collections import Counter
from collections.abc import Callable

from gateroom.auth.throttle import network_of
from gateroom.errors import ConnectionLimit, RateLimited, Restarting
from gateroom.rates import TokenBucket
from gateroom.realtime.limits import Limits


class Place:
    """One socket's place, from the handshake on. `taken` once a session has it and will give it back."""

    __slots__ = ("address", "door", "taken", "user_id")

    def __init__(self, door: "Door", address: str) -> None:
        self.door = door
        self.address = address
        self.user_id: str | None = None
        self.taken = False


class Door:
    """Counts sockets in all, by address and by user, handshakes under way included."""

    def __init__(self, limits: Limits, monotonic: Callable[[], float]) -> None:
        self._limits = limits
        self._monotonic = monotonic
        self._handshakes = TokenBucket(limits.handshake_rate, max(1, 2 * limits.handshake_rate), monotonic())
        self._by_address: Counter[str] = Counter()
        self._by_user: Counter[str] = Counter()
        self.inside = 0
        self.shut = False

    def enter(self, address: str) -> Place:
        """Give a place. Raises `Restarting`, `RateLimited` or `ConnectionLimit`."""
        limits = self._limits
        if self.shut:
            raise Restarting
        if not self._handshakes.take(self._monotonic()):
            raise RateLimited
        if self.inside >= limits.max_connections > 0:
            raise ConnectionLimit
        network = self._network(address)
        if self._by_address[network] >= limits.max_connections_per_address > 0:
            raise ConnectionLimit
        self.inside += 1
        self._by_address[network] += 1
        return Place(self, address)

    def identify(self, place: Place, user_id: str) -> None:
        """Count the place as the user's too. Raises `ConnectionLimit`."""
        if self._by_user[user_id] >= self._limits.max_connections_per_user > 0:
            raise ConnectionLimit
        self._by_user[user_id] += 1
        place.user_id = user_id

    def leave(self, place: Place) -> None:
        """Take the place back."""
        self.inside -= 1
        _lower(self._by_address, self._network(place.address))
        if place.user_id is not None:
            _lower(self._by_user, place.user_id)

    def _network(self, address: str) -> str:
        """Return what an address is counted under; where nothing depends on it, it is not worth the work."""
        return network_of(address) if self._limits.max_connections_per_address else address


def _lower(counts: Counter[str], key: str) -> None:
    counts[key] -= 1
    if not counts[key]:
        del counts[key]
