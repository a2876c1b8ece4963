"""A python-socketio server as its documentation shows it: every `msg` is emitted to everybody."""

from typing import Any

import socketio  # type: ignore[import-not-found,import-untyped,unused-ignore] # an extra, and without types

server = socketio.AsyncServer(async_mode="asgi")
app = socketio.ASGIApp(server)


@server.on("msg")  # type: ignore[untyped-decorator,unused-ignore] # python-socketio has no types
async def relay(sid: str, data: Any) -> None:
    await server.emit("msg", data)
