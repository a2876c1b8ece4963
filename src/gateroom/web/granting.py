"""How a session's tokens reach its owner: in a body, or in cookies that no script can read."""

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from gateroom.auth.ports import User
from gateroom.auth.principal import scope_text
from gateroom.auth.sessions import Device, Granted
from gateroom.web import cookies
from gateroom.web.runtime import Runtime
from gateroom.web.schemas import CookieLogin, Profile, Token

DEFAULT_CLIENT = "gateroom"  # the client_id of tokens for callers that name none
NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}  # RFC 6749 section 5.1


def device_of(request: Request, client_id: str = DEFAULT_CLIENT) -> Device:
    """Return where a login comes from, as its owner will see it."""
    address = request.client.host if request.client else ""
    return Device(client_id, request.headers.get("user-agent", ""), address)


def in_body(granted: Granted) -> Response:
    """Answer with the pair itself (RFC 6749 section 5.1)."""
    token = Token(
        access_token=granted.access.token,
        token_type="bearer",  # noqa: S106 - the type's name, not a secret
        expires_in=_lifetime(granted),
        refresh_token=granted.refresh_token,
        scope=scope_text(granted.access.claims.scope),
    )
    return JSONResponse(token.model_dump(), headers=NO_STORE)


def in_cookies(granted: Granted, request: Request, runtime: Runtime) -> Response:
    """Answer with the pair in cookies, and what a page needs to know in the body."""
    claims = granted.access.claims
    answer = CookieLogin(
        user=_profile(granted.user, claims.scope),
        expires_in=_lifetime(granted),
        csrf_token=runtime.csrf.token(claims.sid),
    )
    response = JSONResponse(answer.model_dump(), headers=NO_STORE)
    secure = cookies.is_secure(request, runtime.options)
    cookies.set_access(response, granted.access.token, _lifetime(granted), secure=secure)
    until = max(1, int(granted.session.expires_at - granted.session.used_at))
    cookies.set_refresh(response, granted.refresh_token, until, secure=secure)
    return response


def _lifetime(granted: Granted) -> int:
    claims = granted.access.claims
    return claims.exp - claims.iat


def _profile(user: User, scopes: frozenset[str]) -> Profile:
    return Profile(id=user.id, username=user.username, roles=sorted(user.roles), scopes=sorted(scopes))
