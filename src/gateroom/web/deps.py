"""The dependencies that guard endpoints: named aliases, so that a route's signature reads as a sentence.

One path serves HTTP and WebSocket. On HTTP a refusal is a problem response; on a socket it is
`WebSocketException(1008, reason)` before accept.
"""

from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request, Security, WebSocket, WebSocketException
from fastapi.security import OAuth2PasswordBearer
from starlette.requests import HTTPConnection

from gateroom.auth import api_keys
from gateroom.auth.claims import Claims
from gateroom.auth.principal import Principal, Scope, is_key
from gateroom.errors import (
    Forbidden,
    GateroomError,
    InvalidCsrf,
    OriginNotAllowed,
    Overloaded,
    ProtocolViolation,
    Refusal,
)
from gateroom.incidents import note
from gateroom.names import SUBPROTOCOL
from gateroom.realtime.door import Place as DoorPlace
from gateroom.realtime.guarded import GuardedSession
from gateroom.web import credentials, origins
from gateroom.web.audit import acts_as
from gateroom.web.credentials import Credential, Place
from gateroom.web.guarded import EndpointSink
from gateroom.web.handover import keep_place
from gateroom.web.runtime import Runtime, runtime_of

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})  # RFC 9110 section 9.2.1
POLICY_VIOLATION = 1008

_bearer = OAuth2PasswordBearer(
    tokenUrl="auth/token",
    auto_error=False,
    description="A username and password for an access token.",
    scopes={
        Scope.USERS_ADMIN: "manage accounts",
        Scope.USERS_SEND: "send to users",
        Scope.CONNECTIONS_ADMIN: "list and end connections",
        Scope.ROOMS_CREATE: "make rooms",
        Scope.ROOMS_ADMIN: "act as owner in every room",
        Scope.BROADCAST: "send to every connection",
        Scope.OPERATIONS_READ: "see metrics and the API page, where they are for operators only",
    },
)


async def current_runtime(connection: HTTPConnection) -> Runtime:
    """Return the runtime. Not a plain function: FastAPI would call that in a thread, on every request."""
    return runtime_of(connection)


CurrentRuntime = Annotated[Runtime, Depends(current_runtime)]


async def believe(credential: Credential, runtime: Runtime, room: str | None = None) -> Principal:
    """Verify a credential and judge its account; `room` is the one a socket's path names.

    Raises the refusal that says what is wrong.
    """
    if credential.place is Place.HEADER and credential.token.startswith(api_keys.PREFIX):
        return await runtime.api_keys.principal(credential.token)
    if credential.place is Place.TICKET:
        claims = await runtime.tickets.redeem(credential.token, room)
    else:
        claims = await runtime.bearers.claims(credential.token)
    return await runtime.accounts.principal(claims)


async def http_principal(request: Request, runtime: CurrentRuntime) -> Principal:
    """Return who calls. A cookie that changes something needs the CSRF token and a same-origin request."""
    credential = credentials.of_request(request, runtime.options)
    principal = await believe(credential, runtime)
    acts_as(request, principal)
    if credential.place is Place.COOKIE and request.method not in _SAFE_METHODS:
        require_same_origin(request, runtime)
        runtime.csrf.check(principal.session_id, request.headers.get("x-csrf-token"))
    return principal


async def _documented(
    principal: Annotated[Principal, Depends(http_principal)], _: Annotated[str | None, Security(_bearer)]
) -> Principal:
    """Add the OAuth 2 scheme to the OpenAPI page; the credential itself is read by `http_principal`."""
    return principal


CurrentPrincipal = Annotated[Principal, Depends(_documented)]


async def logged_in_principal(principal: CurrentPrincipal) -> Principal:
    """Return who calls with a session's token. Raises `Forbidden` for an API key: it has no session."""
    if is_key(principal.session_id):
        raise Forbidden("An API key has no session.")
    return principal


LoggedInPrincipal = Annotated[Principal, Depends(logged_in_principal)]


async def current_claims(request: Request, _: LoggedInPrincipal, runtime: CurrentRuntime) -> Claims:
    """Return what the caller's access token says."""
    return await runtime.bearers.claims(credentials.of_request(request, runtime.options).token)


CurrentClaims = Annotated[Claims, Depends(current_claims)]


