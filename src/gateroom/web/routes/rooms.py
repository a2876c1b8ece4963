"""Rooms and who belongs to them."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Response

from gateroom.auth.principal import Principal
from gateroom.errors import InvalidCommand, NotFound
from gateroom.protocol.events import Person, rfc3339
from gateroom.realtime.limits import Cost
from gateroom.realtime.ports import Position, Repeated, retention_of
from gateroom.realtime.topics import room_topic
from gateroom.rooms import policy
from gateroom.rooms.model import Action, Member, Room
from gateroom.rooms.standings import Standing
from gateroom.web.audit import quietly
from gateroom.web.deps import CurrentPrincipal, CurrentRuntime
from gateroom.web.paging import Page
from gateroom.web.routes import CHANGING, UNAUTHENTICATED, operation_id, problems
from gateroom.web.runtime import Runtime
from gateroom.web.schemas import (
    History,
    Listing,
    MemberPage,
    MemberView,
    NewMessage,
    NewRoom,
    PositionView,
    Presence,
    Present,
    Published,
    RoleChange,
    RoomChange,
    RoomId,
    RoomPage,
    RoomView,
    UserReference,
)
from gateroom.web.strict import StrictRoute

router = APIRouter(
    prefix="/api/rooms", tags=["rooms"], route_class=StrictRoute, generate_unique_id_function=operation_id
)

PAGE_BYTES = 256 * 1024
_READING = (*UNAUTHENTICATED, "forbidden", "banned", "not_found", "invalid_command")
_WRITING = (*CHANGING, "forbidden", "banned", "not_found")


@router.post(
    "", status_code=201, summary="Make a room", responses=problems(*CHANGING, "forbidden", "conflict", "limit_reached")
)
async def create(body: NewRoom, response: Response, principal: CurrentPrincipal, runtime: CurrentRuntime) -> RoomView:
    """Make a room and own it. Needs scope `rooms:create`."""
    room = await runtime.directory.create(
        principal, body.id, body.kind, body.title, body.visibility, body.capacity, body.ttl
    )
    response.headers["Location"] = f"/api/rooms/{room.id}"
    return _view(room, runtime)


@router.get("", summary="List rooms", response_model=RoomPage, responses=problems(*UNAUTHENTICATED, "invalid_command"))
async def listing(page: Page, principal: CurrentPrincipal, runtime: CurrentRuntime) -> Listing[RoomView]:
    """List the public rooms and those you belong to, by id."""
    rows = await runtime.directory.page(principal, page.after, page.rows)
    return page.listing(rows, lambda room: room.id, lambda room: _view(room, runtime))


@router.get("/{room}", summary="Show a room", responses=problems(*_READING))
async def show(room: RoomId, principal: CurrentPrincipal, runtime: CurrentRuntime) -> RoomView:
    """Show a room that you may read."""
    return _view(await runtime.directory.show(principal, room), runtime)


@router.patch("/{room}", summary="Change a room", responses=problems(*_WRITING))
async def change(room: RoomId, body: RoomChange, principal: CurrentPrincipal, runtime: CurrentRuntime) -> RoomView:
    """Change what a room is like; for owners. Who may no longer read the room is removed at once."""
    changed = await runtime.directory.change(principal, room, body.title, body.visibility, body.capacity, body.ttl)
    return _view(changed, runtime)


@router.delete("/{room}", status_code=204, summary="Delete a room", responses=problems(*_READING, "invalid_csrf"))
async def delete(room: RoomId, principal: CurrentPrincipal, runtime: CurrentRuntime) -> None:
    """Delete a room with all that is in it; for owners."""
    await runtime.directory.remove(principal, room)


@router.get("/{room}/members", summary="List members", response_model=MemberPage, responses=problems(*_READING))
async def members(
    room: RoomId, page: Page, principal: CurrentPrincipal, runtime: CurrentRuntime
) -> Listing[MemberView]:
    """List members by username; for moderators and owners."""
    rows = await runtime.directory.members(principal, room, page.after, page.rows)
    return page.listing(rows, lambda member: member.username, _member)


@router.put(
    "/{room}/members/{user}", summary="Add a member or change a role", responses=problems(*_WRITING, "conflict")
)
async def put_member(
    room: RoomId, user: UserReference, body: RoleChange, principal: CurrentPrincipal, runtime: CurrentRuntime
) -> MemberView:
    """Set a user's role; moderators for members and viewers, owners for all. Live sockets follow at once."""
    found = await _member_to_change(runtime, principal, room, user)
    return _member(await runtime.directory.put_member(principal, room, found, body.role))


