"""The shared state of a room: one JSON document, read whole and changed by JSON Patch."""

import re
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response

from gateroom.errors import Conflict, Unavailable, UnsupportedMediaType
from gateroom.protocol.events import Person
from gateroom.protocol.patches import MAX_OPERATIONS, State
from gateroom.realtime.limits import Cost
from gateroom.realtime.ports import Position, retention_of
from gateroom.realtime.topics import room_topic
from gateroom.rooms.model import Action, RoomKind
from gateroom.web.audit import quietly
from gateroom.web.deps import CurrentPrincipal, CurrentRuntime
from gateroom.web.routes import CHANGING, UNAUTHENTICATED, operation_id, problems
from gateroom.web.runtime import Runtime
from gateroom.web.schemas import RoomId, StateChanged
from gateroom.web.strict import StrictRoute

router = APIRouter(
    prefix="/api/rooms", tags=["rooms"], route_class=StrictRoute, generate_unique_id_function=operation_id
)

JSON_PATCH = "application/json-patch+json"  # RFC 6902 section 6
_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e]*"')  # RFC 9110 section 8.8.3

_EXAMPLE = {"topic": "standup", "done": ["@ada"]}
_HEADERS: dict[str, Any] = {
    "ETag": {"description": "Names this version, for If-Match and If-None-Match.", "schema": {"type": "string"}},
    "State-Version": {"description": "The state_version that events and replies tell.", "schema": {"type": "integer"}},
}
_POINTER: dict[str, Any] = {"type": "string", "description": "A JSON Pointer (RFC 6901)."}
_PATCH_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        JSON_PATCH: {
            "schema": {
                "type": "array",
                "maxItems": MAX_OPERATIONS,
                "items": {
                    "type": "object",
                    "required": ["op", "path"],
                    "properties": {
                        "op": {"type": "string", "enum": ["add", "remove", "replace", "move", "copy", "test"]},
                        "path": {**_POINTER, "examples": ["/done/-"]},
                        "from": _POINTER,
                        "value": {},
                    },
                },
                "examples": [[{"op": "add", "path": "/done/-", "value": "@bob"}]],
            }
        }
    },
}
_IF_MATCH, _IF_NONE_MATCH = (
    {"name": name, "in": "header", "required": False, "schema": {"type": "string"}, "description": description}
    for name, description in (
        ("If-Match", "Only if this is still the state's ETag; without it, whatever the state is by then."),
        ("If-None-Match", "Answer 304 if this is still the state's ETag."),
    )
)


@router.get(
    "/{room}/state",
    summary="Read the shared state",
    response_class=Response,
    responses={
        200: {
            "description": "The document itself.",
            "content": {"application/json": {"schema": {}, "example": _EXAMPLE}},
            "headers": _HEADERS,
        },
        304: {"description": "It has not changed.", "headers": _HEADERS},
        **problems(*UNAUTHENTICATED, "banned", "not_found", "invalid_command", "rate_limited"),
    },
    openapi_extra={"parameters": [_IF_NONE_MATCH]},
)
async def state(room: RoomId, request: Request, principal: CurrentPrincipal, runtime: CurrentRuntime) -> Response:
    """Read the room's document: `{}` until somebody changes it. ETag and State-Version say which version it is."""
    _, standing = await runtime.live.standings.allowed(principal, room, Action.READ)
    runtime.live.allowances.charge(principal.user_id, Cost.COSTLY)
    head, found = await _current(runtime, room, standing.kind)
    headers = {**_named(head, found.version), "Cache-Control": "private, no-cache"}
    known = _tags(request, "if-none-match")
    if known is not None and ("*" in known or _etag(head, found.version) in {tag.removeprefix("W/") for tag in known}):
        return Response(status_code=304, headers=headers)
    return Response(found.text, headers=headers, media_type="application/json")


@router.patch(
    "/{room}/state",
    summary="Patch the shared state",
    responses={
        200: {"headers": _HEADERS},
        **problems(
            *CHANGING,
            "forbidden",
            "banned",
            "muted",
            "not_found",
            "conflict",
            "limit_reached",
            "unsupported_media_type",
            "rate_limited",
        ),
    },
    openapi_extra={"requestBody": _PATCH_BODY, "parameters": [_IF_MATCH]},
)
@quietly
async def patch_state(
    room: RoomId, request: Request, response: Response, principal: CurrentPrincipal, runtime: CurrentRuntime
) -> StateChanged:
    """Apply a JSON Patch, all of it or nothing; everybody in the room gets it as a `state` event.

    Without If-Match it is applied to whatever the state is by then. 409 says that it is another than If-Match names, or
    that the patch does not fit it: a `test` failed, or a place is not there.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON_PATCH:
        raise UnsupportedMediaType(f"Send the body as {JSON_PATCH}.")
    await request.json()  # what is no JSON at all is told apart from what is no patch
    await runtime.live.arrivals.arrive(principal, room)
    _, standing = await runtime.live.standings.allowed(principal, room, Action.PATCH)
    runtime.live.activity.used(standing)
    body = await request.body()
    runtime.live.allowances.charge(principal.user_id, Cost.PUBLISH, len(body))
    head, current = await _current(runtime, room, standing.kind)
    wanted = _tags(request, "if-match")
    version = None
    if wanted is not None and "*" not in wanted:
        if _etag(head, current.version) not in wanted:
            raise Conflict
        version = current.version
    by = Person(principal.user_id, principal.username)
    made = await runtime.publisher.to_state(room, standing.kind, by, body, version)
    response.headers.update(_named(head, made.version))
    return StateChanged(state_version=made.version)


async def _current(runtime: Runtime, room: str, kind: RoomKind) -> tuple[Position, State]:
    broker, topic = runtime.live.broker, room_topic(room)
    await broker.open(topic, retention_of(kind))
    head, found = broker.head(topic), broker.state(topic)
    if head is None or found is None:  # the room went meanwhile
        raise Unavailable
    return head, found


def _etag(head: Position, version: int) -> str:
    """Name a version of the state; the epoch tells it from one of the same number that began anew."""
    return f'"{head.epoch}.{version}"'


def _named(head: Position, version: int) -> Mapping[str, str]:
    return {"ETag": _etag(head, version), "State-Version": str(version)}


def _tags(request: Request, header: str) -> set[str] | None:
    """Return the entity tags of a header, and "*" if that is there; None when there is no such header."""
    values = request.headers.getlist(header)
    if not values:
        return None
    return {"*"} if [value.strip() for value in values] == ["*"] else set(_TAG.findall(",".join(values)))
