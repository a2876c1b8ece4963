"""The tunables of the protocol classes, and where uvicorn's classes find them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

STATE_KEY = "gateroom"  # of the lifespan state: it reaches the classes in anyone's uvicorn, where we pass no arguments


@dataclass(frozen=True, slots=True)
class ServerProfile:
    """Bounds and deadlines of the server. Times are in seconds, sizes in bytes; 0 means no limit, except of the last.

    `refusal` is the form of a refused handshake: an HTTP response (`handshake`), accept and close (`close`), or the
    second only for clients that can be told that way (`auto`).
    """

    refusal: Literal["auto", "handshake", "close"] = "auto"
    max_message_bytes: int = 65536  # fragments summed
    max_fragments: int = 1024  # frames of one message
    max_fragment_rate: int = 2048  # a second: frames that are part of a fragmented message
    max_control_rate: int = 64  # a second: pings, pongs and closes
    header_timeout: float = 10.0  # for a request head to be complete, and for the first one to begin
    body_timeout: float = 30.0  # for a request body to be complete
    stall_timeout: float = 10.0  # how long a peer may take nothing of what waits for it
    close_timeout: float = 3.0  # for a peer to answer our close
    max_head_bytes: int = 16384
    max_body_bytes: int = 65536
    shutdown_grace: float = 10.0  # above 0


DEFAULT = ServerProfile()


def profile_of(state: Mapping[str, object]) -> ServerProfile:
    """Find the profile in uvicorn's lifespan state; the defaults where an application put none."""
    found = state.get(STATE_KEY)
    return found if isinstance(found, ServerProfile) else DEFAULT
