"""What each command does, and what it answers."""

import json
from typing import Any

import pytest

from gateroom.errors import Unavailable
from gateroom.protocol.commands import SAFE_INTEGER
from gateroom.realtime.limits import Limits
from gateroom.rooms.model import RoomKind, Visibility
from support.live import LiveWorld, Peer, settle

FORBIDDEN = {"type": "error", "code": "forbidden", "message": "This is not allowed."}


def error_of(answer: dict[str, Any]) -> str:
    assert answer["type"] == "error", answer
    return str(answer["code"])


async def pair(world: LiveWorld) -> tuple[Peer, Peer]:
    """Two members of a private room, both in it."""
    await world.room("desk", ada="owner", bob="member")
    ada, bob = await world.joined("desk", "ada", "bob")
    return ada, bob


# ping, and ids


@pytest.mark.parametrize("command_id", [0, -SAFE_INTEGER, SAFE_INTEGER, "a", "é" * 64, "\u0000"])
async def test_an_answer_repeats_the_id(world: LiveWorld, command_id: int | str) -> None:
    ada = await world.connect("ada")
    ada.received()
    ada.send(json.dumps({"type": "ping", "id": command_id}))
    await settle()
    assert ada.received() == [{"type": "reply", "id": command_id}]


async def test_two_commands_of_one_id_get_two_answers(world: LiveWorld) -> None:
    ada = await world.connect("ada")
    ada.received()
    ada.send(*['{"type":"ping","id":1}'] * 2)
    await settle()
    assert ada.received() == [{"type": "reply", "id": 1}] * 2


# join


async def test_a_reply_to_a_join_says_where_and_as_whom(world: LiveWorld) -> None:
    ada, _ = await pair(world)
    await ada.ask("publish", room="desk", data=1)
    cyd = await world.connect("cyd")
    await world.set_role("desk", "cyd", "viewer")
    answer = await cyd.ask("join", room="desk")
    epoch = answer["position"].pop("epoch")
    assert answer == {
        "type": "reply",
        "id": 1,
        "room": "desk",
        "position": {"seq": 1},
        "role": "viewer",
        "members": 3,
        "state": {},
        "state_version": 0,
        "recovered": True,
        "missed": [],
        "more": False,
    }
    head = world.broker.head("room:desk")
    assert head is not None
    assert epoch == head.epoch


async def test_who_joins_is_announced_to_the_others_only(world: LiveWorld) -> None:
    ada, bob = await pair(world)
    cyd = await world.connect("cyd")
    await world.set_role("desk", "cyd", "viewer")
    cyd.received()
    await cyd.ask("join", room="desk")
    joined = {"type": "joined", "room": "desk", "user": {"id": "u-cyd", "name": "cyd"}}
    assert ada.received() == bob.received() == [joined]
    assert cyd.received() == []


async def test_a_second_connection_of_the_same_user_comes_and_goes_unannounced(world: LiveWorld) -> None:
    ada, bob = await pair(world)
    (again,) = await world.joined("desk", "bob")
    assert ada.received() == []
    again.vanish()
    await settle()
    assert ada.received() == []
    bob.vanish()
    await settle()
    assert [frame["type"] for frame in ada.received()] == ["left"]


async def test_a_kind_may_be_quiet_about_who_comes_and_goes(world: LiveWorld) -> None:
    await world.room("hush", kind="quiet", ada="owner", bob="member")
    ada, bob = await world.joined("hush", "ada", "bob")
    await bob.ask("leave", room="hush")
    assert ada.received() == []


async def test_a_private_room_and_one_that_does_not_exist_refuse_a_stranger_alike(world: LiveWorld) -> None:
    await world.room("desk", ada="owner")
    eve = await world.connect("eve")
    assert await eve.ask("join", room="desk") == {**FORBIDDEN, "id": 1}
    assert await eve.ask("join", room="nowhere") == {**FORBIDDEN, "id": 2}
    assert await eve.ask("publish", room="desk", data=1) == {
        **(await eve.ask("publish", room="nowhere", data=1)),
        "id": 3,
    }


