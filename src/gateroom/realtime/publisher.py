"""Publishing from where one can wait for the outcome: HTTP, and the application Gateroom is part of."""

import asyncio

from gateroom.errors import GateroomError, Unavailable
from gateroom.protocol import events
from gateroom.protocol.events import Person
from gateroom.protocol.patches import State
from gateroom.realtime.live import Live
from gateroom.realtime.ports import Key, Kind, Outcome, Position, Record, retention_of
from gateroom.realtime.records import direct_message, state_change
from gateroom.realtime.topics import EVERYONE, room_topic, user_topic
from gateroom.rooms.model import RoomKind

PATIENCE = 10.0  # seconds


class Publisher:
    """Submits records and waits until they are stored and delivered here. The caller has judged the permission.

    `key` is what the sender calls the message: what was published with it before is not published again, and the
    position is `Repeated`. Every method raises `Unavailable` when the broker cannot take the record in time.
    """

    def __init__(self, live: Live) -> None:
        self._live = live

    async def to_room(
        self, room_id: str, kind: RoomKind, sender: Person, data: bytes, key: str | None = None
    ) -> Position:
        """Publish `data` (JSON text that was checked) to a room of that kind."""
        body = events.message_body(room_id, sender, data, self._live.now())
        named = Key(sender.id, key) if key else None
        return await self._position(Record(room_topic(room_id), Kind.MESSAGE, body, retention_of(kind), key=named))

    async def to_user(self, user_id: str, sender: Person, data: bytes, key: str | None = None) -> tuple[Position, int]:
        """Send to a user's inbox; returns the position and how many connections have it now."""
        position = await self._position(direct_message(self._live, user_id, sender, data, key))
        return position, len(self._live.hub.on(user_topic(user_id)))

    async def to_state(self, room_id: str, kind: RoomKind, by: Person, patch: bytes, version: int | None) -> State:
        """Change the shared state of a room of that kind; `version` is the one it has to have until then, if any.

        Raises `InvalidCommand`, `Conflict` or `TooLarge`.
        """
        outcome = await self._carried(state_change(room_id, kind, by, patch, version))
        if not isinstance(outcome, State):
            raise Unavailable
        return outcome

    async def to_everyone(self, data: bytes) -> int:
        """Send to every connection; nothing is kept. Returns how many there are."""
        body = events.broadcast(data, self._live.now())
        await self._carried(Record(EVERYONE, Kind.EVENT, body))
        return len(self._live.hub.on(EVERYONE))

    async def _position(self, record: Record) -> Position:
        outcome = await self._carried(record)
        if not isinstance(outcome, Position):
            raise Unavailable
        return outcome

    async def _carried(self, record: Record) -> Position | State | None:
        answered: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def done(outcome: Outcome) -> None:
            if not answered.done():
                answered.set_result(outcome)

        self._live.broker.submit(record, done)
        try:
            async with asyncio.timeout(PATIENCE):
                outcome = await answered
        except TimeoutError:
            raise Unavailable from None
        if isinstance(outcome, GateroomError):
            raise outcome
        return outcome
