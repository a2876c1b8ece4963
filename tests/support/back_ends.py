"""In-memory stores of what back ends and auditors work with, held to the same conformance suites as the SQL ones."""

from collections.abc import Sequence
from dataclasses import replace

from gateroom.auth.ports import AuditEntry, AuditFilter


class InMemoryAudit:
    """The `AuditStore` in a list."""

    def __init__(self) -> None:
        self._entries: list[AuditEntry] = []
        self._last = 0

    async def add(self, entries: Sequence[AuditEntry]) -> None:
        for entry in entries:
            self._last += 1
            self._entries.append(replace(entry, id=self._last))

    async def page(self, wanted: AuditFilter, before: int | None, limit: int) -> Sequence[AuditEntry]:
        found = [entry for entry in reversed(self._entries) if _fits(entry, wanted)]
        return [entry for entry in found if before is None or entry.id < before][:limit]

    async def trim(self, before: float) -> None:
        self._entries = [entry for entry in self._entries if entry.at >= before]


def _fits(entry: AuditEntry, wanted: AuditFilter) -> bool:
    return (
        wanted.actor in (None, entry.actor)
        and wanted.action in (None, entry.action)
        and (wanted.target in (None, entry.target) or wanted.target == f"room:{entry.room}")
        and (wanted.since is None or entry.at >= wanted.since)
    )
