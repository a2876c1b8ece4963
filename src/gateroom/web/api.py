"""Puts Gateroom on a FastAPI application: routes, socket handover, error translation."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from fastapi import Depends, FastAPI

from gateroom.auth.principal import Scope
from gateroom.web.cors import ForeignPagesMiddleware
from gateroom.web.deps import require_scope
from gateroom.web.errors import add_handlers
from gateroom.web.handover import HandoverMiddleware
from gateroom.web.headers import SecurityHeadersMiddleware
from gateroom.web.proxies import Style, TrustedProxiesMiddleware
from gateroom.web.routes import (
    api_keys,
    audit,
    auth,
    authorize,
    broadcast,
    console,
    docs,
    metrics,
    moderation,
    oauth,
    registration,
    rooms,
    sessions,
    sockets,
    state,
    tickets,
    users,
    wellknown,
)
from gateroom.web.schemas import Problem

DESCRIPTION = """A JWT-secured real-time API gateway: log in over REST, connect authorized WebSockets, route messages to
rooms and to users. Errors are problem documents (RFC 9457) with a stable `code`, except those of `/auth/token`,
`/auth/revoke` and `/auth/introspect`, which are OAuth's own (RFC 6749). The sockets themselves are `/ws`,
`/ws/rooms/{room}` and `/ws/users/me`.
"""
TAGS = [
    {"name": "auth", "description": "Logging in, and who one is then."},
    {"name": "users", "description": "Accounts, and what reaches their owners."},
    {"name": "rooms", "description": "Rooms, who belongs to them, and what was said there."},
    {
        "name": "moderation",
        "description": "Who is shut out of a room, silenced, or put out; and who may do what, and why.",
    },
    {"name": "keys", "description": "API keys, with which back ends call."},
    {"name": "operations", "description": "Keys, health and metrics, for other programs."},
]


@dataclass(frozen=True, slots=True)
class Edge:
    """What an operator chose about the application as a whole."""

    console: bool = True
    docs: Literal["public", "token", "off"] = "public"
    trusted_proxies: Sequence[str] = ()
    proxy_headers: Style = "x-forwarded"
    allowed_origins: Collection[str] = ()  # whose pages may read answers


# The sockets first: routes are tried in order, and of all requests a handshake comes in storms.
_ROUTES = (
    sockets,
    auth,
    oauth,
    sessions,
    tickets,
    users,
    rooms,
    state,
    moderation,
    authorize,
    broadcast,
    wellknown,
    metrics,
    audit,
    api_keys,
    registration,
)


def add_to(app: FastAPI, edge: Edge, *, whole: bool) -> None:
    """Add everything that does not need a running gateway; `whole` for an application that is only Gateroom."""
    for module in _ROUTES:
        app.include_router(module.router)
    if edge.console:
        app.include_router(console.router)
    if whole:
        app.description, app.openapi_tags = DESCRIPTION, TAGS
        if edge.docs != "off":
            operators = [Depends(require_scope(Scope.OPERATIONS_READ))]
            app.include_router(docs.router, dependencies=operators if edge.docs == "token" else [])
        if edge.allowed_origins:
            app.add_middleware(ForeignPagesMiddleware, edge.allowed_origins)
        app.add_middleware(SecurityHeadersMiddleware)
    app.add_middleware(HandoverMiddleware)
    if edge.trusted_proxies:  # the outermost, since all others go by client and scheme
        app.add_middleware(TrustedProxiesMiddleware, edge.trusted_proxies, edge.proxy_headers)
    add_handlers(app, whole=whole)
    _describe_problems(app)


def _describe_problems(app: FastAPI) -> None:
    """Have the OpenAPI document hold the schema that all error responses refer to.

    FastAPI itself could put it there only with the media type of the success.
    """
    describe = app.openapi

    def openapi() -> dict[str, Any]:
        document = describe()
        document["components"]["schemas"].setdefault(Problem.__name__, Problem.model_json_schema())
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way of extending the document