async def test_a_public_room_lets_everybody_in_with_its_public_role(world: LiveWorld) -> None:
    await world.room("hall", kind="audience", visibility=Visibility.PUBLIC)
    eve = await world.connect("eve")
    assert (await eve.ask("join", room="hall"))["role"] == "viewer"
    assert error_of(await eve.ask("publish", room="hall", data=1)) == "forbidden"


async def test_who_joins_again_is_told_again_and_nobody_else_is(world: LiveWorld) -> None:
    ada, bob = await pair(world)
    again = await ada.ask("join", room="desk")
    assert (again["type"], again["members"]) == ("reply", 2)
    await bob.ask("publish", room="desk", data=1)
    assert ada.heard() == [1]
    assert [frame["type"] for frame in bob.received()] == ["message"]


async def test_who_comes_back_gets_what_was_missed_once(world: LiveWorld) -> None:
    ada, bob = await pair(world)
    seen = (await ada.ask("publish", room="desk", data=1))["position"]
    bob.vanish()
    for number in (2, 3):
        await ada.ask("publish", room="desk", data=number)
    back = await world.connect("bob")
    answer = await back.ask("join", room="desk", since=seen)
    assert [message["data"] for message in answer["missed"]] == [2, 3]
    assert (answer["recovered"], answer["more"], answer["position"]["seq"]) == (True, False, 3)
    await ada.ask("publish", room="desk", data=4)
    assert back.heard() == [4]


async def test_what_was_missed_comes_in_pages() -> None:
    world = LiveWorld(Limits(publish_rate=0), {"default": RoomKind(history_size=1000)})
    ada, bob = await pair(world)
    seen = (await ada.ask("publish", room="desk", data=0))["position"]
    bob.vanish()
    for number in range(1, 251):
        ada.command("publish", room="desk", data=number)
    await settle()
    back = await world.connect("bob")
    answer = await back.ask("join", room="desk", since=seen)
    missed = [message["data"] for message in answer["missed"]]
    assert (missed, answer["more"], answer["recovered"]) == (list(range(1, 101)), True, True)
    since, more = answer["missed"][-1], True
    while more:
        page = await back.ask("history", room="desk", since={"epoch": since["epoch"], "seq": since["seq"]}, limit=60)
        missed += [message["data"] for message in page["messages"]]
        since, more = page["position"], page["more"]
    assert missed == list(range(1, 251))
    assert since == answer["position"]


@pytest.mark.parametrize("epoch", ["another", None])
async def test_who_missed_more_than_is_kept_is_told_so(world: LiveWorld, epoch: str | None) -> None:
    await world.room("now", kind="fleeting", ada="owner", bob="member")
    (ada,) = await world.joined("now", "ada")
    seen = (await ada.ask("publish", room="now", data=1))["position"]
    await ada.ask("publish", room="now", data=2)
    bob = await world.connect("bob")
    answer = await bob.ask("join", room="now", since={**seen, "epoch": epoch or seen["epoch"]})
    assert (answer["recovered"], answer["missed"], answer["more"]) == (False, [], False)


async def test_a_connection_is_in_as_many_rooms_as_the_limit() -> None:
    world = LiveWorld(Limits(max_rooms_per_connection=2))
    for room in ("one", "two", "three"):
        await world.room(room, ada="owner")
    ada = await world.connect("ada")
    assert [(await ada.ask("join", room=room))["type"] for room in ("one", "two")] == ["reply", "reply"]
    assert error_of(await ada.ask("join", room="three")) == "limit_reached"
    assert (await ada.ask("join", room="one"))["type"] == "reply"
    await ada.ask("leave", room="one")
    assert (await ada.ask("join", room="three"))["type"] == "reply"
    assert sorted(ada.session.rooms) == ["three", "two"]


