"""The order of answers, whatever is pipelined, and what happens while a command waits."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateroom.realtime.dispatch import MAX_WAITING, PATIENCE
from gateroom.realtime.limits import Limits
from support.live import Frame, LiveWorld, Peer, TurnedLoop, is_answer, settle

COMMANDS = ("join", "leave", "publish", "presence", "history")


async def desk(**limits: Any) -> tuple[LiveWorld, Peer, Peer]:
    """A private room with ada, who is not in it yet, and bob, who listens."""
    world = LiveWorld(Limits(**{"publish_rate": 0, "command_rate": 0, "costly_rate": 0, **limits}))
    await world.room("desk", ada="member", bob="member")
    ada = await world.connect("ada")
    (bob,) = await world.joined("desk", "bob")
    ada.received()
    return world, ada, bob


def order(peer: Peer, *kinds: str) -> list[int]:
    """Send these commands for the room at once."""
    return [peer.command(kind, room="desk", **({"data": kind} if kind == "publish" else {})) for kind in kinds]


def outcomes(frames: list[Frame]) -> list[str]:
    return [frame.get("code", "ok") for frame in frames if is_answer(frame)]


# In one go


async def test_publish_leave_join_publish_in_one_go_do_what_they_say() -> None:
    _, ada, bob = await desk()
    await ada.ask("join", room="desk")
    bob.received()
    order(ada, "publish", "leave", "join", "publish")
    await settle()
    frames = ada.received()
    assert outcomes(frames) == ["ok"] * 4
    assert [frame["type"] for frame in bob.received()] == ["message", "left", "joined", "message"]
    assert [frame["seq"] for frame in frames if frame["type"] == "message"] == [1, 2]
    joined = next(frame for frame in frames if "members" in frame)
    assert joined["position"]["seq"] == 1  # the first message, which ada heard before, and nothing twice


async def test_a_leaver_gets_its_own_last_message_before_it_is_gone() -> None:
    _, ada, bob = await desk()
    await ada.ask("join", room="desk")
    order(ada, "publish", "leave")
    await bob.ask("publish", room="desk", data="after")
    assert [frame.get("data", "answer") for frame in ada.received()] == ["answer", "publish", "answer"]


async def test_a_newcomer_gets_nothing_twice_and_misses_nothing() -> None:
    _, ada, bob = await desk()
    for number in range(3):
        bob.command("publish", room="desk", data=number)
    ada.command("join", room="desk")
    for number in range(3, 6):
        bob.command("publish", room="desk", data=number)
    await settle()
    frames = ada.received()
    head = next(frame["position"]["seq"] for frame in frames if is_answer(frame))
    assert [frame["seq"] for frame in frames if frame["type"] == "message"] == list(range(head + 1, 7))


async def test_a_newcomer_who_waited_gets_nothing_twice_and_misses_nothing() -> None:
    world, ada, bob = await desk()
    seen = (await bob.ask("publish", room="desk", data=0))["position"]
    world.reading.hold()
    ada.command("join", room="desk", since=seen)
    await settle()
    for number in (1, 2):
        await bob.ask("publish", room="desk", data=number)
    world.reading.release()
    bob.command("publish", room="desk", data=3)
    await settle()
    frames = ada.received()
    reply = next(frame for frame in frames if is_answer(frame))
    missed = [message["seq"] for message in reply["missed"]]
    live = [frame["seq"] for frame in frames if frame["type"] == "message"]
    assert missed + live == [2, 3, 4]
    assert reply["position"]["seq"] == missed[-1]


async def test_errors_keep_their_place_among_the_answers() -> None:
    _, ada, _ = await desk()
    order(
        ada, "publish", "join", "publish", "leave", "publish", "presence", "join", "join", "history", "leave", "leave"
    )
    await settle()
    assert outcomes(ada.received()) == [
        "not_joined",
        "ok",
        "ok",
        "ok",
        "not_joined",
        "not_joined",
        "ok",
        "ok",
        "ok",
        "ok",
        "not_joined",
    ]


async def test_a_refused_join_refuses_what_was_to_follow_it() -> None:
    world, _, bob = await desk()
    eve = await world.connect("eve")
    eve.received()
    ids = order(eve, "join", "publish", "presence", "leave", "join")
    await settle()
    frames = eve.received()
    assert [frame["id"] for frame in frames] == ids
    assert outcomes(frames) == ["forbidden", "not_joined", "not_joined", "not_joined", "forbidden"]
    assert eve.session.subscriptions == {}
    assert bob.heard() == []


def expected(kinds: list[str], joined: bool = False) -> list[str]:
    """What the commands answer when they are done one after the other."""
    answers = []
    for kind in kinds:
        answers.append("ok" if joined or kind == "join" else "not_joined")
        if kind in ("join", "leave"):
            joined = kind == "join"
    return answers


steps = st.lists(st.sampled_from([*COMMANDS, *COMMANDS, "settle", "hold sql", "hold history", "release"]), max_size=40)


@settings(max_examples=300)
@given(steps)
async def test_any_mix_is_answered_as_if_done_one_by_one(mix: list[str]) -> None:
    world, ada, bob = await desk()
    ids: list[int] = []
    kinds: list[str] = []
    for step in mix:
        if step in COMMANDS:
            kinds.append(step)
            ids += order(ada, step)
        elif step == "settle":
            await settle()
        elif step == "hold sql":
            world.standings.forget("desk", "u-ada")  # or it would not be asked
            world.sql.hold()
        elif step == "hold history":
            world.reading.hold()
        else:
            world.sql.release()
            world.reading.release()
    world.sql.release()
    world.reading.release()
    await settle()
    frames = ada.received()
    answers = [frame for frame in frames if is_answer(frame)]
    assert [answer["id"] for answer in answers] == ids
    assert outcomes(answers) == expected(kinds)
    heard = [frame["seq"] for frame in bob.received() if frame["type"] == "message"]
    assert heard == list(range(1, len(heard) + 1))
    published = [answer["position"]["seq"] for answer in answers if set(answer) == {"type", "id", "position"}]
    assert published == heard
    assert_hears_each_message_once(frames)


def assert_hears_each_message_once(frames: list[Frame]) -> None:
    """Between a join and the next leave all messages come, each once."""
    own = [frame["seq"] for frame in frames if frame["type"] == "message"]
    assert own == sorted(set(own))
    answered = {
        answer["position"]["seq"]
        for answer in frames
        if is_answer(answer) and set(answer) == {"type", "id", "position"}
    }
    assert answered == set(own)  # ada is the only one who publishes, and is there when she does


# What waits has a bound


async def test_so_many_wait_and_the_rest_is_refused_in_its_place() -> None:
    world, ada, _ = await desk()
    world.standings.forget("desk", "u-ada")
    world.sql.hold()
    ids = order(ada, "join", *["presence"] * MAX_WAITING, "publish", "presence")
    await settle()
    assert ada.received() == []
    world.sql.release()
    await settle()
    answers = ada.received()
    assert [answer["id"] for answer in answers] == ids
    assert outcomes(answers) == ["ok"] * (MAX_WAITING + 1) + ["rate_limited"] * 2
    assert outcomes([await ada.ask("publish", room="desk", data=1)]) == ["ok"]


async def test_who_goes_on_regardless_is_ended() -> None:
    world, ada, bob = await desk()
    world.standings.forget("desk", "u-ada")
    world.sql.hold()
    order(ada, "join", *["publish"] * 3 * MAX_WAITING)
    await settle()
    assert ada.closed == (1008, "rate_limited")
    world.sql.release()
    await settle()
    assert bob.heard() == []


async def test_one_room_does_not_wait_for_another() -> None:
    world, ada, _ = await desk()
    await world.room("hall", ada="member")
    await ada.ask("join", room="hall")
    world.standings.forget("desk", "u-ada")
    world.sql.hold()
    order(ada, "join")
    assert outcomes([await ada.ask("publish", room="hall", data=1), await ada.ask("ping")]) == ["ok", "ok"]
    world.sql.release()
    await settle()


# Rights that change while a join waits


@pytest.mark.parametrize("slow", ["sql", "reading"])
async def test_a_join_that_waits_is_judged_by_what_holds_in_the_end(slow: str) -> None:
    world, ada, bob = await desk()
    seen = (await bob.ask("publish", room="desk", data=0))["position"]
    gate = world.sql if slow == "sql" else world.reading
    if slow == "sql":
        world.standings.forget("desk", "u-ada")
    gate.hold()
    ada.command("join", room="desk", since=seen)
    await settle()
    await world.stores.members.remove("desk", "u-ada")
    world.standings.forget("desk", "u-ada")
    await bob.ask("publish", room="desk", data="secret")
    gate.release()
    await settle()
    assert [(frame["type"], frame["code"]) for frame in ada.received()] == [("error", "forbidden")]
    assert world.hub.user_count("room:desk") == 1


async def test_a_join_that_waits_gets_the_role_of_the_end() -> None:
    world, ada, bob = await desk()
    seen = (await bob.ask("publish", room="desk", data=0))["position"]
    world.reading.hold()
    ada.command("join", room="desk", since=seen)
    await settle()
    await world.set_role("desk", "ada", "viewer")
    world.reading.release()
    await settle()
    (answer,) = ada.received()
    assert answer["role"] == "viewer"
    assert outcomes([await ada.ask("publish", room="desk", data=1)]) == ["forbidden"]


async def test_a_join_that_waits_while_the_scope_over_all_rooms_is_lost_is_refused(world: LiveWorld) -> None:
    await world.room("desk", bob="member")
    await world.user("root", "rooms:admin")
    root = await world.connect("root")
    (bob,) = await world.joined("desk", "bob")
    seen = (await bob.ask("publish", room="desk", data=0))["position"]
    root.received()
    world.reading.hold()
    root.command("join", room="desk", since=seen)
    await settle()
    await world.change_account("root", scopes=frozenset())
    await bob.ask("publish", room="desk", data="secret")
    world.reading.release()
    await settle()
    assert [frame["code"] for frame in root.received()] == ["forbidden"]


async def test_a_join_that_waits_while_the_room_is_deleted_is_refused() -> None:
    world, ada, bob = await desk()
    seen = (await bob.ask("publish", room="desk", data=0))["position"]
    world.reading.hold()
    ada.command("join", room="desk", since=seen)
    await settle()
    await world.remove_room("desk")
    world.reading.release()
    await settle()
    assert outcomes(ada.received()) == ["forbidden"]
    assert ada.session.subscriptions == {}


async def test_history_that_waits_while_the_reader_is_removed_is_not_told() -> None:
    world, ada, bob = await desk()
    await ada.ask("join", room="desk")
    world.reading.hold()
    ada.command("history", room="desk")
    await settle()
    await world.set_role("desk", "ada", None)
    await bob.ask("publish", room="desk", data="secret")
    world.reading.release()
    await settle()
    frames = ada.received()
    assert [frame["type"] for frame in frames] == ["removed", "error"]
    assert frames[1]["code"] == "not_joined"
    assert ada.session.subscriptions == {}


def test_a_command_that_waits_too_long_is_unavailable_and_the_next_one_goes_on() -> None:
    async def scenario() -> None:
        world, ada, _ = await desk()
        await ada.ask("join", room="desk")
        world.reading.hold()
        order(ada, "history", "publish")
        await settle()
        assert outcomes(ada.received()) == []
        await loop.turn(PATIENCE + 0.1)
        assert outcomes(ada.received()) == ["unavailable", "ok"]

    loop = TurnedLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(scenario())


# The end while something waits


async def test_a_join_that_outlives_its_socket_joins_nothing() -> None:
    world, ada, bob = await desk()
    world.standings.forget("desk", "u-ada")
    world.sql.hold()
    order(ada, "join", "publish")
    await settle()
    ada.vanish()
    world.sql.release()
    await settle()
    assert bob.heard() == []
    assert world.hub.user_count("room:desk") == 1
    assert ada.session.subscriptions == {}


async def test_a_publish_that_was_taken_is_carried_even_if_its_sender_goes() -> None:
    _, ada, bob = await desk()
    await ada.ask("join", room="desk")
    order(ada, "publish")
    ada.vanish()
    await settle()
    assert bob.heard() == ["publish"]
