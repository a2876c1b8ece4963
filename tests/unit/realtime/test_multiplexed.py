"""`/ws`: commands, the inbox, and what is for everybody."""

import pytest

from gateroom.realtime.limits import Limits
from support.live import LiveWorld, settle


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "nonsense", '{"type":"ping"}', '{"type":"ping","id":1.5}'])
async def test_what_is_no_command_is_answered_without_id(world: LiveWorld, text: str) -> None:
    ada = await world.connect("ada")
    ada.received()
    ada.send(text)
    await settle()
    (answer,) = ada.received()
    assert (answer["type"], answer["code"]) == ("error", "invalid_command")
    assert "id" not in answer
    assert ada.closed is None


async def test_what_is_nearly_a_command_is_answered_with_its_id(world: LiveWorld) -> None:
    ada = await world.connect("ada")
    ada.received()
    ada.send('{"type":"ping","id":"x","more":1}', '{"type":"dance","id":7}')
    await settle()
    assert [(answer["id"], answer["code"]) for answer in ada.received()] == [
        ("x", "invalid_command"),
        (7, "invalid_command"),
    ]


async def test_a_command_that_is_refused_is_no_violation() -> None:
    world = LiveWorld(Limits(max_violations=1))
    ada = await world.connect("ada")
    for _ in range(20):
        assert (await ada.ask("join", room="nowhere"))["code"] == "forbidden"
    assert ada.closed is None


async def test_a_broadcast_reaches_every_connection(world: LiveWorld) -> None:
    await world.room("desk", ada="owner")
    ada, bob = await world.connect("ada"), await world.connect("bob")
    machine = await world.connect("ada", "room", room="desk")
    inbox = await world.connect("bob", "inbox", as_events=True)
    for peer in (ada, bob, inbox):
        peer.received()
    await world.publisher.to_everyone(b'{"down":true}')
    await settle()
    event = {"type": "broadcast", "data": {"down": True}, "at": "2027-01-15T08:00:00.000Z"}
    assert ada.received() == bob.received() == inbox.received() == [event]
    assert machine.received_texts() == ['{"down":true}']


async def test_the_inbox_is_heard_without_asking(world: LiveWorld) -> None:
    ada, bob = await world.connect("ada"), await world.connect("bob")
    bob.received()
    await ada.ask("send", user="@bob", data=1)
    assert [frame["type"] for frame in bob.received()] == ["direct"]
    bob.vanish()
    assert (await ada.ask("send", user="@bob", data=2))["connections"] == 0
