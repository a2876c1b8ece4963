"""Work in the background: again and again, whatever becomes of it, and no longer than its block."""

import asyncio

from structlog.testing import capture_logs

from gateroom.repeating import repeating


async def test_work_is_done_again_and_again_until_the_block_ends() -> None:
    turns: asyncio.Queue[int] = asyncio.Queue()

    async def work() -> None:
        turns.put_nowait(1)

    async with asyncio.timeout(10):
        async with repeating("work", 0.001, work):
            for _ in range(3):
                await turns.get()
        while not turns.empty():
            turns.get_nowait()
        for _ in range(20):
            await asyncio.sleep(0)
    assert turns.empty()


async def test_work_that_fails_is_logged_and_comes_again() -> None:
    turns: asyncio.Queue[int] = asyncio.Queue()

    async def work() -> None:
        turns.put_nowait(1)
        raise ValueError("a fault")

    with capture_logs() as logs:
        async with asyncio.timeout(10), repeating("trouble", 0.001, work):
            for _ in range(3):
                await turns.get()
    assert {(entry["event"], entry["work"]) for entry in logs} == {("background_work_failed", "trouble")}


async def test_the_first_turn_may_come_at_once() -> None:
    done = asyncio.Event()

    async def work() -> None:
        done.set()

    async with asyncio.timeout(10), repeating("work", 3600, work, first=0):
        await done.wait()
