"""`/ws/rooms/{room}` and `/ws/users/me`: one stream on a socket."""

import pytest

from gateroom.errors import Forbidden, Unavailable
from gateroom.realtime.dispatch import MAX_WAITING
from gateroom.realtime.limits import Limits
from gateroom.realtime.topics import user_topic
from gateroom.rooms.model import Visibility
from support.live import LiveWorld, Peer, settle


async def machine_and_ada(world: LiveWorld) -> tuple[Peer, Peer]:
    """A simple client of bob's and an ordinary one of ada's in a private room."""
    await world.room("desk", ada="owner", bob="member")
    (ada,) = await world.joined("desk", "ada")
    machine = await world.connect("bob", "room", room="desk")
    ada.received()
    return machine, ada


# One room


@pytest.mark.parametrize("text", ["21.5", "", '{"type":"leave","id":1}', "NaN", 'é"\\\n\x00\U0001f600', "\u2028"])
async def test_a_text_is_published_as_one_string(world: LiveWorld, text: str) -> None:
    machine, ada = await machine_and_ada(world)
    machine.send(text)
    await settle()
    (message,) = ada.received()
    assert (message["data"], message["from"]["name"], message["seq"]) == (text, "bob", 1)
    assert machine.received_texts() == [text]


async def test_data_that_is_no_string_is_delivered_as_json(world: LiveWorld) -> None:
    machine, ada = await machine_and_ada(world)
    for data in ({"on": True}, None, 1.5, "text"):
        await ada.ask("publish", room="desk", data=data)
    assert machine.received_texts() == ['{"on": true}', "null", "1.5", "text"]


async def test_a_simple_client_hears_of_nobodys_coming_and_going_but_is_seen(world: LiveWorld) -> None:
    machine, ada = await machine_and_ada(world)
    await world.set_role("desk", "cyd", "member")
    (cyd,) = await world.joined("desk", "cyd")
    cyd.vanish()
    machine.vanish()
    await settle()
    assert machine.received_texts() == []
    assert [(frame["type"], frame["user"]["name"]) for frame in ada.received()] == [
        ("joined", "cyd"),
        ("left", "cyd"),
        ("left", "bob"),
    ]


async def test_a_simple_client_that_asked_for_events_gets_them(world: LiveWorld) -> None:
    _, ada = await machine_and_ada(world)
    machine = await world.connect("bob", "room", room="desk", as_events=True)
    machine.send("hello")
    await settle()
    frames = machine.received()
    assert [frame["type"] for frame in frames] == ["welcome", "message"]
    assert frames[1] == ada.received()[0]


async def test_a_simple_client_is_not_in_the_inbox(world: LiveWorld) -> None:
    machine, ada = await machine_and_ada(world)
    assert (await ada.ask("send", user="@bob", data="private"))["connections"] == 0
    assert machine.received_texts() == []


async def test_a_stranger_gets_no_socket_at_all(world: LiveWorld) -> None:
    await world.room("desk", ada="owner")
    for room in ("desk", "nowhere"):
        with pytest.raises(Forbidden):
            await world.connect("eve", "room", room=room)
    assert world.door.inside == 0


async def test_what_may_not_be_done_closes_the_socket_with_its_reason(world: LiveWorld) -> None:
    await world.room("hall", kind="audience", visibility=Visibility.PUBLIC, ada="owner")
    (ada,) = await world.joined("hall", "ada")
    machine = await world.connect("bob", "room", room="hall")
    ada.received()
    machine.send("let me speak")
    await settle()
    assert machine.closed == (1008, "forbidden")
    assert [frame["type"] for frame in ada.received()] == ["left"]


async def test_too_much_at_once_closes_the_socket(world: LiveWorld) -> None:
    machine, ada = await machine_and_ada(world)
    machine.send(*["x"] * 101)
    await settle()
    assert machine.closed == (1008, "rate_limited")
    assert len(ada.heard()) == 100


async def test_a_broker_that_takes_nothing_closes_the_socket(world: LiveWorld) -> None:
    machine, _ = await machine_and_ada(world)
    await world.broker.close()
    machine.send("x")
    await settle()
    assert machine.closed == (1008, "unavailable")


@pytest.mark.parametrize(
    ("text", "code"), [(b"\xff", 1007), (b"x" * 65537, 1009), (None, 1003)], ids=["not text", "too big", "binary"]
)
async def test_a_bad_message_closes_it_as_any_other(world: LiveWorld, text: bytes | None, code: int) -> None:
    machine, _ = await machine_and_ada(world)
    if text is None:
        machine.session.binary()
    else:
        machine.send(text)
    await settle()
    assert machine.closed == (code, "")


async def test_its_publishes_are_counted_like_any(world: LiveWorld) -> None:
    machine, _ = await machine_and_ada(world)
    machine.send("x")
    await settle()
    assert world.counts.commands["publish", "ok"] == 1


# Rights that change


async def test_who_is_removed_is_closed_with_the_reason_and_hears_nothing_more(world: LiveWorld) -> None:
    machine, ada = await machine_and_ada(world)
    machine.pause()
    await ada.ask("publish", room="desk", data="unsent")
    await world.set_role("desk", "bob", None)
    await ada.ask("publish", room="desk", data="secret")
    assert machine.received_texts() == []
    assert machine.closed == (1008, "forbidden")


