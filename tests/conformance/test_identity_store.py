"""What `IdentityStore` promises."""

import asyncio
from dataclasses import replace

import pytest

from gateroom.auth.ports import Identity, User
from gateroom.errors import Conflict, NotFound
from support.stores import Stores, a_user

pytest_plugins = ["support.databases"]

ADA = Identity("https://login.example", "ada@provider", "u-ada", 17.5)


async def test_an_account_that_is_made_with_an_identity_has_no_password(stores: Stores) -> None:
    user = a_user("ada", roles=frozenset({"staff"}))
    await stores.identities.create(user, ADA)
    assert await stores.identities.find(ADA.issuer, ADA.subject) == ADA
    assert await stores.users.by_name("ada") == user
    assert await stores.passwords.hash_of("u-ada") is None


async def test_a_subject_of_one_issuer_is_nobody_to_another(stores: Stores) -> None:
    await stores.identities.create(a_user("ada"), ADA)
    assert await stores.identities.find("https://other.example", ADA.subject) is None
    assert await stores.identities.find(ADA.issuer, ADA.subject.upper()) is None


@pytest.mark.parametrize(
    ("user", "identity"),
    [
        (a_user("ada", id="u-eve"), replace(ADA, subject="eve", user_id="u-eve")),
        (a_user("eve"), replace(ADA, user_id="u-eve")),
    ],
    ids=["name", "identity"],
)
async def test_what_is_there_already_is_refused_and_changes_nothing(
    stores: Stores, user: User, identity: Identity
) -> None:
    await stores.identities.create(a_user("ada"), ADA)
    with pytest.raises(Conflict):
        await stores.identities.create(user, identity)
    assert await stores.pages.page(None, 10) == [a_user("ada")]
    assert await stores.identities.find(ADA.issuer, ADA.subject) == ADA
    assert await stores.identities.find(ADA.issuer, "eve") is None


async def test_of_many_who_see_a_subject_at_once_one_makes_the_account(stores: Stores) -> None:
    outcomes = await asyncio.gather(
        *(stores.identities.create(a_user(f"ada{n}"), replace(ADA, user_id=f"u-ada{n}")) for n in range(6)),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes if outcome] == [Conflict] * 5
    assert len(await stores.pages.page(None, 10)) == 1


async def test_an_account_is_linked_and_unlinked(stores: Stores) -> None:
    await stores.users.add(a_user("ada"), "h")
    await stores.identities.link(ADA)
    assert await stores.identities.find(ADA.issuer, ADA.subject) == ADA
    with pytest.raises(Conflict):
        await stores.identities.link(ADA)
    with pytest.raises(NotFound):
        await stores.identities.link(replace(ADA, subject="eve", user_id="u-eve"))
    await stores.identities.unlink(ADA.issuer, ADA.subject)
    assert await stores.identities.find(ADA.issuer, ADA.subject) is None
    with pytest.raises(NotFound):
        await stores.identities.unlink(ADA.issuer, ADA.subject)
    assert await stores.passwords.hash_of("u-ada") == "h"


async def test_powers_follow_the_newest_token_only(stores: Stores) -> None:
    await stores.identities.create(a_user("ada", disabled=True, valid_from=3.5), ADA)
    staff, send = frozenset({"staff"}), frozenset({"users:send"})
    assert await stores.identities.follow(replace(ADA, as_of=20), staff, send)
    followed = a_user("ada", disabled=True, valid_from=3.5, roles=staff, scopes=send)
    for older in (20, 19, 0):
        assert not await stores.identities.follow(replace(ADA, as_of=older), frozenset({"admin"}), frozenset())
    assert await stores.users.by_id("u-ada") == followed
    found = await stores.identities.find(ADA.issuer, ADA.subject)
    assert found is not None
    assert found.as_of == 20


async def test_what_the_issuer_does_not_tell_stays_as_it_is(stores: Stores) -> None:
    staff, send = frozenset({"staff"}), frozenset({"users:send"})
    await stores.identities.create(a_user("ada", scopes=send), ADA)
    assert await stores.identities.follow(replace(ADA, as_of=20), staff, None)
    assert await stores.users.by_id("u-ada") == a_user("ada", roles=staff, scopes=send)
    assert await stores.identities.follow(replace(ADA, as_of=21), None, frozenset())
    assert await stores.users.by_id("u-ada") == a_user("ada", roles=staff)
    assert await stores.identities.follow(replace(ADA, as_of=22), None, None)
    assert await stores.users.by_id("u-ada") == a_user("ada", roles=staff)


async def test_an_identity_goes_with_its_account(stores: Stores) -> None:
    await stores.identities.create(a_user("ada"), ADA)
    await stores.users.remove("u-ada")
    assert await stores.identities.find(ADA.issuer, ADA.subject) is None
    with pytest.raises(NotFound):
        await stores.identities.follow(replace(ADA, as_of=99), frozenset(), frozenset())