async def test_rooms_that_refused_do_not_count_towards_the_limit() -> None:
    world = LiveWorld(Limits(max_rooms_per_connection=1))
    await world.room("mine", ada="owner")
    ada = await world.connect("ada")
    for number in range(5):
        assert error_of(await ada.ask("join", room=f"not-mine-{number}")) == "forbidden"
    assert (await ada.ask("join", room="mine"))["type"] == "reply"
    assert list(ada.session.subscriptions) == ["mine"]


async def test_a_join_while_the_store_is_away_is_unavailable_and_may_be_tried_again(world: LiveWorld) -> None:
    await world.room("desk", ada="owner")
    ada = await world.connect("ada")
    world.sql.fault = Unavailable()
    assert error_of(await ada.ask("join", room="desk")) == "unavailable"
    world.sql.fault = None
    assert (await ada.ask("join", room="desk"))["type"] == "reply"


async def test_a_mistake_of_ours_in_a_join_ends_the_socket_and_says_so(world: LiveWorld) -> None:
    await world.room("desk", ada="owner")
    ada = await world.connect("ada")
    world.sql.fault = ZeroDivisionError()
    ada.command("join", room="desk")
    await settle()
    assert ada.closed is not None
    assert (ada.closed.code, ada.closed.reason.split(" ")[0]) == (1011, "internal_error")


# leave


async def test_who_left_hears_nothing_more_and_the_others_see_it(world: LiveWorld) -> None:
    ada, bob = await pair(world)
    assert await bob.ask("leave", room="desk") == {"type": "reply", "id": 2}
    assert ada.received() == [{"type": "left", "room": "desk", "user": {"id": "u-bob", "name": "bob"}}]
    await ada.ask("publish", room="desk", data=1)
    assert bob.received() == []
    assert bob.session.rooms == []


@pytest.mark.parametrize("command", ["leave", "presence", "history", "publish"])
async def test_who_is_not_in_the_room_is_told_to_join_first(world: LiveWorld, command: str) -> None:
    await world.room("desk", ada="owner")
    ada = await world.connect("ada")
    fields = {"data": 1} if command == "publish" else {}
    assert error_of(await ada.ask(command, room="desk", **fields)) == "not_joined"
    await ada.ask("join", room="desk")
    assert (await ada.ask(command, room="desk", **fields))["type"] == "reply"
    await ada.ask("leave", room="desk")
    assert error_of(await ada.ask(command, room="desk", **fields)) == "not_joined"


# publish


async def test_a_message_reaches_everybody_in_the_room_its_sender_too(world: LiveWorld) -> None:
    ada, bob = await pair(world)
    answer = await ada.ask("publish", room="desk", data={"n": [1, None]})
    (message,) = bob.received()
    assert ada.received() == [message]
    assert message.pop("id")
    assert message == {
        "type": "message",
        **answer["position"],
        "room": "desk",
        "from": {"id": "u-ada", "name": "ada"},
        "data": {"n": [1, None]},
        "at": "2027-01-15T08:00:00.000Z",
    }


async def test_a_viewer_may_not_publish_and_nobody_hears_it(world: LiveWorld) -> None:
    ada, bob = await pair(world)
    await world.set_role("desk", "bob", "viewer")
    assert error_of(await bob.ask("publish", room="desk", data=1)) == "forbidden"
    assert ada.received() == []


@pytest.mark.parametrize("forged", ["from", "role", "sub", "at", "seq"])
async def test_what_the_server_sets_cannot_be_given(world: LiveWorld, forged: str) -> None:
    ada, bob = await pair(world)
    assert error_of(await ada.ask("publish", room="desk", data=1, **{forged: "root"})) == "invalid_command"
    assert bob.received() == []


async def test_a_message_that_would_break_a_receiver_reaches_nobody(world: LiveWorld) -> None:
    ada, bob = await pair(world)
    for data in ("1e999", '"\\ud800"', "[" * 65 + "]" * 65, "1" * 400, "NaN"):
        ada.send(f'{{"type":"publish","id":1,"room":"desk","data":{data}}}')
    await settle()
    assert [error_of(frame) for frame in ada.received()] == ["invalid_command"] * 5
    assert bob.received() == []


