"""Logging in, and who one is then."""

from fastapi import APIRouter, Request, Response

from gateroom.errors import OriginNotAllowed
from gateroom.protocol.events import rfc3339
from gateroom.web import credentials, origins
from gateroom.web.credentials import Place
from gateroom.web.deps import CurrentPrincipal, CurrentRuntime
from gateroom.web.granting import device_of, in_body, in_cookies
from gateroom.web.logging_in import address_of, authenticate
from gateroom.web.routes import CHANGING, UNAUTHENTICATED, operation_id, problems
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
        origin = origins.origin_of(request)
        if origin is not None and not origins.is_allowed(origin, request, runtime.options):
            raise OriginNotAllowed
    user = await authenticate(request, runtime, body.username, body.password)
    granted = await runtime.sessions.begin(user, None, device_of(request))
    return in_cookies(granted, request, runtime) if body.cookie else in_body(granted)


@router.get(
    "/me",
    summary="Who am I?",
    response_model_exclude_none=True,
    responses=problems(*UNAUTHENTICATED),
)
async def me(request: Request, response: Response, principal: CurrentPrincipal, runtime: CurrentRuntime) -> Me:
    """Show whose credential this is, what it allows and when it ends."""
    response.headers["Cache-Control"] = "no-store"
    by_cookie = credentials.of_request(request, runtime.options).place is Place.COOKIE
    return Me(
        id=principal.user_id,
        username=principal.username,
        roles=sorted(principal.roles),
        scopes=sorted(principal.scopes),
        session=principal.session_id,
        expires_at=rfc3339(principal.expires_at),
        csrf_token=runtime.csrf.token(principal.session_id) if by_cookie else None,
    )


@router.put(
    "/me/password",
    status_code=204,
    summary="Change your password",
    responses=problems(*CHANGING, "invalid_credentials", "rate_limited"),
)
async def change_password(
    request: Request, body: PasswordChange, principal: CurrentPrincipal, runtime: CurrentRuntime
) -> None:
    """Give a new password, knowing the current one; your other sessions end, with their sockets."""
    at = runtime.live.now()
    await runtime.login.require(principal.user_id, principal.username, body.current_password, address_of(request))
    ended = await runtime.registry.set_password(principal.user_id, body.new_password, keep=principal.session_id)
    runtime.sessions.ended(principal.user_id, ended, at)
