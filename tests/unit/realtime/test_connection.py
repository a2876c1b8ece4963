"""The one ordered outbox."""

import pytest

from gateroom.protocol.events import Person
from gateroom.protocol.frame import Segment
from gateroom.realtime.connection import Connection
from support.sinks import Closed, RecordingSink


class Outbox:
    """A connection, and what it asked of its hub and its session."""

    def __init__(self, max_backlog: int = 0) -> None:
        self.sink = RecordingSink()
        self.touched = 0
        self.overflows = 0
        person = Person("u-ada", "ada")
        self.connection = Connection("c", person, self.sink, self._touch, max_backlog, self._overflow)

    def post(self, *texts: str, topic: str = "") -> None:
        for text in texts:
            self.connection.post(Segment(topic, (text.encode(),)))

    def held(self, *texts: str, topic: str = "") -> None:
        """Have the connection hold these."""
        self.sink.paused = True
        self.post(*texts, topic=topic)
        self.connection.flush()

    def resume(self) -> None:
        self.sink.paused = False
        self.connection.resume()

    def _touch(self, connection: Connection) -> None:
        assert connection is self.connection
        self.touched += 1

    def _overflow(self) -> None:
        self.overflows += 1


@pytest.fixture
def box() -> Outbox:
    return Outbox()


def test_all_of_a_tick_leaves_in_one_write_in_order(box: Outbox) -> None:
    box.post("1", "2", topic="room:a")
    box.post("3")
    assert box.sink.read() == []
    box.connection.flush()
    assert box.sink.read() == ["1", "2", "3"]
    assert len(box.sink.writes) == 1


def test_the_hub_hears_once_per_tick_that_there_is_something(box: Outbox) -> None:
    box.post("1", "2")
    assert box.touched == 1
    box.connection.flush()
    box.post("3")
    assert box.touched == 2


def test_a_flush_with_nothing_to_say_writes_nothing(box: Outbox) -> None:
    box.connection.flush()
    assert box.sink.writes == []


def test_while_the_peer_takes_nothing_all_is_held_and_comes_later_in_order(box: Outbox) -> None:
    box.held("1")
    box.held("2", "3")
    assert box.sink.writes == []
    box.resume()
    box.post("4")
    box.connection.flush()
    assert box.sink.read() == ["1", "2", "3", "4"]
    assert len(box.sink.writes) == 2


def test_nothing_overtakes_what_is_held_when_the_peer_is_ready_before_it_is_told(box: Outbox) -> None:
    box.held("1")
    box.sink.paused = False  # the session hears of it a moment later
    box.post("2")
    box.connection.flush()
    assert box.sink.read() == []
    box.resume()
    assert box.sink.read() == ["1", "2"]


def test_what_is_posted_before_a_resume_still_comes_after_what_was_held(box: Outbox) -> None:
    box.held("1")
    box.post("2")
    box.resume()
    box.connection.flush()
    assert box.sink.read() == ["1", "2"]


def test_a_backlog_of_the_bound_is_borne_and_a_byte_more_is_not() -> None:
    box = Outbox(max_backlog=20)  # two frames: two bytes of head and eight of text each
    box.held("x" * 8, "y" * 8)
    assert (box.overflows, box.connection.held_bytes) == (0, 20)
    box.held("")
    assert box.overflows == 1


def test_a_backlog_is_measured_anew_after_it_was_taken() -> None:
    box = Outbox(max_backlog=20)
    for _ in range(5):
        box.held("x" * 18)
        box.resume()
    assert box.overflows == 0
    assert len(box.sink.read()) == 5


def test_without_a_bound_anything_is_held(box: Outbox) -> None:
    box.held(*["x" * 1000] * 100)
    assert box.overflows == 0
    box.resume()
    assert len(box.sink.read()) == 100


def test_what_is_unsent_of_a_topic_is_dropped_and_the_rest_is_not(box: Outbox) -> None:
    box.held("held of a", topic="room:a")
    box.held("held of b", topic="room:b")
    box.post("new of a", topic="room:a")
    box.post("own")
    box.connection.drop("room:a")
    assert box.connection.held_bytes == len("held of b") + 2
    box.connection.flush()
    box.resume()
    assert box.sink.read() == ["held of b", "own"]


def test_a_backlog_that_is_dropped_counts_no_more() -> None:
    box = Outbox(max_backlog=20)
    box.held("x" * 18, topic="room:a")
    box.connection.drop("room:a")
    box.held("y" * 18)
    assert box.overflows == 0
    box.resume()
    assert box.sink.read() == ["y" * 18]


def test_what_is_posted_after_all_was_dropped_is_sent_once(box: Outbox) -> None:
    box.post("1", topic="room:a")
    box.connection.drop("room:a")
    box.post("2")
    for _ in range(box.touched):
        box.connection.flush()
    assert box.sink.read() == ["2"]


def test_a_close_is_last(box: Outbox) -> None:
    box.post("1")
    box.connection.close(1008, "forbidden")
    box.post("2")
    box.connection.flush()
    assert box.sink.read() == ["1", Closed(1008, "forbidden")]


def test_the_first_close_counts(box: Outbox) -> None:
    box.connection.close(1012, "restarting")
    box.connection.close(1008, "forbidden")
    box.connection.flush()
    assert box.sink.read() == [Closed(1012, "restarting")]


def test_a_close_alone_is_sent_too(box: Outbox) -> None:
    box.connection.close(1003, "")
    assert box.touched == 1
    box.connection.flush()
    assert box.sink.closed == Closed(1003, "")


def test_a_close_comes_after_what_is_held(box: Outbox) -> None:
    box.held("1")
    box.post("2")
    box.connection.close(1008, "kicked")
    box.connection.flush()
    assert box.sink.read() == ["1", "2", Closed(1008, "kicked")]


def test_after_a_close_the_peer_may_be_ready_again_without_hearing_anything_twice(box: Outbox) -> None:
    box.held("1")
    box.connection.close(1008, "kicked")
    box.resume()
    box.connection.flush()
    assert box.sink.read() == ["1", Closed(1008, "kicked")]
