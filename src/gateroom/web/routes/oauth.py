"""OAuth 2 for programs: tokens for a password or a refresh token, and the end of tokens (RFC 6749, 7009, 7662)."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import JSONResponse

from gateroom.auth import api_keys, refresh
from gateroom.auth.claims import Claims, parse_scopes
from gateroom.auth.principal import Principal, Scope, scope_text
from gateroom.errors import GateroomError, InvalidCredentials, InvalidScope, NotFound, Refusal
from gateroom.web.audit import acts_as, quietly, trail_of
from gateroom.web.deps import CurrentRuntime, require_scope
from gateroom.web.granting import DEFAULT_CLIENT, NO_STORE, device_of, in_body
from gateroom.web.logging_in import authenticate
from gateroom.web.oauth import OAuthRoute, authenticates_a_client, form_of, invalid_client, oauth_error
from gateroom.web.routes import operation_id
from gateroom.web.runtime import Runtime
from gateroom.web.schemas import Introspection, OAuthProblem, Token

router = APIRouter(prefix="/auth", tags=["auth"], route_class=OAuthRoute, generate_unique_id_function=operation_id)

_PASSWORD, _REFRESH = "password", "refresh_token"
GRANT_TYPES = (_PASSWORD, _REFRESH)

Introspector = Annotated[Principal, Depends(require_scope(Scope.TOKENS_INTROSPECT))]
RefreshTokenField = Annotated[str | None, Form(examples=["grr_…"], json_schema_extra={"format": "password"})]
TokenField = Annotated[str, Form(examples=["eyJ0eXAiOiJhdCtqd3Qi…"], json_schema_extra={"format": "password"})]
HintField = Annotated[str | None, Form(description="Ignored: a token says what it is.")]

_FORM_ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": OAuthProblem, "description": "invalid_request"},
    "default": {"model": OAuthProblem, "description": "invalid_request or temporarily_unavailable"},
}


@router.post(
    "/token",
    summary="Get an access token (OAuth 2)",
    response_model=Token,
    responses={
        400: {
            "model": OAuthProblem,
            "description": "invalid_request, invalid_grant, invalid_scope, unsupported_grant_type",
        },
        401: {"model": OAuthProblem, "description": "invalid_client: there are no confidential clients"},
        429: {"model": OAuthProblem, "description": "temporarily_unavailable: too many logins at once"},
        "default": {"model": OAuthProblem, "description": "invalid_request or temporarily_unavailable"},
    },
)
@quietly
async def token(
    request: Request,
    runtime: CurrentRuntime,
    grant_type: Annotated[str | None, Form(examples=[_PASSWORD])] = None,
    username: Annotated[str | None, Form()] = None,
    password: Annotated[str | None, Form(json_schema_extra={"format": "password"})] = None,
    refresh_token: RefreshTokenField = None,
    scope: Annotated[str | None, Form(description="Scopes, space-separated; left out: all you have.")] = None,
    client_id: Annotated[str | None, Form()] = None,
    client_secret: Annotated[str | None, Form(json_schema_extra={"format": "password"})] = None,
) -> Response:
    """Exchange a username and a password (RFC 6749 section 4.3), or a refresh token (section 6), for new tokens."""
    if await form_of(request) is None:
        return oauth_error(400, "invalid_request", "A parameter is given twice.")
    if client_secret or authenticates_a_client(request):
        return invalid_client()
    if grant_type and grant_type not in GRANT_TYPES:
        return oauth_error(
            400, "unsupported_grant_type", "The grant_type is not supported; use password or refresh_token."
        )
    try:
        requested = parse_scopes(scope) if scope else None
    except ValueError:
        return oauth_error(400, "invalid_scope", "The scope is not a list of scopes separated by spaces.")
    try:
        if grant_type == _PASSWORD and username and password:
            return await _by_password(request, runtime, username, password, requested, _client(client_id))
        if grant_type == _REFRESH and refresh_token:
            return await _by_refresh_token(runtime, refresh_token, requested, client_id)
    except InvalidScope:
        raise
    except GateroomError as error:
        return oauth_error(error.status, "temporarily_unavailable", error.detail, error.retry_after)
    return oauth_error(
        400, "invalid_request", "grant_type is required, with username and password, or with refresh_token."
    )


async def _by_password(
    request: Request,
    runtime: Runtime,
    username: str,
    password: str,
    requested: frozenset[str] | None,
    client_id: str,
) -> Response:
    try:
        proven = await authenticate(request, runtime, username, password)
        granted = await runtime.sessions.begin(proven, requested, device_of(request, client_id))
    except InvalidCredentials as error:
        return oauth_error(400, "invalid_grant", error.detail)
    return in_body(granted)


async def _by_refresh_token(
    runtime: Runtime, token: str, narrower: frozenset[str] | None, client_id: str | None
) -> Response:
    """A refresh token is its client's own: another that names itself does not get it renewed (section 6)."""
    try:
        presented = await runtime.sessions.find(token)
        if client_id and _client(client_id) != presented.session.client_id:
            return oauth_error(400, "invalid_grant", "The refresh token was given to another client.")
        return in_body(await runtime.sessions.renew(presented, narrower))
    except Refusal as refusal:
        if refusal.status != 401:
            raise
        return oauth_error(400, "invalid_grant", refusal.detail)


