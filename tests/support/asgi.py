"""Small ASGI applications for tests that judge a server, not a framework."""

from collections.abc import Callable
from typing import Any

from gateroom.realtime.ports import Feed
from support.serving import App, Receive, Scope, Send

EXTENSION = "gateroom.handover"


def by_path(**apps: App) -> App:
    """Serve each application at the path of its name."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await apps[scope["path"].strip("/")](scope, receive, send)

    return app


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the whole request, then say its size."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message["body"])
        more = message["more_body"]
    body = b"%d bytes" % size
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Send each message back, until the client leaves."""
    await accept(receive, send)
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})


async def accept(receive: Receive, send: Send, **fields: Any) -> None:
    """Answer a handshake with yes."""
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept", **fields})


def handing_over(make: Callable[[], Feed]) -> App:
    """Accept, hand over to a new feed, and return."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await accept(receive, send)
        scope["extensions"][EXTENSION](make())

    return app


def refusing(reason: str | None, code: int = 1008) -> App:
    """Close before the accept, as Starlette does for a `WebSocketException`."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.close", "code": code, "reason": reason})

    return app
