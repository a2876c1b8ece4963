"""What `ApiKeyStore` promises."""

import asyncio
from dataclasses import replace

import pytest

from gateroom.auth.ports import ApiKey
from gateroom.errors import LimitReached, NotFound
from support.stores import Stores, a_user

pytest_plugins = ["support.databases"]


def a_key(key_id: str, user_id: str = "u-ada") -> ApiKey:
    return ApiKey(key_id, user_id, f"the {key_id}", frozenset({"broadcast"}), b"\x01" * 32, 100.25)


@pytest.fixture
async def keys(stores: Stores) -> Stores:
    for name in ("ada", "bob"):
        await stores.users.add(a_user(name), "h")
    return stores


async def test_a_key_is_found_as_it_was_added(keys: Stores) -> None:
    plain, whole = a_key("k1"), replace(a_key("k2"), expires_at=200.5, used_at=150.5)
    for key in (plain, whole):
        await keys.api_keys.add(key, 10)
    assert await keys.api_keys.by_id("k1") == plain
    assert await keys.api_keys.by_id("k2") == whole
    assert await keys.api_keys.by_id("k3") is None


async def test_nobody_has_more_than_allowed_even_at_once(keys: Stores) -> None:
    wanted = [keys.api_keys.add(a_key(f"k{number}"), 3) for number in range(8)]
    outcomes = await asyncio.gather(*wanted, return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["LimitReached"] * 5 + ["NoneType"] * 3
    await keys.api_keys.add(a_key("bobs", "u-bob"), 3)
    with pytest.raises(LimitReached):
        await keys.api_keys.add(a_key("one-more"), 3)


async def test_there_is_no_key_of_nobody(keys: Stores) -> None:
    with pytest.raises(NotFound):
        await keys.api_keys.add(a_key("k1", "u-nobody"), 3)


async def test_pages_walk_all_keys_by_id(keys: Stores) -> None:
    for number in (3, 1, 2):
        await keys.api_keys.add(a_key(f"k{number}", "u-ada" if number % 2 else "u-bob"), 3)
    assert [key.id for key in await keys.api_keys.page(None, 2)] == ["k1", "k2"]
    assert [key.id for key in await keys.api_keys.page("k2", 2)] == ["k3"]


async def test_a_removed_key_is_gone_and_told(keys: Stores) -> None:
    await keys.api_keys.add(a_key("k1"), 3)
    assert await keys.api_keys.remove("k1") == a_key("k1")
    assert await keys.api_keys.by_id("k1") is None
    with pytest.raises(NotFound):
        await keys.api_keys.remove("k1")


async def test_uses_are_noted_for_what_is_still_there(keys: Stores) -> None:
    for number in (1, 2):
        await keys.api_keys.add(a_key(f"k{number}"), 3)
    await keys.api_keys.used({"k1": 170.5, "gone": 171.0})
    assert await keys.api_keys.by_id("k1") == replace(a_key("k1"), used_at=170.5)
    assert await keys.api_keys.by_id("k2") == a_key("k2")


async def test_keys_go_with_their_account(keys: Stores) -> None:
    await keys.api_keys.add(a_key("k1"), 3)
    await keys.users.remove("u-ada")
    assert await keys.api_keys.by_id("k1") is None
