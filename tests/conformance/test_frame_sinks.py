"""What `FrameSink` and `Feed` promise: on our own server class, on any other ASGI server, and in the fake."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

import pytest

from gateroom.protocol.frame import MAX_REASON_BYTES, Segment
from gateroom.realtime.ports import FrameSink
from gateroom.realtime.sinks import HIGH_WATER
from gateroom.server.profile import ServerProfile
from gateroom.web.handover import HandoverMiddleware
from support.asgi import by_path
from support.feeds import RecordingFeed
from support.raw_client import BINARY, CLOSE, CONT, PING, PONG, TEXT, Closed, RawClient, masked, masked_close
from support.serving import serving
from support.sinks import RecordingSink
from support.stage import Stage, staged

T = TypeVar("T")
NOTHING_READ = 4096  # bytes of a client's receive buffer, so that a server soon notices that it does not read


@contextlib.contextmanager
def on_our_server() -> Iterator[Stage]:
    """`RawSink`, by `FrameProtocol`."""
    with staged(ServerProfile(close_timeout=1.0)) as stage:
        yield stage


@contextlib.contextmanager
def on_any_asgi_server() -> Iterator[Stage]:
    """`AsgiSink`, by the middleware, on uvicorn's own classes."""
    stage = Stage()
    app = HandoverMiddleware(by_path(live=stage.live))
    with serving(app, http="h11", ws="websockets-sansio") as stage.server:
        yield stage


SERVERS = {"raw": on_our_server, "asgi": on_any_asgi_server}


@pytest.fixture(scope="module", params=SERVERS)
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """A server of each kind in turn."""
    with SERVERS[request.param]() as stage:
        yield stage


class Line(Protocol):
    """A sink and its client."""

    def do(self, act: Callable[[FrameSink], T]) -> T:
        """Act on the sink, on its event loop."""
        ...

    def seen(self) -> list[str | Closed]:
        """Return all that the client sees up to the end, which must have been brought about."""
        ...


class RealLine:
    def __init__(self, stage: Stage, feed: RecordingFeed, client: RawClient) -> None:
        self._stage, self._feed, self._client = stage, feed, client

    def do(self, act: Callable[[FrameSink], T]) -> T:
        return self._stage.server.call(lambda: act(self._feed.sink))

    def seen(self) -> list[str | Closed]:
        return read_to_end(self._client)


class FakeLine:
    def __init__(self) -> None:
        self._sink = RecordingSink()

    def do(self, act: Callable[[FrameSink], T]) -> T:
        return act(self._sink)

    def seen(self) -> list[str | Closed]:
        seen = [item if isinstance(item, str) else Closed(*item) for item in self._sink.read()]
        return [*seen, Closed(1006)] if self._sink.aborted and self._sink.closed is None else seen


@pytest.fixture(scope="module", params=[*SERVERS, "fake"])
def lines(request: pytest.FixtureRequest) -> Iterator[Stage | None]:
    if request.param == "fake":
        yield None
        return
    with SERVERS[request.param]() as stage:
        yield stage


@pytest.fixture
def line(lines: Stage | None) -> Iterator[Line]:
    """An open line, of each kind of sink in turn."""
    if lines is None:
        yield FakeLine()
        return
    feed = RecordingFeed()
    with lines.connect(feed) as client:
        yield RealLine(lines, feed, client)


def segment(*texts: str) -> Segment:
    return Segment("", [text.encode() for text in texts])


def writing(*texts: str) -> Callable[[FrameSink], None]:
    return lambda sink: sink.write([segment(*texts)])


def closing(code: int, reason: str = "") -> Callable[[FrameSink], None]:
    return lambda sink: sink.close(code, reason)


def read_to_end(client: RawClient) -> list[str | Closed]:
    """Read texts up to a close frame, which is answered, or to an end without one."""
    seen: list[str | Closed] = []
    with contextlib.suppress(ConnectionError):
        while True:
            frame = client.read_frame()
            if frame.opcode == TEXT:
                seen.append(frame.payload.decode())
            elif frame.opcode == CLOSE:
                code = int.from_bytes(frame.payload[:2], "big")
                client.send_as_far_as_possible(masked_close(code))
                return [*seen, Closed(code, frame.payload[2:].decode())]
    return [*seen, Closed(1006)]


# The sink


def test_texts_arrive_in_the_order_they_were_written_in(line: Line) -> None:
    line.do(lambda sink: sink.write([segment("1", "2"), Segment("room:desk", ["\u00e9\U0001f600".encode()])]))
    line.do(writing(""))
    line.do(writing("x" * 70_000, "3"))
    line.do(closing(1000))
    assert line.seen() == ["1", "2", "\u00e9\U0001f600", "", "x" * 70_000, "3", Closed(1000)]


