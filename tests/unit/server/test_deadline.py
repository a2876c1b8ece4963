"""One pending timer at most."""

import asyncio

from gateroom.server.deadline import Deadline


async def test_what_is_due_happens_once() -> None:
    due = asyncio.Event()
    deadline = Deadline()
    deadline.set(0.001, due.set)
    assert deadline.pending
    await asyncio.wait_for(due.wait(), 10)
    assert not deadline.pending


async def test_a_later_deadline_takes_the_place_of_an_earlier_one() -> None:
    happened: list[str] = []
    due = asyncio.Event()
    deadline = Deadline()
    deadline.set(0.001, lambda: happened.append("first"))
    deadline.set(0.002, due.set)
    await asyncio.wait_for(due.wait(), 10)
    assert happened == []


async def test_no_seconds_mean_never() -> None:
    deadline = Deadline()
    deadline.set(5, lambda: None)
    deadline.set(0, lambda: None)
    assert not deadline.pending


async def test_a_cleared_deadline_is_not_pending() -> None:
    deadline = Deadline()
    deadline.set(5, lambda: None)
    deadline.clear()
    deadline.clear()
    assert not deadline.pending
