"""What `Broker` promises, of streams in memory and of durable ones."""

import asyncio
import json

import pytest

from gateroom.errors import Conflict, Forbidden, TooLarge, Unavailable
from gateroom.protocol.events import numbered
from gateroom.protocol.patches import Operation, State
from gateroom.realtime.ports import Kind, Position, Record, Retention
from support.brokers import Carrier, change, event, local, message, numbers
from support.stores import a_room, a_user, in_memory

MAKERS = {"local": local()}
DESK, HALL = "room:desk", "room:hall"


@pytest.fixture(params=["memory", "durable"])
def durable(request: pytest.FixtureRequest) -> bool:
    return str(request.param) == "durable"


@pytest.fixture(params=MAKERS)
async def carrier(request: pytest.FixtureRequest, durable: bool) -> Carrier:
    """An empty broker, of each kind in turn."""
    stores = in_memory()
    await stores.users.add(a_user("ada"), "no hash")
    for room_id in ("desk", "hall"):
        await stores.rooms.add(a_room(room_id), None)
    return Carrier(MAKERS[request.param], stores, durable=durable)


# Numbering, delivery, answers


async def test_messages_of_a_stream_are_numbered_from_one_without_gaps(carrier: Carrier) -> None:
    first = await carrier.positions(message(1), message(2))
    second = await carrier.positions(message(3))
    assert [position.seq for position in first + second] == [1, 2, 3]
    assert len({position.epoch for position in first + second}) == 1


async def test_each_stream_has_numbers_of_its_own(carrier: Carrier) -> None:
    positions = await carrier.positions(message(1), message(2, HALL), message(3), message(4, "user:u-ada"))
    assert [position.seq for position in positions] == [1, 1, 2, 1]


async def test_an_event_has_no_number_and_takes_none(carrier: Carrier) -> None:
    outcomes = await carrier.carry(message(1), event(2), message(3))
    assert outcomes[1] is None
    assert [outcome.seq for outcome in outcomes if isinstance(outcome, Position)] == [1, 2]


async def test_all_is_delivered_in_the_order_it_was_submitted_in(carrier: Carrier) -> None:
    records = [message(1), event(2), message(3, HALL), message(4), event(5, HALL), message(6), message(7)]
    records = [carrier.lasting(record) for record in records]
    await carrier.carry(*records[:-1])
    await carrier.carry(records[-1])
    delivered = [record for record, _ in carrier.delivered]
    for topic in (DESK, HALL):
        submitted = [record for record in records if record.topic == topic]
        assert [record for record in delivered if record.topic == topic] == submitted


async def test_what_is_delivered_has_the_position_that_is_answered(carrier: Carrier) -> None:
    await carrier.carry(message(1), event(2), message(3))
    assert [position for _, position in carrier.delivered] == [outcome for _, outcome in carrier.answered]


async def test_each_record_is_answered_once_right_after_it_was_delivered(carrier: Carrier) -> None:
    await carrier.carry(message(1), message(2), message(3, HALL))
    for record in (message(1), message(2), message(3, HALL)):
        body = record.body.decode()
        assert carrier.log.index(f"delivered {body}") < carrier.log.index(f"answered {body}")
    assert sorted(carrier.log) == sorted(set(carrier.log))
    assert len(carrier.log) == 6


async def test_what_is_submitted_in_answer_to_another_is_carried_too(carrier: Carrier) -> None:
    await carrier.submit(message(1))
    outcomes = carrier.submit(message(2), message(3))
    assert len(await outcomes) == 2
    assert [record.body for record, _ in carrier.delivered] == [message(number).body for number in (1, 2, 3)]


async def test_an_answer_that_fails_leaves_the_others_alone(carrier: Carrier) -> None:
    def failing(outcome: object) -> None:
        raise ValueError("a mistake")

    carrier.broker.submit(carrier.lasting(message(1)), failing)
    assert [position.seq for position in await carrier.positions(message(2))] == [2]
    assert [position.seq for position in await carrier.positions(message(3))] == [3]


