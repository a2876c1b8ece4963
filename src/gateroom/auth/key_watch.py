"""Brings the keys on disk into the ring of a running process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from gateroom.auth.key_files import KeyDirectory
from gateroom.auth.keys import KeyRefused, KeyRing
from gateroom.repeating import repeating

_log = structlog.get_logger("gateroom.keys")

INTERVAL = 1.0  # seconds


class KeyWatch:
    """Looks at the key directory each second, in a thread: a rotation needs no restart."""

    def __init__(self, ring: KeyRing, directory: KeyDirectory) -> None:
        self._ring = ring
        self._directory = directory
        self._trouble = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Watch as long as the block runs."""
        async with repeating("keys", INTERVAL, self.look):
            yield

    async def look(self) -> None:
        """Take over what has changed; what is wrong is logged once, and the ring stays as it is."""
        try:
            keys = await asyncio.to_thread(self._directory.changed)
        except KeyRefused as refused:
            self._complain(str(refused))
            return
        except Exception as fault:  # of ours: the next look may go better, and the keys in memory are still good
            self._complain(repr(fault))
            return
        self._trouble = ""
        if keys is not None:
            self._ring.replace(keys.current, *keys.others, retired=keys.retired)
            _log.info(
                "keys_changed", signs=keys.current.kid, algorithm=keys.current.algorithm, keys=len(self._ring.keys)
            )

    def _complain(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            _log.error("keys_not_read", reason=trouble)
