"""Streams as sockets see them: positions, what was missed, keys, inboxes, and nothing twice."""

import asyncio
import itertools
import random
from typing import Any

import pytest

from gateroom.errors import Unavailable
from gateroom.realtime.limits import Limits
from gateroom.rooms.model import Durability, RoomKind, Visibility
from support.live import KINDS, ROOT, Frame, LiveWorld, Peer, settle

FEW = RoomKind(name="few", history_size=10)


@pytest.fixture
def world() -> LiveWorld:
    return LiveWorld(kinds={**KINDS, "few": FEW})


async def position_of(peer: Peer, **fields: Any) -> dict[str, Any]:
    answer = await peer.ask("publish", **fields)
    assert answer["type"] == "reply", answer
    position: dict[str, Any] = answer["position"]
    return position


async def test_a_durable_publish_is_answered_and_heard_once_it_is_stored(world: LiveWorld) -> None:
    await world.room("desk", ada="member", bob="member")
    ada, bob = await world.joined("desk", "ada", "bob")
    world.log.gate.hold()
    ada.command("publish", room="desk", data=1)
    await settle()
    assert ada.received() == bob.received() == []
    world.log.gate.release()
    await settle()
    assert bob.heard() == [1]
    assert {frame["type"] for frame in ada.received()} == {"message", "reply"}


async def test_a_room_that_keeps_nothing_or_in_memory_never_touches_the_log(world: LiveWorld) -> None:
    for kind in ("memory", "fleeting"):
        await world.room(kind, kind, ada="member", bob="member")
    ada = await world.connect("ada")
    await world.connect("bob")
    before = world.log.gate.passages
    for room in ("memory", "fleeting"):
        assert (await ada.ask("join", room=room))["type"] == "reply"
        first = await position_of(ada, room=room, data=1, key="k")
        assert first["seq"] == 1
        assert (await ada.ask("publish", room=room, data=1, key="k"))["duplicate"] is True
        assert (await ada.ask("history", room=room))["type"] == "reply"
        assert (await ada.ask("join", room=room, since=first))["missed"] == []
    assert world.log.gate.passages == before
    assert world.log.batches == []


async def test_who_comes_back_gets_what_was_missed_and_then_what_follows(world: LiveWorld) -> None:
    await world.room("desk", ada="member", bob="member")
    ada, bob = await world.joined("desk", "ada", "bob")
    last = await position_of(ada, room="desk", data=0)
    bob.vanish()
    for number in (1, 2, 3):
        await position_of(ada, room="desk", data=number)
    back = await world.connect("bob")
    answer = await back.ask("join", room="desk", since=last)
    assert (answer["recovered"], answer["more"]) == (True, False)
    assert [message["data"] for message in answer["missed"]] == [1, 2, 3]
    assert answer["position"] == {"epoch": last["epoch"], "seq": 4}
    await position_of(ada, room="desk", data=4)
    assert back.heard() == [4]


async def test_what_history_no_longer_holds_is_said_to_be_lost(world: LiveWorld) -> None:
    await world.room("desk", "few", ada="member")
    (ada,) = await world.joined("desk", "ada")
    first = await position_of(ada, room="desk", data=0)
    for number in range(1, 12):
        await position_of(ada, room="desk", data=number)
    answer = await ada.ask("join", room="desk", since=first)
    assert answer["recovered"] is False
    assert [message["data"] for message in answer["missed"]] == list(range(2, 12))
    exact = await ada.ask("join", room="desk", since={**first, "seq": 2})
    assert exact["recovered"] is True