async def test_a_publish_to_a_broker_that_takes_nothing_is_unavailable(world: LiveWorld) -> None:
    ada, _ = await pair(world)
    await world.broker.close()
    assert error_of(await ada.ask("publish", room="desk", data=1)) == "unavailable"


# presence


async def test_presence_lists_users_with_their_connections(world: LiveWorld) -> None:
    ada, _ = await pair(world)
    await world.joined("desk", "bob")
    await world.connect("bob", "room", room="desk")
    answer = await ada.ask("presence", room="desk")
    assert answer["users"] == [
        {"id": "u-ada", "name": "ada", "connections": 1},
        {"id": "u-bob", "name": "bob", "connections": 3},
    ]


async def test_a_kind_may_keep_its_presence_to_itself(world: LiveWorld) -> None:
    await world.room("hush", kind="quiet", ada="owner")
    (ada,) = await world.joined("hush", "ada")
    assert error_of(await ada.ask("presence", room="hush")) == "forbidden"


# history


async def test_history_of_a_room_has_its_messages(world: LiveWorld) -> None:
    ada, bob = await pair(world)
    for number in (1, 2, 3):
        await ada.ask("publish", room="desk", data=number)
    heard = [frame for frame in bob.received() if frame["type"] == "message"]
    answer = await bob.ask("history", room="desk", limit=2)
    assert answer["messages"] == heard[:2]
    assert (answer["position"]["seq"], answer["more"], answer["recovered"]) == (2, True, True)
    rest = await bob.ask("history", room="desk", since=answer["position"])
    assert (rest["messages"], rest["more"]) == (heard[2:], False)


async def test_history_of_the_inbox_is_ones_own(world: LiveWorld) -> None:
    ada, bob = await world.connect("ada"), await world.connect("bob")
    await ada.ask("send", user="@bob", data=1)
    answer = await bob.ask("history", inbox=True)
    assert [(event["type"], event["from"]["name"], event["data"]) for event in answer["messages"]] == [
        ("direct", "ada", 1)
    ]
    assert (await ada.ask("history", inbox=True))["messages"] == []


@pytest.mark.parametrize("fields", [{}, {"room": "desk", "inbox": True}, {"inbox": False}])
async def test_history_is_of_one_stream(world: LiveWorld, fields: dict[str, Any]) -> None:
    await world.room("desk", ada="owner")
    (ada,) = await world.joined("desk", "ada")
    assert error_of(await ada.ask("history", **fields)) == "invalid_command"


async def test_history_that_cannot_be_read_is_unavailable(world: LiveWorld) -> None:
    await world.room("desk", ada="owner")
    (ada,) = await world.joined("desk", "ada")
    world.reading.fault = Unavailable()
    assert error_of(await ada.ask("history", room="desk")) == "unavailable"
    world.reading.fault = None
    assert (await ada.ask("history", room="desk"))["type"] == "reply"


# send


async def test_what_is_sent_to_a_user_reaches_all_of_their_devices(world: LiveWorld) -> None:
    ada = await world.connect("ada")
    devices = [await world.connect("bob"), await world.connect("bob", "inbox", as_events=True)]
    machine = await world.connect("bob", "inbox")
    for device in devices:
        device.received()
    answer = await ada.ask("send", user="@bob", data={"hi": 1})
    assert answer["connections"] == 3
    (direct,) = devices[0].received()
    assert devices[1].received() == [direct]
    assert direct.pop("id")
    assert direct == {
        "type": "direct",
        **answer["position"],
        "from": {"id": "u-ada", "name": "ada"},
        "to": "u-bob",
        "data": {"hi": 1},
        "at": "2027-01-15T08:00:00.000Z",
    }
    assert machine.received_texts() == ['{"hi": 1}']
    assert [frame["type"] for frame in ada.received()] == ["welcome"]