@router.post(
    "/revoke",
    summary="End a token (OAuth 2)",
    response_class=Response,  # without a body
    responses={
        200: {"description": "It is not good any more, if it ever was."},
        401: {"model": OAuthProblem, "description": "invalid_client: there are no confidential clients"},
        **_FORM_ERRORS,
    },
)
async def revoke(
    request: Request,
    runtime: CurrentRuntime,
    token: TokenField,
    token_type_hint: HintField = None,
    client_id: Annotated[str | None, Form()] = None,
    client_secret: Annotated[str | None, Form(json_schema_extra={"format": "password"})] = None,
) -> Response:
    """Revoke an access token or an API key, or with a refresh token its whole session; the sockets end too (RFC 7009).

    Whoever holds a token may end it. The answer is the same for a token that nobody knows.
    """
    if await form_of(request) is None:
        return oauth_error(400, "invalid_request", "A parameter is given twice.")
    if client_secret or authenticates_a_client(request):
        return invalid_client()
    try:
        if token.startswith(refresh.PREFIX):
            await runtime.sessions.revoke_session(token)
        elif token.startswith(api_keys.PREFIX):
            await _revoke_key(request, runtime, token)
        else:
            await runtime.sessions.revoke(await runtime.bearers.claims(token))
    except (Refusal, NotFound):
        pass  # not good any more, which is what was asked for (section 2.2)
    return Response(headers=NO_STORE)


async def _revoke_key(request: Request, runtime: Runtime, text: str) -> None:
    owner = await runtime.api_keys.principal(text)
    acts_as(request, owner)
    trail_of(request).target = f"key:{owner.token_id}"
    await runtime.api_keys.revoke(owner.token_id)


@router.post(
    "/introspect",
    summary="Is this access token good? (OAuth 2)",
    response_model=Introspection,
    responses={
        401: {"model": OAuthProblem, "description": "invalid_token: about the caller's own credential"},
        403: {"model": OAuthProblem, "description": "insufficient_scope: it needs tokens:introspect"},
        **_FORM_ERRORS,
    },
)
@quietly
async def introspect(
    request: Request,
    runtime: CurrentRuntime,
    _: Introspector,
    token: TokenField,
    token_type_hint: HintField = None,
) -> Response:
    """Show what an access token allows now, its account and session considered (RFC 7662).

    Of anything else, refresh tokens included, it says `{"active": false}` and no more. Needs scope `tokens:introspect`.
    """
    if await form_of(request) is None:
        return oauth_error(400, "invalid_request", "A parameter is given twice.")
    try:
        claims = await runtime.bearers.claims(token)
        shown = _active(claims, await runtime.accounts.principal(claims))
    except Refusal:
        shown = {"active": False}
    return JSONResponse(shown, headers=NO_STORE)


def _active(claims: Claims, principal: Principal) -> dict[str, Any]:
    powers = {"scope": scope_text(principal.scopes), "roles": sorted(principal.roles)}
    return {"active": True, **claims.payload(), **powers, "username": principal.username, "token_type": "Bearer"}


def _client(client_id: str | None) -> str:
    """Keep a client's name for itself if it is a plain short one (RFC 6749 appendix A.1), else the default."""
    if client_id and len(client_id) <= 100 and client_id.isascii() and client_id.isprintable():
        return client_id
    return DEFAULT_CLIENT
