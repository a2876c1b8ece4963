"""Who may do what in a room: a table and pure functions over it. Load first, judge second."""

from collections.abc import Mapping

from gateroom.auth.principal import Principal, Scope
from gateroom.errors import Forbidden
from gateroom.rooms.model import Action, Grants, Member, Role, Room, Visibility

_VIEW = frozenset({Action.READ})
_SPEAK = _VIEW | {Action.WRITE, Action.PATCH}
_TEND = _SPEAK | {Action.MODERATE, Action.MANAGE}

ROLE_GRANTS: Mapping[Role, frozenset[Action]] = {
    Role.VIEWER: _VIEW,
    Role.MEMBER: _SPEAK,
    Role.MODERATOR: _TEND,
    Role.OWNER: frozenset(Action),
}

NOTHING = Grants(None, frozenset(), "not a member of this private room")


def grants(room: Room | None, member: Member | None, principal: Principal, public_role: Role) -> Grants:
    """Judge what `principal` may do in `room`, given their membership of it (None: none).

    A room that does not exist (None) grants nothing, exactly as a private room to a stranger.
    """
    if room is None:
        return NOTHING
    if Scope.ROOMS_ADMIN in principal.scopes:
        return Grants(Role.OWNER, ROLE_GRANTS[Role.OWNER], "scope rooms:admin")
    if member is not None:
        return Grants(member.role, ROLE_GRANTS[member.role], f"role {member.role}")
    if room.visibility is Visibility.PUBLIC:
        return Grants(public_role, ROLE_GRANTS[public_role], f"public room, as {public_role}")
    return NOTHING


def require(action: Action, granted: Grants) -> None:
    """Raise `Forbidden` unless `granted` allows `action`."""
    if action not in granted.actions:
        raise Forbidden


def action_to_set_role(current: Role | None, new: Role | None) -> Action:
    """Return the action needed to move a member from `current` to `new` (None: not a member)."""
    high = (Role.OWNER, Role.MODERATOR)
    return Action.APPOINT if current in high or new in high else Action.MANAGE
