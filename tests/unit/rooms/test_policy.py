"""Every cell of the table of rights."""

import math

import pytest

from gateroom.auth.principal import ALL_SCOPES, Principal, Scope
from gateroom.errors import Banned, Forbidden, Muted
from gateroom.rooms.model import UNRESTRAINED, Action, Grants, Measure, Member, Restraints, Role, Room, Visibility
from gateroom.rooms.policy import NOTHING, action_to_set_role, explain, grants, require, require_over

# As the contract says it (section 5), written out once more.
TABLE = {
    #                  owner  moderator  member  viewer
    Action.READ:      (True,  True,      True,   True),
    Action.WRITE:     (True,  True,      True,   False),
    Action.PATCH:     (True,  True,      True,   False),
    Action.MODERATE:  (True,  True,      False,  False),
    Action.MANAGE:    (True,  True,      False,  False),
    Action.APPOINT:   (True,  False,     False,  False),
    Action.CHANGE:    (True,  False,     False,  False),
    Action.DELETE:    (True,  False,     False,  False),
}  # fmt: skip
NOW = 1000.0
ROLES = (Role.OWNER, Role.MODERATOR, Role.MEMBER, Role.VIEWER)
CELLS = [(action, role, allowed) for action, row in TABLE.items() for role, allowed in zip(ROLES, row, strict=True)]


def somebody(*scopes: str) -> Principal:
    return Principal("u-ada", "ada", frozenset(), frozenset(scopes), "s", "t", 0)


def room(visibility: Visibility = Visibility.PRIVATE) -> Room:
    return Room("desk", "default", "", visibility, None, 0)


def member(role: Role) -> Member:
    return Member("desk", "u-ada", "ada", role, 0)


def judged(
    where: Room | None,
    membership: Member | None = None,
    who: Principal | None = None,
    *,
    restraints: Restraints = UNRESTRAINED,
    public_role: Role = Role.MEMBER,
    now: float = NOW,
) -> Grants:
    return grants(where, membership, restraints, who or somebody(), public_role, now)


def allows(granted: Grants, action: Action) -> bool:
    try:
        require(action, granted)
    except (Forbidden, Banned, Muted):
        return False
    return True


def test_the_table_has_every_action_and_every_role() -> None:
    assert set(TABLE) == set(Action)
    assert set(ROLES) == set(Role)


@pytest.mark.parametrize("visibility", list(Visibility))
@pytest.mark.parametrize(("action", "role", "allowed"), CELLS)
def test_a_role_allows_what_the_table_says(action: Action, role: Role, allowed: bool, visibility: Visibility) -> None:
    granted = judged(room(visibility), member(role), public_role=Role.VIEWER)
    assert allows(granted, action) is allowed
    assert (granted.role, granted.because) == (role, (f"role {role}",))


@pytest.mark.parametrize(("action", "role", "allowed"), CELLS)
def test_a_public_room_gives_everybody_its_public_role(action: Action, role: Role, allowed: bool) -> None:
    granted = judged(room(Visibility.PUBLIC), public_role=role)
    assert allows(granted, action) is allowed
    assert (granted.role, granted.because) == (role, ("visibility public", f"role {role}"))


@pytest.mark.parametrize("action", list(Action))
def test_a_stranger_may_do_nothing_in_a_private_room(action: Action) -> None:
    every_other_scope = ALL_SCOPES - {Scope.ROOMS_ADMIN}
    assert not allows(judged(room(), None, somebody(*every_other_scope), public_role=Role.OWNER), action)


@pytest.mark.parametrize("action", list(Action))
@pytest.mark.parametrize("visibility", list(Visibility))
@pytest.mark.parametrize("role", [None, *ROLES])
def test_the_scope_over_all_rooms_acts_as_owner_everywhere(
    action: Action, visibility: Visibility, role: Role | None
) -> None:
    admin = somebody(Scope.ROOMS_ADMIN)
    granted = judged(room(visibility), member(role) if role else None, admin, restraints=Restraints(math.inf, math.inf))
    assert allows(granted, action)
    assert granted.role is Role.OWNER


@pytest.mark.parametrize("action", list(Action))
def test_nobody_may_do_anything_in_a_room_that_does_not_exist(action: Action) -> None:
    for principal in (somebody(), somebody(*ALL_SCOPES)):
        assert not allows(judged(None, None, principal, public_role=Role.OWNER), action)


def test_a_room_that_does_not_exist_is_judged_as_a_private_one_to_a_stranger() -> None:
    assert judged(None) == judged(room()) == NOTHING


def test_a_viewer_of_a_public_room_stays_one_whatever_its_public_role() -> None:
    granted = judged(room(Visibility.PUBLIC), member(Role.VIEWER))
    assert not allows(granted, Action.WRITE)


