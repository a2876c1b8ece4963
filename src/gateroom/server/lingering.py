"""A refused connection between our answer and its end (RFC 9112 section 9.6)."""

import asyncio

from gateroom.server.deadline import Deadline


class Lingering(asyncio.Protocol):
    """Discards what the peer still sends.

    To close with unread bytes would reset the connection, and the peer could lose our answer.
    """

    def __init__(self, transport: asyncio.Transport, connections: set[object], patience: float) -> None:
        self.transport = transport
        self._connections = connections
        self._deadline = Deadline()
        connections.add(self)
        self._deadline.set(patience, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline.clear()
        self._connections.discard(self)

    def shutdown(self) -> None:
        """End at once: uvicorn calls this when the server stops."""
        self.transport.abort()


def answer_and_end(transport: asyncio.Transport, answer: bytes, connections: set[object], patience: float) -> None:
    """Send the answer, then end the connection so that the peer can read it, within `patience` seconds.

    Takes the transport over: the protocol that had it hears nothing more.
    """
    transport.write(answer)
    transport.set_protocol(Lingering(transport, connections, patience))
    transport.resume_reading()
    if transport.can_write_eof():
        transport.write_eof()
