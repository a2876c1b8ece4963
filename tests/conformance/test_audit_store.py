"""What `AuditStore` promises."""

from dataclasses import replace

from gateroom.auth.ports import AuditEntry, AuditFilter
from support.stores import Stores

pytest_plugins = ["support.databases"]

EVERYTHING = AuditFilter()


def an_entry(action: str = "rooms.create", **fields: object) -> AuditEntry:
    whole = AuditEntry(action, "ok", "u-ada", "ada", "s1", "room:lobby", "lobby", "192.0.2.1", at=100.5)
    return replace(whole, **fields)  # type: ignore[arg-type]  # what a test names fits


async def actions(stores: Stores, wanted: AuditFilter) -> list[str]:
    return [entry.action for entry in await stores.audit.page(wanted, None, 100)]


async def test_entries_are_read_as_they_were_added_newest_first(stores: Stores) -> None:
    first, second = an_entry(), AuditEntry("auth.login", "invalid_credentials", at=101.0, repeats=7)
    await stores.audit.add([first, second])
    third = an_entry("users.delete", target="user:u-bob", room=None)
    await stores.audit.add([third])
    found = await stores.audit.page(EVERYTHING, None, 10)
    assert [replace(entry, id=0) for entry in found] == [third, second, first]
    assert len({entry.id for entry in found}) == 3


async def test_pages_walk_the_whole_log(stores: Stores) -> None:
    await stores.audit.add([an_entry(f"a.{number}") for number in range(7)])
    seen: list[AuditEntry] = []
    while page := await stores.audit.page(EVERYTHING, seen[-1].id if seen else None, 3):
        assert len(page) <= 3
        seen += page
    assert [entry.action for entry in seen] == [f"a.{number}" for number in range(6, -1, -1)]


async def test_each_filter_holds_and_all_together(stores: Stores) -> None:
    await stores.audit.add(
        [
            an_entry("one", actor="u-bob"),
            an_entry("two", target="user:u-eve"),
            an_entry("three", target="user:u-eve", room=None),
            an_entry("four", at=300.0),
            an_entry("five", actor=None, target=None, room=None),
        ]
    )
    assert await actions(stores, AuditFilter(actor="u-bob")) == ["one"]
    assert await actions(stores, AuditFilter(action="two")) == ["two"]
    assert await actions(stores, AuditFilter(target="user:u-eve")) == ["three", "two"]
    assert await actions(stores, AuditFilter(target="room:lobby")) == ["four", "two", "one"]
    assert await actions(stores, AuditFilter(since=300.0)) == ["four"]
    assert await actions(stores, AuditFilter("u-ada", "two", "room:lobby", 100.5)) == ["two"]
    assert await actions(stores, AuditFilter("u-ada", "two", "room:lobby", 100.6)) == []
    assert await actions(stores, AuditFilter(target="room:%")) == []


async def test_what_is_old_is_trimmed(stores: Stores) -> None:
    await stores.audit.add([an_entry("old", at=99.9), an_entry("new", at=100.0)])
    await stores.audit.trim(before=100.0)
    assert await actions(stores, EVERYTHING) == ["new"]
