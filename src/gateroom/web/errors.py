"""Errors as HTTP says them: RFC 9457 problem documents, translated here and nowhere else."""

import secrets
from typing import cast

import structlog
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from gateroom.auth.principal import scope_text
from gateroom.errors import (
    Forbidden,
    GateroomError,
    InsufficientScope,
    InternalError,
    InvalidCommand,
    MethodNotAllowed,
    MissingToken,
    NotFound,
    Refusal,
    TooLarge,
    Unavailable,
    UnsupportedMediaType,
)
from gateroom.names import SECURITY_HEADERS

_log = structlog.get_logger("gateroom.web")

_BY_STATUS: dict[int, type[GateroomError]] = {
    403: Forbidden,
    404: NotFound,
    405: MethodNotAllowed,
    413: TooLarge,
    415: UnsupportedMediaType,
    503: Unavailable,
}


def problem(error: GateroomError, *, detail: str | None = None) -> JSONResponse:
    """Turn an error into its problem document; 401 and 403 say what would do (RFC 6750 section 3)."""
    headers = {**SECURITY_HEADERS, "Cache-Control": "no-store"}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if (asked := challenge(error)) is not None:
        headers["WWW-Authenticate"] = asked
    document = error.document(error.status) | ({"detail": detail} if detail else {})
    return JSONResponse(document, error.status, headers, media_type="application/problem+json")


def challenge(error: GateroomError) -> str | None:
    """Return the WWW-Authenticate that RFC 6750 section 3 has with an error, None where it has none."""
    realm = 'Bearer realm="gateroom"'
    if isinstance(error, InsufficientScope):
        return f'{realm}, error="insufficient_scope", scope="{scope_text(error.scopes)}"'
    if error.status != 401 or not isinstance(error, Refusal):
        return None
    return realm if isinstance(error, MissingToken) else f'{realm}, error="invalid_token"'


async def on_gateroom_error(_: Request, error: Exception) -> JSONResponse:
    """Answer one of our own errors, wherever it was raised."""
    return problem(cast(GateroomError, error))


async def on_http_exception(_: Request, error: Exception) -> JSONResponse:
    """Answer what the framework refuses by itself, such as an unknown path."""
    refused = cast(HTTPException, error)
    known = _BY_STATUS.get(refused.status_code)
    if known is not None:
        response = problem(known())
    else:
        document = InvalidCommand().document(refused.status_code)
        response = JSONResponse(document, refused.status_code, media_type="application/problem+json")
    response.headers.update(refused.headers or {})  # such as Allow, which a 405 must have (RFC 9110 section 15.5.6)
    return response


async def on_fault(_: Request, fault: Exception) -> JSONResponse:
    """Answer a mistake of ours with an error id that the log has too."""
    error_id = secrets.token_hex(6)
    _log.error("request_failed", error_id=error_id, exc_info=fault)
    return problem(InternalError(), detail=f"Something went wrong on our side; error id {error_id}.")


def add_handlers(app: FastAPI, *, whole: bool) -> None:
    """Translate our errors on any application; with `whole`, the framework's own too, for an app that is ours."""
    app.add_exception_handler(GateroomError, on_gateroom_error)
    if whole:
        app.add_exception_handler(HTTPException, on_http_exception)
        app.add_exception_handler(Exception, on_fault)
