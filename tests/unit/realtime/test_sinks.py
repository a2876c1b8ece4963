"""The sink for any ASGI server."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from gateroom.protocol.frame import MAX_REASON_BYTES, Segment
from gateroom.realtime.sinks import CLOSE_PATIENCE, HIGH_WATER, LOW_WATER, AsgiSink
from support.feeds import RecordingFeed
from support.gates import Gate
from support.live import TurnedLoop, settle


class Channel:
    """A sink, the server that it sends to, and the feed that it belongs to."""

    def __init__(self, feed: RecordingFeed | None = None) -> None:
        self.sent: list[Any] = []
        self.gate = Gate()
        self.feed = feed or RecordingFeed()
        self.stopped = False
        self.hold_after: int | None = None  # texts
        self.sink = AsgiSink(self._send, self.feed, self._stop)
        self.writer = asyncio.ensure_future(self.sink.run())

    def write(self, *texts: str) -> None:
        self.sink.write([Segment("", [text.encode()]) for text in texts])

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        await self.gate.passage()
        self.sent.append(message["text"] if message["type"] == "websocket.send" else dict(message))
        if self.hold_after == len(self.sent):
            self.gate.hold()

    def _stop(self) -> None:
        self.stopped = True
        self.writer.cancel()


def closed(code: int, reason: str = "") -> dict[str, object]:
    return {"type": "websocket.close", "code": code, "reason": reason}


async def test_texts_are_sent_in_order() -> None:
    channel = Channel()
    channel.write("1", "2")
    channel.sink.write([Segment("room:desk", [b"3", "\u00e9".encode()])])
    await settle()
    channel.write("5")
    await settle()
    assert channel.sent == ["1", "2", "3", "\u00e9", "5"]
    channel.sink.abort()


async def test_it_is_paused_while_too_much_is_queued_and_says_when_it_goes_on() -> None:
    channel = Channel()
    channel.gate.hold()
    channel.write(*["x" * 1024] * (HIGH_WATER // 1024))
    await settle()
    assert not channel.sink.paused
    channel.write("y")
    assert channel.sink.paused
    channel.gate.release()
    await settle()
    assert not channel.sink.paused
    assert channel.feed.events == ["writable"]
    assert len(channel.sent) == HIGH_WATER // 1024 + 1
    channel.sink.abort()


async def test_it_does_not_go_on_without_saying_so() -> None:
    channel = Channel()
    channel.hold_after = 1
    channel.write("x" * HIGH_WATER, "y" * (HIGH_WATER // 2))
    await settle()
    assert len(channel.sent) == 1
    channel.write("z")  # what is queued is between the marks now
    assert channel.sink.paused
    channel.gate.release()
    await settle()
    assert not channel.sink.paused
    assert channel.feed.events == ["writable"]
    channel.sink.abort()


async def test_what_is_written_when_it_goes_on_follows_what_was_queued() -> None:
    channel = Channel(RecordingFeed(writable=lambda _: channel.write("held")))
    queued = ["x" * (HIGH_WATER + 1), "y" * LOW_WATER, "z"]
    channel.write(*queued)
    await settle()
    assert channel.sent == [*queued, "held"]
    channel.sink.abort()


async def test_a_close_comes_after_everything_written_and_ends_the_writer() -> None:
    channel = Channel()
    channel.gate.hold()
    channel.write("1", "2")
    channel.sink.close(1008, "kicked")
    channel.write("3")
    await settle()
    assert channel.sent == []
    channel.gate.release()
    await settle()
    assert channel.sent == ["1", "2", closed(1008, "kicked")]
    assert channel.writer.done()


async def test_a_close_within_a_later_tick_comes_after_its_texts_too() -> None:
    channel = Channel()
    await settle()
    channel.write("1")
    channel.sink.close(1008, "kicked")
    await settle()
    assert channel.sent == ["1", closed(1008, "kicked")]


async def test_the_first_close_counts() -> None:
    channel = Channel()
    channel.sink.close(1012, "restarting")
    channel.sink.close(1008, "kicked")
    await settle()
    channel.sink.close(1011, "internal_error")
    await settle()
    assert channel.sent == [closed(1012, "restarting")]


async def test_a_reason_fits_into_a_close_frame() -> None:
    channel = Channel()
    channel.sink.close(1008, "x" * 200)
    await settle()
    assert channel.sent == [closed(1008, "x" * MAX_REASON_BYTES)]


async def test_an_abort_drops_what_is_unsent() -> None:
    channel = Channel()
    channel.gate.hold()
    channel.write("1")
    await settle()
    channel.sink.abort()
    channel.write("2")
    channel.gate.release()
    await settle()
    assert channel.stopped
    assert channel.sent == []


def test_a_close_does_not_wait_for_ever_for_a_peer_that_takes_nothing() -> None:
    async def scenario() -> None:
        channel = Channel()
        channel.gate.hold()
        channel.write("1")
        await settle()
        channel.sink.close(1008, "kicked")
        await loop.turn(CLOSE_PATIENCE - 0.5)
        assert not channel.stopped
        await loop.turn(1)
        assert channel.stopped
        assert channel.writer.done()

    loop = TurnedLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(scenario())


async def test_a_peer_that_is_gone_ends_the_writer() -> None:
    channel = Channel()
    channel.gate.fault = OSError("gone")
    channel.write("1")
    await settle()
    with pytest.raises(OSError, match="gone"):
        await channel.writer


async def test_keepalive_is_the_servers_own() -> None:
    channel = Channel()
    assert channel.sink.ping() is False
    channel.sink.abort()
    await settle()
