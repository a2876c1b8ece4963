"""Log lines that a peer can cause: one for each kind of event, sampled; and faults of ours, each with an id."""

import secrets
import time
from collections.abc import Callable

import structlog

from gateroom.errors import InternalError

_log = structlog.get_logger("gateroom.incidents")


class Sampler:
    """Lets `burst` lines of a kind through per `interval` seconds, and counts what it holds back."""

    def __init__(self, burst: int = 10, interval: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst = burst
        self._interval = interval
        self._clock = clock
        self._kinds: dict[str, tuple[float, int]] = {}  # when its interval began, lines since

    def admit(self, kind: str) -> int | None:
        """Say how many lines of this kind were held back before this one; None holds it back too."""
        now = self._clock()
        began, lines = self._kinds.get(kind, (now, 0))
        held_back = 0
        if now - began >= self._interval:
            held_back = max(0, lines - self._burst)
            began, lines = now, 0
        self._kinds[kind] = (began, lines + 1)
        return held_back if lines < self._burst else None


_sampler = Sampler()


def note(kind: str, *, code: str | int | None = None, **fields: object) -> None:
    """Log what a peer did or was refused, unless there was enough of this kind and code lately.

    `kind` and `code` are from a bounded set; no field is the peer's text. The line has the code as its `outcome`, of
    a `peer` with a port only the host. Fields that are None or empty are left out.
    """
    held_back = _sampler.admit(f"{kind} {code}")
    if held_back is not None:
        if isinstance(peer := fields.get("peer"), tuple):
            fields["peer"] = peer[0]
        told = {"outcome": code, **fields, "held_back": held_back or None}
        _log.info(kind, **{name: value for name, value in told.items() if value not in (None, "")})


def blame(kind: str, fault: BaseException | None, **fields: object) -> str:
    """Log a fault of ours with a new id, and return the close reason that tells it to the peer."""
    error_id = secrets.token_hex(6)
    _log.error(kind, error_id=error_id, exc_info=fault, **fields)
    return f"{InternalError.code} {error_id}"
