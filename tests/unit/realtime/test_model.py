"""Everything at once: whatever users, moderators, administrators and the network do, the promises hold (RA-3).

Nothing of a private room reaches whoever was outside when it was published, nor is anything of the muted or of viewers
heard; every stream is gapless, across restarts too; every command has exactly one answer, in the order of its room;
who comes and goes is told in turn and as it is; a room's state is what every change together makes, for all alike; and
when all have gone nothing is left.
"""

import asyncio
import itertools
import json
from collections import defaultdict
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import jsonpatch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from gateroom.errors import Banned, Conflict, Forbidden, InvalidCommand, NotFound, RoomFull, UserDisabled
from gateroom.realtime.limits import Limits
from gateroom.realtime.ports import Position, retention_of
from gateroom.rooms.model import Measure, Role, RoomKind, Visibility
from support.live import ROOT, Frame, LiveWorld, Peer, is_answer, settle

T = TypeVar("T")
USERS = ("ada", "bob", "cyd", "eve")
ROOMS = {"desk": "default", "hall": "small"}  # by kind
PATIENCE = 10.0  # seconds that nothing may take
WINDOW = 8  # messages of history: few enough that some are lost
FEW = 2  # users who may be in a small room
KINDS = {
    "default": RoomKind(history_size=WINDOW),
    "small": RoomKind(name="small", history_size=WINDOW, capacity=FEW),
}
UNLIMITED = Limits(
    publish_rate=0, command_rate=0, costly_rate=0, max_rooms_per_connection=0, ping_interval=0, stall_timeout=0
)

users, rooms = st.sampled_from(USERS), st.sampled_from(sorted(ROOMS))
which = st.integers(0, 99)


@dataclass
class Client:
    """What a peer has asked and heard so far."""

    peer: Peer
    room: str | None = None  # of a socket for one room
    asked: dict[int, tuple[str, str, object]] = field(default_factory=dict)  # unanswered: kind, room, `since` or data
    at: dict[str, tuple[str, int]] = field(default_factory=dict)  # position in each room it is in
    state: dict[str, tuple[int, Any]] = field(default_factory=dict)  # version and document of each room it is in
    told: dict[str, dict[str, str]] = field(default_factory=dict)  # by room: who came or went last, by name
    heard: list[str] = field(default_factory=list)  # on a socket for one room

    @property
    def ended(self) -> bool:
        return self.peer.session.ended


