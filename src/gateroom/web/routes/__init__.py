"""The routes, one file for each thing they are about."""

from typing import Any

from fastapi.routing import APIRoute

from gateroom.errors import BY_CODE, MalformedRequest

PROBLEM_REFERENCE = "#/components/schemas/Problem"  # put there by `api.add_to`


def operation_id(route: APIRoute) -> str:
    """Name an operation for generated clients, such as `rooms_create`; the same whatever its path is."""
    return f"{route.tags[0]}_{route.name}"


def problems(*codes: str) -> dict[int | str, dict[str, Any]]:
    """Describe error responses by their codes for the OpenAPI page, grouped by HTTP status."""
    by_status: dict[int | str, list[str]] = {}
    for code in codes:
        by_status.setdefault(BY_CODE[code].status, []).append(code)
    if "too_large" in codes:  # what takes a body may get one that is not JSON
        by_status.setdefault(MalformedRequest.status, []).append(MalformedRequest.code)
    return {
        status: {
            "description": " · ".join(BY_CODE[code].sentence for code in found),
            "content": {
                "application/problem+json": {
                    "schema": {"$ref": PROBLEM_REFERENCE},
                    "examples": {code: {"value": BY_CODE[code]().document(int(status))} for code in found},
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
