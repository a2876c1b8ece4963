"""In-memory stores of what back ends and auditors work with, held to the same conformance suites as the SQL ones."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from gateroom.auth.ports import ApiKey, AuditEntry, AuditFilter, User
from gateroom.errors import LimitReached, NotFound


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


class Owners(Protocol):
    """The accounts that keys belong to."""

    on_remove: list[Callable[[str], None]]

    def existing(self, user_id: str) -> User:
        """Return the account. Raises `NotFound`."""
        ...


class InMemoryApiKeys:
    """The `ApiKeyStore` in a dict."""

    def __init__(self, owners: Owners) -> None:
        self._owners = owners
        self._keys: dict[str, ApiKey] = {}
        self.reads = 0
        owners.on_remove.append(self._forget_user)

    async def add(self, key: ApiKey, most: int) -> None:
        self._owners.existing(key.user_id)
        if sum(held.user_id == key.user_id for held in self._keys.values()) >= most:
            raise LimitReached
        self._keys[key.id] = key

    async def by_id(self, key_id: str) -> ApiKey | None:
        self.reads += 1
        return self._keys.get(key_id)

    async def page(self, after: str | None, limit: int) -> Sequence[ApiKey]:
        return [key for key_id, key in sorted(self._keys.items()) if key_id > (after or "")][:limit]

    async def remove(self, key_id: str) -> ApiKey:
        if key_id not in self._keys:
            raise NotFound
        return self._keys.pop(key_id)

    async def used(self, at: Mapping[str, float]) -> None:
        for key_id in at.keys() & self._keys.keys():
            self._keys[key_id] = replace(self._keys[key_id], used_at=at[key_id])

    def _forget_user(self, user_id: str) -> None:
        self._keys = {key_id: key for key_id, key in self._keys.items() if key.user_id != user_id}


def _fits(entry: AuditEntry, wanted: AuditFilter) -> bool:
    return (
        wanted.actor in (None, entry.actor)
        and wanted.action in (None, entry.action)
        and (wanted.target in (None, entry.target) or wanted.target == f"room:{entry.room}")
        and (wanted.since is None or entry.at >= wanted.since)
    )