async def _tried(
    request: Request, runtime: CurrentRuntime, _: Annotated[str | None, Security(_bearer)]
) -> Principal | Refusal:
    try:
        return await http_principal(request, runtime)
    except Refusal as refusal:
        return refusal


# For endpoints that have something to say beside a refusal.
TriedPrincipal = Annotated[Principal | Refusal, Depends(_tried)]


def require_scope(*scopes: str) -> Callable[[Principal], Coroutine[Any, Any, Principal]]:
    """Make an HTTP dependency that returns the caller and raises `Forbidden` unless all `scopes` are held."""

    async def dependency(principal: CurrentPrincipal) -> Principal:
        principal.require(*scopes)
        return principal

    return dependency


def require_same_origin(request: HTTPConnection, runtime: Runtime) -> None:
    """Raise `InvalidCsrf` unless the browser says that one of our own (or allowed) pages asks."""
    origin = origins.origin_of(request)
    if origin is not None:
        same = origins.is_allowed(origin, request, runtime.options)
    else:
        same = request.headers.get("sec-fetch-site") == "same-origin"
    if not same:
        raise InvalidCsrf


def refuse(error: GateroomError, websocket: WebSocket, runtime: Runtime) -> WebSocketException:
    """Count a refused handshake and turn it into the exception that closes it.

    Where the store cannot be read nobody is let in on trust: `overloaded`.
    """
    refusal = error if isinstance(error, Refusal) else Overloaded()
    runtime.live.counts.handshakes[refusal.code] += 1
    note("handshake_refused", code=refusal.code, peer=websocket.client and websocket.client.host)
    return WebSocketException(POLICY_VIOLATION, refusal.code)


@dataclass(frozen=True, slots=True)
class Guest:
    """A socket that may be accepted: who connects, the place it has, and whether it offered `gateroom.v1`."""

    principal: Principal
    place: DoorPlace
    offered: bool


async def socket_guest(websocket: WebSocket) -> Guest:
    """Let a socket in, or refuse it. One dependency does it all: each costs more than what it would do.

    Offers of subprotocols without `gateroom.v1` are refused, since nothing could be answered (RFC 6455 section 4.2.2).
    """
    runtime = runtime_of(websocket)
    offered = credentials.offers(websocket)
    if offered and SUBPROTOCOL not in offered:
        raise refuse(ProtocolViolation(), websocket, runtime)
    place = _enter(websocket, runtime)
    room = websocket.path_params.get("room")
    return Guest(await _identify(websocket, runtime, place, room), place, SUBPROTOCOL in offered)


SocketGuest = Annotated[Guest, Depends(socket_guest)]


async def socket_principal(websocket: WebSocket) -> AsyncIterator[Principal]:
    """Return who connects to an endpoint of the application's own, or refuse; it may speak any subprotocol.

    What ends a login ends the socket too: it is closed with 1008 and the reason, and the endpoint hears a disconnect.
    """
    runtime = runtime_of(websocket)
    place = _enter(websocket, runtime)
    principal = await _identify(websocket, runtime, place, None)
    session = GuardedSession(runtime.live, principal, place)
    session.start(EndpointSink(websocket, runtime.live.tasks))
    try:
        yield principal
    finally:
        session.lost()


SocketPrincipal = Annotated[Principal, Depends(socket_principal)]


def _enter(websocket: WebSocket, runtime: Runtime) -> DoorPlace:
    try:
        place = runtime.live.door.enter(websocket.client.host if websocket.client else "")
    except Refusal as refusal:
        raise refuse(refusal, websocket, runtime) from None
    keep_place(websocket, place)
    return place


async def _identify(websocket: WebSocket, runtime: Runtime, place: DoorPlace, room: str | None) -> Principal:
    """Judge Origin, credential and account, in this order."""
    if b"token=" in websocket.scope["query_string"]:
        runtime.live.counts.url_tokens += 1
    try:
        origin = origins.origin_of(websocket)
        if origin is not None and not origins.is_allowed(origin, websocket, runtime.options):
            raise OriginNotAllowed
        credential = credentials.of_socket(websocket, runtime.options)
        if credential.place is Place.COOKIE and origin is None:
            raise OriginNotAllowed
        principal = await believe(credential, runtime, room)
        runtime.live.door.identify(place, principal.user_id)
    except GateroomError as error:
        raise refuse(error, websocket, runtime) from None
    return principal
