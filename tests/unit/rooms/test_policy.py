"""Every cell of the table of rights."""

import pytest

from gateroom.auth.principal import ALL_SCOPES, Principal, Scope
from gateroom.errors import Forbidden
from gateroom.rooms.model import Action, Grants, Member, Role, Room, Visibility
from gateroom.rooms.policy import NOTHING, action_to_set_role, grants, require

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
ROLES = (Role.OWNER, Role.MODERATOR, Role.MEMBER, Role.VIEWER)
CELLS = [(action, role, allowed) for action, row in TABLE.items() for role, allowed in zip(ROLES, row, strict=True)]


def somebody(*scopes: str) -> Principal:
    return Principal("u-ada", "ada", frozenset(), frozenset(scopes), "s", "t", 0)


def room(visibility: Visibility = Visibility.PRIVATE) -> Room:
    return Room("desk", "default", "", visibility, None, 0)


def member(role: Role) -> Member:
    return Member("desk", "u-ada", "ada", role, 0)


def allows(granted: Grants, action: Action) -> bool:
    try:
        require(action, granted)
    except Forbidden:
        return False
    return True


def test_the_table_has_every_action_and_every_role() -> None:
    assert set(TABLE) == set(Action)
    assert set(ROLES) == set(Role)


@pytest.mark.parametrize("visibility", list(Visibility))
@pytest.mark.parametrize(("action", "role", "allowed"), CELLS)
def test_a_role_allows_what_the_table_says(action: Action, role: Role, allowed: bool, visibility: Visibility) -> None:
    granted = grants(room(visibility), member(role), somebody(), Role.VIEWER)
    assert allows(granted, action) is allowed
    assert (granted.role, granted.because) == (role, f"role {role}")


@pytest.mark.parametrize(("action", "role", "allowed"), CELLS)
def test_a_public_room_gives_everybody_its_public_role(action: Action, role: Role, allowed: bool) -> None:
    granted = grants(room(Visibility.PUBLIC), None, somebody(), role)
    assert allows(granted, action) is allowed
    assert (granted.role, granted.because) == (role, f"public room, as {role}")


@pytest.mark.parametrize("action", list(Action))
def test_a_stranger_may_do_nothing_in_a_private_room(action: Action) -> None:
    every_other_scope = ALL_SCOPES - {Scope.ROOMS_ADMIN}
    assert not allows(grants(room(), None, somebody(*every_other_scope), Role.OWNER), action)


@pytest.mark.parametrize("action", list(Action))
@pytest.mark.parametrize("visibility", list(Visibility))
@pytest.mark.parametrize("role", [None, *ROLES])
def test_the_scope_over_all_rooms_acts_as_owner_everywhere(
    action: Action, visibility: Visibility, role: Role | None
) -> None:
    admin = somebody(Scope.ROOMS_ADMIN)
    granted = grants(room(visibility), member(role) if role else None, admin, Role.VIEWER)
    assert allows(granted, action)
    assert granted.role is Role.OWNER


@pytest.mark.parametrize("action", list(Action))
def test_nobody_may_do_anything_in_a_room_that_does_not_exist(action: Action) -> None:
    for principal in (somebody(), somebody(*ALL_SCOPES)):
        assert not allows(grants(None, None, principal, Role.OWNER), action)


def test_a_room_that_does_not_exist_is_judged_as_a_private_one_to_a_stranger() -> None:
    assert grants(None, None, somebody(), Role.MEMBER) == grants(room(), None, somebody(), Role.MEMBER) == NOTHING


def test_a_viewer_of_a_public_room_stays_one_whatever_its_public_role() -> None:
    granted = grants(room(Visibility.PUBLIC), member(Role.VIEWER), somebody(), Role.MEMBER)
    assert not allows(granted, Action.WRITE)


@pytest.mark.parametrize("current", [None, *ROLES])
@pytest.mark.parametrize("new", [None, *ROLES])
def test_to_make_or_unmake_the_powerful_is_an_owners_right(current: Role | None, new: Role | None) -> None:
    powerful = {Role.OWNER, Role.MODERATOR}
    expected = Action.APPOINT if {current, new} & powerful else Action.MANAGE
    assert action_to_set_role(current, new) is expected