@pytest.mark.parametrize("seed", range(20))
async def test_joining_again_and_again_while_others_publish_misses_nothing_and_hears_nothing_twice(
    world: LiveWorld, seed: int
) -> None:
    chance = random.Random(seed)
    await world.room("desk", ada="member", bob="member")
    (ada,) = await world.joined("desk", "ada")
    numbers = itertools.count(1)
    reader = Reader(world, await position_of(ada, room="desk", data=0))
    await reader.arrive()
    for _ in range(120):
        for _ in range(chance.randrange(4)):
            ada.command("publish", room="desk", data=next(numbers))
        for _ in range(chance.randrange(12)):
            await asyncio.sleep(0)
        ada.received()
        reader.read()
        match chance.randrange(6):
            case 0:
                world.log.gate.hold()
            case 1:
                world.log.gate.release()
            case 2 if reader.peer.closed is None and chance.random() < 0.5:
                reader.leave()
                await reader.arrive()
            case 3:
                world.log.unheard = Unavailable() if chance.random() < 0.3 else None
            case _:
                pass
    world.log.gate.release()
    world.log.unheard = None
    world.broker.step()
    await settle()
    world.local.trim()
    await settle()
    await reader.finish()
    stored = [stored.position.seq for stored in world.log.kept("room:desk")]
    assert reader.seen == stored[1:]


class Reader:
    """Somebody who reconnects at the last position seen, and asks for the rest when there is more."""

    def __init__(self, world: LiveWorld, position: dict[str, Any]) -> None:
        self._world = world
        self._epoch = position["epoch"]
        self._last = position["seq"]
        self._waiting: int | None = None  # the join or history that is not answered
        self._until = 0  # what comes by itself is after this one
        self._live: list[Frame] = []
        self.seen: list[int] = []
        self.peer: Peer

    async def arrive(self) -> None:
        held = self._world.log.gate
        held.release()  # a new socket opens its inbox
        self.peer = await self._world.connect("bob")
        self.peer.received()
        self._live = []
        self._waiting = self.peer.command("join", room="desk", since=self._since())

    def leave(self) -> None:
        self.peer.vanish()

    def read(self) -> None:
        for frame in self.peer.received():
            if frame["type"] == "message":
                self._live.append(frame)
            elif frame.get("id") == self._waiting:
                self._answered(frame)
        if self._waiting is None:
            for frame in self._live:
                self._take(frame)
            self._live = []

    async def finish(self) -> None:
        self.read()
        while self._waiting is not None:
            await settle()
            self.read()

    def _answered(self, frame: Frame) -> None:
        assert frame["type"] == "reply", frame
        assert frame["recovered"] is True
        joining = "missed" in frame
        if joining:
            self._until = frame["position"]["seq"]
        for message in frame["missed" if joining else "messages"]:
            if message["seq"] <= self._until:
                self._take(message)
        self._waiting = None
        if self._last < self._until:
            assert frame["more"] is True
            self._waiting = self.peer.command("history", room="desk", since=self._since(), limit=3)

    def _take(self, message: Frame) -> None:
        assert message["seq"] == self._last + 1
        self._last = message["seq"]
        self.seen.append(self._last)

    def _since(self) -> dict[str, Any]:
        return {"epoch": self._epoch, "seq": self._last}


async def test_the_same_key_gives_the_first_position_also_from_another_socket(world: LiveWorld) -> None:
    await world.room("desk", ada="member", bob="member")
    ada, bob = await world.joined("desk", "ada", "bob")
    first = await position_of(ada, room="desk", data="once", key="k")
    assert await ada.ask("publish", room="desk", data="twice", key="k") == {
        "type": "reply",
        "id": 3,
        "position": first,
        "duplicate": True,
    }
    ada.vanish()
    (again,) = await world.joined("desk", "ada")
    answer = await again.ask("publish", room="desk", data="thrice", key="k")
    assert (answer["position"], answer["duplicate"]) == (first, True)
    theirs = await bob.ask("publish", room="desk", data="mine", key="k")
    assert theirs["position"]["seq"] == 2
    assert "duplicate" not in theirs
    assert again.heard() == bob.heard()[1:] == ["mine"]