async def test_who_becomes_a_viewer_goes_on_reading(world: LiveWorld) -> None:
    machine, ada = await machine_and_ada(world)
    await world.set_role("desk", "bob", "viewer")
    await ada.ask("publish", room="desk", data="news")
    assert machine.received_texts() == ["news"]
    machine.send("x")
    await settle()
    assert machine.closed == (1008, "forbidden")


async def test_a_room_that_is_deleted_closes_its_sockets(world: LiveWorld) -> None:
    machine, _ = await machine_and_ada(world)
    await world.remove_room("desk")
    await settle()
    assert machine.closed == (1008, "room_closed")


async def test_whose_rights_go_on_the_way_in_hears_nothing(world: LiveWorld) -> None:
    _, ada = await machine_and_ada(world)
    machine = await world.admitted("bob", "room", room="desk")
    await world.set_role("desk", "bob", None)
    world.sql.hold()
    machine.session.start(machine.sink)
    await ada.ask("publish", room="desk", data="secret")
    machine.send("x")
    world.sql.release()
    await settle()
    assert machine.received_texts() == []
    assert machine.closed == (1008, "forbidden")
    assert ada.heard() == ["secret"]


async def test_who_is_judged_again_on_the_way_in_loses_nothing_of_what_it_says(world: LiveWorld) -> None:
    _, ada = await machine_and_ada(world)
    machine = await world.admitted("bob", "room", room="desk")
    world.standings.forget("desk", "u-bob")
    world.sql.hold()
    machine.session.start(machine.sink)
    machine.send("1", "2")
    await settle()
    assert ada.heard() == []
    world.sql.release()
    await settle()
    machine.send("3")
    await settle()
    assert ada.heard() == ["1", "2", "3"]
    assert machine.received_texts() == ["1", "2", "3"]


async def test_so_much_may_wait_and_no_more() -> None:
    world = LiveWorld(Limits(publish_rate=0))
    _, ada = await machine_and_ada(world)
    machine = await world.admitted("bob", "room", room="desk")
    world.standings.forget("desk", "u-bob")
    world.sql.hold()
    machine.session.start(machine.sink)
    machine.send(*["x"] * MAX_WAITING)
    await settle()
    assert machine.closed is None
    machine.send("x")
    world.sql.release()
    await settle()
    assert machine.closed == (1008, "rate_limited")
    assert ada.heard() == ["x"] * MAX_WAITING  # what was sent before the refusal is heard


async def test_nobody_is_let_into_a_room_on_trust_when_the_store_is_away(world: LiveWorld) -> None:
    _, ada = await machine_and_ada(world)
    machine = await world.admitted("bob", "room", room="desk")
    world.standings.forget("desk", "u-bob")
    world.sql.fault = Unavailable()
    machine.session.start(machine.sink)
    await ada.ask("publish", room="desk", data="secret")
    assert machine.received_texts() == []
    assert machine.closed == (1013, "overloaded")


async def test_a_socket_that_ends_before_it_is_judged_joins_nothing(world: LiveWorld) -> None:
    first, ada = await machine_and_ada(world)
    first.vanish()
    machine = await world.admitted("bob", "room", room="desk")
    world.standings.forget("desk", "u-bob")
    world.sql.hold()
    machine.session.start(machine.sink)
    machine.send("x")
    machine.vanish()
    world.sql.release()
    await settle()
    assert world.hub.user_count("room:desk") == 1
    assert ada.heard() == []


# The inbox


async def test_an_inbox_delivers_what_is_sent(world: LiveWorld) -> None:
    ada = await world.connect("ada")
    machine = await world.connect("bob", "inbox")
    events = await world.connect("bob", "inbox", as_events=True)
    for data in ("hi", {"n": 1}):
        await ada.ask("send", user="@bob", data=data)
    assert machine.received_texts() == ["hi", '{"n": 1}']
    assert [frame["type"] for frame in events.received()] == ["welcome", "direct", "direct"]


async def test_an_inbox_takes_nothing(world: LiveWorld) -> None:
    machine = await world.connect("bob", "inbox")
    machine.send('{"type":"ping","id":1}')
    await settle()
    assert machine.closed == (1008, "forbidden")


async def test_an_inbox_that_ended_is_no_device(world: LiveWorld) -> None:
    ada = await world.connect("ada")
    machine = await world.connect("bob", "inbox")
    machine.vanish()
    assert (await ada.ask("send", user="@bob", data=1))["connections"] == 0
    assert world.door.inside == 1


@pytest.mark.parametrize("as_events", [True, False])
async def test_of_an_inbox_that_went_during_the_handshake_nothing_is_left(world: LiveWorld, as_events: bool) -> None:
    peer = await world.admitted("ada", "inbox", as_events=as_events)
    world.local.forget(user_topic("u-ada"))
    peer.session.start(peer.sink)
    peer.vanish()
    await settle()
    assert (world.live.sessions, world.door.inside, world.hub.on(user_topic("u-ada"))) == ({}, 0, [])
