"""The routes, one file for each thing they are about."""

from typing import Any

from fastapi.routing import APIRoute

from gateroom.errors import BY_CODE, GateroomError, MalformedRequest

PROBLEM_REFERENCE = "#/components/schemas/Problem"  # put there by `api.add_to`


def operation_id(route: APIRoute) -> str:
    """Name an operation for generated clients, such as `rooms_create`; the same whatever its path is."""
    return f"{route.tags[0]}_{route.name}"


def problems(*codes: str | type[GateroomError]) -> dict[int | str, dict[str, Any]]:
    """Describe error responses by their codes for the OpenAPI page, grouped by HTTP status.

    Of errors that share a code and not the status, the class is given.
    """
    by_status: dict[int | str, list[type[GateroomError]]] = {}
    for code in codes:
        error = BY_CODE[code] if isinstance(code, str) else code
        by_status.setdefault(error.status, []).append(error)
    if "too_large" in codes:  # what takes a body may get one that is not JSON
        by_status.setdefault(MalformedRequest.status, []).append(MalformedRequest)
    return {
        status: {
            "description": " · ".join(error.sentence for error in found),
            "content": {
                "application/problem+json": {
                    "schema": {"$ref": PROBLEM_REFERENCE},
                    "examples": {error.code: {"value": error().document(error.status)} for error in found},
                }
            },
        }
        for status, found in by_status.items()
    }


# What any call with a credential may be answered.
UNAUTHENTICATED = (
    "missing_token",
    "invalid_token",
    "token_expired",
    "token_revoked",
    "session_revoked",
    "user_disabled",
    "ambiguous_credentials",
    "unavailable",
)
CHANGING = (*UNAUTHENTICATED, "invalid_csrf", "invalid_command", "too_large")