def test_a_close_comes_after_everything_written_and_nothing_after_it(line: Line) -> None:
    def act(sink: FrameSink) -> None:
        sink.write([segment("1")])
        sink.close(1008, "kicked")
        sink.write([segment("2")])

    line.do(act)
    line.do(writing("3"))
    assert line.seen() == ["1", Closed(1008, "kicked")]


def test_the_first_close_counts(line: Line) -> None:
    def act(sink: FrameSink) -> None:
        sink.close(1012, "restarting")
        sink.close(1008, "forbidden")

    line.do(act)
    line.do(closing(1011, "internal_error"))
    assert line.seen() == [Closed(1012, "restarting")]


@pytest.mark.parametrize("code", [1000, 1003, 1007, 1008, 1009, 1011, 1012, 1013])
def test_every_code_of_the_contract_arrives(line: Line, code: int) -> None:
    line.do(closing(code))
    assert line.seen() == [Closed(code)]


def test_a_reason_may_be_as_long_as_a_close_frame_allows(line: Line) -> None:
    line.do(closing(1008, "x" * MAX_REASON_BYTES))
    assert line.seen() == [Closed(1008, "x" * MAX_REASON_BYTES)]


def test_an_abort_ends_the_line_without_a_word(line: Line) -> None:
    line.do(lambda sink: sink.abort())
    assert line.seen() == [Closed(1006)]


def test_after_the_end_nothing_is_sent_and_nothing_raises(line: Line) -> None:
    def act(sink: FrameSink) -> None:
        sink.abort()
        sink.write([segment("1")])
        sink.close(1008, "kicked")
        sink.abort()

    line.do(act)
    line.do(act)
    assert line.seen() == [Closed(1006)]


def test_an_open_line_is_not_paused(line: Line) -> None:
    assert line.do(lambda sink: sink.paused) is False


def test_what_is_written_while_paused_is_sent_too(lines: Stage | None, line: Line) -> None:
    big = "x" * 1_000_000

    def act(sink: FrameSink) -> bool:
        sink.write([segment(big)])
        was_paused = sink.paused
        sink.write([segment("after")])
        sink.close(1000, "")
        return was_paused

    was_paused = line.do(act)
    assert was_paused or lines is None  # a test pauses the fake
    assert line.seen() == [big, "after", Closed(1000)]


# The feed


def test_a_feed_is_started_once_and_lost_once_and_nothing_comes_after_that(stage: Stage) -> None:
    feed = RecordingFeed()
    with stage.connect(feed) as client:
        client.send_text("1")
        client.send(masked_close(1000))
        assert client.read_close() == Closed(1000)
        client.send_as_far_as_possible(masked(TEXT, "2"))
        feed.wait_for("lost")
    stage.server.wait_for_connections(0)
    assert feed.events == ["start", "text", "lost"]


@pytest.mark.parametrize("how", ["a reset", "an end without a close"])
def test_a_feed_whose_peer_vanishes_is_lost_once(stage: Stage, how: str) -> None:
    feed = RecordingFeed()
    with stage.connect(feed) as client:
        client.send_text("1")
        feed.wait_for("text")
        if how == "a reset":
            client.reset()
        else:
            client.half_close()
        feed.wait_for("lost")
    stage.server.wait_for_connections(0)
    assert feed.events == ["start", "text", "lost"]


def test_a_feed_that_closes_is_lost_in_the_end(stage: Stage) -> None:
    feed = RecordingFeed(text=lambda feed: feed.sink.close(1008, "kicked"))
    with stage.connect(feed) as client:
        client.send_text("1")
        assert read_to_end(client) == [Closed(1008, "kicked")]
        feed.wait_for("lost")
    stage.server.wait_for_connections(0)
    assert feed.events == ["start", "text", "lost"]


def test_a_feed_that_aborts_is_lost_in_the_end(stage: Stage) -> None:
    feed = RecordingFeed(text=lambda feed: feed.sink.abort())
    with stage.connect(feed) as client:
        client.send_text("1")
        assert read_to_end(client) == [Closed(1006)]
        feed.wait_for("lost")
    assert feed.events == ["start", "text", "lost"]


def test_texts_come_whole_and_in_order(stage: Stage) -> None:
    feed = RecordingFeed()
    texts = ["1", "", "\u00e9\U0001f600", "x" * 60_000, '{"type":"ping"}']
    with stage.connect(feed) as client:
        client.send(b"".join(masked(TEXT, text) for text in texts))
        client.send(masked(TEXT, "in ", fin=False) + masked(CONT, "three ", fin=False) + masked(CONT, "parts"))
        feed.wait_for("text", len(texts) + 1)
    assert feed.texts == [*(text.encode() for text in texts), b"in three parts"]


