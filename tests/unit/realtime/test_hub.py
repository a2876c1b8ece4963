"""Who hears what, and in how many writes."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from gateroom.protocol import events
from gateroom.protocol.events import Person
from gateroom.protocol.frame import Segment
from gateroom.realtime.connection import Connection
from gateroom.realtime.counts import Counts
from gateroom.realtime.hub import Hub
from gateroom.realtime.ports import Kind, Position, Record
from gateroom.realtime.tick import Tick
from support.live import settle
from support.sinks import Closed, RecordingSink

ROOM, OTHER = "room:desk", "room:hall"


@dataclass
class Listener:
    """A connection and its sink."""

    connection: Connection
    sink: RecordingSink

    def texts(self) -> list[str]:
        return [seen if isinstance(seen, str) else str(seen.code) for seen in self.sink.read()]


@dataclass
class Place:
    """A hub that is flushed at the end of each tick."""

    tick: Tick = field(default_factory=Tick)
    counts: Counts = field(default_factory=Counts)

    def __post_init__(self) -> None:
        self.hub = Hub(self.tick.wake, self.counts)
        self.tick.stages(self.hub.flush)

    def listener(
        self,
        name: str,
        *topics: str,
        plain: bool = False,
        max_backlog: int = 0,
        overflow: Callable[[], None] = lambda: None,
    ) -> Listener:
        sink = RecordingSink()
        connection = Connection(name, Person(f"u-{name}", name), sink, self.hub.touch, max_backlog, overflow)
        self.hub.attach(connection)
        for topic in topics:
            self.hub.join(topic, connection, plain=plain)
        return Listener(connection, sink)

    def say(self, text: str, topic: str = ROOM, skip: str | None = None) -> None:
        self.hub.deliver(Record(topic, Kind.EVENT, text.encode(), skip_user=skip), None)


@pytest.fixture
def place() -> Place:
    return Place()


async def test_everybody_on_a_topic_hears_all_of_a_tick_in_one_write(place: Place) -> None:
    ada, bob, cyd = (place.listener(name, ROOM) for name in ("ada", "bob", "cyd"))
    for text in ("1", "2", "3"):
        place.say(text)
    await settle()
    for listener in (ada, bob, cyd):
        assert listener.texts() == ["1", "2", "3"]
        assert len(listener.sink.writes) == 1
    assert ada.sink.writes == bob.sink.writes == cyd.sink.writes


async def test_several_topics_and_a_connections_own_make_one_write_too(place: Place) -> None:
    ada = place.listener("ada", ROOM, OTHER, "all")
    ada.connection.post(Segment("", (b"own",)))
    place.say("1")
    place.say("2", OTHER)
    place.say("3", "all")
    place.say("4")
    await settle()
    assert len(ada.sink.writes) == 1
    assert sorted(ada.texts()) == ["1", "2", "3", "4", "own"]


async def test_each_topic_keeps_its_order_beside_the_others(place: Place) -> None:
    ada = place.listener("ada", ROOM, OTHER)
    for number in range(6):
        place.say(str(number), (ROOM, OTHER)[number % 2])
    await settle()
    heard = ada.texts()
    assert [text for text in heard if int(text) % 2 == 0] == ["0", "2", "4"]
    assert [text for text in heard if int(text) % 2 == 1] == ["1", "3", "5"]


async def test_the_next_tick_makes_the_next_write(place: Place) -> None:
    ada = place.listener("ada", ROOM)
    place.say("1")
    await settle()
    place.say("2")
    await settle()
    assert ada.texts() == ["1", "2"]
    assert len(ada.sink.writes) == 2


async def test_nothing_is_written_before_the_tick_ends(place: Place) -> None:
    ada = place.listener("ada", ROOM)
    place.say("1")
    assert ada.sink.writes == []


async def test_a_newcomer_hears_only_what_comes_after(place: Place) -> None:
    ada = place.listener("ada", ROOM)
    place.say("before")
    bob = place.listener("bob", ROOM)
    place.say("after")
    await settle()
    assert ada.texts() == ["before", "after"]
    assert bob.texts() == ["after"]
    assert len(ada.sink.writes) == 1


async def test_a_leaver_hears_only_what_came_before(place: Place) -> None:
    ada, bob = place.listener("ada", ROOM), place.listener("bob", ROOM)
    place.say("before")
    place.hub.leave(ROOM, bob.connection)
    place.say("after")
    await settle()
    assert ada.texts() == ["before", "after"]
    assert bob.texts() == ["before"]


async def test_coming_and_going_within_a_tick_is_followed_exactly(place: Place) -> None:
    ada = place.listener("ada", ROOM)
    bob = place.listener("bob")
    place.say("1")
    place.hub.join(ROOM, bob.connection)
    place.say("2")
    place.hub.leave(ROOM, bob.connection)
    place.say("3")
    place.hub.join(ROOM, bob.connection)
    place.say("4")
    await settle()
    assert ada.texts() == ["1", "2", "3", "4"]
    assert bob.texts() == ["2", "4"]


async def test_a_topic_that_was_empty_for_a_moment_goes_on(place: Place) -> None:
    ada = place.listener("ada", ROOM)
    place.say("1")
    place.hub.leave(ROOM, ada.connection)
    place.say("nobody hears this")
    place.hub.join(ROOM, ada.connection)
    place.say("2")
    await settle()
    assert ada.texts() == ["1", "2"]


async def test_nothing_is_kept_for_a_topic_that_nobody_is_on(place: Place) -> None:
    place.say("1")
    await settle()
    ada = place.listener("ada", ROOM)
    await settle()
    assert ada.texts() == []
    assert place.counts.deliveries == 0


# Who is left out


async def test_a_skipped_user_hears_the_rest_on_every_connection(place: Place) -> None:
    ada, again, bob = place.listener("ada", ROOM), place.listener("ada", ROOM), place.listener("bob", ROOM)
    place.say("1")
    place.say("ada came", skip="u-ada")
    place.say("2")
    await settle()
    assert ada.texts() == again.texts() == ["1", "2"]
    assert bob.texts() == ["1", "ada came", "2"]
    assert len(ada.sink.writes) == 1


async def test_each_of_several_skipped_users_misses_only_their_own(place: Place) -> None:
    ada, bob, cyd = (place.listener(name, ROOM) for name in ("ada", "bob", "cyd"))
    place.say("ada came", skip="u-ada")
    place.say("bob came", skip="u-bob")
    await settle()
    assert ada.texts() == ["bob came"]
    assert bob.texts() == ["ada came"]
    assert cyd.texts() == ["ada came", "bob came"]


async def test_a_skipped_user_who_was_to_hear_nothing_else_gets_no_write(place: Place) -> None:
    ada = place.listener("ada", ROOM)
    place.say("ada came", skip="u-ada")
    await settle()
    assert ada.sink.writes == []


async def test_a_skipped_user_who_is_not_there_changes_nothing(place: Place) -> None:
    ada = place.listener("ada", ROOM)
    place.say("bob left", skip="u-bob")
    await settle()
    assert ada.texts() == ["bob left"]


# Simple clients


async def test_a_plain_member_gets_the_bare_data_of_what_has_some(place: Place) -> None:
    ada, machine = place.listener("ada", ROOM), place.listener("machine", ROOM, plain=True)
    person = Person("u-ada", "ada")
    for data in (b'"21.5 \xc2\xb0C"', b'{"on":true}'):
        body = events.message_body("desk", person, data, 0)
        place.hub.deliver(Record(ROOM, Kind.MESSAGE, body), Position("e", 1))
    place.say('{"type":"joined","room":"desk"}')
    await settle()
    assert machine.texts() == ["21.5 °C", '{"on":true}']
    assert [json.loads(text)["type"] for text in ada.texts()] == ["message", "message", "joined"]


async def test_a_plain_member_alone_keeps_the_topic_alive_and_counts_as_a_user(place: Place) -> None:
    machine = place.listener("machine", ROOM, plain=True)
    assert place.hub.user_count(ROOM) == 1
    assert place.hub.on(ROOM) == [machine.connection]
    place.say('{"data":1}')
    assert place.hub.leave(ROOM, machine.connection)
    place.say('{"data":2}')
    await settle()
    assert machine.texts() == ["1"]
    assert place.hub.on(ROOM) == []


# Who is where


async def test_a_users_first_connection_in_a_room_and_the_last_one_out_are_told_apart(place: Place) -> None:
    ada, again = place.listener("ada"), place.listener("ada")
    assert place.hub.join(ROOM, ada.connection)
    assert not place.hub.join(ROOM, again.connection)
    assert place.hub.people(ROOM) == [(Person("u-ada", "ada"), 2)]
    assert not place.hub.leave(ROOM, ada.connection)
    assert place.hub.people(ROOM) == [(Person("u-ada", "ada"), 1)]
    assert place.hub.leave(ROOM, again.connection)
    assert place.hub.people(ROOM) == []
    assert place.hub.user_count(ROOM) == 0


async def test_what_is_no_room_has_no_comers_and_goers(place: Place) -> None:
    ada = place.listener("ada")
    for topic in ("all", "user:u-ada"):
        assert not place.hub.join(topic, ada.connection)
        assert place.hub.on(topic) == [ada.connection]
        assert place.hub.people(topic) == []
        assert not place.hub.leave(topic, ada.connection)
        assert place.hub.on(topic) == []


async def test_a_users_connections_are_known_from_first_to_last(place: Place) -> None:
    ada, again = place.listener("ada"), place.listener("ada")
    assert place.hub.connections_of("u-ada") == (ada.connection, again.connection)
    place.hub.detach(ada.connection)
    assert place.hub.connections_of("u-ada") == (again.connection,)
    place.hub.detach(again.connection)
    assert place.hub.connections_of("u-ada") == ()


# The end of a connection


async def test_a_close_comes_last_whatever_else_the_tick_brings(place: Place) -> None:
    ada = place.listener("ada", ROOM)
    place.say("1")
    place.hub.leave(ROOM, ada.connection)
    ada.connection.post(Segment("", (b"own",)))
    ada.connection.close(1008, "kicked")
    place.say("2")
    await settle()
    assert ada.sink.read() == ["1", "own", Closed(1008, "kicked")]


async def test_a_connection_that_ends_while_others_are_written_does_not_disturb_them(place: Place) -> None:
    def end() -> None:
        place.hub.leave(ROOM, doomed.connection)
        place.hub.detach(doomed.connection)
        ada.connection.post(Segment("", (b"bob is gone",)))

    ada = place.listener("ada", ROOM)
    doomed = place.listener("bob", ROOM, max_backlog=1, overflow=end)
    cyd = place.listener("cyd", ROOM)
    doomed.sink.paused = True
    place.say("1")
    await settle()
    place.say("2")
    await settle()
    assert ada.texts() == ["1", "bob is gone", "2"]
    assert cyd.texts() == ["1", "2"]
    assert doomed.texts() == []


# Counting


async def test_deliveries_and_bytes_are_counted_per_receiver(place: Place) -> None:
    for name in ("ada", "bob"):
        place.listener(name, ROOM)
    place.listener("machine", ROOM, plain=True)
    place.say('{"data":"abc"}')
    place.say('{"data":"d"}')
    await settle()
    assert place.counts.deliveries == 6
    assert place.counts.bytes_out == 2 * (16 + 14) + 5 + 3
    assert sum(place.counts.flushes.buckets) >= 1
