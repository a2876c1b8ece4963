"""What `UserStore`, `UserPages` and `PasswordStore` promise."""

import asyncio
from dataclasses import replace

import pytest

from gateroom.errors import Conflict, NotFound
from gateroom.rooms.model import Role
from support.stores import Stores, a_room, a_user

pytest_plugins = ["support.databases"]


async def test_an_added_account_is_found_by_id_and_by_name(stores: Stores) -> None:
    ada = a_user("ada", roles=frozenset({"staff", "ops"}), scopes=frozenset({"rooms:create"}), valid_from=17.125)
    await stores.users.add(ada, "$argon2id$ada")
    assert await stores.users.by_id("u-ada") == ada
    assert await stores.users.by_name("ada") == ada


async def test_nobody_is_found_under_an_unknown_id_or_name(stores: Stores) -> None:
    await stores.users.add(a_user("ada"), "h")
    assert await stores.users.by_id("ada") is None
    assert await stores.users.by_name("u-ada") is None
    assert await stores.passwords.hash_of("ada") is None


@pytest.mark.parametrize("twin", [a_user("ada", id="other"), a_user("eve", id="u-ada")], ids=["name", "id"])
async def test_a_taken_name_or_id_is_refused_and_changes_nothing(stores: Stores, twin: object) -> None:
    ada = a_user("ada")
    await stores.users.add(ada, "first")
    with pytest.raises(Conflict):
        await stores.users.add(twin, "second")  # type: ignore[arg-type]  # parametrize knows no types
    assert await stores.pages.page(None, 10) == [ada]
    assert await stores.passwords.hash_of("u-ada") == "first"
    assert await stores.passwords.hash_of("other") is None


async def test_of_many_who_take_a_name_at_once_one_gets_it(stores: Stores) -> None:
    takers = [a_user("ada", id=f"u{number}") for number in range(8)]
    outcomes = await asyncio.gather(*(stores.users.add(taker, taker.id) for taker in takers), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes if outcome] == [Conflict] * 7
    winner = await stores.users.by_name("ada")
    assert winner is not None
    assert outcomes[int(winner.id[1:])] is None


async def test_saving_overwrites_the_powers_but_not_the_name(stores: Stores) -> None:
    ada = a_user("ada", roles=frozenset({"staff"}), scopes=frozenset({"broadcast"}))
    await stores.users.add(ada, "h")
    changed = replace(ada, roles=frozenset(), scopes=frozenset({"a", "b"}), disabled=True, valid_from=1_800_000_000.5)
    await stores.users.save(replace(changed, username="eve", created_at=1.0))
    assert await stores.users.by_id("u-ada") == changed
    assert await stores.users.by_name("eve") is None


async def test_what_has_changed_meanwhile_is_not_overwritten(stores: Stores) -> None:
    ada = a_user("ada", scopes=frozenset({"broadcast"}))
    await stores.users.add(ada, "h")
    blocked, busy = replace(ada, disabled=True), replace(ada, roles=frozenset({"staff"}))
    await stores.users.save(blocked, ada)
    with pytest.raises(Conflict):
        await stores.users.save(busy, ada)
    assert await stores.users.by_id("u-ada") == blocked
    await stores.users.save(replace(busy, disabled=True), blocked)
    assert await stores.users.by_id("u-ada") == replace(busy, disabled=True)


async def test_of_many_who_change_the_same_account_at_once_one_does(stores: Stores) -> None:
    ada = a_user("ada")
    await stores.users.add(ada, "h")
    wanted = [replace(ada, scopes=frozenset({f"s{number}"})) for number in range(8)]
    outcomes = await asyncio.gather(*(stores.users.save(each, ada) for each in wanted), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes if outcome] == [Conflict] * 7
    assert await stores.users.by_id("u-ada") == wanted[outcomes.index(None)]


async def test_what_is_gone_cannot_be_changed(stores: Stores) -> None:
    await stores.users.add(a_user("ada"), "h")
    await stores.users.remove("u-ada")
    with pytest.raises(NotFound):
        await stores.users.save(a_user("ada"))
    with pytest.raises(NotFound):
        await stores.passwords.replace("u-ada", "h2")
    with pytest.raises(NotFound):
        await stores.users.remove("u-ada")
    assert await stores.users.by_id("u-ada") is None
    assert await stores.passwords.hash_of("u-ada") is None


async def test_a_removed_account_leaves_no_membership_behind_but_its_rooms(stores: Stores) -> None:
    for name in ("ada", "bob"):
        await stores.users.add(a_user(name), "h")
    await stores.rooms.add(a_room("hers", created_by="u-ada"), "u-ada")
    await stores.members.put("hers", "u-bob", Role.MEMBER)
    await stores.users.remove("u-ada")
    assert [member.username for member in await stores.members.page("hers", None, 10)] == ["bob"]
    assert await stores.members.of("hers", "u-ada") is None
    assert await stores.rooms.by_id("hers") == a_room("hers")


async def test_the_name_of_a_removed_account_is_free_again(stores: Stores) -> None:
    await stores.users.add(a_user("ada"), "old")
    await stores.users.remove("u-ada")
    again = a_user("ada", id="new")
    await stores.users.add(again, "new")
    assert await stores.users.by_name("ada") == again
    assert await stores.passwords.hash_of("new") == "new"


async def test_a_password_is_replaced(stores: Stores) -> None:
    for name in ("ada", "bob"):
        await stores.users.add(a_user(name), f"hash of {name}")
    await stores.passwords.replace("u-ada", "another")
    assert await stores.passwords.hash_of("u-ada") == "another"
    assert await stores.passwords.hash_of("u-bob") == "hash of bob"


async def test_pages_walk_all_accounts_in_order_of_the_name_whatever_the_locale(stores: Stores) -> None:
    names = ["a", "a-b", "a.b", "a0", "a_b", "ab", "b", "zed"]
    for name in reversed(names):
        await stores.users.add(a_user(name), "h")
    seen: list[str] = []
    while page := await stores.pages.page(seen[-1] if seen else None, 3):
        assert len(page) <= 3
        seen += [user.username for user in page]
    assert seen == sorted(names)
    assert [user.username for user in await stores.pages.page("a.zzz", 2)] == ["a0", "a_b"]
