"""How often passwords may be guessed: by address, by name and in all, without letting a stranger lock anybody out."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv6Address, ip_address
from math import ceil

from gateroom.errors import InvalidCredentials, RateLimited
from gateroom.rates import Buckets, TokenBucket

MEMORY_SIZE = 20_000  # addresses, names, and pairs of both that are remembered
WHOLE_FACTOR = 30  # times the rate of one address: what all strangers may fail together
FRESH_TRIES = 2  # a minute, that each address has for a name which others use up

_Pair = tuple[str, str]


class LoginThrottle:
    """Counts failed logins; those that succeed are given back.

    An address has `rate` failures a minute, a name has as many over all addresses, and all strangers together thirty
    times that. Where others have used a name up, each further address still has two tries a minute, so whoever
    knows the password gets in. A pair of name and address that has logged in before is nobody's victim: only its own
    failures count. What is remembered is bounded; who is forgotten begins anew. Unknown names are counted alike.
    """

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        """`rate` is in failures a minute, 0 for no limit; `clock` counts seconds and is never set back."""
        second = rate / 60
        self._clock = clock
        self._addresses: Buckets[str] = Buckets(second, rate, clock, MEMORY_SIZE)
        self._names: Buckets[str] = Buckets(second, rate, clock, MEMORY_SIZE)
        self._familiar: Buckets[_Pair] = Buckets(second, rate, clock, MEMORY_SIZE)
        fresh = min(rate, FRESH_TRIES)
        self._fresh: Buckets[_Pair] = Buckets(fresh / 60, fresh, clock, MEMORY_SIZE)
        self._whole = TokenBucket(WHOLE_FACTOR * second, WHOLE_FACTOR * rate, clock())
        self._known: OrderedDict[_Pair, None] = OrderedDict()

    def _enter(self, name: str, address: str) -> tuple[list[TokenBucket], _Pair]:
        """Count an attempt as failed for now. Raises `RateLimited` with the seconds to wait."""
        pair = (name, network_of(address))
        if pair in self._known:
            return self._taken([self._familiar.of(pair)]), pair
        common = [self._addresses.of(pair[1]), self._whole]
        try:
            return self._taken([*common, self._names.of(name)]), pair
        except RateLimited:
            return self._taken([*common, self._fresh.of(pair)]), pair

    @contextmanager
    def attempt(self, name: str, address: str) -> Iterator[None]:
        """Count the block as one attempt: `InvalidCredentials` raised in it is a failure, any other error is not."""
        taken, pair = self._enter(name, address)
        try:
            yield
        except InvalidCredentials:
            raise
        except BaseException:
            _give_back(taken)
            raise
        _give_back(taken)
        self._remember(pair)

    def _remember(self, pair: _Pair) -> None:
        """Take note that this name logged in from this address."""
        self._known[pair] = None
        self._known.move_to_end(pair)
        if len(self._known) > MEMORY_SIZE:
            self._known.popitem(last=False)

    def _taken(self, buckets: list[TokenBucket]) -> list[TokenBucket]:
        now, taken = self._clock(), list[TokenBucket]()
        for bucket in buckets:
            if not bucket.take(now):
                _give_back(taken)
                raise RateLimited("Too many failed logins; wait before the next.", retry_after=ceil(bucket.wait(now)))
            taken.append(bucket)
        return taken


def _give_back(taken: list[TokenBucket]) -> None:
    for bucket in taken:
        bucket.give_back()


def network_of(address: str) -> str:
    """Return what one subscriber is counted under: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        if (mapped := parsed.ipv4_mapped) is not None:
            return str(mapped)
        return str(IPv6Address(int(parsed) >> 64 << 64))
    return address