async def test_nothing_happens_without_anything_submitted(carrier: Carrier) -> None:
    carrier.broker.step()
    assert carrier.log == []


# The newest


async def test_the_head_of_an_untouched_stream_is_before_the_first_message(carrier: Carrier) -> None:
    head = await carrier.open(DESK)
    assert head.seq == 0
    assert carrier.head(DESK) == head
    assert await carrier.positions(message(1)) == [Position(head.epoch, 1)]


async def test_the_head_is_the_newest_message_that_was_delivered(carrier: Carrier) -> None:
    await carrier.carry(message(1), event(2))
    positions = await carrier.positions(message(3))
    assert carrier.head(DESK) == positions[-1]
    waiting = carrier.submit(message(4))
    assert carrier.head(DESK) == positions[-1]
    await waiting


# History


async def test_history_has_the_very_events_that_were_delivered(carrier: Carrier) -> None:
    direct = Record("user:u-ada", Kind.DIRECT, b'"n":1}', Retention(10, 0))
    (position,) = await carrier.positions(direct)
    page = await carrier.read("user:u-ada")
    assert [json.loads(text) for text in page.texts] == [{"type": "direct", "epoch": position.epoch, "seq": 1, "n": 1}]


async def test_history_of_an_untouched_stream_is_empty(carrier: Carrier) -> None:
    page = await carrier.read(DESK)
    assert (page.texts, page.more, page.recovered) == ([], False, True)
    assert page.position == carrier.head(DESK)


async def test_history_keeps_messages_and_no_events(carrier: Carrier) -> None:
    await carrier.carry(message(1), event(2), message(3), message(4, HALL))
    page = await carrier.read(DESK)
    assert numbers(page) == [1, 3]
    assert page.position == carrier.head(DESK)
    assert (page.more, page.recovered) == (False, True)


async def test_history_after_a_position_has_everything_since(carrier: Carrier) -> None:
    positions = await carrier.positions(*(message(number) for number in range(1, 6)))
    page = await carrier.read(DESK, positions[1])
    assert numbers(page) == [3, 4, 5]
    assert (page.position, page.more, page.recovered) == (positions[4], False, True)


async def test_who_has_seen_everything_has_missed_nothing(carrier: Carrier) -> None:
    await carrier.carry(message(1), message(2))
    head = carrier.head(DESK)
    page = await carrier.read(DESK, head)
    assert (page.texts, page.position, page.more, page.recovered) == ([], head, False, True)


async def test_who_was_there_before_the_first_message_gets_all(carrier: Carrier) -> None:
    before = await carrier.open(DESK)
    await carrier.carry(message(1), message(2))
    page = await carrier.read(DESK, before)
    assert numbers(page) == [1, 2]
    assert page.recovered


async def test_pages_follow_each_other_without_gap_or_repetition(carrier: Carrier) -> None:
    await carrier.carry(*(message(number) for number in range(1, 8)))
    seen: list[int] = []
    since, more = None, True
    while more:
        page = await carrier.read(DESK, since, limit=3)
        assert len(page.texts) <= 3
        seen += numbers(page)
        since, more = page.position, page.more
    assert seen == [1, 2, 3, 4, 5, 6, 7]
    assert since == carrier.head(DESK)


async def test_a_page_that_is_just_full_has_no_more(carrier: Carrier) -> None:
    await carrier.carry(message(1), message(2), message(3))
    page = await carrier.read(DESK, limit=3)
    assert (numbers(page), page.more) == ([1, 2, 3], False)