@router.delete(
    "/{room}/members/{user}",
    status_code=204,
    summary="Remove a member",
    responses=problems(*_READING, "invalid_csrf", "conflict"),
)
async def remove_member(
    room: RoomId, user: UserReference, principal: CurrentPrincipal, runtime: CurrentRuntime
) -> None:
    """End a membership; live sockets hear nothing more of the room. Everybody may end their own."""
    found = await _member_to_change(runtime, principal, room, user)
    await runtime.directory.remove_member(principal, room, found)


@router.post(
    "/{room}/messages",
    status_code=201,
    summary="Publish",
    responses=problems(*_WRITING, "muted", "limit_reached", "rate_limited"),
)
@quietly
async def publish(room: RoomId, body: NewMessage, principal: CurrentPrincipal, runtime: CurrentRuntime) -> Published:
    """Publish to a room without being connected."""
    await runtime.live.arrivals.arrive(principal, room)
    _, standing = await runtime.live.standings.allowed(principal, room, Action.WRITE)
    sender = Person(principal.user_id, principal.username)
    runtime.live.activity.used(standing)
    text = body.text()
    runtime.live.allowances.charge(principal.user_id, Cost.PUBLISH, len(text))
    position = await runtime.publisher.to_room(room, standing.kind, sender, text, body.key)
    return Published(position=_position(position), duplicate=isinstance(position, Repeated))


@router.get("/{room}/messages", summary="Read history", responses=problems(*_READING, "rate_limited"))
async def history(
    room: RoomId,
    principal: CurrentPrincipal,
    runtime: CurrentRuntime,
    since: Annotated[
        str | None,
        Query(
            max_length=90,
            description="A position.",
            examples=["Jd8x1wQk:42"],
            json_schema_extra={"pattern": "^(.+:[0-9]+)?$"},
        ),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="How many at the most.")] = 100,
) -> History:
    """Read what the room keeps after a position, oldest first."""
    standing = await _standing(runtime, principal, room)
    start = _parsed(since) if since else None
    retention = retention_of(standing.kind)
    runtime.live.allowances.charge(principal.user_id, Cost.COSTLY)
    page = await runtime.live.broker.history(room_topic(room), retention, start, limit, PAGE_BYTES)
    return History(
        messages=[msgspec.json.decode(text) for text in page.texts],
        position=_position(page.position),
        more=page.more,
        recovered=page.recovered,
    )


@router.get("/{room}/presence", summary="Who is here?", responses=problems(*_READING))
async def presence(room: RoomId, principal: CurrentPrincipal, runtime: CurrentRuntime) -> Presence:
    """List the users connected to the room."""
    standing = await _standing(runtime, principal, room)
    if not standing.kind.presence:
        raise NotFound("This kind of room does not show who is here.")
    runtime.live.activity.used(standing)
    people = runtime.live.hub.people(room_topic(room))
    return Presence(users=[Present(id=person.id, name=person.name, connections=count) for person, count in people])


async def _standing(runtime: Runtime, principal: Principal, room: str) -> Standing:
    return (await runtime.live.standings.allowed(principal, room, Action.READ))[1]


async def _member_to_change(runtime: Runtime, principal: Principal, room: str, user: str) -> str:
    """Return the user's id; whether the user exists is told only to who may change members, or asks for themselves."""
    standing = await _standing(runtime, principal, room)
    if user not in (principal.user_id, f"@{principal.username}"):
        policy.require(Action.MANAGE, standing.grants)
    return (await runtime.people.any(user)).id


def _parsed(since: str) -> Position:
    epoch, _, seq = since.rpartition(":")
    if not epoch or not seq.isascii() or not seq.isdigit():
        raise InvalidCommand("since: is not a position, epoch:seq.")
    return Position(epoch, int(seq))


def _position(position: Position) -> PositionView:
    return PositionView(epoch=position.epoch, seq=position.seq)


def _view(room: Room, runtime: Runtime) -> RoomView:
    kind = runtime.live.standings.kind(room)
    return RoomView(
        id=room.id,
        kind=room.kind,
        title=room.title,
        visibility=room.visibility,
        capacity=kind.capacity_of(room),
        ttl=kind.ttl_of(room),
        created_at=rfc3339(room.created_at),
    )


def _member(member: Member) -> MemberView:
    return MemberView(id=member.user_id, username=member.username, role=member.role, since=rfc3339(member.since))