async def test_a_key_sent_twice_at_once_is_published_once(world: LiveWorld) -> None:
    await world.room("desk", ada="member")
    (ada,) = await world.joined("desk", "ada")
    ids = [ada.command("publish", room="desk", data=number, key="k") for number in range(3)]
    await settle()
    frames = ada.received()
    answers = {frame["id"]: frame for frame in frames if frame["type"] == "reply"}
    assert [answers[number]["position"]["seq"] for number in ids] == [1, 1, 1]
    assert [answers[number].get("duplicate") for number in ids] == [None, True, True]
    assert [frame["data"] for frame in frames if frame["type"] == "message"] == [0]


@pytest.mark.parametrize("key", ["", "x" * 65, 1])
async def test_a_key_has_1_to_64_characters(world: LiveWorld, key: object) -> None:
    await world.room("desk", ada="member")
    (ada,) = await world.joined("desk", "ada")
    assert (await ada.ask("publish", room="desk", data=1, key=key))["code"] == "invalid_command"


async def test_an_inbox_waits_for_its_owner_and_is_read_as_history(world: LiveWorld) -> None:
    ada = await world.connect("ada")
    await world.user("bob")
    sent = await ada.ask("send", user="@bob", data="hello", key="k")
    assert (sent["connections"], sent["position"]["seq"]) == (0, 1)
    again = await ada.ask("send", user="@bob", data="hello", key="k")
    assert (again["position"], again["duplicate"]) == (sent["position"], True)
    bob = await world.connect("bob")
    (welcome,) = bob.received()
    assert welcome["inbox"] == sent["position"]
    history = await bob.ask("history", inbox=True, since={**sent["position"], "seq": 0})
    assert [(direct["type"], direct["data"], direct["to"]) for direct in history["messages"]] == [
        ("direct", "hello", "u-bob")
    ]
    assert (history["recovered"], history["more"]) == (True, False)
    answer = await ada.ask("send", user="u-bob", data="now")
    assert answer["connections"] == 1
    assert [frame["data"] for frame in bob.received()] == ["now"]


async def test_the_inbox_of_an_account_that_was_deleted_takes_nothing(world: LiveWorld) -> None:
    ada = await world.connect("ada")
    await world.user("bob")
    assert (await ada.ask("send", user="u-bob", data="hello"))["type"] == "reply"
    await world.stores.users.remove("u-bob")
    answer = await ada.ask("send", user="u-bob", data="still known for a moment")
    assert answer["code"] == "forbidden"


async def test_an_ephemeral_message_is_heard_and_leaves_no_trace(world: LiveWorld) -> None:
    await world.room("desk", ada="member", bob="member", eve="viewer")
    ada, bob, eve = await world.joined("desk", "ada", "bob", "eve")
    before = (await bob.ask("join", room="desk"))["position"]
    answer = await ada.ask("publish", room="desk", data="typing", ephemeral=True)
    assert {key: answer[key] for key in answer if key != "id"} == {"type": "reply"}
    (heard,) = bob.received()
    assert heard["type"] == "message"
    assert heard["ephemeral"] is True
    assert heard["data"] == "typing"
    assert heard["from"] == {"id": "u-ada", "name": "ada"}
    assert not {"seq", "epoch"} & heard.keys()
    assert (await bob.ask("join", room="desk", since=before))["missed"] == []
    assert (await eve.ask("publish", room="desk", data=1, ephemeral=True))["code"] == "forbidden"
    assert (await ada.ask("publish", room="desk", data=1, ephemeral=True, key="k"))["code"] == "invalid_command"


async def test_ephemeral_messages_keep_their_place_among_the_others(world: LiveWorld) -> None:
    await world.room("desk", ada="member", bob="member")
    ada, bob = await world.joined("desk", "ada", "bob")
    for number in range(6):
        ada.command("publish", room="desk", data=number, ephemeral=number % 2 == 0)
    await settle()
    assert bob.heard() == list(range(6))


