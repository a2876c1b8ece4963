"""What is recorded one by one, what is only counted, and what the log says."""

from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs

from gateroom.auth.audit import ALL_FAILURES, FAILURES, OK, SUCCESSES, Audit
from gateroom.auth.ports import AuditEntry, AuditFilter
from gateroom.errors import Unavailable
from support.back_ends import InMemoryAudit
from support.clock import FrozenClock


class BreakableAudit(InMemoryAudit):
    """Takes nothing while it is broken."""

    broken = False

    async def add(self, entries: Sequence[AuditEntry]) -> None:
        if self.broken:
            raise Unavailable
        await super().add(entries)


class Desk:
    def __init__(self) -> None:
        self.clock, self.store = FrozenClock(), BreakableAudit()
        self.audit = Audit(self.store, self.clock, self.clock)

    async def fail(self, times: int, address: str = "192.0.2.1", action: str = "auth.login") -> None:
        for _ in range(times):
            await self.audit.record(AuditEntry(action, "invalid_credentials", address=address))

    async def stored(self) -> Sequence[AuditEntry]:
        return await self.store.page(AuditFilter(), None, 1_000_000)


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_a_success_is_stored_before_it_is_answered_and_a_failure_when_it_is_flushed(desk: Desk) -> None:
    await desk.audit.record(AuditEntry("rooms.create", OK, "u-ada"))
    await desk.fail(1)
    assert [(entry.action, entry.at) for entry in await desk.stored()] == [("rooms.create", desk.clock())]
    await desk.audit.flush()
    assert [entry.action for entry in await desk.stored()] == ["auth.login", "rooms.create"]


async def test_a_flood_of_failures_becomes_a_few_entries_and_a_count(desk: Desk) -> None:
    await desk.fail(1000)
    await desk.fail(2, "192.0.2.2")
    await desk.audit.tell_held_back()
    newest, *single = await desk.stored()
    assert (newest.repeats, newest.action, newest.outcome) == (1000 - FAILURES, "auth.login", "invalid_credentials")
    assert [entry.repeats for entry in single] == [0] * (FAILURES + 2)
    await desk.audit.tell_held_back()
    assert len(await desk.stored()) == FAILURES + 3


async def test_a_flood_from_everywhere_is_bounded_too(desk: Desk) -> None:
    for number in range(5000):
        await desk.fail(1, f"10.0.{number % 250}.{number // 250}")
        desk.clock.advance(0.01)
    await desk.audit.tell_held_back()
    stored = await desk.stored()
    assert len(stored) <= ALL_FAILURES + 50 + 1
    assert sum(entry.repeats or 1 for entry in stored) == 5000


async def test_what_one_user_does_again_and_again_is_counted_in_the_end(desk: Desk) -> None:
    for _ in range(SUCCESSES + 5):
        await desk.audit.record(AuditEntry("rooms.create", OK, "u-ada"))
    await desk.audit.record(AuditEntry("rooms.create", OK, "u-bob"))
    await desk.audit.tell_held_back()
    assert [entry.repeats for entry in await desk.stored()] == [5, *[0] * (SUCCESSES + 1)]


async def test_what_was_done_is_done_even_if_it_cannot_be_recorded(desk: Desk) -> None:
    desk.store.broken = True
    with capture_logs() as lines:
        await desk.audit.record(AuditEntry("users.delete", OK, "u-ada", target="user:u-bob"))
    assert [line["event"] for line in lines] == ["audit", "audit_not_stored"]
    assert lines[0]["target"] == "user:u-bob"


async def test_each_entry_is_a_line_of_the_log_and_what_is_held_back_is_not(desk: Desk) -> None:
    entry = AuditEntry("moderation.ban", OK, "u-ada", "ada", "s1", "user:u-bob", "lobby", "192.0.2.1")
    with capture_logs() as lines:
        await desk.audit.record(entry)
        await desk.fail(1000)
        await desk.audit.tell_held_back()
    assert lines[0] == {
        "event": "audit",
        "log_level": "info",
        "action": "moderation.ban",
        "outcome": "ok",
        "user": "u-ada",
        "username": "ada",
        "session": "s1",
        "target": "user:u-bob",
        "room": "lobby",
        "peer": "192.0.2.1",
    }
    assert len(lines) == 1 + FAILURES + 1
    assert lines[-1]["repeats"] == 1000 - FAILURES
