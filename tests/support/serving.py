"""A real uvicorn server in a thread of the test, on a free port of the loopback."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any, TypeVar

from uvicorn import Config, Server

from gateroom.server.frame_protocol import FrameProtocol
from gateroom.server.http_protocol import HttpProtocol
from gateroom.server.profile import STATE_KEY, ServerProfile
from support.raw_client import RawClient

PATIENCE = 15.0  # seconds

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
T = TypeVar("T")


class _Connections(set[Any]):
    """uvicorn's set of connections, which a test can wait on."""

    def __init__(self) -> None:
        super().__init__()
        self.changed = threading.Condition()

    def add(self, connection: Any) -> None:
        with self.changed:
            super().add(connection)
            self.changed.notify_all()

    def discard(self, connection: Any) -> None:
        with self.changed:
            super().discard(connection)
            self.changed.notify_all()

    def remove(self, connection: Any) -> None:
        with self.changed:
            super().remove(connection)
            self.changed.notify_all()


class Serving(Server):
    """One running server."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()
        self.server_state.connections = self._connections = _Connections()

    def client(self, *, patience: float = 10.0, receive_buffer: int | None = None) -> RawClient:
        return RawClient(self.address, patience=patience, receive_buffer=receive_buffer)

    def call(self, act: Callable[[], T]) -> T:
        """Run `act` on the server's event loop and return what it returns."""
        assert self._loop

        async def run() -> T:
            return act()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(PATIENCE)

    def wait_for_connections(self, count: int, patience: float = PATIENCE) -> None:
        """Wait until the server has so many connections. Raises `TimeoutError`."""
        changed = self._connections.changed
        with changed:
            if not changed.wait_for(lambda: len(self._connections) == count, patience):
                raise TimeoutError(f"{len(self._connections)} connections are open, not {count}")

    def start(self) -> None:
        self._thread.start()
        if not self._ready.wait(PATIENCE):
            raise TimeoutError("the server did not start")

    def begin_to_stop(self) -> None:
        """Have it stop, as a signal would."""
        self.should_exit = True

    def ends_within(self, seconds: float) -> bool:
        """Wait for the end, and tell whether it came."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def stop(self) -> None:
        """Stop, whoever is still connected. Raises `TimeoutError`."""
        self.begin_to_stop()
        if not self.ends_within(0.5):
            self.force_exit = True
        if not self.ends_within(PATIENCE):
            raise TimeoutError("the server did not stop")

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self._ready.set()

    def _run(self) -> None:
        with self._listener:
            self.run(sockets=[self._listener])


@contextlib.contextmanager
def serving(app: App, profile: ServerProfile | None = None, **options: Any) -> Iterator[Serving]:
    """Serve an ASGI application with Gateroom's classes, unless `http` and `ws` say others, until the block ends."""
    chosen: dict[str, Any] = {"http": HttpProtocol, "ws": FrameProtocol, "log_config": None, "lifespan": "on"}
    server = Serving(Config(_with_lifespan(app, profile), **{**chosen, **options}))
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _with_lifespan(app: App, profile: ServerProfile | None) -> App:
    async def with_lifespan(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        await receive()
        if profile is not None:
            scope["state"][STATE_KEY] = profile
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    return with_lifespan
