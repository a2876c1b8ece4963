"""The program of a process full of clients: it opens, exchanges and closes them as it is told, a JSON line each.

`Herd` in `support.herds` is its other end. Its clients answer pings, join the lobby, and read everything.
"""

import asyncio
import itertools
import json
import resource
import socket
import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import uvloop
from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

_AT_ONCE = 32  # handshakes under way at the same time
_PER_ADDRESS = 4000  # connections from one loopback address: there are some 28,000 ports for each
_PATIENCE = 60.0  # seconds
_JOIN = b'{"type":"join","id":0,"room":"lobby"}'
_NO_LINGER = b"\x01\x00\x00\x00\x00\x00\x00\x00"

Order = dict[str, Any]


class Client(WSListener):
    """One socket, from its welcome until it has gone."""

    def __init__(self, herd: "Herd") -> None:
        loop = asyncio.get_running_loop()
        self.herd = herd
        self.joined: asyncio.Future[None] = loop.create_future()
        self.gone: asyncio.Future[None] = loop.create_future()
        self.leaving = False

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        transport.send(WSMsgType.TEXT, _JOIN)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is WSMsgType.CLOSE:
            if not self.leaving:
                code, reason = frame.get_close_code(), frame.get_close_message() or b""
                self.herd.closed.append(f"{code} {reason.decode()}".strip())
                transport.send_close(code)
            transport.disconnect()
        elif not self.joined.done() and frame.get_payload_as_bytes().startswith(b'{"type":"reply","id":0,'):
            self.joined.set_result(None)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.herd.clients.pop(self, None)
        if not self.joined.done():
            self.joined.set_exception(ConnectionError("closed before it had joined"))
        self.gone.set_result(None)

    # Three ways to go

    def say_goodbye(self) -> None:
        self.leaving = True
        self.transport.send_close(WSCloseCode.OK)

    def hang_up(self) -> None:
        self.leaving = True
        self.transport.disconnect(graceful=False)

    def reset(self) -> None:
        self.transport.underlying_transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER
        )
        self.hang_up()


_FAREWELLS: tuple[Callable[[Client], None], ...] = (Client.say_goodbye, Client.hang_up, Client.reset)


class Herd:
    """All clients of this process."""

    def __init__(self, port: int, token: str, first_address: int) -> None:
        """`first_address`: the third byte of the loopback addresses that are this process's own."""
        self.clients: dict[Client, None] = {}  # oldest first
        self.closed: list[str] = []  # what the server said to those it closed
        self._url = f"ws://127.0.0.1:{port}/ws"
        self._headers = [("Authorization", f"Bearer {token}")]
        self._first_address = first_address
        self._opened = itertools.count()

    async def obey(self, order: Order) -> Order:
        """Carry out one order, and say how many are connected then."""
        match order:
            case {"do": "open", "count": count}:
                await _each(range(count), self._open)
            case {"do": "churn", "count": count}:
                await _each(list(itertools.islice(self.clients, count)), self._exchange)
            case {"do": "close"}:
                await _each(list(self.clients), self._close)
            case {"do": "look"}:
                pass
        return {"connected": len(self.clients), "closed": self.closed}

    async def _open(self, _: object = None) -> None:
        number = next(self._opened)
        source = f"127.0.{self._first_address}.{1 + number // _PER_ADDRESS % 250}"
        client = Client(self)
        async with asyncio.timeout(_PATIENCE):
            await ws_connect(
                lambda: client,
                self._url,
                extra_headers=self._headers,
                local_addr=(source, 0),
                websocket_handshake_timeout=_PATIENCE,
            )
            await client.joined
        self.clients[client] = None

    async def _close(self, client: Client) -> None:
        _FAREWELLS[next(self._opened) % len(_FAREWELLS)](client)
        async with asyncio.timeout(_PATIENCE):
            await client.gone

    async def _exchange(self, client: Client) -> None:
        await self._close(client)
        await self._open()


async def _each(things: Iterable[Any], work: Callable[[Any], Awaitable[None]]) -> None:
    """Do the work for each thing, a few at a time."""
    todo = iter(things)

    async def worker() -> None:
        for thing in todo:
            await work(thing)

    await asyncio.gather(*(worker() for _ in range(_AT_ONCE)))


async def main() -> None:
    """Take orders from standard input until it ends."""
    port, token, first_address = sys.argv[1:]
    herd = Herd(int(port), token, int(first_address))
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    while line := await asyncio.to_thread(sys.stdin.readline):
        sys.stdout.write(json.dumps(await herd.obey(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(main())
