"""Work that is done again and again in the background, as long as a block runs."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog

_log = structlog.get_logger("gateroom.repeating")

Work = Callable[[], Awaitable[None]]


@asynccontextmanager
async def repeating(name: str, interval: float, work: Work, *, first: float | None = None) -> AsyncIterator[None]:
    """Do the work `first` seconds after the block began (None: `interval`), and `interval` seconds after each end.

    At the block's end it is cancelled. Work that fails is logged by its name, and comes again.
    """
    task = asyncio.create_task(_forever(name, interval if first is None else first, interval, work))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def attempt(name: str, work: Work) -> None:
    """Do the work once; a failure is logged."""
    try:
        await work()
    except Exception:
        _log.exception("background_work_failed", work=name)


async def _forever(name: str, first: float, interval: float, work: Work) -> None:
    await asyncio.sleep(first)
    while True:
        await attempt(name, work)
        await asyncio.sleep(interval)