async def test_a_reader_who_lags_loses_the_ephemeral_ones_first(world: LiveWorld) -> None:
    await world.room("desk", "memory", ada="member", bob="member")
    ada, bob = await world.joined("desk", "ada", "bob")
    bob.session.connection.max_backlog = 20_000
    bob.pause()
    for number in range(10):
        ada.command("publish", room="desk", data=[number, "x" * 3000], ephemeral=True)
        ada.command("publish", room="desk", data=number)
        await settle()
    assert not bob.sink.aborted
    bob.resume()
    await settle()
    heard = bob.heard()
    assert [number for number in heard if isinstance(number, int)] == list(range(10))
    assert 0 < len(heard) - 10 < 10
    bob.pause()
    for _ in range(10):
        ada.command("publish", room="desk", data="x" * 3000)
        await settle()
    assert bob.sink.aborted


async def test_a_room_made_anew_under_the_same_name_begins_anew(world: LiveWorld) -> None:
    await world.room("desk", ada="member")
    (ada,) = await world.joined("desk", "ada")
    before = await position_of(ada, room="desk", data="old")
    await world.directory.remove(ROOT, "desk")
    await settle()
    await world.room("desk", ada="member")
    answer = await ada.ask("join", room="desk", since=before)
    assert answer["recovered"] is False
    assert answer["missed"] == []
    assert answer["position"]["epoch"] != before["epoch"]
    assert (await position_of(ada, room="desk", data="new"))["seq"] == 1


async def test_a_room_deleted_while_somebody_joins_is_forbidden(world: LiveWorld) -> None:
    await world.room("desk", ada="member")
    ada = await world.connect("ada")
    world.log.gate.hold()
    number = ada.command("join", room="desk")
    await settle()
    await world.stores.rooms.remove("desk")
    world.log.gate.release()
    await settle()
    assert [(frame["id"], frame["code"]) for frame in ada.received() if "id" in frame] == [(number, "forbidden")]


async def test_a_log_that_cannot_be_read_refuses_the_join_and_lets_it_be_tried_again(world: LiveWorld) -> None:
    await world.room("desk", ada="member")
    ada = await world.connect("ada")
    world.log.gate.fault = Unavailable()
    assert (await ada.ask("join", room="desk"))["code"] == "unavailable"
    world.log.gate.fault = None
    assert (await ada.ask("join", room="desk"))["type"] == "reply"


async def test_a_socket_that_ends_with_the_server_is_answered_first(world: LiveWorld) -> None:
    await world.room("desk", visibility=Visibility.PUBLIC)
    ada, bob = await world.joined("desk", "ada", "bob")
    world.log.gate.hold()
    number = ada.command("publish", room="desk", data=1)
    await settle()
    world.control.stop()
    ada.command("publish", room="desk", data="too late")
    await settle()
    assert ada.closed is bob.closed is None
    world.log.gate.release()
    await settle()
    assert bob.heard() == [1]
    assert bob.closed == ada.closed
    assert [frame["id"] for frame in ada.received() if frame["type"] == "reply"] == [number]
    assert ada.closed is not None
    assert ada.closed.code == 1012
    assert [stored.position.seq for stored in world.log.kept("room:desk")] == [1]


async def test_a_simple_client_that_says_too_much_is_heard_up_to_there_and_then_closed_out() -> None:
    world = LiveWorld(Limits(publish_rate=0.001, publish_burst=3))
    await world.room("desk", ada="member")
    ada = await world.connect("ada", "room", room="desk")
    ada.send("0", "1", "2", "3", "4")
    await settle()
    assert ada.received_texts() == ["0", "1", "2"]
    assert ada.closed is not None
    assert (ada.closed.code, ada.closed.reason) == (1008, "rate_limited")


def test_rooms_are_durable_unless_their_kind_says_otherwise() -> None:
    assert RoomKind().durability is Durability.DURABLE
