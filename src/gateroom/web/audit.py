"""What of a request goes into the audit log: gathered while it is answered, and recorded when the outcome is known."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from fastapi import Request, Response
from fastapi.routing import APIRoute

from gateroom.auth.audit import OK
from gateroom.auth.ports import AuditEntry
from gateroom.auth.principal import Principal
from gateroom.errors import InternalError, InvalidCommand
from gateroom.web.runtime import Runtime, runtime_of

Endpoint = TypeVar("Endpoint", bound=Callable[..., object])

_TRAIL = "gateroom.trail"  # in the scope of an audited request
_QUIET = "gateroom_quiet"  # an attribute of endpoints
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})  # RFC 9110 section 9.2.1
_NAME = re.compile(r"@?[A-Za-z0-9._:-]{1,100}")  # what a path may name; anything else is the client's text


@dataclass(slots=True)
class Trail:
    """What is known so far of who does what. Handlers add what the request itself does not show."""

    action: str
    quiet: bool  # a success is not worth an entry
    actor: str | None = None
    actor_name: str = ""
    session: str | None = None
    target: str | None = None  # where the path does not show it
    outcome: str | None = None  # where the answer does not show it


def quietly(endpoint: Endpoint) -> Endpoint:
    """Have only failures of this endpoint recorded: it changes nothing lasting, or leaves its own record."""
    setattr(endpoint, _QUIET, True)
    return endpoint


def action_of(route: APIRoute) -> str | None:
    """Return what the route is called in the audit log; None for one that only reads."""
    if not route.methods or route.methods <= _SAFE:
        return None
    return f"{route.tags[0]}.{route.name}"


def is_quiet(route: APIRoute) -> bool:
    return bool(getattr(route.endpoint, _QUIET, False))


def trail_of(request: Request) -> Trail:
    """Return the request's trail, to add to; that of a route which is not audited leads nowhere."""
    found = request.scope.get(_TRAIL)
    return found if isinstance(found, Trail) else Trail("", True)


def acts_as(request: Request, principal: Principal) -> None:
    """Take note of who calls."""
    trail = trail_of(request)
    trail.actor, trail.actor_name = principal.user_id, principal.username
    trail.session = principal.session_id


def tries_to_log_in(request: Request) -> Trail:
    """Call it a login, wherever passwords are taken."""
    trail = trail_of(request)
    trail.action, trail.quiet = "auth.login", False
    return trail


async def recorded(
    request: Request, route: APIRoute, answer: Callable[[Request], Awaitable[tuple[Response, str | None]]]
) -> Response:
    """Return what `answer` returns, and record the request; beside a response it returns the code of an error."""
    action = action_of(route)
    if action is None:
        return (await answer(request))[0]
    trail = request.scope[_TRAIL] = Trail(action, is_quiet(route))
    try:
        response, code = await answer(request)
    except Exception:
        await _record(request, trail, InternalError.code, None)
        raise
    outcome = trail.outcome or code or (OK if response.status_code < 400 else InvalidCommand.code)
    await _record(request, trail, outcome, response)
    return response


async def _record(request: Request, trail: Trail, outcome: str, response: Response | None) -> None:
    if outcome == OK and trail.quiet:
        return
    runtime = runtime_of(request)
    room, target = _whom(request, runtime, response)
    entry = AuditEntry(
        action=trail.action,
        outcome=outcome,
        actor=trail.actor,
        actor_name=trail.actor_name,
        session=trail.session,
        target=trail.target or target,
        room=room,
        address=request.client.host if request.client else "",
    )
    await runtime.audit.record(entry)


def _whom(request: Request, runtime: Runtime, response: Response | None) -> tuple[str | None, str | None]:
    """Return the room and the thing that the path, or the place of what was made, names: the latter as `kind:id`."""
    named = {kind: str(name) for kind, name in request.path_params.items() if _NAME.fullmatch(str(name))}
    if response is not None and (made := response.headers.get("location", "")):
        kind, _, name = made.removeprefix("/api/").partition("/")
        named[kind.removesuffix("s")] = name
    if (user := named.get("user", "")).startswith("@"):
        named["user"] = runtime.people.id_of_known(user) or user
    target = list(named.items())[-1] if named else None
    return named.get("room"), target and f"{target[0]}:{target[1]}"
