"""Tasks that nobody waits for."""

import asyncio

from structlog.testing import capture_logs

from gateroom.realtime.tasks import Tasks
from support.live import settle


async def test_a_task_that_fails_is_seen_in_the_log_and_does_not_touch_the_others() -> None:
    tasks, done = Tasks(), asyncio.Event()

    async def failing() -> None:
        raise ValueError("a mistake")

    async def working() -> None:
        await asyncio.sleep(0)
        done.set()

    with capture_logs() as logs:
        tasks.spawn(failing())
        tasks.spawn(working())
        await settle()
    assert done.is_set()
    assert [entry["event"] for entry in logs] == ["task_failed"]
    assert isinstance(logs[0]["exc_info"], ValueError)


async def test_at_the_end_what_is_running_may_finish() -> None:
    tasks, gate, log = Tasks(), asyncio.Event(), list[str]()

    async def working() -> None:
        await gate.wait()
        log.append("finished")

    tasks.spawn(working())
    asyncio.get_running_loop().call_soon(gate.set)
    await tasks.close(10)
    assert log == ["finished"]


async def test_what_does_not_finish_in_time_is_cancelled() -> None:
    tasks, log = Tasks(), list[str]()

    async def waiting() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            log.append("ended")

    tasks.spawn(waiting())
    await settle()
    await tasks.close(0)
    await settle()
    assert log == ["ended"]


async def test_with_nothing_running_there_is_nothing_to_wait_for() -> None:
    await Tasks().close(10)
