"""What time brings about, once a second for all sessions: no timer per connection."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from gateroom.protocol import events
from gateroom.realtime.live import Live
from gateroom.realtime.ports import Kind, Record
from gateroom.realtime.subscription import unheard
from gateroom.realtime.topics import room_topic
from gateroom.repeating import repeating

INTERVAL = 1.0  # seconds


class Sweep:
    """Looks after every session each second, and tells crowded rooms how many they are."""

    def __init__(self, live: Live, trim: Callable[[], None]) -> None:
        """`trim` drops history that has outlived its retention."""
        self._live = live
        self._trim = trim
        self._due = 0.0  # when the loop should come to the next turn

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Sweep as long as the block runs."""
        self._due = asyncio.get_running_loop().time() + INTERVAL
        async with repeating("sweep", INTERVAL, self._turn):
            yield

    async def _turn(self) -> None:
        loop = asyncio.get_running_loop()
        self._live.counts.lag.observe(loop.time() - self._due)
        try:
            self.once()
        finally:
            self._due = loop.time() + INTERVAL

    def once(self) -> None:
        live = self._live
        now, monotonic = live.now(), live.monotonic()
        for session in list(live.sessions.values()):
            try:
                session.sweep(now, monotonic)
            except Exception as fault:  # of one; the others are still to be looked after
                session.fault(fault)
        for room_id in live.crowded:
            topic = room_topic(room_id)
            body = events.event("members", {"room": room_id, "count": live.hub.user_count(topic)})
            live.broker.submit(Record(topic, Kind.EVENT, body), unheard)
        live.crowded.clear()
        self._trim()
