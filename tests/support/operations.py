"""Every HTTP operation that the application documents, for tests that must not miss one."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from gateroom import create_app

PUBLIC = frozenset(
    {
        "/auth/token",
        "/auth/login",
        "/auth/register",
        "/auth/revoke",
        "/.well-known/jwks.json",
        "/.well-known/oauth-authorization-server",
        "/healthz",
        "/readyz",
        "/metrics",
    }
)
# What asks for a credential in a way of its own: a refresh token, or by OAuth's words.
APART = frozenset({"/auth/refresh", "/auth/introspect"})


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path, as its document describes it."""

    method: str
    path: str  # with placeholders
    document: dict[str, Any]

    @property
    def concrete(self) -> str:
        """The path for the room and the user that every fresh installation has."""
        return self.path.format(room="lobby", user="@admin", session="-", key="-")

    @property
    def takes_body(self) -> bool:
        return "requestBody" in self.document

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document of the application as it is now."""
    return create_app().openapi()


@cache
def operations() -> tuple[Operation, ...]:
    return tuple(
        Operation(method.upper(), path, operation)
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
    )


def guarded() -> list[Operation]:
    """Return the operations that need an access token, and say so in a problem document."""
    return [operation for operation in operations() if operation.path not in PUBLIC | APART]
