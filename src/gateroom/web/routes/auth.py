"""Logging in, and who one is then."""

from base64 import b64decode
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import JSONResponse

from gateroom.auth.claims import parse_scopes
from gateroom.auth.ports import User
from gateroom.auth.principal import scope_text
from gateroom.auth.tokens import Issued
from gateroom.errors import GateroomError, InvalidCommand, InvalidCredentials, OriginNotAllowed
from gateroom.incidents import note
from gateroom.protocol.events import rfc3339
from gateroom.web import cookies, credentials, origins
from gateroom.web.credentials import Place
from gateroom.web.deps import CurrentPrincipal, CurrentRuntime
from gateroom.web.routes import UNAUTHENTICATED, operation_id, problems
from gateroom.web.runtime import Runtime
from gateroom.web.schemas import CookieLogin, LoginRequest, Me, OAuthProblem, Profile, Token
from gateroom.web.strict import StrictRoute

DEFAULT_CLIENT = "gateroom"  # the client_id of tokens for callers that name none
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}  # RFC 6749 section 5.1


class _OAuthRoute(StrictRoute):
    """Says that a form cannot be read in the words of RFC 6749 section 5.2."""

    def refused(self, error: GateroomError) -> Response:
        if isinstance(error, InvalidCommand):
            return _oauth_error(400, "invalid_request", "The body is not a form of the fields that are asked for.")
        name = "invalid_request" if error.status < 500 else "temporarily_unavailable"
        return _oauth_error(error.status, name, error.detail, error.retry_after)


router = APIRouter(prefix="/auth", tags=["auth"], route_class=StrictRoute, generate_unique_id_function=operation_id)
_forms = APIRouter(route_class=_OAuthRoute)


@_forms.post(
    "/token",
    operation_id="auth_token",
    summary="Get an access token (OAuth 2)",
    response_model=Token,
    responses={
        400: {"model": OAuthProblem, "description": "invalid_request, invalid_grant, unsupported_grant_type"},
        401: {"model": OAuthProblem, "description": "invalid_client: there are no confidential clients"},
        429: {"model": OAuthProblem, "description": "temporarily_unavailable: too many logins at once"},
        "default": {"model": OAuthProblem, "description": "invalid_request or temporarily_unavailable"},
    },
)
async def token(
    request: Request,
    runtime: CurrentRuntime,
    grant_type: Annotated[str | None, Form(examples=["password"])] = None,
    username: Annotated[str | None, Form()] = None,
    password: Annotated[str | None, Form(json_schema_extra={"format": "password"})] = None,
    scope: Annotated[str | None, Form(description="Scopes, space-separated; left out: all you have.")] = None,
    client_id: Annotated[str | None, Form()] = None,
    client_secret: Annotated[str | None, Form(json_schema_extra={"format": "password"})] = None,
) -> Response:
    """Exchange a username and a password for an access token (RFC 6749 section 4.3)."""
    fields = (await request.form()).multi_items()
    if len({name for name, _ in fields}) != len(fields):
        return _oauth_error(400, "invalid_request", "A parameter is given twice.")
    if client_secret or _authenticates_a_client(request):
        return _oauth_error(401, "invalid_client", "There are no confidential clients here; leave client_secret out.")
    if grant_type is None or (grant_type == "password" and not (username and password)):
        return _oauth_error(400, "invalid_request", "grant_type, username and password are required.")
    if grant_type != "password":
        return _oauth_error(400, "unsupported_grant_type", "The grant_type is not supported; use password.")
    try:
        requested = parse_scopes(scope) if scope else None
    except ValueError:
        return _oauth_error(400, "invalid_scope", "The scope is not a list of scopes separated by spaces.")
    try:
        user = await _authenticate(request, runtime, username or "", password or "")
    except InvalidCredentials as error:
        return _oauth_error(400, "invalid_grant", error.detail)
    except GateroomError as error:
        return _oauth_error(error.status, "temporarily_unavailable", error.detail, error.retry_after)
    issued = runtime.login.grant(user, requested, _client(client_id))
    return JSONResponse(_token(issued).model_dump(), headers=_NO_STORE)


router.include_router(_forms)


@router.post(
    "/login",
    summary="Log in",
    response_model=Token | CookieLogin,
    responses=problems(
        "invalid_credentials", "origin_not_allowed", "invalid_command", "too_large", "rate_limited", "unavailable"
    ),
)
async def login(request: Request, body: LoginRequest, runtime: CurrentRuntime) -> Response:
    """Exchange a username and a password for an access token, in the body or in an HttpOnly cookie."""
    if body.cookie:
        origin = origins.origin_of(request)
        if origin is not None and not origins.is_allowed(origin, request, runtime.options):
            raise OriginNotAllowed
    user = await _authenticate(request, runtime, body.username, body.password)
    issued = runtime.login.grant(user, None, DEFAULT_CLIENT)
    if not body.cookie:
        return JSONResponse(_token(issued).model_dump(), headers=_NO_STORE)
    answer = CookieLogin(
        user=_profile(user, issued.claims.scope),
        expires_in=_lifetime(issued),
        csrf_token=runtime.csrf.token(issued.claims.sid),
    )
    response = JSONResponse(answer.model_dump(), headers=_NO_STORE)
    secure = cookies.is_secure(request, runtime.options)
    cookies.set_access(response, issued.token, _lifetime(issued), secure=secure)
    return response


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


def _authenticates_a_client(request: Request) -> bool:
    """Tell whether a client's secret is in the header (RFC 6749 section 2.3.1); Swagger's form sends an empty one."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        return not b64decode(encoded).endswith(b":")
    except ValueError:
        return True


async def _authenticate(request: Request, runtime: Runtime, username: str, password: str) -> User:
    """Log in, and note how it went; the name is noted only once it is known to be one."""
    peer = request.client and request.client.host
    try:
        user = await runtime.login.authenticate(username, password)
    except GateroomError as error:
        note("login_failed", code=error.code, peer=peer)
        raise
    note("login_succeeded", user=user.id, username=user.username, peer=peer)
    return user


def _client(client_id: str | None) -> str:
    """Keep a client's name for itself if it is a plain short one (RFC 6749 appendix A.1), else the default."""
    if client_id and len(client_id) <= 100 and client_id.isascii() and client_id.isprintable():
        return client_id
    return DEFAULT_CLIENT


def _token(issued: Issued) -> Token:
    return Token(
        access_token=issued.token,
        token_type="bearer",  # noqa: S106 - the type's name, not a secret
        expires_in=_lifetime(issued),
        scope=scope_text(issued.claims.scope),
    )


def _lifetime(issued: Issued) -> int:
    return issued.claims.exp - issued.claims.iat


def _profile(user: User, scopes: frozenset[str]) -> Profile:
    return Profile(id=user.id, username=user.username, roles=sorted(user.roles), scopes=sorted(scopes))


def _oauth_error(status: int, error: str, description: str, retry_after: int | None = None) -> JSONResponse:
    headers = dict(_NO_STORE)
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    if status == 401:
        headers["WWW-Authenticate"] = 'Basic realm="gateroom"'
    return JSONResponse({"error": error, "error_description": description}, status, headers)
