"""How a socket of the application's own is closed from outside of its endpoint."""

from collections.abc import Sequence
from contextlib import suppress

from fastapi import WebSocket

from gateroom.protocol.frame import Segment
from gateroom.realtime.tasks import Tasks


class EndpointSink:
    """A `FrameSink` that can only close: all that is said on the socket is the endpoint's own."""

    paused = False

    def __init__(self, websocket: WebSocket, tasks: Tasks) -> None:
        self._websocket = websocket
        self._tasks = tasks

    def write(self, segments: Sequence[Segment]) -> None:
        """Send nothing."""

    def ping(self) -> bool:
        return False  # the server does its own

    def close(self, code: int, reason: str) -> None:
        self._tasks.spawn(self._close(code, reason))

    def abort(self) -> None:
        """Do nothing: what is never written to never lags."""

    async def _close(self, code: int, reason: str) -> None:
        # The endpoint may have closed it already, or its peer may have gone: servers say so in different ways.
        with suppress(RuntimeError, OSError):
            await self._websocket.close(code, reason)
