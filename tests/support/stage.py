"""A server whose sockets are handed over to feeds that a test prepares."""

import contextlib
import queue
from collections.abc import Iterator
from typing import Any

from gateroom.server.profile import ServerProfile
from support.asgi import EXTENSION, accept, by_path, echo, hello
from support.feeds import RecordingFeed
from support.raw_client import RawClient
from support.serving import Receive, Scope, Send, Serving, serving


class Stage:
    """Gives the feeds that were prepared to the sockets that come, in order."""

    def __init__(self) -> None:
        self.server: Serving
        self._feeds: queue.SimpleQueue[RecordingFeed] = queue.SimpleQueue()

    def connect(self, feed: RecordingFeed, path: str = "/live", **options: Any) -> RawClient:
        """Open a socket and hand it over to the feed."""
        self._feeds.put(feed)
        client = self.server.client(**options)
        client.open(path)
        feed.wait_for("start")
        return client

    def prepare(self, feed: RecordingFeed) -> RecordingFeed:
        """Have the next socket handed over to the feed."""
        self._feeds.put(feed)
        return feed

    async def live(self, scope: Scope, receive: Receive, send: Send) -> None:
        await accept(receive, send)
        scope["extensions"][EXTENSION](self._feeds.get_nowait())

    async def late(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand over only once a first message was read."""
        await accept(receive, send)
        await send({"type": "websocket.send", "text": "say when"})
        await receive()
        scope["extensions"][EXTENSION](self._feeds.get_nowait())


@contextlib.contextmanager
def staged(profile: ServerProfile | None = None, **options: Any) -> Iterator[Stage]:
    """Serve `/live` and `/late`, which hand over, `/echo`, which does not, and `/hello` over HTTP."""
    stage = Stage()
    app = by_path(live=stage.live, late=stage.late, echo=echo, hello=hello)
    with serving(app, profile, **options) as stage.server:
        yield stage
