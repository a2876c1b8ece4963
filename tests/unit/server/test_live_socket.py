"""The reading half, on a transport without a socket."""

import pytest
from websockets.http11 import Request

from gateroom.protocol.frame import close_frame, pong_frame
from gateroom.server.live_socket import LiveSocket
from gateroom.server.profile import ServerProfile
from gateroom.server.wire import Wire
from support.feeds import RecordingFeed
from support.raw_client import CONT, PING, TEXT, masked, masked_close, upgrade
from support.transports import RecordingTransport


def live(
    feed: RecordingFeed, transport: RecordingTransport, everybody: set[object] | None = None, *, before: bytes = b""
) -> LiveSocket:
    wire = Wire(ServerProfile())
    wire.receive_data(upgrade("/"))
    (request,) = wire.events_received()
    assert isinstance(request, Request)
    wire.send_response(wire.accept(request))
    wire.receive_data(before)
    wire.events_received()
    wire.data_to_send()
    return LiveSocket(transport, wire, feed, set() if everybody is None else everybody, ServerProfile())


async def test_it_counts_as_a_connection_until_it_is_lost() -> None:
    everybody: set[object] = set()
    feed = RecordingFeed()
    socket = live(feed, RecordingTransport(), everybody)
    socket.start([], None)
    assert everybody == {socket}
    socket.connection_lost(None)
    assert everybody == set()
    assert feed.events == ["start", "lost"]


async def test_what_came_early_is_told_first_and_a_begun_message_goes_on() -> None:
    feed = RecordingFeed()
    socket = live(feed, RecordingTransport(), before=masked(TEXT, "beg", fin=False))
    socket.start(["one", None], [b"beg"])
    socket.data_received(masked(CONT, "un"))
    assert feed.events == ["start", "text", "binary", "text"]
    assert feed.texts == [b"one", b"begun"]
    socket.connection_lost(None)


async def test_early_messages_stop_with_a_close() -> None:
    feed = RecordingFeed(text=lambda feed: feed.sink.close(1000, ""))
    socket = live(feed, RecordingTransport())
    socket.start(["one", "two", None], None)
    assert feed.events == ["start", "text"]
    socket.connection_lost(None)


async def test_a_peer_that_takes_nothing_gets_no_pongs() -> None:
    transport = RecordingTransport()
    socket = live(RecordingFeed(), transport)
    socket.start([], None)
    socket.pause_writing()
    socket.data_received(masked(PING, "lost"))
    socket.resume_writing()
    socket.data_received(masked(PING, "answered"))
    assert transport.written == pong_frame(b"answered")
    socket.connection_lost(None)


async def test_going_on_to_write_is_not_told_after_a_close() -> None:
    feed = RecordingFeed()
    socket = live(feed, RecordingTransport())
    socket.start([], None)
    socket.pause_writing()
    assert feed.sink.paused
    feed.sink.close(1000, "")
    socket.resume_writing()
    assert feed.events == ["start"]
    socket.connection_lost(None)


@pytest.mark.parametrize("half_closes", [True, False], ids=["TCP", "TLS"])
async def test_a_broken_peer_is_told_and_the_transport_is_left_to_it(half_closes: bool) -> None:
    feed, transport = RecordingFeed(), RecordingTransport(half_closes=half_closes)
    socket = live(feed, transport)
    socket.start([], None)
    socket.data_received(b"\x81\x00" + masked(TEXT, "ignored"))
    socket.data_received(b"and more")
    assert transport.written == close_frame(1002, "incorrect masking")
    assert transport.ended is half_closes
    assert not transport.closed
    assert feed.events == ["start", "lost"]
    socket.connection_lost(None)
    assert feed.events == ["start", "lost"]


async def test_what_comes_after_a_close_is_not_heard_however_it_comes() -> None:
    feed = RecordingFeed()
    socket = live(feed, RecordingTransport())
    socket.start([], None)
    feed.sink.close(1000, "")
    socket.data_received(masked(TEXT, "alone"))
    socket.data_received(masked(TEXT, "one") + masked(TEXT, "after the other"))
    socket.data_received(masked(TEXT, "a", fin=False) + masked(CONT, "b"))
    assert feed.events == ["start"]
    socket.connection_lost(None)


async def test_a_close_of_both_sides_at_once_is_not_answered_again() -> None:
    feed, transport = RecordingFeed(), RecordingTransport()
    socket = live(feed, transport)
    socket.start([], None)
    feed.sink.close(1012, "restarting")
    socket.data_received(masked(PING, "p") + masked_close(1001))
    assert transport.written == close_frame(1012, "restarting")
    assert transport.closed
    assert feed.events == ["start", "lost"]
    socket.connection_lost(None)


async def test_a_flood_of_small_messages_ends_with_the_close_that_it_causes() -> None:
    feed = RecordingFeed(text=lambda feed: feed.sink.close(1008, "rate_limited") if len(feed.texts) == 10 else None)
    socket = live(feed, RecordingTransport())
    socket.start([], None)
    socket.data_received(masked(TEXT, "x") * 50_000)
    assert len(feed.texts) == 10
    socket.connection_lost(None)
