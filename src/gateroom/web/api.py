"""Puts Gateroom on a FastAPI application: routes, socket handover, error translation."""

from fastapi import FastAPI

from gateroom.web.errors import add_handlers
from gateroom.web.handover import HandoverMiddleware
from gateroom.web.routes import auth, console, docs, metrics, rooms, sockets, users, wellknown


def add_to(app: FastAPI, *, whole: bool, with_console: bool) -> None:
    """Add everything that does not need a running gateway; `whole` for an application that is only Gateroom."""
    # The sockets first: routes are tried in order, and of all requests a handshake comes in storms.
    for router in (sockets.router, auth.router, users.router, rooms.router, wellknown.router, metrics.router):
        app.include_router(router)
    if with_console:
        app.include_router(console.router)
    if whole:
        app.include_router(docs.router)
    app.add_middleware(HandoverMiddleware)
    add_handlers(app, whole=whole)
