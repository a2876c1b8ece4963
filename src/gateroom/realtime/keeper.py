"""The end of rooms that have a ttl: in the background, off the message path."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import structlog

from gateroom.errors import GateroomError
from gateroom.incidents import note
from gateroom.realtime.control import Control
from gateroom.realtime.live import Live
from gateroom.repeating import repeating
from gateroom.rooms.model import RoomKind
from gateroom.rooms.ports import RoomLives

_log = structlog.get_logger("gateroom.keeper")

INTERVAL = 1.0  # seconds
AT_ONCE = 100  # rooms ended in one transaction


class Keeper:
    """Stores each second until when the rooms in use live, and closes those whose time is over."""

    def __init__(self, live: Live, lives: RoomLives, control: Control, kinds: Mapping[str, RoomKind]) -> None:
        self._live = live
        self._lives = lives
        self._control = control
        self._ttls = {name: kind.ttl for name, kind in kinds.items()}
        self._adopted = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look after rooms as long as the block runs; what was noted last is stored at its end."""
        try:
            async with repeating("rooms", INTERVAL, self.once, first=0):
                yield
        finally:
            await self._guarded(self._live.now())

    async def once(self) -> None:
        """Store what was noted, then end what is over, unless the store cannot be reached."""
        now = self._live.now()  # before the notes are taken: what comes after that was used too late
        if await self._guarded(now):
            try:
                await self._end(now)
            except GateroomError as error:
                _log.warning("expiry_failed", code=error.code)
            except Exception:
                _log.exception("expiry_failed")

    async def _guarded(self, now: float) -> bool:
        noted = self._live.activity.take()
        try:
            if not self._adopted:
                await self._lives.adopt(self._ttls, now)
                self._adopted = True
            if noted:
                await self._lives.touch({room_id: now + ttl if ttl else None for room_id, ttl in noted.items()})
        except GateroomError as error:
            _log.warning("activity_not_stored", code=error.code)
        except Exception:
            _log.exception("activity_not_stored")
        else:
            return True
        self._live.activity.put_back(noted)
        return False

    async def _end(self, now: float) -> None:
        while ended := await self._lives.expire(now, AT_ONCE):
            for room_id in ended:
                note("room_expired", room=room_id)
                self._live.standings.forget(room_id, None)
                await self._control.room_removed(room_id)
