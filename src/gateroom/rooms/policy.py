"""Who may do what in a room: a table and pure functions over it. Load first, judge second."""

import math
from collections.abc import Mapping

from gateroom.auth.principal import Principal, Scope
from gateroom.errors import Banned, Forbidden, GateroomError, Muted
from gateroom.protocol.events import rfc3339
from gateroom.rooms.model import Action, Grants, Measure, Member, Restraints, Role, Room, Visibility

_VIEW = frozenset({Action.READ})
_SPEAK = _VIEW | {Action.WRITE, Action.PATCH}
_TEND = _SPEAK | {Action.MODERATE, Action.MANAGE}

ROLE_GRANTS: Mapping[Role, frozenset[Action]] = {
    Role.VIEWER: _VIEW,
    Role.MEMBER: _SPEAK,
    Role.MODERATOR: _TEND,
    Role.OWNER: frozenset(Action),
}

UNMUTED = frozenset({Action.WRITE, Action.PATCH})  # what a mute takes away

NOTHING = Grants(None, frozenset(), ("visibility private", "no membership"))

_POWERFUL = (Role.OWNER, Role.MODERATOR)


def grants(
    room: Room | None,
    member: Member | None,
    restraints: Restraints,
    principal: Principal,
    public_role: Role,
    now: float,
) -> Grants:
    """Judge what `principal` may do in `room` from `now` on (seconds since the epoch), given their membership of it.

    A room that does not exist (None) grants nothing, exactly as a private room to a stranger. A ban or mute beats
    everything but the scope over all rooms, whose holder could lift it; it tells nobody of a room they may not know.
    """
    if room is None:
        return NOTHING
    if Scope.ROOMS_ADMIN in principal.scopes:
        return Grants(Role.OWNER, ROLE_GRANTS[Role.OWNER], ("scope rooms:admin",))
    granted = _unrestrained(room, member, public_role)
    return granted if granted is NOTHING else _restrained(granted, restraints, now)


def _unrestrained(room: Room, member: Member | None, public_role: Role) -> Grants:
    if member is not None:
        return Grants(member.role, ROLE_GRANTS[member.role], (f"role {member.role}",))
    if room.visibility is Visibility.PUBLIC:
        return Grants(public_role, ROLE_GRANTS[public_role], ("visibility public", f"role {public_role}"))
    return NOTHING


def _restrained(granted: Grants, restraints: Restraints, now: float) -> Grants:
    """Lay what is in force over `granted`, the ban on top; each ends by itself."""
    if restraints.muted_until > now:
        until = restraints.muted_until
        because = (_named(Measure.MUTE, until), *granted.because)
        granted = Grants(granted.role, granted.actions - UNMUTED, because, Measure.MUTE, until, granted)
    if restraints.banned_until > now:
        until = restraints.banned_until
        because = (_named(Measure.BAN, until), *granted.at(now).because)
        granted = Grants(granted.role, frozenset(), because, Measure.BAN, until, granted)
    return granted


def _named(measure: Measure, until: float) -> str:
    return f"{measure} for good" if math.isinf(until) else f"{measure} until {rfc3339(until)}"


def require(action: Action, granted: Grants) -> None:
    """Raise `Banned`, `Muted` or `Forbidden` unless `granted` allows `action`."""
    if action not in granted.actions:
        raise refusal(action, granted)


def refusal(action: Action, granted: Grants) -> GateroomError:
    """Return the error that says why `granted` does not allow `action`."""
    if granted.measure is Measure.BAN:
        return Banned()
    if granted.measure is Measure.MUTE and action in UNMUTED:
        return Muted()
    return Forbidden()


def explain(action: Action, granted: Grants) -> tuple[str, ...]:
    """Say what decided whether `granted` allows `action`: where the rights come from, and the rule about the action."""
    holders = ", ".join(role for role in Role if action in ROLE_GRANTS[role])
    if granted.measure is Measure.MUTE and action not in UNMUTED and granted.after is not None:
        granted = granted.after  # the mute has no part in it
    return (*granted.because, f"rule {action}: {holders}")


def action_to_set_role(current: Role | None, new: Role | None) -> Action:
    """Return the action needed to move a member from `current` to `new` (None: not a member)."""
    return Action.APPOINT if current in _POWERFUL or new in _POWERFUL else Action.MANAGE


def require_over(target_id: str, target: Grants, principal: Principal, granted: Grants) -> None:
    """Raise `Forbidden` unless `principal` may ban, mute or kick the target, given what both may do in the room.

    Nobody may do it to themselves, and a moderator not to moderators and owners.
    """
    powerful = target.role in _POWERFUL
    require(Action.APPOINT if powerful else Action.MODERATE, granted)
    if target_id == principal.user_id:
        raise Forbidden("You cannot do this to yourself.")
