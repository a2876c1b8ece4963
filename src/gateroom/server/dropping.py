"""The hard end of a connection whose peer does not take what waits for it."""

import asyncio
import contextlib
import socket
import struct

_NO_LINGER = struct.pack("ii", 1, 0)  # on, for 0 seconds: see socket(7)


def drop(transport: asyncio.Transport) -> None:
    """Reset the connection.

    After an ordinary close the kernel would keep what is unsent, and offer it for minutes to a peer that does not read.
    """
    sock = transport.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError, ValueError):  # it may be gone already; the second is how uvloop says so
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()