class LiveModel(RuleBasedStateMachine):
    """Acts at random, within the same tick or not, while SQL and history answer late or at once."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.world = LiveWorld(UNLIMITED, KINDS)
        self.clients: list[Client] = []
        self.gone: list[Client] = []
        self.clock = itertools.count()  # order of what happens
        self.published: dict[str, tuple[str, str, int]] = {}  # data: room, author, when it was asked for
        # When somebody's rights in a room came or went: whether they may read, and write.
        self.rights: dict[tuple[str, str], list[tuple[int, tuple[bool, bool]]]] = defaultdict(list)
        self.heads: dict[str, Position] = {}  # before the last restart
        self.versions: dict[str, int] = {}  # of the states then
        self.changes: list[tuple[asyncio.Task[None], list[str], str]] = []  # under way: for whom, in which room

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(asyncio.wait_for(work, PATIENCE))

    @contextmanager
    def within_a_tick(self) -> Iterator[None]:
        """Do as if called by the event loop, which does not turn meanwhile."""
        asyncio._set_running_loop(self.loop)
        try:
            yield
        finally:
            asyncio._set_running_loop(None)

    @initialize()
    def rooms_and_members(self) -> None:
        for user in USERS:
            self.run(self.world.user(user))
        for room in ROOMS:
            self.run(self._furnish(room))
            for user in USERS:
                self.rights[user, room].append((next(self.clock), self.run(self._rights(user, room))))

        for user in ("ada", "bob", "cyd"):
            self.connect(user)
        for number, room in itertools.product(range(len(self.clients)), ROOMS):
            self.join(number, room)
        self.come_to_rest()

    async def _furnish(self, room: str) -> None:
        await self.world.room(room, ROOMS[room], ada="owner", bob="member")

    # Sockets

    @rule(user=users)
    def connect(self, user: str) -> None:
        self.world.sql.release()
        try:
            peer = self.run(self.world.connect(user))
        except (UserDisabled, NotFound):  # who is disabled has no session either
            return
        self.clients.append(Client(peer))

    @rule(user=users, room=rooms)
    def connect_to_room(self, user: str, room: str) -> None:
        self.world.sql.release()
        try:
            peer = self.run(self.world.connect(user, "room", room=room))
        except (UserDisabled, NotFound, Forbidden, Banned, RoomFull):
            return
        self.clients.append(Client(peer, room))

    @precondition(lambda self: self.clients)
    @rule(which=which, politely=st.booleans())
    def disconnect(self, which: int, politely: bool) -> None:
        client = self.clients.pop(which % len(self.clients))
        with self.within_a_tick():
            if politely:
                client.peer.session.binary()
            client.peer.vanish()
        self.gone.append(client)

    @precondition(lambda self: self.clients)
    @rule(which=which)
    def stop_or_go_on_reading(self, which: int) -> None:
        peer = self.clients[which % len(self.clients)].peer
        if peer.sink.paused:
            with self.within_a_tick():
                peer.resume()
        else:
            peer.pause()

    @precondition(lambda self: any(client.at for client in self.clients))
    @rule(which=which)
    def come_back(self, which: int) -> None:
        """Lose the connection, and resume in each room where it was."""
        there = [client for client in self.clients if client.at]
        client = there[which % len(there)]
        self.disconnect(self.clients.index(client), False)
        reached = dict(client.at)
        self.connect(client.peer.name)
        if self.clients and (back := self.clients[-1]).peer.name == client.peer.name and back.room is None:
            with self.within_a_tick():
                for room, (epoch, seq) in reached.items():
                    self._ask(back, "join", room, since={"epoch": epoch, "seq": seq})

    # Commands

    @precondition(lambda self: self.clients)
    @rule(which=which, room=rooms)
    def join(self, which: int, room: str) -> None:
        client = self.clients[which % len(self.clients)]
        if client.room is None:
            with self.within_a_tick():
                self._ask(client, "join", room)

    @precondition(lambda self: any(client.at for client in self.clients))
    @rule(which=which, count=st.integers(1, 2 * WINDOW))
    def publish(self, which: int, count: int) -> None:
        there = [(client, room) for client in self.clients for room in client.at]
        client, room = there[which % len(there)]
        with self.within_a_tick():
            for _ in range(count):
                self._ask(client, "publish", room, data=self._new_data(client, room))

    @precondition(lambda self: self.clients)
    @rule(
        which=which,
        room=rooms,
        kinds=st.lists(st.sampled_from(["join", "leave", "publish", "patch", "presence", "history"]), min_size=1),
    )
    def command(self, which: int, room: str, kinds: list[str]) -> None:
        client = self.clients[which % len(self.clients)]
        with self.within_a_tick():
            for kind in kinds:
                if client.room is not None:
                    client.peer.send(self._new_data(client, client.room))
                elif kind == "publish":
                    self._ask(client, kind, room, data=self._new_data(client, room))
                elif kind == "patch":
                    operation = {"op": "add", "path": f"/{self._new_data(client, room)}", "value": 1}
                    self._ask(client, kind, room, patch=[operation])
                else:
                    self._ask(client, kind, room)

    @precondition(lambda self: self.clients)
    @rule(which=which, room=rooms, back=st.integers(0, 12))
    def rejoin(self, which: int, room: str, back: int) -> None:
        client = self.clients[which % len(self.clients)]
        if client.room is None:
            head = self.world.broker.head(f"room:{room}") or self.heads.get(room) or Position("unknown", 0)
            with self.within_a_tick():
                self._ask(client, "join", room, since={"epoch": head.epoch, "seq": max(0, head.seq - back)})

    def _ask(self, client: Client, kind: str, room: str, **fields: Any) -> None:
        if not client.ended:
            command_id = client.peer.command(kind, room=room, **fields)
            client.asked[command_id] = (kind, room, fields.get("since"))

    def _new_data(self, client: Client, room: str) -> str:
        when = next(self.clock)
        data = f"{room} {when}"
        self.published[data] = (room, client.peer.name, when)
        return data

    # Administration, which does not wait for its outcome

    @rule(user=users, room=rooms, role=st.sampled_from(["viewer", "member", "moderator", None, None]))
    def change_role(self, user: str, room: str, role: str | None) -> None:
        if user != "ada":  # there must be an owner
            self._change(self._set_role(user, room, role), [user], room)

    async def _set_role(self, user: str, room: str, role: str | None) -> None:
        with suppress(NotFound):  # of a membership that is over already, or a room that is gone
            await self.world.set_role(room, user, role)

    @rule(user=users, room=rooms, measure=st.sampled_from(Measure), seconds=st.sampled_from([None, 5, 40]))
    def take_measure(self, user: str, room: str, measure: Measure, seconds: float | None) -> None:
        async def take() -> None:
            with suppress(NotFound, InvalidCommand):  # its end may be over by the time that it is taken
                await self.world.ban(room, user, seconds and self.world.clock() + seconds, measure)

        self._change(take(), [user], room)

    @rule(user=users, room=rooms, measure=st.sampled_from(Measure))
    def lift_measure(self, user: str, room: str, measure: Measure) -> None:
        async def lift() -> None:
            with suppress(NotFound):
                await self.world.lift(room, user, measure)

        self._change(lift(), [user], room)

    @rule(user=users, room=rooms)
    def kick(self, user: str, room: str) -> None:
        async def kick() -> None:
            with suppress(NotFound):
                await self.world.kick(room, user)

        self._change(kick(), [user], room)

    @rule(room=rooms, visibility=st.sampled_from(Visibility))
    def change_visibility(self, room: str, visibility: Visibility) -> None:
        async def change() -> None:
            with suppress(NotFound):
                await self.world.directory.change(ROOT, room, None, visibility)

        self._change(change(), list(USERS), room)

    @rule(room=rooms)
    def delete_and_make_anew(self, room: str) -> None:
        async def change() -> None:
            with suppress(NotFound, Conflict):
                await self.world.remove_room(room)
                await self._furnish(room)

        self._change(change(), list(USERS), room)

    @rule(user=users, disabled=st.booleans())
    def change_account(self, user: str, disabled: bool) -> None:
        self.changes.append((self.loop.create_task(self.world.change_account(user, disabled=disabled)), [user], ""))

    def _change(self, work: Coroutine[Any, Any, None], who: list[str], room: str) -> None:
        async def change() -> None:
            now = next(self.clock)
            await work
            for user in who:
                self._note(user, room, now, await self._rights(user, room))

        self.changes.append((self.loop.create_task(change()), who, room))

    def _note(self, user: str, room: str, began: int, rights: tuple[bool, bool]) -> None:
        """What was given may have been used since the change began; what was taken away not after it ended."""
        turns = self.rights[user, room]
        was = turns[-1][1]
        turns.append((began, (rights[0] or was[0], rights[1] or was[1])))
        turns.append((next(self.clock), rights))

    async def _rights(self, user: str, room: str) -> tuple[bool, bool]:
        """Return whether the user may read and write, by what is stored and the words of the contract."""
        stores, now = self.world.stores, self.world.clock()
        found, member = await stores.rooms.by_id(room), await stores.members.of(room, f"u-{user}")
        restraints = await stores.sanctions.of(room, f"u-{user}")
        if found is None or restraints.banned_until > now:
            return False, False
        read = found.visibility is Visibility.PUBLIC or member is not None
        return read, read and restraints.muted_until <= now and (member is None or member.role is not Role.VIEWER)

    # Time

    @rule(gate=st.sampled_from(["sql", "reading"]))
    def hold(self, gate: str) -> None:
        (self.world.sql if gate == "sql" else self.world.reading).hold()

    @rule()
    def release(self) -> None:
        self.world.sql.release()
        self.world.reading.release()

    @rule(seconds=st.sampled_from([1, 6, 35]))
    def let_time_pass(self, seconds: float) -> None:
        """What holds for a time only may be over then."""
        now = next(self.clock)
        self.world.clock.advance(seconds)
        for user, room in itertools.product(USERS, ROOMS):
            self._note(user, room, now, self.run(self._rights(user, room)))

    @rule()
    def restart(self) -> None:
        """End the process in good order, and start another one on the same data."""
        self._finish()
        self.heads = {room: head for room in ROOMS if (head := self.world.broker.head(f"room:{room}"))}
        states = {room: self.world.broker.state(f"room:{room}") for room in ROOMS}
        self.versions = {room: state.version for room, state in states.items() if state}
        with self.within_a_tick():
            self.world.control.stop()
        self.run(settle())
        self.look()
        assert all(client.ended for client in self.clients)
        self.gone, self.clients = [], []
        self.world = LiveWorld(UNLIMITED, KINDS, stores=self.world.stores)

    @rule()
    def let_the_loop_turn_once(self) -> None:
        self.run(asyncio.sleep(0))

    @rule()
    def come_to_rest(self) -> None:
        self.run(settle())

    @rule()
    def come_to_rest_with_everything_answered(self) -> None:
        self._finish()
        for client in self.clients:
            if not client.ended:
                self._is_up_to_date(client)

    def _finish(self) -> None:
        self.release()
        with self.within_a_tick():
            for client in self.clients:
                if client.peer.sink.paused:
                    client.peer.resume()
        self.run(settle())
        for change, _, _ in self.changes:
            change.result()
        self.changes.clear()
        self.look()

    # What must hold

    @invariant()
    def look(self) -> None:
        assert self.world.hub.user_count("room:hall") <= FEW
        for client in [*self.clients, *self.gone]:
            if client.room is None:
                for frame in client.peer.received():
                    self._judge(client, frame)
            else:
                for data in client.peer.received_texts():
                    self._judge_bare(client, data)

    def _judge(self, client: Client, frame: Frame) -> None:
        room = frame.get("room", "")
        if is_answer(frame):
            self._judge_answer(client, frame)
        elif frame["type"] == "message":
            epoch, seq = client.at[room]
            assert (frame["epoch"], frame["seq"]) == (epoch, seq + 1), (frame, seq)
            client.at[room] = (epoch, seq + 1)
            self._was_inside(client, frame["data"], room)
        elif frame["type"] == "state":
            version, document = client.state[room]
            assert frame["state_version"] == version + 1, (frame, version)
            client.state[room] = (version + 1, jsonpatch.apply_patch(document, frame["patch"]))
            self._was_inside(client, frame["patch"][0]["path"].removeprefix("/"), room)
        elif frame["type"] in ("joined", "left"):
            assert room in client.at, frame
            assert frame["user"]["name"] != client.peer.name
            told = client.told.setdefault(room, {})
            assert told.get(frame["user"]["name"]) != frame["type"], frame  # one after the other
            told[frame["user"]["name"]] = frame["type"]
        elif frame["type"] == "removed":
            del client.at[room]
            del client.state[room]
            client.told.pop(room, None)
        else:
            assert frame["type"] == "welcome", frame

    def _judge_answer(self, client: Client, frame: Frame) -> None:
        kind, room, since = client.asked[frame["id"]]
        ahead = [command_id for command_id, asked in client.asked.items() if asked[1] == room]
        assert ahead[0] == frame["id"], (ahead, frame)
        del client.asked[frame["id"]]
        if frame["type"] == "error":
            assert frame["code"] in ("forbidden", "not_joined", "banned", "muted", "room_full"), frame
        elif kind == "join":
            position = frame["position"]
            self._judge_missed(client, frame, since)
            self._judge_state(client, frame)
            client.at[room] = (position["epoch"], position["seq"])
        elif kind == "leave":
            del client.at[room]
            del client.state[room]
            client.told.pop(room, None)
        elif kind not in ("publish", "patch"):  # which may have been taken before its author was removed
            assert room in client.at, (kind, frame)

    def _judge_missed(self, client: Client, frame: Frame, since: Any) -> None:
        missed = [message["seq"] for message in frame["missed"]]
        head = frame["position"]["seq"]
        if since is None:
            assert (missed, frame["recovered"], frame["more"]) == ([], True, False)
        else:
            first = since["seq"] + 1 if frame["recovered"] else head - len(missed) + 1
            assert missed == list(range(first, head + 1)), (frame, since)

    def _judge_state(self, client: Client, frame: Frame) -> None:
        """Who joins again has followed every change; a restart loses none."""
        room, state = frame["room"], (frame["state_version"], frame["state"])
        assert client.state.setdefault(room, state) == state
        head = self.heads.get(room)
        if head is not None and head.epoch == frame["position"]["epoch"]:
            assert state[0] >= self.versions[room]

    def _judge_bare(self, client: Client, data: str) -> None:
        assert client.room is not None
        client.heard.append(data)
        self._was_inside(client, data, client.room)

    def _was_inside(self, client: Client, data: str, room: str) -> None:
        """Nobody hears what was asked to be published while they were outside, or its author might not write."""
        in_room, author, when = self.published[data]
        assert in_room == room
        for user, right in ((client.peer.name, 0), (author, 1)):
            turns = self.rights[user, room]
            before = [rights[right] for at, rights in turns if at < when]
            after = [rights[right] for at, rights in turns if at >= when]
            assert before[-1] or True in after or self._changing(user, room), (user, data, turns)

    def _changing(self, user: str, room: str) -> bool:
        return any(not change.done() and user in who and room == where for change, who, where in self.changes)

    def _is_up_to_date(self, client: Client) -> None:
        assert client.asked == {}
        for room, position in client.at.items():
            head = self.world.broker.head(f"room:{room}")
            assert head is not None
            assert position == (head.epoch, head.seq), room
            state = self.world.broker.state(f"room:{room}")
            assert state is not None
            assert client.state[room] == (state.version, json.loads(state.text)), room
            here = {person.name for person, _ in self.world.hub.people(f"room:{room}")}
            assert {name: name in here for name in client.told.get(room, {})} == {
                name: last == "joined" for name, last in client.told.get(room, {}).items()
            }
        if client.room is not None and client.heard:
            kept = self._kept(client.room)
            overlap = client.heard[-len(kept) :]
            assert kept[-len(overlap) :] == overlap

    def _kept(self, room: str) -> list[str]:
        page = self.run(self.world.local.history(f"room:{room}", retention_of(RoomKind()), None, 1000, 1 << 30))
        return [json.loads(text)["data"] for text in page.texts]

    def teardown(self) -> None:
        self._finish()
        while self.clients:
            self.disconnect(0, False)
        self.run(settle())
        self.look()
        world = self.world
        assert (world.door.inside, world.live.sessions) == (0, {})
        assert all(world.hub.connections_of(f"u-{user}") == () for user in USERS)
        for topic in ("all", *(f"room:{room}" for room in ROOMS), *(f"user:u-{user}" for user in USERS)):
            assert (world.hub.on(topic), world.hub.people(topic)) == ([], [])
        assert all(client.peer.session.subscriptions == {} for client in self.gone)
        self.run(world.live.tasks.close(0))
        self.loop.close()


def test_the_promises_hold_whatever_happens() -> None:
    run_state_machine_as_test(LiveModel, settings=settings(max_examples=250, stateful_step_count=50))
