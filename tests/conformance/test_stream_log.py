"""What `StreamLog` promises."""

import asyncio
import json
from collections.abc import Sequence

import pytest

from gateroom.errors import Conflict, TooLarge
from gateroom.protocol.patches import Operation, State
from gateroom.realtime.ports import KEY_WINDOW, Key, Kind, Position, Record, Repeated, Retention, Stored
from support.brokers import change
from support.stores import Stores, a_room, a_user

pytest_plugins = ["support.databases"]

KEEP = Retention(100, 0, durable=True)
DESK, INBOX = "room:desk", "user:u-ada"
EVERYTHING = (1000, 10**9)  # limit and bytes of a page


@pytest.fixture(autouse=True)
async def world(stores: Stores) -> None:
    for name in ("ada", "bob"):
        await stores.users.add(a_user(name), "h")
    for room_id in ("desk", "other"):
        await stores.rooms.add(a_room(room_id), "u-ada")


def record(body: str, topic: str = DESK, key: str | None = None, by: str = "u-ada", keep: Retention = KEEP) -> Record:
    kind = Kind.MESSAGE if topic.startswith("room:") else Kind.DIRECT
    return Record(topic, kind, body.encode(), keep, key=Key(by, key) if key else None)


async def opened(stores: Stores, *topics: str) -> list[Position]:
    heads = await stores.streams.open(topics or (DESK,))
    return [heads[topic].head for topic in topics or (DESK,)]


async def append(stores: Stores, *records: Record) -> list[Position]:
    positions = await stores.streams.append(records)
    found = [position for position in positions if isinstance(position, Position)]
    assert len(found) == len(records)
    return found


async def bodies(stores: Stores, since: Position | None = None, topic: str = DESK, keep: Retention = KEEP) -> list[str]:
    return [stored.body.decode() for stored in await stores.streams.read(topic, keep, since, *EVERYTHING)]


async def test_a_new_stream_has_an_epoch_of_its_own_and_keeps_it(stores: Stores) -> None:
    desk, inbox = await opened(stores, DESK, INBOX)
    assert (desk.seq, inbox.seq) == (0, 0)
    assert desk.epoch != inbox.epoch
    assert await opened(stores, DESK, INBOX) == [desk, inbox]


async def test_of_many_who_open_a_stream_at_once_all_see_the_same(stores: Stores) -> None:
    heads = await asyncio.gather(*(stores.streams.open([DESK, INBOX]) for _ in range(8)))
    assert all(found == heads[0] for found in heads)


async def test_there_is_no_stream_without_its_room_or_user(stores: Stores) -> None:
    assert await stores.streams.open(["room:nowhere", "user:nobody", "elsewhere"]) == {}
    assert await stores.streams.append([record("a", "room:nowhere")]) == [None]
    assert list(await stores.streams.read("room:nowhere", KEEP, None, *EVERYTHING)) == []


async def test_messages_are_numbered_from_one_without_gaps_in_each_stream(stores: Stores) -> None:
    (desk,), (inbox,) = await opened(stores), await opened(stores, INBOX)
    first = await append(stores, record("a"), record("x", INBOX), record("b"))
    assert first == [Position(desk.epoch, 1), Position(inbox.epoch, 1), Position(desk.epoch, 2)]
    assert await append(stores, record("c")) == [Position(desk.epoch, 3)]
    assert await opened(stores, DESK, INBOX) == [Position(desk.epoch, 3), Position(inbox.epoch, 1)]
    assert await stores.streams.read(INBOX, KEEP, None, *EVERYTHING) == [Stored(first[1], Kind.DIRECT, b"x")]
    assert await bodies(stores) == ["a", "b", "c"]


async def test_appending_at_once_leaves_no_gap_and_no_double(stores: Stores) -> None:
    (desk,) = await opened(stores)
    found = await asyncio.gather(*(append(stores, record(f"{n}a"), record(f"{n}b")) for n in range(10)))
    assert sorted(position.seq for pair in found for position in pair) == list(range(1, 21))
    by_seq = {
        position.seq: f"{n}{end}" for n, pair in enumerate(found) for position, end in zip(pair, "ab", strict=True)
    }
    assert await bodies(stores) == [by_seq[seq] for seq in range(1, 21)]
    assert {position.epoch for pair in found for position in pair} == {desk.epoch}


async def test_reading_goes_on_after_a_position_and_begins_anew_in_another_epoch(stores: Stores) -> None:
    await opened(stores)
    positions = await append(stores, *(record(letter) for letter in "abcd"))
    assert await bodies(stores, positions[1]) == ["c", "d"]
    assert await bodies(stores, positions[3]) == []
    assert await bodies(stores, Position("another", 2)) == ["a", "b", "c", "d"]