async def test_a_page_has_at_most_the_bytes_asked_for_but_at_least_one_message(carrier: Carrier) -> None:
    await carrier.carry(*(message(number) for number in range(1, 5)))
    size = len((await carrier.read(DESK, limit=1)).texts[0])
    for max_bytes in (size, 2 * size, 3 * size, 4 * size):
        page = await carrier.read(DESK, max_bytes=max_bytes)
        assert sum(map(len, page.texts)) <= max_bytes
        assert numbers(page) == list(range(1, len(page.texts) + 1)) != []
    assert numbers(await carrier.read(DESK, max_bytes=8 * size)) == [1, 2, 3, 4]
    page = await carrier.read(DESK, max_bytes=1)
    assert (numbers(page), page.more) == ([1], True)


async def test_only_the_newest_of_the_size_are_kept(carrier: Carrier) -> None:
    few = Retention(3, 0)
    positions = await carrier.positions(*(message(number, retention=few) for number in range(1, 8)))
    page = await carrier.read(DESK, retention=few)
    assert (numbers(page), page.recovered) == ([5, 6, 7], True)
    since_the_last_lost = await carrier.read(DESK, positions[3], retention=few)
    assert (numbers(since_the_last_lost), since_the_last_lost.recovered) == ([5, 6, 7], True)


async def test_who_missed_more_than_is_kept_is_told_so_and_gets_what_there_is(carrier: Carrier) -> None:
    few = Retention(3, 0)
    positions = await carrier.positions(*(message(number, retention=few) for number in range(1, 8)))
    page = await carrier.read(DESK, positions[2], retention=few)
    assert (numbers(page), page.recovered, page.position) == ([5, 6, 7], False, positions[6])


async def test_of_a_stream_that_keeps_nothing_only_who_has_seen_all_is_up_to_date(carrier: Carrier) -> None:
    none = Retention(0, 0)
    positions = await carrier.positions(message(1, retention=none), message(2, retention=none))
    up_to_date = await carrier.read(DESK, positions[1], retention=none)
    behind = await carrier.read(DESK, positions[0], retention=none)
    assert (up_to_date.texts, up_to_date.recovered) == ([], True)
    assert (behind.texts, behind.recovered, behind.position) == ([], False, positions[1])


@pytest.mark.parametrize("seq", [0, 1, 2, 99])
async def test_a_position_of_another_epoch_says_nothing(carrier: Carrier, seq: int) -> None:
    await carrier.carry(message(1), message(2))
    page = await carrier.read(DESK, Position("another", seq))
    assert (numbers(page), page.recovered) == ([1, 2], False)


async def test_a_position_that_never_was_says_nothing(carrier: Carrier) -> None:
    (position,) = await carrier.positions(message(1))
    page = await carrier.read(DESK, Position(position.epoch, 2))
    assert (numbers(page), page.recovered) == ([1], False)


# The shared state


async def test_an_untouched_state_is_an_empty_object_of_version_0(carrier: Carrier) -> None:
    assert carrier.broker.state(DESK) is None
    await carrier.open(DESK)
    assert carrier.broker.state(DESK) == State(0, b"{}")


async def test_changes_follow_each_other_and_are_answered_with_what_they_made(carrier: Carrier) -> None:
    made = await carrier.states(change("a"), change("b"))
    made += await carrier.states(change("c", version=2))
    assert [state.version for state in made] == [1, 2, 3]
    assert json.loads(made[-1].text) == {"a": 1, "b": 1, "c": 1}
    assert carrier.broker.state(DESK) == made[-1]


async def test_each_room_has_a_state_of_its_own(carrier: Carrier) -> None:
    await carrier.states(change("a"), change("b", HALL), change("c", HALL))
    desk, hall = carrier.broker.state(DESK), carrier.broker.state(HALL)
    assert desk is not None
    assert hall is not None
    assert (desk.version, json.loads(desk.text)) == (1, {"a": 1})
    assert (hall.version, json.loads(hall.text)) == (2, {"b": 1, "c": 1})


