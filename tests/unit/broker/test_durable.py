"""Group commit: what is heard was stored, in order, each once, whatever the log does."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateroom.broker import durable, known
from gateroom.broker.local import LocalBroker
from gateroom.errors import Forbidden, GateroomError, NotFound, Unavailable
from gateroom.realtime.ports import Key, Kind, Outcome, Position, Record, Repeated, Retention
from gateroom.realtime.tick import Tick
from support.live import settle
from support.stores import a_room, a_user, in_memory
from support.streams import InMemoryStreamLog

KEEP = Retention(100, 0, durable=True)
MEMORY = Retention(100, 0)
DESK, OTHER = "room:desk", "room:other"


@dataclass
class Process:
    """A broker on a log, and what was heard from it and answered, in order."""

    log: InMemoryStreamLog
    heard: list[tuple[str, int | None, str]] = field(default_factory=list)  # topic, seq, body
    answers: dict[str, Outcome] = field(default_factory=dict)  # by body
    seen: list[str] = field(default_factory=list)  # bodies heard and "ok <body>", as they came

    def __post_init__(self) -> None:
        self.tick = Tick()
        self.clock = in_memory().clock
        self.broker = LocalBroker(self.deliver, self.tick.wake, self.clock, self.log)
        self.tick.stages(self.broker.step)

    def deliver(self, record: Record, position: Position | None) -> None:
        self.heard.append((record.topic, position.seq if position else None, record.body.decode()))
        self.seen.append(record.body.decode())

    def submit(self, body: str, topic: str = DESK, retention: Retention = KEEP, **more: Any) -> None:
        def done(outcome: Outcome) -> None:
            assert body not in self.answers
            self.answers[body] = outcome
            self.seen.append(f"ok {body}")

        kind = more.pop("kind", Kind.MESSAGE)
        self.broker.submit(Record(topic, kind, body.encode(), retention, **more), done)

    def bodies(self, topic: str = DESK) -> list[str]:
        return [body for heard, _, body in self.heard if heard == topic]

    def seqs(self, topic: str = DESK) -> list[int]:
        return [seq for heard, seq, _ in self.heard if heard == topic and seq is not None]

    def answered(self, body: str) -> Position:
        outcome = self.answers[body]
        assert isinstance(outcome, Position), outcome
        return outcome


async def a_log() -> InMemoryStreamLog:
    stores = in_memory()
    await stores.users.add(a_user("ada"), "h")
    for room_id in ("desk", "other"):
        await stores.rooms.add(a_room(room_id), None)
    assert isinstance(stores.streams, InMemoryStreamLog)
    return stores.streams


@pytest.fixture
async def process() -> Process:
    return Process(await a_log())


async def test_a_durable_message_is_heard_and_answered_once_it_is_stored(process: Process) -> None:
    process.log.gate.hold()
    process.submit("a")
    await settle()
    assert process.seen == []
    process.log.gate.release()
    await settle()
    assert process.seen == ["a", "ok a"]
    assert process.seqs() == [1]
    assert [stored.body for stored in process.log.kept(DESK)] == [b"a"]


async def test_what_gathers_during_a_commit_is_the_next_batch(process: Process) -> None:
    await process.broker.open(DESK, KEEP)
    process.log.gate.hold()
    process.submit("0")
    await settle()
    for number in range(1, 50):
        process.submit(str(number))
        await asyncio.sleep(0)
    process.log.gate.release()
    await settle()
    assert process.log.batches == [1, 49]
    assert process.bodies() == [str(number) for number in range(50)]
    assert process.seqs() == list(range(1, 51))


async def test_a_batch_has_a_bound(process: Process) -> None:
    for number in range(durable.MAX_BATCH + 1):
        process.submit(str(number))
    await settle()
    assert process.log.batches == [durable.MAX_BATCH, 1]
    assert process.seqs() == list(range(1, durable.MAX_BATCH + 2))


async def test_events_of_a_room_keep_their_place_among_what_is_being_stored(process: Process) -> None:
    process.submit("joined", kind=Kind.EVENT, retention=Retention(0, 0))
    process.submit("a")
    process.submit("typing", kind=Kind.EVENT, retention=Retention(0, 0), ephemeral=True)
    process.submit("b")
    process.submit("left", kind=Kind.EVENT, retention=Retention(0, 0))
    await settle()
    assert process.bodies() == ["joined", "a", "typing", "b", "left"]
    assert [seq for _, seq, _ in process.heard] == [None, 1, None, 2, None]


async def test_other_rooms_do_not_wait_for_a_commit_and_do_not_touch_the_log(process: Process) -> None:
    process.log.gate.hold()
    process.submit("a")
    process.submit("at once", "room:memory", MEMORY)
    process.submit("event", OTHER, Retention(0, 0), kind=Kind.EVENT)
    await settle()
    assert process.seen == ["at once", "ok at once", "event", "ok event"]
    assert process.log.gate.passages == 1
    process.log.gate.release()
    await settle()


async def test_a_commit_that_fails_is_answered_unavailable_and_leaves_no_gap(process: Process) -> None:
    process.submit("a")
    await settle()
    process.log.gate.fault = Unavailable()
    process.submit("b")
    process.submit("joined", kind=Kind.EVENT, retention=Retention(0, 0))
    process.submit("c", OTHER)
    await settle()
    assert isinstance(process.answers["b"], Unavailable)
    assert isinstance(process.answers["c"], Unavailable)
    assert process.bodies() == ["a", "joined"]
    process.log.gate.fault = None
    process.submit("d")
    await settle()
    assert process.answered("d").seq == 2
    assert process.seqs() == [1, 2]


async def test_a_fault_of_ours_is_not_called_unavailable(process: Process) -> None:
    process.log.gate.fault = ZeroDivisionError()
    process.submit("a")
    await settle()
    outcome = process.answers["a"]
    assert isinstance(outcome, GateroomError)
    assert outcome.code == "internal_error"


async def test_what_was_stored_though_nobody_could_tell_is_heard_before_what_follows(process: Process) -> None:
    process.submit("a")
    await settle()
    process.log.unheard = Unavailable()
    process.submit("b", key=Key("u-ada", "k"))
    process.submit("c")
    await settle()
    assert isinstance(process.answers["b"], Unavailable)
    assert process.bodies() == ["a"]
    assert process.broker.head(DESK) == process.answered("a")
    process.log.unheard = None
    process.submit("b again", key=Key("u-ada", "k"))
    process.submit("d")
    await settle()
    assert process.bodies() == ["a", "b", "c", "d"]
    assert process.seqs() == [1, 2, 3, 4]
    assert process.answered("b again") == Repeated(process.answered("a").epoch, 2)
    assert process.seen[-4:] == ["c", "ok b again", "d", "ok d"]


async def test_what_was_stored_though_nobody_could_tell_is_heard_soon_without_anything_following(
    process: Process,
) -> None:
    process.submit("a")
    await settle()
    process.log.unheard = Unavailable()
    process.submit("b")
    await settle()
    process.broker.trim()
    await settle()
    assert process.bodies() == ["a", "b"]
    assert process.broker.head(DESK) == Position(process.answered("a").epoch, 2)


async def test_only_the_repeated_one_is_enough_to_hear_what_was_stored(process: Process) -> None:
    process.submit("a")
    await settle()
    process.log.unheard = Unavailable()
    process.submit("b", key=Key("u-ada", "k"))
    process.submit("c")
    await settle()
    process.log.unheard = None
    process.submit("b again", key=Key("u-ada", "k"))
    await settle()
    assert process.bodies()[:2] == ["a", "b"]
    process.submit("d")
    await settle()
    assert process.bodies() == ["a", "b", "c", "d"]


async def test_a_key_names_the_same_message_while_the_first_is_still_under_way_and_in_another_process(
    process: Process,
) -> None:
    key = Key("u-ada", "k")
    process.log.gate.hold()
    process.submit("a", key=key)
    await settle()
    process.submit("a again", key=key)
    process.log.gate.release()
    await settle()
    first = process.answered("a")
    assert process.answers["a again"] == Repeated(first.epoch, first.seq)
    restarted = Process(process.log)
    restarted.submit("a once more", key=key)
    await settle()
    assert restarted.answers["a once more"] == Repeated(first.epoch, first.seq)
    assert process.bodies() == ["a"]
    assert restarted.bodies() == []


async def test_positions_survive_the_process_and_those_in_memory_do_not(process: Process) -> None:
    process.submit("a")
    process.submit("m", "room:memory", MEMORY)
    await settle()
    restarted = Process(process.log)
    await restarted.broker.open(DESK, KEEP)
    assert restarted.broker.head(DESK) == process.answered("a")
    await restarted.broker.open("room:memory", MEMORY)
    head = restarted.broker.head("room:memory")
    assert head
    assert head.epoch != process.answered("m").epoch
    page = await restarted.broker.history(DESK, KEEP, Position(process.answered("a").epoch, 0), 10, 1000)
    assert (len(page.texts), page.recovered, page.more) == (1, True, False)


async def test_those_who_open_a_stream_at_once_share_one_read(process: Process) -> None:
    assert process.broker.head(DESK) is None
    await asyncio.gather(*(process.broker.open(topic, KEEP) for topic in (DESK, OTHER, DESK, OTHER)))
    assert process.log.gate.passages == 1
    await process.broker.open(DESK, KEEP)
    assert process.log.gate.passages == 1


async def test_opening_fails_when_the_log_does_or_the_room_is_gone(process: Process) -> None:
    process.log.gate.fault = Unavailable()
    with pytest.raises(Unavailable):
        await process.broker.open(DESK, KEEP)
    process.log.gate.fault = None
    with pytest.raises(NotFound):
        await process.broker.open("room:nowhere", KEEP)
    await process.broker.open(DESK, KEEP)
    assert process.broker.head(DESK)


async def test_a_head_that_is_read_during_a_commit_is_what_was_delivered(process: Process) -> None:
    process.log.gate.hold()
    process.submit("a")
    await settle()
    opening = asyncio.create_task(process.broker.open(DESK, KEEP))
    await settle()
    assert not opening.done()
    process.log.gate.release()
    await opening
    head = process.broker.head(DESK)
    assert head
    assert head.seq == len(process.bodies())
    await settle()
    assert process.broker.head(DESK) == process.answered("a")


async def test_history_shows_nothing_that_was_not_heard_yet(process: Process) -> None:
    process.submit("a")
    await settle()
    await process.log.append([Record(DESK, Kind.MESSAGE, b"unheard", KEEP)])
    page = await process.broker.history(DESK, KEEP, None, 10, 10**6)
    assert (len(page.texts), page.position.seq, page.more) == (1, 1, False)
    process.submit("b")
    await settle()
    page = await process.broker.history(DESK, KEEP, process.answered("a"), 10, 10**6)
    assert [last_part(text) for text in page.texts] == ["unheard", "b"]
    assert page.recovered


def last_part(text: bytes) -> str:
    return text.rpartition(b",")[2].decode()


async def test_history_says_when_it_does_not_have_everything(process: Process) -> None:
    few = Retention(2, 0, durable=True)
    for letter in "abcd":
        process.submit(letter, retention=few)
    await settle()
    epoch = process.answered("a").epoch

    async def page(since: Position | None, limit: int = 10) -> tuple[list[str], int, bool, bool]:
        found = await process.broker.history(DESK, few, since, limit, 10**6)
        return [last_part(text) for text in found.texts], found.position.seq, found.more, found.recovered

    assert await page(None) == (["c", "d"], 4, False, True)
    assert await page(None, 1) == (["c"], 3, True, True)
    assert await page(Position(epoch, 2)) == (["c", "d"], 4, False, True)
    assert await page(Position(epoch, 1)) == (["c", "d"], 4, False, False)
    assert await page(Position(epoch, 4)) == ([], 4, False, True)
    assert await page(Position(epoch, 5)) == (["c", "d"], 4, False, False)
    assert await page(Position("another", 4)) == (["c", "d"], 4, False, False)


async def test_a_page_of_a_stream_whose_messages_are_all_too_old_says_so(process: Process) -> None:
    stores = in_memory()
    await stores.rooms.add(a_room("desk"), None)
    assert isinstance(stores.streams, InMemoryStreamLog)
    process = Process(stores.streams)
    short = Retention(100, 60, durable=True)
    process.submit("a", retention=short)
    process.submit("b", retention=short)
    await settle()
    stores.clock.advance(61)
    first, last = process.answered("a"), process.answered("b")
    page = await process.broker.history(DESK, short, first, 10, 1000)
    assert (page.texts, page.position, page.more, page.recovered) == ([], last, False, False)
    page = await process.broker.history(DESK, short, last, 10, 1000)
    assert (page.texts, page.position, page.more, page.recovered) == ([], last, False, True)


async def test_a_forgotten_room_is_heard_no_more_whatever_is_under_way(process: Process) -> None:
    process.submit("before")
    await settle()
    process.log.gate.hold()
    process.submit("under way")
    await settle()
    process.submit("waiting")
    process.submit("elsewhere", OTHER)
    await settle()
    process.submit("just now")
    process.broker.forget(DESK)
    assert isinstance(process.answers["waiting"], Forbidden)
    assert isinstance(process.answers["just now"], Forbidden)
    process.log.gate.release()
    await settle()
    assert process.bodies() == ["before"]
    assert process.bodies(OTHER) == ["elsewhere"]
    assert "under way" in process.answers


async def test_who_waits_for_a_stream_that_is_forgotten_is_not_left_waiting(process: Process) -> None:
    process.submit("a")
    opening = asyncio.create_task(process.broker.open(DESK, KEEP))
    asyncio.get_running_loop().call_soon(process.broker.forget, DESK)  # before the commit begins
    process.broker.step()
    async with asyncio.timeout(5):
        await opening
        await process.broker.settled()


async def test_what_is_forgotten_just_when_it_was_read_is_read_again() -> None:
    stores = in_memory()
    await stores.rooms.add(a_room("desk"), None)
    assert isinstance(stores.streams, InMemoryStreamLog)
    process = Process(stores.streams)
    for turns in range(12):  # at whatever moment
        process.broker.forget(DESK)
        opening = asyncio.create_task(process.broker.open(DESK, KEEP))
        for _ in range(turns):
            await asyncio.sleep(0)
        await stores.rooms.remove("desk")
        process.broker.forget(DESK)
        await stores.rooms.add(a_room("desk"), None)
        await opening
        await process.broker.open(DESK, KEEP)
        assert process.broker.head(DESK) == (await process.log.open([DESK]))[DESK].head


async def test_who_opens_a_stream_does_not_begin_again_because_another_is_forgotten(process: Process) -> None:
    process.log.told.hold()
    opening = asyncio.create_task(process.broker.open(DESK, KEEP))
    await settle()
    process.broker.forget(OTHER)
    process.log.told.release()
    await opening
    assert process.log.gate.passages == 1


async def test_who_opens_a_stream_while_it_is_made_anew_gets_the_new_one() -> None:
    stores = in_memory()
    await stores.rooms.add(a_room("desk"), None)
    assert isinstance(stores.streams, InMemoryStreamLog)
    process = Process(stores.streams)
    process.log.told.hold()
    opening = asyncio.create_task(process.broker.open(DESK, KEEP))
    await settle()
    await stores.rooms.remove("desk")
    process.broker.forget(DESK)
    await stores.rooms.add(a_room("desk"), None)
    process.log.told.release()
    await opening
    assert process.broker.head(DESK) == (await process.log.open([DESK]))[DESK].head


async def test_what_is_stored_but_not_yet_told_is_not_at_the_head(process: Process) -> None:
    await process.broker.open(DESK, KEEP)
    process.log.told.hold()
    process.submit("a")
    await settle()
    assert len(process.log.kept(DESK)) == 1
    head = process.broker.head(DESK)
    assert head
    assert head.seq == 0
    page = await process.broker.history(DESK, KEEP, head, 10, 1000)
    assert (page.texts, page.position, page.recovered) == ([], head, True)
    process.log.told.release()
    await settle()
    assert process.bodies() == ["a"]


async def test_a_room_that_is_gone_answers_forbidden_and_the_others_are_stored(process: Process) -> None:
    process.submit("x", "room:gone")
    process.submit("a")
    await settle()
    assert isinstance(process.answers["x"], Forbidden)
    assert process.answered("a").seq == 1


async def test_closing_stores_and_answers_what_was_submitted_and_refuses_the_rest(process: Process) -> None:
    process.submit("a")
    async with asyncio.timeout(5):
        await process.broker.close()
    assert process.answered("a").seq == 1
    process.submit("late")
    assert isinstance(process.answers["late"], Unavailable)


async def test_too_much_that_waits_is_refused_with_a_name(process: Process) -> None:
    process.log.gate.hold()
    big = "x" * (durable.MAX_WAITING_BYTES // 4)
    for number in range(6):
        process.submit(f"{number}{big}")
    process.submit("joined", kind=Kind.EVENT, retention=Retention(0, 0))
    await settle()
    assert {body[0]: type(outcome) for body, outcome in process.answers.items()} == {"4": Unavailable, "5": Unavailable}
    process.log.gate.release()
    await settle()
    assert [body[0] for body in process.bodies()] == ["0", "1", "2", "3", "j"]
    process.submit("fits again")
    await settle()
    assert process.answered("fits again").seq == 5


async def test_heads_that_nobody_asks_for_are_forgotten(process: Process) -> None:
    await process.broker.open(DESK, KEEP)
    await process.broker.open(OTHER, KEEP)
    for _ in range(3):
        process.clock.advance(known.IDLE)
        process.broker.trim()
        await settle()
        assert process.broker.head(DESK)
    assert process.broker.head(OTHER) is None
    await process.broker.open(OTHER, KEEP)
    assert process.broker.head(OTHER)


async def test_trimming_runs_beside_and_bears_a_log_that_fails(process: Process) -> None:
    process.submit("a", retention=Retention(1, 0, durable=True))
    process.submit("b", retention=Retention(1, 0, durable=True))
    await settle()
    assert len(process.log.kept(DESK)) == 2
    process.log.gate.fault = Unavailable()
    process.clock.advance(durable.TRIM_INTERVAL)
    process.broker.trim()
    await settle()
    process.log.gate.fault = None
    process.clock.advance(durable.TRIM_INTERVAL)
    process.broker.trim()
    await settle()
    assert [stored.body for stored in process.log.kept(DESK)] == [b"b"]
