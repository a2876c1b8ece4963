"""The program of a process that has client processes born, and kills each with SIGKILL at a random moment.

Takes a line of JSON: `clients` (processes), `sockets` (of each, at most) and `seed`; answers when all are dead with how
many steps they did. A client tells each step it has done, so that a moment is a number of steps.
"""

import contextlib
import json
import os
import random
import selectors
import signal
import socket
import sys
from collections.abc import Callable
from typing import NoReturn

from support.raw_client import CONT, TEXT, masked, masked_close, upgrade

_AT_ONCE = 6  # clients alive at the same time
_MOST_STEPS = 150
_ROOMS = ("lobby", "side-room")

Step = Callable[[], None]


class Child:
    """One client process: sockets at every stage of their lives, and little patience for answers."""

    def __init__(self, port: int, token: str, sockets: int, chance: random.Random, told: int) -> None:
        self._port = port
        self._head = upgrade("/ws", headers=[f"Authorization: Bearer {token}"])
        self._most = sockets
        self._chance = chance
        self._told = told
        self._sockets: list[socket.socket] = []

    def live(self) -> NoReturn:
        """Go on until killed."""
        acts: tuple[Step, ...] = (self._join, self._join, self._publish, self._publish, self._leave, self._mutter)
        while True:
            if len(self._sockets) < self._most and self._chance.random() < 0.4:
                self._open()
            elif self._sockets:
                with contextlib.suppress(OSError):
                    self._chance.choice(acts)()
            if self._chance.random() < 0.05:
                self._hang_up()
            self._drain()
            self._tell()

    def _open(self) -> None:
        """Connect, sometimes stopping on the way; a step each."""
        opened = socket.create_connection(("127.0.0.1", self._port))
        self._sockets.append(opened)
        with contextlib.suppress(OSError):
            self._tell()
            cut = self._chance.randrange(len(self._head))
            opened.sendall(self._head[:cut])
            self._tell()
            opened.sendall(self._head[cut:])
            self._tell()
            if self._chance.random() < 0.5:
                opened.settimeout(5)
                opened.recv(4096)

    def _join(self) -> None:
        self._command(self._one(), type="join", room=self._chance.choice(_ROOMS))

    def _leave(self) -> None:
        self._command(self._one(), type="leave", room=self._chance.choice(_ROOMS))

    def _publish(self) -> None:
        one, room = self._one(), self._chance.choice(_ROOMS)
        self._command(one, type="join", room=room)
        for _ in range(self._chance.randrange(5)):
            self._command(one, type="publish", room=room, data="x" * self._chance.randrange(300))

    def _command(self, one: socket.socket, **fields: str) -> None:
        text = json.dumps({**fields, "id": self._chance.randrange(1000)})
        frame = masked(TEXT, text)
        if self._chance.random() < 0.2:  # in two pieces, perhaps without the second
            cut = self._chance.randrange(1, len(frame))
            one.sendall(frame[:cut])
            self._tell()
            frame = frame[cut:]
        one.sendall(frame)

    def _mutter(self) -> None:
        """Leave a message incomplete, or say goodbye without going."""
        one = self._one()
        one.sendall(self._chance.choice((masked(TEXT, '{"type":', fin=False), masked(CONT, "x"), masked_close(1000))))

    def _hang_up(self) -> None:
        if self._sockets:
            self._sockets.pop(self._chance.randrange(len(self._sockets))).close()

    def _one(self) -> socket.socket:
        one = self._chance.choice(self._sockets)
        one.setblocking(True)
        return one

    def _drain(self) -> None:
        """Read what is there."""
        for one in self._sockets:
            one.setblocking(False)
            with contextlib.suppress(OSError):
                while one.recv(65536):
                    pass

    def _tell(self) -> None:
        os.write(self._told, b".")


def born(port: int, token: str, sockets: int, seed: int) -> tuple[int, int]:
    """Fork a client; return its pid and the pipe it tells its steps on."""
    told, tell = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.close(told)
            Child(port, token, sockets, random.Random(seed), tell).live()
        finally:  # it has no business in the parent's code
            os._exit(1)
    os.close(tell)
    return pid, told


def kill_them_all(port: int, token: str, clients: int, sockets: int, seed: int) -> int:
    """Have so many live and die; return the number of steps they did."""
    chance, steps, unborn = random.Random(seed), 0, clients
    with selectors.DefaultSelector() as selector:
        while unborn or selector.get_map():
            while unborn and len(selector.get_map()) < _AT_ONCE:
                unborn -= 1
                pid, told = born(port, token, sockets, chance.randrange(1 << 30))
                selector.register(told, selectors.EVENT_READ, [pid, chance.randint(1, _MOST_STEPS)])
            for key, _ in selector.select(30):
                done = len(os.read(key.fd, 4096))
                steps += done
                key.data[1] -= done
                if not done:
                    raise RuntimeError("a client died by itself")
                if key.data[1] <= 0:
                    os.kill(key.data[0], signal.SIGKILL)
                    os.waitpid(key.data[0], 0)
                    selector.unregister(key.fd)
                    os.close(key.fd)
    return steps


def main() -> None:
    """Take orders from standard input until it ends."""
    port, token = sys.argv[1:]
    for line in sys.stdin:
        sys.stdout.write(f"{kill_them_all(int(port), token, **json.loads(line))}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
