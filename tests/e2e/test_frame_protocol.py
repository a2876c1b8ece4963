"""Sockets that were handed over, on a real server: what the feed hears and what the peer sees."""

import logging
from collections.abc import Iterator

import pytest

from gateroom.protocol.frame import Segment
from gateroom.server.profile import ServerProfile
from support.feeds import RecordingFeed
from support.raw_client import (
    BINARY,
    CONT,
    PING,
    PONG,
    TEXT,
    Closed,
    RawFrame,
    masked,
    masked_close,
    upgrade,
)
from support.stage import Stage, staged

LOOPS = ["uvloop", "asyncio"]


@pytest.fixture(scope="module", params=LOOPS)
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    with staged(ServerProfile(max_message_bytes=1000, max_fragments=16), loop=request.param) as stage:
        yield stage


@pytest.fixture(scope="module", params=LOOPS)
def hasty(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """A server that waits for nobody."""
    with staged(ServerProfile(close_timeout=0.2, stall_timeout=0.2), loop=request.param) as stage:
        yield stage


def say(feed: RecordingFeed, *texts: bytes) -> None:
    feed.sink.write([Segment("", (text,)) for text in texts])


def answer(feed: RecordingFeed) -> None:
    say(feed, feed.texts[-1])


# Messages


def test_a_socket_lives_on_after_its_endpoint_has_returned(stage: Stage) -> None:
    with stage.connect(RecordingFeed(text=answer)) as client:
        for text in ("one", "", "three" * 100):
            client.send_text(text)
            assert client.read_text() == text


def test_segments_leave_in_order(stage: Stage) -> None:
    feed = RecordingFeed(text=lambda feed: feed.sink.write([Segment("a", (b"1", b"2")), Segment("b", (b"3",))]))
    with stage.connect(feed) as client:
        client.send_text("go")
        assert [client.read_text() for _ in range(3)] == ["1", "2", "3"]


def test_many_messages_in_one_packet_arrive_one_by_one(stage: Stage) -> None:
    feed = RecordingFeed()
    with stage.connect(feed) as client:
        client.send(b"".join(masked(TEXT, str(number)) for number in range(5000)))
        feed.wait_for("text", 5000)
    assert feed.texts == [str(number).encode() for number in range(5000)]


def test_fragments_become_one_message(stage: Stage) -> None:
    feed = RecordingFeed()
    with stage.connect(feed) as client:
        client.send(masked(TEXT, "a", fin=False) + masked(CONT, "b", fin=False))
        client.send(masked(PING, "between") + masked(CONT, "c"))
        assert client.read_frame() == RawFrame(PONG, b"between")
        feed.wait_for("text")
    assert feed.texts == [b"abc"]


def test_text_is_passed_on_unchecked(stage: Stage) -> None:
    feed = RecordingFeed()
    with stage.connect(feed) as client:
        client.send(masked(TEXT, b"\xff"))
        feed.wait_for("text")
    assert feed.texts == [b"\xff"]


def test_binary_messages_are_noticed_once_each(stage: Stage) -> None:
    feed = RecordingFeed()
    with stage.connect(feed) as client:
        client.send(masked(BINARY, b"a") + masked(BINARY, b"b", fin=False) + masked(CONT, b"c") + masked(TEXT, "d"))
        feed.wait_for("text")
    assert feed.events[:4] == ["start", "binary", "binary", "text"]


def test_frames_right_behind_the_upgrade_reach_the_feed(stage: Stage) -> None:
    feed = stage.prepare(RecordingFeed())
    with stage.server.client() as client:
        client.send(upgrade("/live") + masked(PING, "p") + masked(TEXT, "a") + masked(TEXT, "b", fin=False))
        assert client.read_response().status == 101
        assert client.read_frame() == RawFrame(PONG, b"p")
        client.send(masked(CONT, "c"))
        feed.wait_for("text", 2)
    assert feed.texts == [b"a", b"bc"]


def test_frames_between_accept_and_handover_reach_the_feed_in_order(stage: Stage) -> None:
    feed = stage.prepare(RecordingFeed())
    with stage.server.client() as client:
        client.open("/late")
        assert client.read_text() == "say when"
        client.send(masked(TEXT, "when") + masked(TEXT, "a") + masked(BINARY, b"b") + masked(TEXT, "ç"))
        feed.wait_for("text", 2)
        client.send_text("d")
        feed.wait_for("text", 3)
    assert feed.events[:5] == ["start", "text", "binary", "text", "text"]
    assert feed.texts == [b"a", "ç".encode(), b"d"]


# Ends that the peer makes


def test_a_close_is_answered_with_its_own_code(stage: Stage) -> None:
    feed = RecordingFeed()
    with stage.connect(feed) as client:
        client.send(masked_close(4321, "bye") + masked(TEXT, "too late"))
        assert client.read_close() == Closed(4321, "bye")
        assert client.read_to_end() == b""
        feed.wait_for("lost")
    assert feed.events == ["start", "lost"]


@pytest.mark.parametrize("how", ["a reset", "an end without a close"])
def test_a_peer_that_vanishes_is_lost_once(stage: Stage, how: str) -> None:
    feed = RecordingFeed()
    with stage.connect(feed) as client:
        if how == "a reset":
            client.reset()
        else:
            client.half_close()
        feed.wait_for("lost")
        stage.server.wait_for_connections(0)
    assert feed.events == ["start", "lost"]
    assert feed.ended == (1006, "")


BROKEN = [
    pytest.param(b"\x81\x02hi", 1002, id="not masked"),
    pytest.param(masked(0x3, "x"), 1002, id="an opcode that does not exist"),
    pytest.param(masked(CONT, "x"), 1002, id="a continuation of nothing"),
    pytest.param(masked(TEXT, "x", fin=False) + masked(TEXT, "y"), 1002, id="a message within another"),
    pytest.param(masked(PING, "x" * 126), 1002, id="a long ping"),
    pytest.param(masked(PING, "x", fin=False), 1002, id="a fragmented ping"),
    pytest.param(b"\xc1" + masked(TEXT, "x")[1:], 1002, id="compressed"),
    pytest.param(masked_close(1006), 1002, id="a close code that may not be sent"),
    pytest.param(masked(0x8, b"\x03"), 1002, id="half a close code"),
    pytest.param(masked(0x8, b"\x03\xe8\xff"), 1007, id="a close reason that is not text"),
    pytest.param(masked(TEXT, "x" * 1001), 1009, id="a long message"),
    pytest.param(masked(TEXT, "x" * 600, fin=False) + masked(CONT, "x" * 401), 1009, id="a long message in fragments"),
    pytest.param(b"\x81\xff" + b"\x7f" * 8 + b"\x00" * 4, 1009, id="a message of exabytes"),
    pytest.param(masked(TEXT, fin=False) + masked(CONT, fin=False) * 16, 1008, id="many fragments"),
    pytest.param(masked(PING) * 1000, 1008, id="many pings"),
    pytest.param(masked(PONG) * 1000, 1008, id="many pongs"),
    pytest.param((masked(TEXT, fin=False) + masked(CONT)) * 5000, 1008, id="many messages of two empty fragments"),
]


@pytest.mark.parametrize(("frames", "code"), BROKEN)
def test_a_peer_that_breaks_the_protocol_is_told_and_lost_once(
    stage: Stage, caplog: pytest.LogCaptureFixture, frames: bytes, code: int
) -> None:
    feed = RecordingFeed()
    with stage.connect(feed) as client:
        client.send_as_far_as_possible(frames + masked(TEXT, "ignored") * 100)
        closed = client.read_close()
        assert closed.code == code
        assert closed.reason == "protocol_violation" or code != 1008
        assert client.read_to_end() == b""
        client.close()
        feed.wait_for("lost")
        stage.server.wait_for_connections(0)
    assert b"ignored" not in feed.texts
    assert feed.events.count("lost") == 1
    assert feed.ended == (code, "protocol_violation" if code == 1008 else "")
    assert [record for record in caplog.records if record.exc_info or record.levelno >= logging.WARNING] == []


def test_a_message_as_long_as_allowed_is_taken_with_a_ping_inside(stage: Stage) -> None:
    feed = RecordingFeed()
    with stage.connect(feed) as client:
        client.send(masked(TEXT, "x" * 1000) + masked(TEXT, "x" * 999, fin=False))
        client.send(masked(PING, "p" * 125) + masked(CONT, "x"))
        feed.wait_for("text", 2)
    assert [len(text) for text in feed.texts] == [1000, 1000]


def test_others_are_answered_while_one_floods(stage: Stage) -> None:
    with stage.connect(RecordingFeed()) as flooding, stage.connect(RecordingFeed(text=answer)) as client:
        flooding.send_as_far_as_possible(masked(TEXT, fin=False) + masked(CONT, fin=False) * 200_000)
        client.send_text("still here")
        assert client.read_text() == "still here"
        assert flooding.read_close() == Closed(1008, "protocol_violation")


# Ends that the feed makes


def close_with_more_to_say(feed: RecordingFeed) -> None:
    say(feed, b"last words")
    feed.sink.close(1008, "kicked")
    say(feed, b"too late")
    feed.sink.ping()
    feed.sink.close(1000, "")


def test_nothing_follows_a_close_and_the_first_one_counts(stage: Stage) -> None:
    feed = RecordingFeed(text=close_with_more_to_say)
    with stage.connect(feed) as client:
        client.send(masked(TEXT, "go") + masked(TEXT, "not heard") + masked(PING, "not answered"))
        assert client.read_text() == "last words"
        assert client.read_close() == Closed(1008, "kicked")
        assert "lost" not in feed.events
        client.send(masked(PING, "not answered") + masked_close(1008, "kicked"))
        assert client.read_to_end() == b""
        feed.wait_for("lost")
    assert feed.events == ["start", "text", "lost"]


def test_a_close_reason_is_cut_to_what_a_frame_can_carry(stage: Stage) -> None:
    with stage.connect(RecordingFeed(text=lambda feed: feed.sink.close(1008, "x" * 200))) as client:
        client.send_text("go")
        assert client.read_close() == Closed(1008, "x" * 123)


def test_a_peer_that_does_not_answer_a_close_is_dropped(hasty: Stage) -> None:
    feed = RecordingFeed(text=lambda feed: feed.sink.close(1000, ""))
    with hasty.connect(feed) as client:
        client.send_text("go")
        assert client.read_close() == Closed(1000)
        feed.wait_for("lost")
        hasty.server.wait_for_connections(0)


def test_a_close_does_not_wait_for_what_the_peer_does_not_take(hasty: Stage) -> None:
    def fill_and_close(feed: RecordingFeed) -> None:
        say(feed, bytes(8_000_000))
        assert feed.sink.paused
        feed.sink.close(1000, "")

    feed = RecordingFeed(text=fill_and_close)
    with hasty.connect(feed, receive_buffer=4096) as client:
        client.send_text("go")
        feed.wait_for("lost")
        hasty.server.wait_for_connections(0)


def test_an_abort_drops_the_socket_at_once(stage: Stage) -> None:
    feed = RecordingFeed(text=lambda feed: feed.sink.abort())
    with stage.connect(feed) as client:
        client.send(masked(TEXT, "go") + masked(TEXT, "not heard"))
        assert client.read_close() == Closed(1006)
        feed.wait_for("lost")
    assert feed.events == ["start", "text", "lost"]


# Backlog


def test_a_peer_that_does_not_read_pauses_the_sink_until_it_does(stage: Stage) -> None:
    feed = RecordingFeed(text=lambda feed: say(feed, bytes(8_000_000)), writable=lambda feed: say(feed, b"and on"))
    with stage.connect(feed, receive_buffer=4096) as client:
        client.send_text("go")
        feed.wait_for("text")
        assert stage.server.call(lambda: feed.sink.paused)
        assert len(client.read_frame().payload) == 8_000_000
        feed.wait_for("writable")
        assert not stage.server.call(lambda: feed.sink.paused)
        assert client.read_text() == "and on"


def test_little_waits_in_the_kernel_before_the_sink_pauses(stage: Stage) -> None:
    written = 0

    def fill(feed: RecordingFeed) -> None:
        nonlocal written
        while not feed.sink.paused and written < 50_000_000:
            say(feed, bytes(10_000))
            written += 10_000

    feed = RecordingFeed(text=fill)
    with stage.connect(feed, receive_buffer=4096) as client:
        client.send_text("go")
        feed.wait_for("text")
        stage.server.call(lambda: None)
    assert 64_000 < written < 1_000_000


# Keepalive


def test_a_ping_of_the_sink_reaches_the_peer_and_its_pong_the_feed(stage: Stage) -> None:
    feed = RecordingFeed(text=lambda feed: say(feed, b"pinged") if feed.sink.ping() else None)
    with stage.connect(feed) as client:
        client.send_text("go")
        assert client.read_frame() == RawFrame(PING, b"")
        assert client.read_text() == "pinged"
        client.send(masked(PONG))
        feed.wait_for("pong")


def test_the_server_itself_pings_only_what_was_not_handed_over() -> None:
    with (
        staged(ws_ping_interval=0.05, ws_ping_timeout=0.05) as stage,
        stage.connect(RecordingFeed(text=answer)) as client,
        stage.server.client() as echoed,
    ):
        echoed.open("/echo")
        assert echoed.read_frame().opcode == PING
        assert echoed.read_close() == Closed(1011, "ping_timeout")
        client.send_text("untouched")
        assert client.read_text() == "untouched"


def test_compression_is_never_agreed_to() -> None:
    with staged(ws_per_message_deflate=True) as stage, stage.server.client() as client:
        response = client.open("/echo", headers=["Sec-WebSocket-Extensions: permessage-deflate"])
        assert "sec-websocket-extensions" not in response.headers


# Shutdown


@pytest.mark.parametrize("loop", LOOPS)
def test_a_shutdown_lets_the_feed_close(loop: str) -> None:
    feed = RecordingFeed(stop=lambda feed: feed.sink.close(1012, "restarting"))
    with staged(loop=loop) as stage, stage.connect(feed) as client:
        stage.server.begin_to_stop()
        assert client.read_close() == Closed(1012, "restarting")
        client.send(masked_close(1012))
        feed.wait_for("lost")
        assert stage.server.ends_within(10)
    assert feed.events == ["start", "stop", "lost"]


@pytest.mark.parametrize("loop", LOOPS)
def test_a_shutdown_drops_a_socket_whose_feed_does_not_close(loop: str) -> None:
    feed = RecordingFeed()
    with staged(ServerProfile(shutdown_grace=0.2), loop=loop) as stage, stage.connect(feed) as client:
        stage.server.begin_to_stop()
        assert client.read_close() == Closed(1006)
        assert stage.server.ends_within(10)
    assert feed.events == ["start", "stop", "lost"]