async def test_a_page_ends_at_the_limit_or_at_the_bytes_and_has_at_least_one(stores: Stores) -> None:
    await opened(stores)
    await append(stores, *(record(letter * 1000) for letter in "abcd"))

    async def page(limit: int, max_bytes: int) -> Sequence[str]:
        found = await stores.streams.read(DESK, KEEP, None, limit, max_bytes)
        return [stored.body.decode()[0] for stored in found]

    assert await page(3, 10**6) == ["a", "b", "c"]
    assert await page(100, 2500) == ["a", "b"]
    assert await page(100, 10) == ["a"]


async def test_no_more_is_read_than_the_stream_keeps(stores: Stores) -> None:
    await opened(stores)
    await append(stores, *(record(letter) for letter in "abcd"))
    assert await bodies(stores, keep=Retention(2, 0)) == ["c", "d"]
    stores.clock.advance(10)
    await append(stores, record("e"))
    assert await bodies(stores, keep=Retention(100, 10)) == ["a", "b", "c", "d", "e"]
    stores.clock.advance(1)
    assert await bodies(stores, keep=Retention(100, 10)) == ["e"]


async def test_trimming_deletes_what_is_too_old_or_too_much_and_nothing_else(stores: Stores) -> None:
    few, short = Retention(3, 0, durable=True), Retention(1000, 60, durable=True)
    await opened(stores, DESK, "room:other", INBOX)
    await append(stores, *(record(str(n), keep=few) for n in range(100)))
    await append(stores, *(record(str(n), "room:other", keep=short) for n in range(5)), record("kept", INBOX))
    stores.clock.advance(30)
    await append(stores, record("late", "room:other", keep=short))
    stores.clock.advance(31)
    while await stores.streams.trim():
        pass
    assert await bodies(stores) == ["97", "98", "99"]
    assert await bodies(stores, topic="room:other") == ["late"]
    assert await bodies(stores, topic=INBOX) == ["kept"]
    assert (await append(stores, record("next", keep=few)))[0].seq == 101
    stores.clock.advance(60)
    while await stores.streams.trim():
        pass
    assert await bodies(stores, topic="room:other") == []
    assert (await append(stores, record("next", "room:other")))[0].seq == 7


async def test_a_key_stands_for_the_first_message_of_that_user_in_that_stream(stores: Stores) -> None:
    (desk,), (inbox,) = await opened(stores), await opened(stores, INBOX)
    first = await append(stores, record("a", key="k"), record("b"))
    assert await append(stores, record("again", key="k")) == [Repeated(desk.epoch, 1)]
    others = (record("other key", key="l"), record("other user", key="k", by="u-bob"), record("x", INBOX, key="k"))
    assert await append(stores, *others) == [
        Position(desk.epoch, 3),
        Position(desk.epoch, 4),
        Position(inbox.epoch, 1),
    ]
    assert first == [Position(desk.epoch, 1), Position(desk.epoch, 2)]
    assert await bodies(stores) == ["a", "b", "other key", "other user"]


async def test_a_key_is_known_within_one_batch_and_when_used_at_once(stores: Stores) -> None:
    (desk,) = await opened(stores)
    assert await append(stores, record("a", key="k"), record("b", key="k"), record("c")) == [
        Position(desk.epoch, 1),
        Repeated(desk.epoch, 1),
        Position(desk.epoch, 2),
    ]
    found = await asyncio.gather(*(append(stores, record(str(n), key="l")) for n in range(8)))
    assert {position.seq for (position,) in found} == {3}
    assert sum(not isinstance(position, Repeated) for (position,) in found) == 1


async def test_a_key_is_free_again_after_its_window_and_is_trimmed(stores: Stores) -> None:
    (desk,) = await opened(stores)
    await append(stores, record("a", key="k"))
    stores.clock.advance(KEY_WINDOW)
    assert await append(stores, record("b", key="k")) == [Repeated(desk.epoch, 1)]
    stores.clock.advance(1)
    assert await append(stores, record("c", key="k")) == [Position(desk.epoch, 2)]
    assert await append(stores, record("d", key="k")) == [Repeated(desk.epoch, 2)]
    stores.clock.advance(KEY_WINDOW + 1)
    while await stores.streams.trim():
        pass
    assert await append(stores, record("e", key="k")) == [Position(desk.epoch, 3)]


async def test_a_stream_goes_with_its_room_and_another_of_that_name_is_a_new_one(stores: Stores) -> None:
    (before,) = await opened(stores)
    await append(stores, record("secret", key="k"))
    await stores.rooms.remove("desk")
    assert await stores.streams.append([record("late")]) == [None]
    assert list(await stores.streams.read(DESK, KEEP, None, *EVERYTHING)) == []
    assert await stores.streams.open([DESK]) == {}
    await stores.rooms.add(a_room("desk"), "u-bob")
    (after,) = await opened(stores)
    assert after.seq == 0
    assert after.epoch != before.epoch
    assert await append(stores, record("new", key="k")) == [Position(after.epoch, 1)]
    assert await bodies(stores, before) == ["new"]


async def test_a_room_made_anew_at_once_has_a_new_stream(stores: Stores) -> None:
    (before,) = await opened(stores)
    await append(stores, record("secret"))
    await stores.rooms.remove("desk")
    await stores.rooms.add(a_room("desk"), "u-bob")
    assert await bodies(stores) == []
    assert await opened(stores) != [before]


