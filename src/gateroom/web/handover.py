"""How an accepted socket gets from its endpoint to its session, on every ASGI server alike."""

from collections.abc import Callable
from contextlib import suppress
from typing import cast

import anyio
import structlog
from fastapi import WebSocket
from starlette.types import ASGIApp, Receive, Scope, Send

from gateroom.names import SUBPROTOCOL
from gateroom.realtime.door import Place
from gateroom.realtime.ports import Feed
from gateroom.realtime.session import Session
from gateroom.realtime.sinks import AsgiSink

_log = structlog.get_logger("gateroom.web")

EXTENSION = "gateroom.handover"  # put in scope["extensions"] by our own server class, or by the middleware below

PLACES = "gateroom.places"  # in every socket's scope: the places at the door that its handshake was given

Handover = Callable[[Feed], None]


async def hand_over(websocket: WebSocket, session: Session, *, as_events: bool) -> None:
    """Accept the socket, echo `gateroom.v1` if it was offered, and give it to the session for good."""
    await websocket.accept(SUBPROTOCOL if as_events else None)
    cast(Handover, websocket.scope["extensions"][EXTENSION])(session)
    session.place.taken = True  # before the endpoint ends, which is where the middleware below only begins


def keep_place(websocket: WebSocket, place: Place) -> None:
    """Have the place given back when the endpoint has ended, unless a session has taken it by then.

    A dependency with `yield` would do the same at ten times the cost.
    """
    websocket.scope[PLACES].append(place)


class HandoverMiddleware:
    """Gives places back, and serves handed-over sockets where the server does not.

    There it pumps `receive` after the application has returned, so that the endpoint and its dependencies have ended
    by then, as they have on our own server.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        places: list[Place] = []
        scope[PLACES] = places
        try:
            await self._run(scope, receive, send)
        finally:
            for place in places:
                if not place.taken:
                    place.door.leave(place)

    async def _run(self, scope: Scope, receive: Receive, send: Send) -> None:
        if EXTENSION in (scope.get("extensions") or {}):
            await self._app(scope, receive, send)
            return
        taken: list[Feed] = []
        extensions = {**(scope.get("extensions") or {}), EXTENSION: taken.append}
        try:
            await self._app({**scope, "extensions": extensions}, receive, send)
        except Exception:
            if not taken:
                raise
            _log.exception("endpoint_failed_after_handover")  # the session lives on: it has all it needs
        if taken:
            await _serve(taken[0], receive, send)


async def _serve(feed: Feed, receive: Receive, send: Send) -> None:
    try:
        async with anyio.create_task_group() as tasks:
            sink = AsgiSink(send, feed, tasks.cancel_scope.cancel)
            feed.start(sink)
            tasks.start_soon(_until_closed, sink, tasks.cancel_scope)
            await _pump(feed, receive)
            tasks.cancel_scope.cancel()
    finally:
        feed.lost()


async def _until_closed(sink: AsgiSink, scope: anyio.CancelScope) -> None:
    with suppress(OSError):  # how a server says that the peer is gone (ASGI, "send"): the reader hears of it too
        await sink.run()
        scope.cancel()


async def _pump(feed: Feed, receive: Receive) -> None:
    while (message := await receive())["type"] != "websocket.disconnect":
        text = message.get("text")
        if text is not None:
            feed.text(text.encode("utf-8", "surrogatepass"))
        else:
            feed.binary()
