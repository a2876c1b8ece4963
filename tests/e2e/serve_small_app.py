"""A process that serves one small application with `gateroom.server.run`, started by test_run.py."""

import asyncio
import contextlib
import json
import resource
import signal
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from types import FrameType
from typing import Any

from gateroom.server.profile import ServerProfile
from gateroom.server.run import ServeError, serve

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def app(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await live(receive, send)
    elif scope["type"] == "websocket":
        await endless(receive, send)
    else:
        await describe(scope, send)


async def live(receive: Receive, send: Send) -> None:
    await receive()
    if OPTIONS.get("slow_to_start"):
        await signalled()
    if OPTIONS.get("fails_to_start"):
        await send({"type": "lifespan.startup.failed", "message": "no luck"})
        return
    await send({"type": "lifespan.startup.complete"})
    await receive()
    say("ending")
    if OPTIONS.get("hangs_at_the_end"):
        await asyncio.Event().wait()
    await send({"type": "lifespan.shutdown.complete"})
    say("ended")


async def signalled() -> None:
    """Wait until the server has had a signal."""
    arrived = asyncio.Event()
    ours = signal.getsignal(signal.SIGTERM)
    assert callable(ours)

    def handle(number: int, frame: FrameType | None) -> None:
        ours(number, frame)
        loop.call_soon_threadsafe(arrived.set)

    loop = asyncio.get_running_loop()
    signal.signal(signal.SIGTERM, handle)
    say("waiting for a signal")
    await arrived.wait()


async def endless(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while OPTIONS.get("floods"):
        await send({"type": "websocket.send", "bytes": bytes(65536)})
    while OPTIONS.get("swallows_cancellation"):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
    while (await receive())["type"] != "websocket.disconnect":
        pass


async def describe(scope: MutableMapping[str, Any], send: Send) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    loop = type(asyncio.get_running_loop()).__module__
    body = json.dumps({"client": scope["client"][0], "soft": soft, "hard": hard, "loop": loop}).encode()
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


OPTIONS = json.loads(sys.argv[1])

if __name__ == "__main__":
    try:
        status = serve(
            app,
            host=OPTIONS.get("host", "127.0.0.1"),
            port=OPTIONS.get("port", 0),
            profile=ServerProfile(shutdown_grace=OPTIONS.get("grace", 5)),
            on_started=lambda address: say(f"ready on {address}"),
        )
    except ServeError as problem:
        say(f"refused: {problem}")
        status = 1
    sys.exit(status)
