"""Which account a subject of an outside issuer acts as."""

import asyncio
from dataclasses import replace

import pytest

from gateroom.auth.accounts import Accounts
from gateroom.auth.alive import Alive
from gateroom.auth.claims import Claims
from gateroom.auth.newcomers import RECHECK, OutsideAccounts
from gateroom.auth.outside_claims import IssuerRules, OutsideClaims
from gateroom.auth.ports import AuditEntry, Identity, User
from gateroom.auth.principal import OUTSIDE_SESSION
from gateroom.errors import UserDisabled
from support.clock import FrozenClock
from support.stores import a_user, in_memory

ISSUER = "https://login.example"
RULES = IssuerRules(ISSUER, frozenset({"api"}), create_users=True)
ROLES = replace(RULES, roles_claim="roles", role_scopes={"admin": frozenset({"users:admin"})})
DEFAULT = frozenset({"rooms:create"})
ADA = OutsideClaims(
    issuer=ISSUER,
    subject="s-ada",
    audience="api",
    expires_at=2000,
    issued_at=1000,
    token_id=None,
    session=None,
    username="ada",
    roles=frozenset(),
    scopes=None,
)


class Town:
    """Accounts in memory, and whom their changes were told."""

    def __init__(self) -> None:
        self.stores = in_memory()
        self.clock = FrozenClock(1_800_000_000)
        self.changed: list[User] = []
        self.audited: list[tuple[str, str | None]] = []
        self.newcomers = self.another_process()

    def another_process(self) -> OutsideAccounts:
        alive = Alive(self.stores.sessions, self.stores.revocations, self.stores.api_keys, self.clock, self.clock)
        accounts = Accounts(self.stores.users, alive, self.clock)
        return OutsideAccounts(
            self.stores.identities, accounts, DEFAULT, self.clock, self.clock, self._note, self._record
        )

    async def admit(self, stranger: OutsideClaims, rules: IssuerRules = RULES) -> Claims:
        return await self.newcomers.admit(stranger, rules, "t-1")

    async def user(self, claims: Claims) -> User:
        found = await self.stores.users.by_id(claims.sub)
        assert found is not None
        return found

    async def _record(self, entry: AuditEntry) -> None:
        self.audited.append((entry.action, entry.target))

    async def _note(self, user: User) -> None:
        self.changed.append(user)


@pytest.fixture
def town() -> Town:
    return Town()


async def test_an_account_is_made_on_first_sight_and_found_again(town: Town) -> None:
    claims = await town.admit(ADA)
    user = await town.user(claims)
    assert (user.username, user.scopes, user.roles) == ("ada", DEFAULT, frozenset())
    assert await town.stores.passwords.hash_of(user.id) is None
    assert (claims.scope, claims.iat, claims.exp) == (DEFAULT, 1000, 2000)
    assert (await town.admit(replace(ADA, username="renamed"))).sub == user.id
    assert (await town.another_process().admit(ADA, RULES, "t-2")).sub == user.id
    assert len(await town.stores.pages.page(None, 10)) == 1


async def test_nobody_is_let_in_where_accounts_are_not_made(town: Town) -> None:
    strict = replace(RULES, create_users=False)
    with pytest.raises(UserDisabled):
        await town.admit(ADA, strict)
    assert await town.stores.pages.page(None, 10) == []
    await town.stores.users.add(a_user("local", scopes=frozenset({"broadcast"})), "h")
    await town.stores.identities.link(Identity(ISSUER, "s-ada", "u-local"))
    claims = await town.admit(ADA, strict)
    assert (claims.sub, claims.scope) == ("u-local", frozenset({"broadcast"}))


async def test_a_name_never_leads_to_an_account_that_is_there(town: Town) -> None:
    await town.stores.users.add(a_user("ada", scopes=frozenset({"users:admin"})), "h")
    claims = await town.admit(ADA)
    user = await town.user(claims)
    assert claims.sub != "u-ada"
    assert user.username.startswith("ada-")
    assert user.scopes == DEFAULT
    assert await town.stores.users.by_id("u-ada") == a_user("ada", scopes=frozenset({"users:admin"}))


async def test_the_same_subject_or_name_at_another_issuer_is_somebody_else(town: Town) -> None:
    other = replace(RULES, issuer="https://other.example")
    one, two = await town.admit(ADA), await town.admit(replace(ADA, issuer=other.issuer), other)
    assert one.sub != two.sub
    assert one.sid != two.sid