async def test_an_inbox_goes_with_its_user(stores: Stores) -> None:
    await stores.users.add(a_user("eve"), "h")
    await opened(stores, "user:u-eve")
    await append(stores, record("x", "user:u-eve"))
    await stores.users.remove("u-eve")
    assert await stores.streams.append([record("y", "user:u-eve"), record("a", INBOX)]) == [None, None]
    assert await stores.streams.open(["user:u-eve"]) == {}


async def test_one_stream_that_is_gone_does_not_keep_the_others_from_being_stored(stores: Stores) -> None:
    (desk,) = await opened(stores)
    assert await stores.streams.append([record("x", "room:gone"), record("a")]) == [None, Position(desk.epoch, 1)]
    assert await bodies(stores) == ["a"]


async def test_many_streams_and_keys_fit_into_one_call(stores: Stores) -> None:
    topics = [f"user:u-{n}" for n in range(600)]
    for n in range(600):
        await stores.users.add(a_user(str(n)), "h")
    heads = await stores.streams.open(topics)
    positions = await append(stores, *(record("x", topic, key="k") for topic in topics))
    assert [position.epoch for position in positions] == [heads[topic].head.epoch for topic in topics]
    again = await append(stores, *(record("x", topic, key="k") for topic in topics))
    assert all(isinstance(position, Repeated) for position in again)


async def state(stores: Stores, topic: str = DESK) -> State:
    return (await stores.streams.open([topic]))[topic].state


async def test_a_state_begins_empty_and_is_changed_in_order(stores: Stores) -> None:
    await opened(stores, DESK, "room:other")
    assert await state(stores) == State(0, b"{}")
    made = await stores.streams.append([change("a"), record("m"), change("b"), change("c", "room:other")])
    assert [getattr(outcome, "version", None) for outcome in made] == [1, None, 2, 1]
    assert await state(stores) == made[2] == State(2, b'{"a":1,"b":1}')
    assert await state(stores, "room:other") == State(1, b'{"c":1}')
    assert [getattr(outcome, "version", 0) for outcome in await stores.streams.append([change("d")])] == [3]
    assert await state(stores) == State(3, b'{"a":1,"b":1,"d":1}')


async def test_a_change_is_no_message(stores: Stores) -> None:
    (desk,) = await opened(stores)
    await stores.streams.append([change("a"), record("m")])
    assert await bodies(stores) == ["m"]
    assert await opened(stores) == [Position(desk.epoch, 1)]


async def test_a_refused_change_says_why_and_leaves_the_rest_alone(stores: Stores) -> None:
    await opened(stores)
    outcomes = await stores.streams.append(
        [change("a"), change("b", version=0), change("c", max_bytes=8), record("m"), change("d", version=1)]
    )
    assert [type(outcome) for outcome in outcomes] == [State, Conflict, TooLarge, Position, State]
    assert await state(stores) == State(2, b'{"a":1,"d":1}')


async def test_changes_at_once_lose_nothing(stores: Stores) -> None:
    await opened(stores)
    changes = (stores.streams.append([change(f"k{n}"), change(f"l{n}")]) for n in range(20))
    outcomes = [outcome for made in await asyncio.gather(*changes) for outcome in made]
    assert sorted(made.version for made in outcomes if isinstance(made, State)) == list(range(1, 41))
    found = await state(stores)
    assert found.version == 40
    assert len(json.loads(found.text)) == 40


async def test_of_changes_at_once_against_one_version_exactly_one_is_made(stores: Stores) -> None:
    await opened(stores)
    found = await asyncio.gather(*(stores.streams.append([change(f"k{n}", version=0)]) for n in range(10)))
    assert sum(isinstance(outcome, State) for (outcome,) in found) == 1
    assert (await state(stores)).version == 1


async def test_a_large_state_with_any_text_comes_back_as_it_was(stores: Stores) -> None:
    await opened(stores)
    value = "\u0000 \U0001f600 " + "x" * 200_000
    await stores.streams.append([change("a", operations=(Operation("add", "/a", value=value),), max_bytes=0)])
    assert json.loads((await state(stores)).text) == {"a": value}


async def test_a_state_goes_with_its_room(stores: Stores) -> None:
    await opened(stores)
    await stores.streams.append([change("secret")])
    await stores.rooms.remove("desk")
    assert await stores.streams.append([change("late")]) == [None]
    await stores.rooms.add(a_room("desk"), "u-bob")
    assert await state(stores) == State(0, b"{}")


async def test_any_bytes_come_back_as_they_were(stores: Stores) -> None:
    await opened(stores)
    odd = b'"room":"desk","data":"\\u0000 \xf0\x9f\x98\x80 \x00"}'
    await stores.streams.append([Record(DESK, Kind.MESSAGE, odd, KEEP)])
    assert [stored.body for stored in await stores.streams.read(DESK, KEEP, None, *EVERYTHING)] == [odd]
