"""`gateroom serve`: one uvicorn server in this process, from its socket to its exit status."""

import asyncio
import contextlib
import gc
import logging
import os
import resource
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from types import FrameType
from typing import Any

import structlog
from uvicorn import Config, Server

from gateroom.server.ebb import Ebb, give_back
from gateroom.server.frame_protocol import FrameProtocol
from gateroom.server.http_protocol import HttpProtocol
from gateroom.server.profile import DEFAULT, STATE_KEY, ServerProfile

_log = structlog.get_logger("gateroom.server")

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_FOR_PEERS, _FOR_TASKS, _FOR_APPLICATION = 0.7, 0.05, 0.2  # of the grace: what each may take to end


def serve(
    app: Callable[..., Any],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    profile: ServerProfile = DEFAULT,
    factory: bool = False,
    log_config: dict[str, Any] | None = None,
    log_level: str | int | None = None,
    access_log: bool = True,
    on_started: Callable[[str], None] = lambda address: None,
) -> int:
    """Serve the ASGI application, or what the factory makes, until a signal; return the exit status.

    `on_started` is called with the real address (`http://127.0.0.1:8000`) once it is listened on. SIGTERM and SIGINT
    end with status 0 within `profile.shutdown_grace`, a second one at once with 1. Raises `ServeError` when it cannot
    start.
    """
    _raise_file_limit()
    listener = _listen(host, port)
    config = Config(
        app,
        factory=factory,
        http=HttpProtocol,
        ws=FrameProtocol,
        ws_per_message_deflate=False,
        ws_max_size=profile.max_message_bytes,
        loop="auto",
        lifespan="on",
        workers=1,
        proxy_headers=False,  # uvicorn would believe any program on this machine; `web.proxies` has it
        server_header=False,
        log_config=log_config,
        log_level=log_level,
        access_log=access_log,
    )
    server = GatewayServer(config, profile, lambda: on_started(_address(listener)))
    with listener, server.handling_signals():
        try:
            server.run(sockets=[listener])
        except SystemExit:  # uvicorn's way to say it
            raise ServeError("The application did not start; the log says why.") from None
    return 0


class ServeError(Exception):
    """Why the server cannot start, in a sentence for whoever started it."""


class GatewayServer(Server):
    """uvicorn's server, except for how it ends."""

    def __init__(self, config: Config, profile: ServerProfile, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._profile = profile
        self._on_started = on_started
        self._watchdog: threading.Timer | None = None
        self._ebb = Ebb()

    @contextlib.contextmanager
    def handling_signals(self) -> Iterator[None]:
        """Handle signals from before the start on; uvicorn's own handling ends the process by the signal."""
        before = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            if self._watchdog is not None:
                self._watchdog.cancel()
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing: `handling_signals` has it."""
        yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End on the first signal; on the second without waiting for anything."""
        if self.should_exit:
            os._exit(1)
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.lifespan.state.setdefault(STATE_KEY, self._profile)
        await super().startup(sockets)
        # What is there by now stays: sockets that come and go should not have it searched for garbage each time.
        gc.collect()
        gc.freeze()
        if not self.should_exit:
            self._on_started()

    async def on_tick(self, counter: int) -> bool:
        """Do what uvicorn does ten times a second, and give memory back after a crowd has gone."""
        if self._ebb.over(len(self.server_state.connections)):
            give_back()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Say goodbye to every peer, then end the application, each within its part of the grace."""
        grace = self._profile.shutdown_grace
        self._exit_at_the_latest_after(grace)
        for server in self.servers:
            server.close()
        for listener in sockets or ():
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        if not await _within(grace * _FOR_PEERS, self._wait_tasks_to_complete()):
            await self._drop_what_is_left(grace * _FOR_TASKS)
        if not await _within(grace * _FOR_APPLICATION, self.lifespan.shutdown()):
            _log.error("application_did_not_end", grace=grace)

    async def _drop_what_is_left(self, patience: float) -> None:
        connections, tasks = list(self.server_state.connections), list(self.server_state.tasks)
        _log.warning("dropped_at_shutdown", connections=len(connections), tasks=len(tasks))
        for connection in connections:
            connection.transport.abort()
        if tasks:  # they hear that their peers have gone; one that is cancelled leaves a traceback
            _, late = await asyncio.wait(tasks, timeout=patience)
            for task in late:
                task.cancel()

    def _exit_at_the_latest_after(self, grace: float) -> None:
        # Nothing may keep the process: neither a task that swallows its cancellation nor a thread that is stuck.
        def give_up() -> None:
            _log.critical("did_not_end_in_time", grace=grace)
            logging.shutdown()
            os._exit(1)

        self._watchdog = threading.Timer(grace, give_up)
        self._watchdog.daemon = True
        self._watchdog.start()


async def _within(seconds: float, work: Awaitable[None]) -> bool:
    """Tell whether the work was done within the time; it is cancelled otherwise."""
    try:
        async with asyncio.timeout(seconds):
            await work
    except TimeoutError:
        return False
    return True


def _listen(host: str, port: int) -> socket.socket:
    """Take the port before anything else is started. Raises `ServeError`."""
    listener: socket.socket | None = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()  # or another process could still take the port, and find out only later
    except OSError as fault:
        if listener is not None:
            listener.close()
        why = fault.strerror or "it is not an address"
        raise ServeError(f"Cannot listen on {host}:{port}: {why}. Choose another --host or --port.") from fault
    return listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _raise_file_limit() -> None:
    """Allow as many sockets as the system lets this process have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):  # some systems call "unlimited" what they do not allow
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
