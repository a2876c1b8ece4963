"""Publishing from where one can wait."""

import asyncio
from dataclasses import replace

import pytest

from gateroom.errors import InternalError, Unavailable
from gateroom.protocol.events import Person
from gateroom.realtime.ports import Done, Outcome, Record
from gateroom.realtime.publisher import PATIENCE, Publisher
from gateroom.realtime.records import direct_message
from gateroom.rooms.model import Durability, RoomKind
from support.gates import GatedBroker
from support.live import LiveWorld, TurnedLoop, settle

SERVER = Person("server", "server")


async def test_a_message_to_a_room_is_there_when_its_position_is(world: LiveWorld) -> None:
    await world.room("desk", ada="owner")
    (ada,) = await world.joined("desk", "ada")
    position = await world.publisher.to_room("desk", RoomKind(), SERVER, b'{"n":1}')
    await settle()
    (message,) = ada.received()
    assert (message["seq"], message["epoch"]) == (position.seq, position.epoch)
    assert (message["data"], message["from"]) == ({"n": 1}, {"id": "server", "name": "server"})
    assert (await ada.ask("history", room="desk"))["messages"] == [message]


async def test_a_kind_that_keeps_nothing_keeps_nothing(world: LiveWorld) -> None:
    await world.room("desk", ada="owner")
    (ada,) = await world.joined("desk", "ada")
    await world.publisher.to_room("desk", RoomKind(durability=Durability.NONE), SERVER, b"1")
    assert (await ada.ask("history", room="desk"))["messages"] == []


async def test_a_message_to_a_user_says_how_many_have_it(world: LiveWorld) -> None:
    await world.connect("ada")
    await world.connect("ada")
    await world.user("bob")
    position, connections = await world.publisher.to_user("u-ada", SERVER, b'"hi"')
    assert (position.seq, connections) == (1, 2)
    assert (await world.publisher.to_user("u-bob", SERVER, b'"hi"'))[1] == 0


async def test_what_is_published_at_once_keeps_its_order(world: LiveWorld) -> None:
    await world.room("desk", ada="owner")
    (ada,) = await world.joined("desk", "ada")
    calls = [world.publisher.to_room("desk", RoomKind(), SERVER, b"%d" % number) for number in range(20)]
    positions = await asyncio.gather(*calls)
    await settle()
    assert [position.seq for position in positions] == list(range(1, 21))
    assert ada.heard() == list(range(20))


async def test_a_broker_that_takes_nothing_is_unavailable(world: LiveWorld) -> None:
    await world.broker.close()
    with pytest.raises(Unavailable):
        await world.publisher.to_room("desk", RoomKind(), SERVER, b"1")
    with pytest.raises(Unavailable):
        await world.publisher.to_user("u-ada", SERVER, b"1")
    with pytest.raises(Unavailable):
        await world.publisher.to_everyone(b"1")


class Answering(GatedBroker):
    """A broker that gives each record these answers, or none."""

    def __init__(self, world: LiveWorld, *answers: Outcome) -> None:
        super().__init__(world.local, world.reading)
        self.answers = answers

    def submit(self, record: Record, done: Done) -> None:
        for answer in self.answers:
            done(answer)


def publisher_with(world: LiveWorld, *answers: Outcome) -> Publisher:
    return Publisher(replace(world.live, broker=Answering(world, *answers)))


async def test_an_error_of_the_broker_is_raised(world: LiveWorld) -> None:
    with pytest.raises(InternalError):
        await publisher_with(world, InternalError()).to_room("desk", RoomKind(), SERVER, b"1")


async def test_a_message_that_got_no_position_is_not_taken_for_published(world: LiveWorld) -> None:
    with pytest.raises(Unavailable):
        await publisher_with(world, None).to_room("desk", RoomKind(), SERVER, b"1")


def test_a_broker_that_does_not_answer_is_unavailable_after_a_while() -> None:
    async def scenario() -> None:
        publishing = asyncio.ensure_future(publisher_with(LiveWorld()).to_room("desk", RoomKind(), SERVER, b"1"))
        await settle()
        assert not publishing.done()
        await loop.turn(PATIENCE + 0.1)
        with pytest.raises(Unavailable):
            await publishing

    loop = TurnedLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(scenario())


async def test_a_direct_message_is_kept_as_the_inbox_says(world: LiveWorld) -> None:
    record = direct_message(world.live, "u-ada", SERVER, b"1")
    assert (record.topic, record.retention) == ("user:u-ada", world.live.inbox)