def test_a_letter_may_be_cut_by_the_end_of_a_fragment(stage: Stage) -> None:
    feed = RecordingFeed()
    first, last = "\U0001f600".encode()[:2], "\U0001f600".encode()[2:]
    with stage.connect(feed) as client:
        client.send(masked(TEXT, first, fin=False) + masked(CONT, last))
        feed.wait_for("text")
    assert feed.texts == ["\U0001f600".encode()]


def test_a_binary_message_is_told_as_one(stage: Stage) -> None:
    feed = RecordingFeed()
    with stage.connect(feed) as client:
        client.send(masked(BINARY, b"\xff") + masked(BINARY, b"a", fin=False) + masked(CONT, b"b") + masked(TEXT, "c"))
        feed.wait_for("text")
    assert feed.events == ["start", "binary", "binary", "text", "lost"][: len(feed.events)]
    assert feed.texts == [b"c"]


def test_text_that_is_not_utf_8_ends_with_1007(stage: Stage) -> None:
    def judge(feed: RecordingFeed) -> None:
        try:
            feed.texts[-1].decode()
        except UnicodeDecodeError:  # a server may leave this to the feed
            feed.sink.close(1007, "")

    feed = RecordingFeed(text=judge)
    with stage.connect(feed) as client:
        client.send(masked(TEXT, b"\xed\xa0\x80"))
        assert client.read_close().code == 1007
        client.send_as_far_as_possible(masked_close(1007))
        feed.wait_for("lost")


def test_a_peers_ping_is_answered_by_the_server(stage: Stage) -> None:
    feed = RecordingFeed()
    with stage.connect(feed) as client:
        client.send(masked(PING, b"payload"))
        frame = client.read_frame()
        assert (frame.opcode, frame.payload) == (PONG, b"payload")
    feed.wait_for("lost")
    assert feed.events == ["start", "lost"]


def test_a_ping_is_sent_and_its_pong_told_or_the_server_says_that_it_does_so_itself(stage: Stage) -> None:
    feed = RecordingFeed()
    with stage.connect(feed) as client:
        if stage.server.call(feed.sink.ping):
            assert client.read_frame().opcode == PING
            client.send(masked(PONG))
            feed.wait_for("pong")
        client.send_text("still there")
        feed.wait_for("text")


def test_a_feed_may_write_in_every_call(stage: Stage) -> None:
    def say(name: str) -> Callable[[RecordingFeed], None]:
        return lambda feed: feed.sink.write([segment(name)])

    feed = RecordingFeed(start=say("start"), text=say("text"), binary=say("binary"), lost=say("into nothing"))
    with stage.connect(feed) as client:
        client.send(masked(TEXT, "x") + masked(BINARY, b"x"))
        assert [client.read_text() for _ in range(3)] == ["start", "text", "binary"]
        client.send(masked_close(1000))
        assert client.read_close() == Closed(1000)
        feed.wait_for("lost")


def test_a_feed_may_close_as_soon_as_it_is_started(stage: Stage) -> None:
    def start(feed: RecordingFeed) -> None:
        feed.sink.write([segment("sorry")])
        feed.sink.close(1012, "restarting")

    feed = RecordingFeed(start=start)
    with stage.connect(feed) as client:
        assert read_to_end(client) == ["sorry", Closed(1012, "restarting")]
        feed.wait_for("lost")
    assert feed.events == ["start", "lost"]


def test_a_peer_that_does_not_read_pauses_its_sink_and_one_that_reads_on_is_told(stage: Stage) -> None:
    held: list[str] = []

    def fill(feed: RecordingFeed) -> None:
        number = 0
        while not feed.sink.paused:
            feed.sink.write([segment(f"{number} " + "x" * HIGH_WATER)])
            number += 1
        held.append(str(number))

    def go_on(feed: RecordingFeed) -> None:
        feed.sink.write([segment(f"{held[0]} after the pause")])
        feed.sink.close(1000, "")

    feed = RecordingFeed(text=fill, writable=go_on)
    with stage.connect(feed, receive_buffer=NOTHING_READ) as client:
        client.send_text("go")
        feed.wait_for("text")
        seen = read_to_end(client)
        feed.wait_for("lost")
    assert feed.events == ["start", "text", "writable", "lost"]
    assert seen[-1] == Closed(1000)
    assert [str(text).split(" ")[0] for text in seen[:-1]] == [str(number) for number in range(int(held[0]) + 1)]


@pytest.mark.parametrize("server", SERVERS)
def test_when_the_server_stops_the_peer_is_told_and_the_feed_is_lost(server: str) -> None:
    feed = RecordingFeed(stop=lambda feed: feed.sink.close(1012, "restarting"))
    with SERVERS[server]() as stage, stage.connect(feed) as client:
        stage.server.begin_to_stop()
        assert client.read_close().code == 1012
        client.send_as_far_as_possible(masked_close(1012))
        feed.wait_for("lost")
    assert (feed.events[0], feed.events[-1], feed.events.count("lost")) == ("start", "lost", 1)