@pytest.mark.parametrize("current", [None, *ROLES])
@pytest.mark.parametrize("new", [None, *ROLES])
def test_to_make_or_unmake_the_powerful_is_an_owners_right(current: Role | None, new: Role | None) -> None:
    powerful = {Role.OWNER, Role.MODERATOR}
    expected = Action.APPOINT if {current, new} & powerful else Action.MANAGE
    assert action_to_set_role(current, new) is expected


@pytest.mark.parametrize("where", [room(), room(Visibility.PUBLIC)])
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("action", list(Action))
def test_a_ban_beats_membership_and_public_rooms(action: Action, role: Role, where: Room) -> None:
    for membership in (member(role), None):
        banned = judged(where, membership, restraints=Restraints(banned_until=math.inf), public_role=role)
        assert not allows(banned, action)
        if banned is not NOTHING:
            with pytest.raises(Banned):
                require(action, banned)


def test_a_ban_tells_nobody_of_a_room_they_may_not_know() -> None:
    assert judged(room(), restraints=Restraints(banned_until=math.inf)) == NOTHING


@pytest.mark.parametrize(("action", "role", "allowed"), CELLS)
def test_a_mute_takes_away_writing_only(action: Action, role: Role, allowed: bool) -> None:
    muted = judged(room(), member(role), restraints=Restraints(muted_until=math.inf))
    assert allows(muted, action) is (allowed and action not in (Action.WRITE, Action.PATCH))
    if action is Action.WRITE:
        with pytest.raises(Muted):
            require(action, muted)


def test_ban_and_mute_end_by_themselves_each_at_its_moment() -> None:
    granted = judged(room(), member(Role.MEMBER), restraints=Restraints(banned_until=1010, muted_until=1020))
    free = judged(room(), member(Role.MEMBER))
    for now, measure in ((1000, Measure.BAN), (1009.9, Measure.BAN), (1010, Measure.MUTE), (1019.9, Measure.MUTE)):
        assert granted.at(now).measure is measure
    assert granted.at(1020) == granted.at(5000) == free


def test_a_mute_that_ends_before_the_ban_leaves_nothing_behind() -> None:
    granted = judged(room(), member(Role.MEMBER), restraints=Restraints(banned_until=1020, muted_until=1010))
    assert granted.at(1015).measure is Measure.BAN
    assert granted.at(1020) == judged(room(), member(Role.MEMBER))


def test_what_is_over_when_judged_takes_nothing_away() -> None:
    assert judged(room(), member(Role.MEMBER), restraints=Restraints(NOW, NOW)) == judged(room(), member(Role.MEMBER))


@pytest.mark.parametrize("of", [None, *ROLES])
@pytest.mark.parametrize("by", ROLES)
def test_who_may_take_measures_against_whom(by: Role, of: Role | None) -> None:
    target = judged(room(), Member("desk", "u-bob", "bob", of, 0) if of else None)
    expected = by is Role.OWNER or (by is Role.MODERATOR and of not in (Role.OWNER, Role.MODERATOR))
    try:
        require_over("u-bob", target, somebody(), judged(room(), member(by)))
    except Forbidden:
        assert not expected
    else:
        assert expected


def test_nobody_takes_measures_against_themselves() -> None:
    owner = judged(room(), member(Role.OWNER))
    with pytest.raises(Forbidden):
        require_over("u-ada", owner, somebody(), owner)


def test_a_banned_moderator_is_still_one_to_other_moderators() -> None:
    banned = judged(room(), member(Role.MODERATOR), restraints=Restraints(banned_until=math.inf))
    with pytest.raises(Forbidden):
        require_over("u-bob", banned, somebody(), judged(room(), member(Role.MODERATOR)))


@pytest.mark.parametrize(
    ("action", "granted", "because"),
    [
        (
            Action.READ,
            judged(room()),
            ("visibility private", "no membership", "rule read: owner, moderator, member, viewer"),
        ),
        (Action.WRITE, judged(room(), member(Role.VIEWER)), ("role viewer", "rule write: owner, moderator, member")),
        (
            Action.WRITE,
            judged(room(), member(Role.MEMBER), restraints=Restraints(muted_until=1010)),
            ("mute until 1970-01-01T00:16:50.000Z", "role member", "rule write: owner, moderator, member"),
        ),
        (
            Action.READ,
            judged(room(), member(Role.MEMBER), restraints=Restraints(muted_until=1010)),
            ("role member", "rule read: owner, moderator, member, viewer"),
        ),
        (
            Action.MANAGE,
            judged(room(Visibility.PUBLIC), restraints=Restraints(banned_until=math.inf)),
            ("ban for good", "visibility public", "role member", "rule manage: owner, moderator"),
        ),
        (Action.DELETE, judged(room(), None, somebody(Scope.ROOMS_ADMIN)), ("scope rooms:admin", "rule delete: owner")),
    ],
)
def test_what_decided_is_named(action: Action, granted: Grants, because: tuple[str, ...]) -> None:
    assert explain(action, granted) == because
