"""The writing half, on a transport without a socket."""

import asyncio

from gateroom.protocol.frame import Segment, close_frame, ping_frame, text_frame
from gateroom.server.raw_sink import RawSink
from support.transports import RecordingTransport


async def test_segments_are_written_as_they_are_framed() -> None:
    transport = RecordingTransport()
    sink = RawSink(transport, close_timeout=5)
    sink.write([Segment("a", (b"1",))])
    sink.write([Segment("a", (b"2", b"3")), Segment("b", (b"4",))])
    assert sink.ping()
    assert transport.written == b"".join(map(text_frame, (b"1", b"2", b"3", b"4"))) + ping_frame()


async def test_a_head_leaves_in_one_write_with_what_comes_first() -> None:
    transport = RecordingTransport()
    sink = RawSink(transport, close_timeout=5)
    sink.begin(b"head")
    sink.write([Segment("", (b"1",))])
    sink.begun()
    assert (transport.writes, transport.written) == (1, b"head" + text_frame(b"1"))
    sink.write([Segment("", (b"2",))])
    assert transport.written.endswith(text_frame(b"1") + text_frame(b"2"))


async def test_a_head_that_nothing_takes_along_leaves_by_itself() -> None:
    transport = RecordingTransport()
    sink = RawSink(transport, close_timeout=5)
    sink.begin(b"head")
    sink.begun()
    assert transport.written == b"head"


async def test_a_close_is_the_last_thing_written() -> None:
    transport = RecordingTransport()
    sink = RawSink(transport, close_timeout=5)
    assert not sink.ended
    sink.close(1008, "kicked")
    sink.close(1000, "")
    sink.write([Segment("", (b"late",))])
    sink.ping()
    assert sink.ended
    assert transport.written == close_frame(1008, "kicked")
    assert not transport.closed
    sink.release()


async def test_a_peer_that_stays_after_a_close_is_dropped() -> None:
    dropped = asyncio.Event()

    class Transport(RecordingTransport):
        def abort(self) -> None:
            super().abort()
            dropped.set()

    sink = RawSink(Transport(), close_timeout=0.001)
    sink.close(1000, "")
    await asyncio.wait_for(dropped.wait(), 10)


async def test_an_abort_is_at_once_and_nothing_follows() -> None:
    transport = RecordingTransport()
    sink = RawSink(transport, close_timeout=5)
    sink.abort()
    assert transport.aborted
    sink.write([Segment("", (b"late",))])
    sink.close(1000, "")
    assert transport.written == b""
    sink.release()


async def test_a_released_sink_writes_into_nothing() -> None:
    transport = RecordingTransport()
    sink = RawSink(transport, close_timeout=0.001)
    sink.release()
    sink.write([Segment("", (b"late",))])
    sink.close(1000, "")
    sink.ping()
    assert transport.written == b""
