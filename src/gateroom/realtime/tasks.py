"""The tasks that sessions start and do not wait for: each is owned, bounded in time, and its failure is seen."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

_log = structlog.get_logger("gateroom.tasks")


class Tasks:
    """A registry of running tasks; one that fails does not touch the others."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._finished)

    async def close(self, patience: float) -> None:
        """Wait up to `patience` seconds for what is running, then cancel the rest."""
        if self._running:
            await asyncio.wait(self._running, timeout=patience)
        for task in self._running:
            task.cancel()

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            _log.error("task_failed", exc_info=failure)
