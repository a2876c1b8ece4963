"""No WebSocket route without the dependency that judges who connects (HS-1): middleware does not gate sockets."""

from collections.abc import Iterator
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI, WebSocket
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIWebSocketRoute, iter_route_contexts
from starlette.routing import WebSocketRoute

from gateroom import create_app
from gateroom.web.deps import SocketGuest, SocketPrincipal, socket_guest, socket_principal
from support.in_process import InProcess

GUARDS = {socket_guest, socket_principal}


def socket_routes(app: FastAPI) -> list[WebSocketRoute]:
    found = [context.original_route for context in iter_route_contexts(app.routes)]
    return [route for route in found if isinstance(route, WebSocketRoute)]


def calls(dependant: Dependant) -> Iterator[object]:
    """Yield everything that runs before the endpoint."""
    for dependency in dependant.dependencies:
        yield dependency.call
        yield from calls(dependency)


def unguarded(app: FastAPI) -> list[str]:
    return [
        route.path
        for route in socket_routes(app)
        if not isinstance(route, APIWebSocketRoute) or GUARDS.isdisjoint(calls(route.dependant))
    ]


def test_every_socket_route_of_ours_has_it() -> None:
    app = create_app()
    assert sorted(route.path for route in socket_routes(app)) == ["/ws", "/ws/rooms/{room}", "/ws/users/me"]
    assert unguarded(app) == []


def test_a_bare_route_would_be_found() -> None:
    app = create_app()

    async def nothing(websocket: WebSocket) -> None: ...

    async def something(websocket: WebSocket, _: Annotated[None, Depends(nothing)]) -> None: ...

    async def guarded(websocket: WebSocket, guest: SocketGuest) -> None: ...

    async def by_principal(websocket: WebSocket, principal: SocketPrincipal) -> None: ...

    for path, endpoint in (("/a", nothing), ("/b", something), ("/c", guarded), ("/d", by_principal)):
        app.add_api_websocket_route(path, endpoint)
    app.router.routes.append(WebSocketRoute("/e", nothing))  # Starlette's own, which knows no dependencies
    assert unguarded(app) == ["/a", "/b", "/e"]


@pytest.mark.parametrize("path", [route.path for route in socket_routes(create_app())])
def test_no_socket_opens_without_a_credential(gateway: InProcess, path: str) -> None:
    assert gateway.refusal(path.format(room="lobby")) == (1008, "missing_token")