async def test_a_change_is_delivered_among_the_messages_with_the_version_it_made(carrier: Carrier) -> None:
    await carrier.carry(message(1), change("a"), message(2), change("b"), event(3))
    texts = [
        json.loads(numbered(record.kind, "e", position.seq, record.body) if position else record.body)
        for record, position in carrier.delivered
    ]
    assert [text.get("n", text.get("of")) for text in texts] == [1, "a", 2, "b", 3]
    changes = [text for text in texts if text.get("type") == "state"]
    assert [text["state_version"] for text in changes] == [1, 2]
    assert carrier.log[-2:] == ['delivered {"n":3}', 'answered {"n":3}']


async def test_a_change_takes_no_number_and_is_no_history(carrier: Carrier) -> None:
    (first,) = await carrier.positions(message(1))
    await carrier.states(change("a"))
    assert carrier.head(DESK) == first
    assert [position.seq for position in await carrier.positions(message(2))] == [2]
    assert numbers(await carrier.read(DESK)) == [1, 2]


async def test_what_is_refused_changes_nothing_and_nobody_hears_of_it(carrier: Carrier) -> None:
    await carrier.states(change("a"))
    missing = (Operation("remove", "/z"),)
    refused = [
        change("b", version=0),
        change("b", version=2),
        change("b", operations=missing),
        change("b", max_bytes=8),
    ]
    outcomes = await carrier.carry(*refused, change("c", version=1), change("d", version=1))
    assert [type(outcome) for outcome in outcomes] == [
        Conflict,
        Conflict,
        Conflict,
        TooLarge,
        State,
        Conflict,
    ]
    state = carrier.broker.state(DESK)
    assert state is not None
    assert (state.version, json.loads(state.text)) == (2, {"a": 1, "c": 1})
    assert len(carrier.delivered) == 2


async def test_of_many_changes_against_one_version_exactly_one_is_made(carrier: Carrier) -> None:
    outcomes = await carrier.carry(*(change(f"k{n}", version=0) for n in range(20)))
    assert sum(isinstance(outcome, State) for outcome in outcomes) == 1


async def test_of_many_changes_at_once_none_is_lost(carrier: Carrier) -> None:
    await asyncio.gather(*(carrier.states(change(f"k{n}")) for n in range(100)))
    state = carrier.broker.state(DESK)
    assert state is not None
    assert (state.version, len(json.loads(state.text))) == (100, 100)


async def test_a_forgotten_room_s_state_is_gone(carrier: Carrier) -> None:
    await carrier.states(change("secret"))
    await carrier.renew(DESK)
    await carrier.open(DESK)
    assert carrier.broker.state(DESK) == State(0, b"{}")


# The end of a stream, and of the broker


async def test_a_forgotten_stream_starts_again_in_another_epoch(carrier: Carrier) -> None:
    (old,) = await carrier.positions(message(1))
    await carrier.renew(DESK)
    assert (await carrier.open(DESK)).seq == 0
    (new,) = await carrier.positions(message(2))
    assert new.seq == 1
    assert new.epoch != old.epoch
    assert numbers(await carrier.read(DESK)) == [2]
    assert not (await carrier.read(DESK, old)).recovered


async def test_what_was_submitted_before_a_stream_is_forgotten_is_not_in_the_next_one(
    carrier: Carrier, durable: bool
) -> None:
    waiting = carrier.submit(message(1))
    carrier.broker.forget(DESK)
    assert isinstance((await waiting)[0], Forbidden if durable else Position)
    assert numbers(await carrier.read(DESK)) == []
    assert [position.seq for position in await carrier.positions(message(2))] == [1]


async def test_an_unknown_stream_can_be_forgotten(carrier: Carrier) -> None:
    carrier.broker.forget("room:nowhere")
    await carrier.positions(message(1))


async def test_at_the_end_what_was_submitted_is_carried_and_nothing_after_it(carrier: Carrier) -> None:
    waiting = carrier.submit(message(1))
    await carrier.broker.close()
    assert isinstance((await waiting)[0], Position)
    (outcome,) = await carrier.carry(message(2))
    assert isinstance(outcome, Unavailable)
    assert [record.body for record, _ in carrier.delivered] == [message(1).body]
