"""Logging in, and who one is then."""

from contextlib import suppress

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from gateroom.errors import InvalidCommand, OriginNotAllowed, Refusal
from gateroom.protocol.events import rfc3339
from gateroom.web import credentials, origins
from gateroom.web.credentials import Place
from gateroom.web.deps import CurrentRuntime, LoggedInPrincipal, TriedPrincipal
from gateroom.web.errors import problem
from gateroom.web.granting import NO_STORE, device_of, in_body, in_cookies
from gateroom.web.logging_in import address_of, authenticate
from gateroom.web.routes import CHANGING, UNAUTHENTICATED, operation_id, problems
from gateroom.web.runtime import Runtime
from gateroom.web.schemas import CookieLogin, LoginRequest, Me, PasswordChange, Token
from gateroom.web.strict import StrictRoute

router = APIRouter(prefix="/auth", tags=["auth"], route_class=StrictRoute, generate_unique_id_function=operation_id)


@router.post(
    "/login",
    summary="Log in",
    response_model=Token | CookieLogin,
    responses=problems(
        "invalid_credentials", "origin_not_allowed", "invalid_command", "too_large", "rate_limited", "unavailable"
    ),
)
async def login(request: Request, body: LoginRequest, runtime: CurrentRuntime) -> Response:
    """Exchange a username and a password for a pair of tokens, in the body or in HttpOnly cookies."""
    if body.cookie:
        if Place.COOKIE not in runtime.options.credentials:
            raise InvalidCommand("cookie: no cookies are taken here, as the configuration has it.")
        origin = origins.origin_of(request)
        if origin is not None and not origins.is_allowed(origin, request, runtime.options):
            raise OriginNotAllowed
    proven = await authenticate(request, runtime, body.username, body.password)
    granted = await runtime.sessions.begin(proven, None, device_of(request))
    return in_cookies(granted, request, runtime) if body.cookie else in_body(granted)


@router.get("/me", summary="Who am I?", response_model=Me, responses=problems(*UNAUTHENTICATED))
async def me(request: Request, found: TriedPrincipal, runtime: CurrentRuntime) -> Response:
    """Show whose credential this is, what it allows and when it ends.

    A browser whose access token has run out gets 401, with the X-CSRF-Token that `POST /auth/refresh` asks for if its
    refresh cookie is of a session.
    """
    if isinstance(found, Refusal):
        return await _refused(found, request, runtime)
    by_cookie = credentials.of_request(request, runtime.options).place is Place.COOKIE
    shown = Me(
        id=found.user_id,
        username=found.username,
        roles=sorted(found.roles),
        scopes=sorted(found.scopes),
        session=found.session_id,
        expires_at=rfc3339(found.expires_at),
        csrf_token=runtime.csrf.token(found.session_id) if by_cookie else None,
    )
    return JSONResponse(shown.model_dump(exclude_none=True), headers=NO_STORE)


async def _refused(refusal: Refusal, request: Request, runtime: Runtime) -> Response:
    """Give a page that was loaded late the proof it needs to renew; other sites' pages cannot read it."""
    response = problem(refusal)
    with suppress(Refusal):
        presented = await runtime.sessions.find(credentials.refresh_cookie(request, runtime.options))
        response.headers["X-CSRF-Token"] = runtime.csrf.token(presented.session.id)
    return response


@router.put(
    "/me/password",
    status_code=204,
    summary="Change your password",
    responses=problems(*CHANGING, "invalid_credentials", "rate_limited"),
)
async def change_password(
    request: Request, body: PasswordChange, principal: LoggedInPrincipal, runtime: CurrentRuntime
) -> None:
    """Give a new password, knowing the current one; your other sessions end, with their sockets."""
    at = runtime.live.now()
    await runtime.login.require(principal.user_id, principal.username, body.current_password, address_of(request))
    ended = await runtime.registry.set_password(principal.user_id, body.new_password, keep=principal.session_id)
    runtime.sessions.ended(principal.user_id, ended, at)
