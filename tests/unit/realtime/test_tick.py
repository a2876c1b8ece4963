"""The end of a tick."""

import asyncio
from collections.abc import Callable

import pytest

from gateroom.realtime.tick import Tick
from support.live import settle


def writing_down(name: str, log: list[str]) -> Callable[[], None]:
    return lambda: log.append(name)


async def test_the_stages_run_once_and_in_order_however_often_somebody_asks() -> None:
    tick, log = Tick(), list[str]()
    tick.stages(writing_down("first", log), writing_down("second", log))
    tick.wake()
    tick.wake()
    assert log == []
    await settle()
    assert log == ["first", "second"]


async def test_without_being_asked_nothing_runs() -> None:
    tick, log = Tick(), list[str]()
    tick.stages(writing_down("first", log))
    await settle()
    assert log == []


async def test_what_happens_in_the_same_turn_of_the_loop_is_seen() -> None:
    tick, heard, seen = Tick(), list[str](), list[list[str]]()
    tick.stages(lambda: seen.append(list(heard)))
    loop = asyncio.get_running_loop()
    loop.call_soon(tick.wake)
    for number in range(3):
        loop.call_soon(heard.append, str(number))
    await settle()
    assert seen == [["0", "1", "2"]]


@pytest.mark.parametrize("asked_for", [0, 1])
async def test_what_a_stage_asks_of_itself_or_of_an_earlier_one_is_done_in_the_next_tick(asked_for: int) -> None:
    tick, log = Tick(), list[str]()

    def second() -> None:
        log.append("second")
        if len(log) < 3:
            tick.wake(asked_for)

    tick.stages(writing_down("first", log), second)
    tick.wake()
    await asyncio.sleep(0)
    assert log == ["first", "second"]
    await settle()
    assert log == ["first", "second", "first", "second"]


async def test_what_a_stage_asks_of_a_later_one_is_done_in_the_same_run() -> None:
    tick, log = Tick(), list[str]()

    def first() -> None:
        log.append("first")
        tick.wake(1)

    tick.stages(first, writing_down("second", log))
    tick.wake()
    await settle()
    assert log == ["first", "second"]


@pytest.mark.parametrize("stage", [0, 1])
async def test_between_ticks_any_stage_can_ask(stage: int) -> None:
    tick, log = Tick(), list[str]()
    tick.stages(writing_down("first", log), writing_down("second", log))
    for _ in range(2):
        tick.wake(stage)
        await settle()
    assert log == ["first", "second"] * 2


async def test_after_a_stage_that_fails_the_next_tick_comes_all_the_same() -> None:
    tick, log = Tick(), list[str]()

    def first() -> None:
        log.append("first")
        if len(log) == 1:
            raise ValueError("a mistake")

    tick.stages(first, writing_down("second", log))
    with pytest.raises(ValueError, match="a mistake"):
        tick.run()
    tick.wake(1)
    await settle()
    assert log == ["first", "first", "second"]
