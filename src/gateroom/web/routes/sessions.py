"""Sessions as their owners see them: refreshed, listed and ended."""

from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from gateroom.auth.ports import AuthSession
from gateroom.auth.sessions import Presented
from gateroom.errors import GateroomError, InvalidCommand, InvalidCsrf, Refusal
from gateroom.protocol.events import rfc3339
from gateroom.web import cookies
from gateroom.web.audit import quietly, trail_of
from gateroom.web.credentials import refresh_cookie
from gateroom.web.deps import (
    CurrentRuntime,
    LoggedInPrincipal,
    TriedPrincipal,
    current_claims,
    logged_in_principal,
    require_same_origin,
)
from gateroom.web.errors import problem
from gateroom.web.granting import in_body, in_cookies
from gateroom.web.paging import Page
from gateroom.web.routes import CHANGING, UNAUTHENTICATED, operation_id, problems
from gateroom.web.runtime import Runtime
from gateroom.web.schemas import CookieLogin, Listing, RefreshRequest, SessionPage, SessionView, Token
from gateroom.web.strict import StrictRoute

router = APIRouter(prefix="/auth", tags=["auth"], route_class=StrictRoute, generate_unique_id_function=operation_id)

SessionId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$", examples=["3q2-7wHXRkC1m8nR0aZb9g"])]


@router.post(
    "/refresh",
    summary="Get the next pair of tokens",
    response_model=Token | CookieLogin,
    responses=problems(
        "missing_token",
        "invalid_token",
        "session_revoked",
        "user_disabled",
        "ambiguous_credentials",
        "invalid_csrf",
        "invalid_command",
        "too_large",
        "unavailable",
    ),
)
@quietly
async def refresh(request: Request, runtime: CurrentRuntime, body: RefreshRequest | None = None) -> Response:
    """Exchange a refresh token, from the body or the cookie, for a new pair; the session's sockets live on.

    It is good once: used again, by whomever, it ends its session.
    """
    if body is not None:
        granted = await runtime.sessions.renew(await _found(request, runtime, body.refresh_token))
        await runtime.sessions.carry_on(granted)
        return in_body(granted)
    try:
        granted = await runtime.sessions.renew(await _in_cookie(request, runtime))
        await runtime.sessions.carry_on(granted)
    except Refusal as refusal:
        return _without_cookies(refusal, request, runtime)
    return in_cookies(granted, request, runtime)


async def _in_cookie(request: Request, runtime: Runtime) -> Presented:
    """Return the session of the refresh cookie, which one of our own pages must have asked for.

    Raises `MissingToken`, `AmbiguousCredentials`, `InvalidCsrf`, or as `Sessions.find` does.
    """
    token = refresh_cookie(request, runtime.options)
    require_same_origin(request, runtime)
    presented = await _found(request, runtime, token)
    runtime.csrf.check(presented.session.id, request.headers.get("x-csrf-token"))
    return presented


async def _found(request: Request, runtime: Runtime, token: str) -> Presented:
    """Return the session of a refresh token, and take note of whose it is."""
    presented = await runtime.sessions.find(token)
    trail = trail_of(request)
    trail.actor, trail.session = presented.session.user_id, presented.session.id
    return presented


def _without_cookies(error: GateroomError, request: Request, runtime: Runtime) -> Response:
    """Answer an error, and have the browser forget tokens that are of no use any more.

    Only for a page of ours: with a foreign page's form the browser sends no cookie, but would take what is set.
    """
    trail_of(request).outcome = error.code
    response = problem(error)
    with suppress(InvalidCsrf):
        require_same_origin(request, runtime)
        cookies.clear(response, secure=cookies.is_secure(request, runtime.options))
    return response


@router.post("/logout", status_code=204, summary="Log out", responses=problems(*UNAUTHENTICATED, "invalid_csrf"))
async def logout(request: Request, found: TriedPrincipal, runtime: CurrentRuntime) -> Response:
    """End this session with its tokens and sockets, and have the browser forget the cookies.

    A browser whose access token has run out may show its refresh cookie alone. A token of an outside issuer, whose
    session is not kept here, ends by itself.
    """
    if isinstance(found, Refusal):
        try:
            presented = await _in_cookie(request, runtime)
        except Refusal:
            return _without_cookies(found, request, runtime)
        await runtime.sessions.revoke_session(presented.token)
    else:
        await runtime.sessions.close(await current_claims(request, await logged_in_principal(found), runtime))
    response = Response(status_code=204)
    cookies.clear(response, secure=cookies.is_secure(request, runtime.options))
    return response


@router.get(
    "/sessions",
    summary="List your sessions",
    response_model=SessionPage,
    responses=problems(*UNAUTHENTICATED, "invalid_command"),
)
async def listing(
    page: Page, response: Response, principal: LoggedInPrincipal, runtime: CurrentRuntime
) -> Listing[SessionView]:
    """List where you are logged in, newest first."""
    response.headers["Cache-Control"] = "no-store"
    rows = await runtime.devices.page(principal.user_id, _opened(page.after), page.rows)
    return page.listing(rows, _key, lambda session: _view(session, principal.session_id))


@router.delete(
    "/sessions/{session}",
    status_code=204,
    summary="End one of your sessions",
    responses=problems(*CHANGING, "not_found"),
)
async def end(session: SessionId, principal: LoggedInPrincipal, runtime: CurrentRuntime) -> None:
    """Log a device out: its tokens and sockets end."""
    await runtime.sessions.end(principal.user_id, session)


def _key(session: AuthSession) -> str:
    return f"{session.created_at!r} {session.id}"


def _opened(key: str | None) -> tuple[float, str] | None:
    if key is None:
        return None
    at, _, session_id = key.partition(" ")
    try:
        return float(at), session_id
    except ValueError:
        raise InvalidCommand("cursor: is not one that a page gave.") from None


def _view(session: AuthSession, current: str) -> SessionView:
    return SessionView(
        id=session.id,
        client=session.client_id,
        user_agent=session.user_agent,
        address=session.address,
        created_at=rfc3339(session.created_at),
        last_used_at=rfc3339(session.used_at),
        expires_at=rfc3339(session.expires_at),
        current=session.id == current,
    )