@pytest.mark.parametrize("reference", ["@bob", "u-bob"])
async def test_what_is_sent_to_somebody_who_is_away_waits(world: LiveWorld, reference: str) -> None:
    await world.user("bob")
    ada = await world.connect("ada")
    answer = await ada.ask("send", user=reference, data=1)
    assert (answer["connections"], answer["position"]["seq"]) == (0, 1)
    bob = await world.connect("bob")
    welcome = bob.received()[0]
    assert welcome["inbox"] == answer["position"]
    assert [event["data"] for event in (await bob.ask("history", inbox=True))["messages"]] == [1]


async def test_one_may_send_to_oneself(world: LiveWorld) -> None:
    ada = await world.connect("ada")
    ada.received()
    assert (await ada.ask("send", user="@ada", data=1))["connections"] == 1
    assert [frame["type"] for frame in ada.received()] == ["direct"]


async def test_an_unknown_user_and_a_disabled_one_are_refused_alike(world: LiveWorld) -> None:
    await world.user("bob")
    await world.change_account("bob", disabled=True)
    ada = await world.connect("ada")
    answers = [await ada.ask("send", user=reference, data=1) for reference in ("@nobody", "nobody", "@bob", "u-bob")]
    assert [{**answer, "id": 0} for answer in answers] == [{**FORBIDDEN, "id": 0}] * 4


async def test_without_the_scope_nobody_may_send(world: LiveWorld) -> None:
    await world.user("bob")
    ada = await world.connect("ada")
    await world.change_account("ada", scopes=frozenset())
    assert error_of(await ada.ask("send", user="@bob", data=1)) == "forbidden"


async def test_a_send_while_the_store_is_away_is_unavailable(world: LiveWorld) -> None:
    ada = await world.connect("ada")
    world.sql.fault = Unavailable()
    assert error_of(await ada.ask("send", user="@bob", data=1)) == "unavailable"


# Counting


async def test_every_command_is_counted_by_type_and_outcome(world: LiveWorld) -> None:
    ada, _ = await pair(world)
    await ada.ask("publish", room="desk", data=1)
    await ada.ask("publish", room="nowhere", data=1)
    await ada.ask("nonsense")
    assert world.counts.commands == {
        ("join", "ok"): 2,
        ("publish", "ok"): 1,
        ("publish", "not_joined"): 1,
        ("unreadable", "invalid_command"): 1,
    }


async def test_a_hidden_room_and_none_at_all_cost_the_same(world: LiveWorld) -> None:
    """To whom may not know of it; what is read is what takes time (security.md RA-2)."""
    await world.room("desk", ada="owner")
    await world.joined("desk", "ada")
    eve = await world.connect("eve")
    world.standings.forget("desk", None)
    costs = []
    for since in (None, {"epoch": "x", "seq": 0}):
        for room in ("desk", "nowhere"):
            for _ in ("read", "remembered"):
                sql, reading = world.sql.passages, world.reading.passages
                answer = await eve.ask("join", room=room, **({"since": since} if since else {}))
                answer.pop("id")
                costs.append((answer, world.sql.passages - sql, world.reading.passages - reading))
    assert costs[0:2] == costs[2:4]
    assert costs[4:6] == costs[6:8]
    assert costs[1] == costs[4] == costs[5]


async def test_whether_a_room_has_a_stream_does_not_show_in_how_it_is_refused(world: LiveWorld) -> None:
    await world.room("desk", ada="owner")
    await world.joined("desk", "ada")
    eve = await world.connect("eve")
    eve.received()
    for since in ({}, {"since": {"epoch": "x", "seq": 0}}):
        for room in ("desk", "nowhere"):
            await eve.ask("join", room=room)
            eve.command("join", room=room, **since)
            assert eve.session.subscriptions == {}  # refused at once, without waiting for anything
            await settle()
            assert [frame["code"] for frame in eve.received()] == ["forbidden"]