@pytest.mark.parametrize(
    ("told", "username"),
    [
        ("Ada", "ada"),
        ("Ada@Contoso.example", "ada-contoso.example"),
        ("-._ada_.-", "ada"),
        ("Zoë Müller", "zo-m-ller"),
        ("x" * 255, "x" * 40),
        (None, "user-"),
        ("a", "user-"),
        ("@@@", "user-"),
        ("阿達", "user-"),
    ],
)
async def test_a_username_is_made_of_what_the_issuer_tells(town: Town, told: str | None, username: str) -> None:
    made = (await town.user(await town.admit(replace(ADA, username=told)))).username
    assert made.startswith(username) if username == "user-" else made == username


async def test_of_many_who_see_somebody_first_one_makes_the_account(town: Town) -> None:
    processes = [town.another_process() for _ in range(5)]
    admitted = await asyncio.gather(*(process.admit(ADA, RULES, "t") for process in processes))
    assert len({claims.sub for claims in admitted}) == 1
    assert len(await town.stores.pages.page(None, 10)) == 1


async def test_whoever_is_disabled_or_gone_is_kept_out(town: Town) -> None:
    claims = await town.admit(ADA)
    await town.stores.users.save(replace(await town.user(claims), disabled=True))
    with pytest.raises(UserDisabled):
        await town.another_process().admit(ADA, RULES, "t")


async def test_a_session_is_that_of_the_issuer_or_the_subjects_and_never_one_of_ours(town: Town) -> None:
    first = await town.admit(ADA)
    assert (await town.admit(replace(ADA, issued_at=1500))).sid == first.sid
    with_session = await town.admit(replace(ADA, session="kc-1"))
    assert with_session.sid not in (first.sid, (await town.admit(replace(ADA, session="kc-2"))).sid)
    assert first.sid.startswith(OUTSIDE_SESSION)
    assert with_session.sid.startswith(OUTSIDE_SESSION)


async def test_scopes_of_the_token_are_taken_where_they_are_asked_for(town: Town) -> None:
    assert (await town.admit(replace(ADA, scopes=frozenset({"openid"})))).scope == {"openid"}


# Roles


async def test_following_roles_gives_back_no_scope_that_was_taken_meanwhile(town: Town) -> None:
    """By another process, so that this one still remembers the account as it was."""
    rules = replace(RULES, roles_claim="roles")
    user = await town.user(await town.admit(ADA, rules))
    await town.stores.users.save(replace(user, scopes=frozenset()))
    claims = await town.admit(replace(ADA, issued_at=1001, roles=frozenset({"editor"})), rules)
    assert await town.user(claims) == replace(user, scopes=frozenset(), roles=frozenset({"editor"}))


async def test_roles_and_what_they_bring_follow_the_issuer(town: Town) -> None:
    chief = replace(ADA, roles=frozenset({"admin", "Staff", "not a role"}))
    claims = await town.admit(chief, ROLES)
    user = await town.user(claims)
    assert (user.roles, user.scopes) == (frozenset({"admin", "staff"}), DEFAULT | {"users:admin"})
    assert (claims.roles, claims.scope) == (user.roles, user.scopes)

    dismissed = await town.admit(replace(ADA, issued_at=1001, roles=frozenset({"staff"})), ROLES)
    assert (dismissed.roles, dismissed.scope) == (frozenset({"staff"}), DEFAULT)
    assert town.changed == [await town.user(claims)]
    assert town.changed[0].scopes == DEFAULT
    assert town.audited == [("identities.create", f"user:{user.id}"), ("identities.follow", f"user:{user.id}")]

    older = await town.admit(chief, ROLES)
    assert older.scope == DEFAULT
    assert (await town.user(claims)).scopes == DEFAULT
    assert (await town.another_process().admit(chief, ROLES, "t")).scope == DEFAULT


async def test_without_a_rule_for_roles_the_account_keeps_its_own(town: Town) -> None:
    claims = await town.admit(ADA)
    await town.stores.users.save(
        replace(await town.user(claims), roles=frozenset({"local"}), scopes=frozenset({"broadcast"}))
    )
    again = await town.another_process().admit(replace(ADA, issued_at=1500, roles=frozenset({"admin"})), RULES, "t")
    assert (again.roles, again.scope) == (frozenset({"local"}), frozenset({"broadcast"}))


async def test_an_identity_that_was_taken_away_is_believed_no_longer_than_a_moment(town: Town) -> None:
    claims = await town.admit(ADA)
    await town.stores.identities.unlink(ISSUER, "s-ada")
    town.clock.advance(RECHECK + 1)
    assert (await town.admit(ADA)).sub != claims.sub
