"""The sockets: each endpoint guards, accepts, hands over, and returns."""

import re

from fastapi import APIRouter, Depends, WebSocket

from gateroom.errors import Forbidden, GateroomError
from gateroom.names import ROOM_ID_PATTERN
from gateroom.realtime.live import Live
from gateroom.realtime.multiplexed import MultiplexedSession
from gateroom.realtime.single import InboxSession, RoomSession, admit
from gateroom.realtime.topics import user_topic
from gateroom.web.deps import Guest, SocketGuest, refuse
from gateroom.web.handover import hand_over
from gateroom.web.runtime import runtime_of

router = APIRouter()

_ROOM_ID = re.compile(ROOM_ID_PATTERN)


async def readable_room(websocket: WebSocket, room: str, guest: SocketGuest) -> None:
    """Judge the caller in the room of the path; an unknown room and a private one are refused alike."""
    runtime = runtime_of(websocket)
    try:
        if not _ROOM_ID.match(room):
            raise Forbidden
        await admit(runtime.live, guest.principal, room)
    except GateroomError as error:
        raise refuse(error, websocket, runtime) from None


async def _open_inbox(websocket: WebSocket, guest: Guest) -> Live:
    """Have the caller's inbox at hand, since its position is in the first event."""
    runtime = runtime_of(websocket)
    try:
        await runtime.live.broker.open(user_topic(guest.principal.user_id), runtime.live.inbox)
    except GateroomError as error:
        raise refuse(error, websocket, runtime) from None
    return runtime.live


@router.websocket("/ws")
async def multiplexed(websocket: WebSocket, guest: SocketGuest) -> None:
    """Speak `gateroom.v1`: JSON commands for any number of rooms."""
    live = await _open_inbox(websocket, guest)
    session = MultiplexedSession(live, guest.principal, guest.place, runtime_of(websocket).dispatch)
    await hand_over(websocket, session, as_events=guest.offered)


@router.websocket("/ws/rooms/{room}", dependencies=[Depends(readable_room)])
async def one_room(websocket: WebSocket, room: str, guest: SocketGuest) -> None:
    """Publish each text as it is, and deliver what the room hears."""
    live = await _open_inbox(websocket, guest)
    session = RoomSession(live, guest.principal, guest.place, room, as_events=guest.offered)
    await hand_over(websocket, session, as_events=guest.offered)


@router.websocket("/ws/users/me")
async def inbox(websocket: WebSocket, guest: SocketGuest) -> None:
    """Deliver what is sent to the caller."""
    live = await _open_inbox(websocket, guest)
    session = InboxSession(live, guest.principal, guest.place, as_events=guest.offered)
    await hand_over(websocket, session, as_events=guest.offered)
