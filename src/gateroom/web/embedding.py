"""What an application does through the gateway that it is part of: publish, send to a user, see who is connected."""

import json
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from starlette.requests import HTTPConnection

from gateroom.errors import InvalidCommand
from gateroom.protocol.codec import check_json
from gateroom.protocol.events import SERVER, Person
from gateroom.realtime.ports import Position
from gateroom.web.runtime import Runtime, runtime_in

Place = FastAPI | HTTPConnection | Runtime  # an application with Gateroom, or a request or socket of it


async def publish(where: Place, room: str, data: Any, *, sender: Person = SERVER, key: str | None = None) -> Position:
    """Publish any JSON value to a room, whoever may write there; with the same `key` of the same sender only once.

    `where` is the application, or a request or WebSocket of it. Raises `NotFound`, `Unavailable` or `InvalidCommand`.
    """
    runtime = _runtime(where)
    kind = await runtime.live.standings.kind_of(room)
    return await runtime.publisher.to_room(room, kind, sender, _json(data), key)


async def send_to_user(where: Place, user: str, data: Any, *, sender: Person = SERVER, key: str | None = None) -> int:
    """Send any JSON value to a user (id or @username); returns how many connections have it now.

    It waits in the inbox where there are none. With the same `key` of the same sender it is sent only once. `where` is
    the application, or a request or WebSocket of it. Raises `NotFound`, `Unavailable` or `InvalidCommand`.
    """
    runtime = _runtime(where)
    recipient = await runtime.people.find(user)
    _, connections = await runtime.publisher.to_user(recipient.id, sender, _json(data), key)
    return connections


def connections_of(where: Place, user_id: str) -> Sequence[str]:
    """Return the ids of a user's live connections to this process; `where` is the application, or a request of it."""
    return [connection.id for connection in _runtime(where).live.hub.connections_of(user_id)]


def _runtime(where: Place) -> Runtime:
    if isinstance(where, Runtime):
        return where
    return runtime_in(where if isinstance(where, FastAPI) else where.app)


def _json(data: Any) -> bytes:
    try:
        text = json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError):
        raise InvalidCommand("The data is not a JSON value.") from None
    check_json(text)
    return text
