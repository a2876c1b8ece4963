"""Who did what to whom, when, from where and with what outcome: kept in the store and told to the log."""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import replace

import structlog

from gateroom.auth.ports import AuditEntry, AuditStore, Clock
from gateroom.errors import GateroomError
from gateroom.rates import Buckets, TokenBucket

_log = structlog.get_logger("gateroom.audit")

OK = "ok"
SUCCESSES, SUCCESS_RATE = 1000, 1.0  # of one user and action: at once, and for good in a second
FAILURES, FAILURE_RATE = 10, 10 / 60  # of one peer, action and outcome
ALL_FAILURES, ALL_FAILURES_RATE = 300, 1.0  # of everybody together
_BATCH = 500


class Audit:
    """Records entries, but no more of a kind than an operator would read: the surplus is counted.

    What is held back is told by one entry for each action and outcome, whose `repeats` says how many there were. A
    success is stored before it is answered; failures are stored together by `flush`, since anybody can cause those.
    """

    def __init__(self, store: AuditStore, now: Clock, monotonic: Callable[[], float]) -> None:
        """`now` is in seconds since the epoch, `monotonic` in seconds of a clock that is never set back."""
        self._store = store
        self._now = now
        self._monotonic = monotonic
        self._successes: Buckets[tuple[str, str]] = Buckets(SUCCESS_RATE, SUCCESSES, monotonic)
        self._failures: Buckets[tuple[str, str, str]] = Buckets(FAILURE_RATE, FAILURES, monotonic)
        self._all_failures = TokenBucket(ALL_FAILURES_RATE, ALL_FAILURES, monotonic())
        self._waiting: deque[AuditEntry] = deque()
        self._held_back: Counter[tuple[str, str]] = Counter()

    async def record(self, entry: AuditEntry) -> None:
        """Record an entry; its `at` is set here. Never raises: what was done is done."""
        entry = replace(entry, at=self._now())
        if not self._admits(entry):
            self._held_back[entry.action, entry.outcome] += 1
            return
        _tell(entry)
        if entry.outcome == OK:
            await self._add([entry])
        else:
            self._waiting.append(entry)

    async def flush(self) -> None:
        """Store the failures that wait, and at the end how many were held back."""
        while self._waiting:
            await self._add([self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))])

    async def tell_held_back(self) -> None:
        """Record how many entries were held back since this was last called."""
        held_back, self._held_back = self._held_back, Counter()
        at = self._now()
        for (action, outcome), count in held_back.items():
            entry = AuditEntry(action, outcome, at=at, repeats=count)
            _tell(entry)
            self._waiting.append(entry)
        await self.flush()

    def _admits(self, entry: AuditEntry) -> bool:
        now, who = self._monotonic(), entry.actor or entry.address
        if entry.outcome == OK:
            return self._successes.of((entry.action, who)).take(now)
        return self._failures.of((entry.action, entry.outcome, who)).take(now) and self._all_failures.take(now)

    async def _add(self, entries: list[AuditEntry]) -> None:
        try:
            await self._store.add(entries)
        except GateroomError as error:  # the log has them
            _log.error("audit_not_stored", entries=len(entries), outcome=error.code)


def _tell(entry: AuditEntry) -> None:
    fields = {
        "action": entry.action,
        "outcome": entry.outcome,
        "user": entry.actor,
        "username": entry.actor_name,
        "session": entry.session,
        "target": entry.target,
        "room": entry.room,
        "peer": entry.address,
        "repeats": entry.repeats or None,
    }
    _log.info("audit", **{name: value for name, value in fields.items() if value})
