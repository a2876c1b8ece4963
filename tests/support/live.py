"""The live path as `app.py` puts it together, in memory and without a server, on a clock that stands still."""

import asyncio
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal, cast

from gateroom.auth.accounts import Accounts
from gateroom.auth.alive import Alive
from gateroom.auth.bearers import Bearers
from gateroom.auth.keys import KeyRing, SigningKey
from gateroom.auth.people import People
from gateroom.auth.ports import Link, User
from gateroom.auth.principal import ALL_SCOPES, Principal, Scope
from gateroom.auth.tokens import AccessTokens
from gateroom.broker.local import LocalBroker
from gateroom.realtime.control import Control
from gateroom.realtime.counts import Counts
from gateroom.realtime.dispatch import Dispatch
from gateroom.realtime.door import Door, Place
from gateroom.realtime.hub import Hub
from gateroom.realtime.keeper import Keeper
from gateroom.realtime.limits import Limits
from gateroom.realtime.live import Live
from gateroom.realtime.multiplexed import MultiplexedSession
from gateroom.realtime.ports import Retention
from gateroom.realtime.publisher import Publisher
from gateroom.realtime.recheck import Recheck
from gateroom.realtime.renewal import Renewal
from gateroom.realtime.session import Session
from gateroom.realtime.single import InboxSession, RoomSession, admit
from gateroom.realtime.sweep import Sweep
from gateroom.realtime.tick import Tick
from gateroom.realtime.topics import user_topic
from gateroom.rooms.activity import Activity
from gateroom.rooms.arrivals import Arrivals
from gateroom.rooms.directory import Directory
from gateroom.rooms.model import NO_CAPS, Durability, Measure, Role, Room, RoomCaps, RoomKind, Visibility
from gateroom.rooms.moderation import Moderation
from gateroom.rooms.review import Review
from gateroom.rooms.standings import Standings
from gateroom.rooms.templates import Template, Templates
from support.gates import Gate, GatedBroker, GatedMembers, GatedRooms, GatedSanctions, GatedSessions, GatedUsers
from support.sinks import Closed, RecordingSink
from support.stores import Stores, a_session, a_user, in_memory
from support.streams import InMemoryStreamLog

USUAL_SCOPES = frozenset({Scope.USERS_SEND, Scope.ROOMS_CREATE})
KINDS = {
    "default": RoomKind(),
    "quiet": RoomKind(name="quiet", presence=False, join_leave=False),
    "fleeting": RoomKind(name="fleeting", durability=Durability.NONE),
    "memory": RoomKind(name="memory", durability=Durability.MEMORY),
    "audience": RoomKind(name="audience", public_role=Role.VIEWER),
}
ROOT = Principal("u-root", "root", frozenset(), ALL_SCOPES, "s-root", "t-root", 4_000_000_000.0)
_MOST_TURNS = 100_000

SessionKind = Literal["multiplexed", "room", "inbox"]
Frame = dict[str, Any]


async def settle() -> None:
    """Run the event loop until nothing is left to do but to wait for time or for the test."""
    ready = cast(Any, asyncio.get_running_loop())._ready  # asyncio's own queue: there is no other way to see its end
    for _ in range(_MOST_TURNS):
        if not ready:
            return
        await asyncio.sleep(0)
    raise TimeoutError("the event loop does not come to rest")


class TurnedLoop(asyncio.SelectorEventLoop):
    """An event loop whose own clock a test can turn forward, for what has a deadline."""

    _turned = 0.0

    def time(self) -> float:
        return super().time() + self._turned

    async def turn(self, seconds: float) -> None:
        """Let so much time pass, and what is due then happen."""
        self._turned += seconds
        await asyncio.sleep(0)
        await settle()


class Peer:
    """A socket as its client sees it."""

    def __init__(self, session: Session, sink: RecordingSink) -> None:
        self.session = session
        self.sink = sink
        self.name = session.principal.username
        self._ids = itertools.count(1)
        self._unread: list[Frame] = []

    @property
    def closed(self) -> Closed | None:
        return self.sink.closed

    def send(self, *texts: str | bytes) -> None:
        """Send texts as they are, one frame each, within one tick."""
        for text in texts:
            self.session.text(text.encode() if isinstance(text, str) else text)

    def command(self, kind: str, **fields: object) -> int:
        """Send a command, and return its id; the answer is among what is received."""
        command_id = next(self._ids)
        self.send(json.dumps({"type": kind, "id": command_id, **fields}))
        return command_id

    async def ask(self, kind: str, **fields: object) -> Frame:
        """Send a command and return its one answer; what else comes is kept for `received`."""
        command_id = self.command(kind, **fields)
        await settle()
        self._unread.extend(self._read())
        answers = [frame for frame in self._unread if frame.get("id") == command_id and is_answer(frame)]
        assert len(answers) == 1, (answers, self._unread, self.closed)
        self._unread.remove(answers[0])
        return answers[0]

    def received(self) -> list[Frame]:
        """Return the frames since the last call; what is no JSON object fails."""
        frames, self._unread = [*self._unread, *self._read()], []
        return frames

    def received_texts(self) -> list[str]:
        """Return the texts since the last call, for a client that gets bare data."""
        return [seen for seen in self.sink.read() if isinstance(seen, str)]

    def heard(self) -> list[object]:
        """Return the data of the messages since the last call, and forget everything else."""
        return [frame["data"] for frame in self.received() if frame["type"] == "message"]

    def pause(self) -> None:
        """Take nothing from now on."""
        self.sink.paused = True

    def resume(self) -> None:
        """Take what waits."""
        self.sink.paused = False
        self.session.writable()

    def vanish(self) -> None:
        self.session.lost()

    def _read(self) -> list[Frame]:
        frames = [json.loads(text) for text in self.received_texts()]
        assert all(isinstance(frame, dict) for frame in frames), frames
        return frames


def is_answer(frame: Frame) -> bool:
    return frame["type"] in ("reply", "error")


class LiveWorld:
    """Users, rooms and sockets of one process."""

    def __init__(
        self,
        limits: Limits | None = None,
        kinds: Mapping[str, RoomKind] = KINDS,
        *,
        templates: Sequence[Template] = (),
        caps: RoomCaps = NO_CAPS,
        stores: Stores | None = None,
    ) -> None:
        """`stores` are those of another world, to be one after a restart."""
        self.limits = limits or Limits()
        self.stores = stores or in_memory()
        self.clock = self.stores.clock
        self.sql, self.reading = Gate(), Gate()  # in front of the stores, and of history
        users = GatedUsers(self.stores.users, self.sql)
        rooms, members = GatedRooms(self.stores.rooms, self.sql), GatedMembers(self.stores.members, self.sql)
        sessions = GatedSessions(self.stores.sessions, self.sql)
        self.alive = Alive(sessions, self.stores.revocations, self.stores.api_keys, self.clock, self.clock)
        self.accounts = Accounts(users, self.alive, self.clock)
        self.people = People(users, self.accounts, self.clock)
        sanctions = GatedSanctions(self.stores.sanctions, self.sql)
        self.standings = Standings(rooms, members, sanctions, kinds, self.clock, self.clock)
        self.tick, self.counts = Tick(), Counts()
        self.hub = Hub(partial(self.tick.wake, 1), self.counts)
        assert isinstance(self.stores.streams, InMemoryStreamLog)
        self.log = self.stores.streams
        self.local = LocalBroker(self.hub.deliver, partial(self.tick.wake, 0), self.clock, self.log)
        self.broker = GatedBroker(self.local, self.reading)
        self.tick.stages(self.broker.step, self.hub.flush)
        self.door = Door(self.limits, self.clock)
        named = Templates(templates)
        self.activity = Activity()
        self.arrivals = Arrivals(named, rooms, self.standings, caps, self.activity, self.clock)
        self.live = Live(
            self.hub,
            self.broker,
            self.accounts,
            self.people,
            self.standings,
            self.limits,
            self.door,
            self.counts,
            self.clock,
            self.clock,
            Retention(100, 86400, durable=True),
            self.arrivals,
            self.activity,
        )
        self.tokens = AccessTokens(KeyRing(SigningKey.generate()), "gateroom", "gateroom", 900, self.clock)
        self.dispatch = Dispatch(self.live, Renewal(Bearers(self.tokens), self.accounts))
        self.control, self.publisher = Control(self.live, self.stores.places), Publisher(self.live)
        self.arrivals.tell(self.control)
        self.recheck = Recheck(
            self.live,
            self.control,
            self.alive,
            self.stores.pages,
            self.stores.devices,
            Review(self.standings, self.stores.places),
            [self.stores.devices.prune, self.stores.revocations.prune],
        )
        self.sweep = Sweep(self.live, self.local.trim)
        self.directory = Directory(
            self.stores.rooms,
            self.stores.members,
            self.standings,
            kinds,
            caps,
            named,
            self.activity,
            self.control,
            self.clock,
        )
        self.keeper = Keeper(self.live, self.stores.lives, self.control, kinds)
        self.moderation = Moderation(self.stores.sanctions, self.standings, self.control, self.clock)

    async def user(self, name: str, *scopes: str, expires_in: float = 900) -> Principal:
        """Return somebody with the usual scopes and these, who has just logged in; the account is made on first use."""
        user = await self.stores.users.by_name(name)
        if user is None:
            user = a_user(name, scopes=USUAL_SCOPES | frozenset(scopes))
            await self.stores.users.add(user, "no hash")
        session = a_session(f"s-{name}", user.id)
        # The session of a disabled account has ended, and it gets no other: what is refused is its token.
        if not user.disabled and await self.stores.sessions.by_id(session.id) is None:
            await self.stores.sessions.add(session, Link(session.id.encode(), b""))
            self.alive.begun(session)
        now = self.clock()
        return Principal(user.id, name, user.roles, user.scopes, session.id, f"t-{name}", now + expires_in, now)

    async def room(
        self, room_id: str, kind: str = "default", visibility: Visibility = Visibility.PRIVATE, **roles: str
    ) -> Room:
        """Make a room with these members."""
        room = await self.directory.found(room_id, kind, "", visibility)
        for name, role in roles.items():
            await self.set_role(room_id, name, role)
        return room

    async def set_role(self, room_id: str, name: str, role: str | None) -> None:
        """Have an administrator change a membership, or end it."""
        user = await self.user(name)
        if role is None:
            await self.directory.remove_member(ROOT, room_id, user.user_id)
        else:
            await self.directory.put_member(ROOT, room_id, user.user_id, Role(role))

    async def ban(self, room_id: str, name: str, until: float | None = None, measure: Measure = Measure.BAN) -> None:
        """Have an administrator ban a user, or take another measure."""
        await self.moderation.put(ROOT, room_id, await self._account(name), measure, until)

    async def mute(self, room_id: str, name: str, until: float | None = None) -> None:
        await self.ban(room_id, name, until, Measure.MUTE)

    async def lift(self, room_id: str, name: str, measure: Measure = Measure.BAN) -> None:
        await self.moderation.lift(ROOT, room_id, await self._account(name), measure)

    async def kick(self, room_id: str, name: str) -> int:
        return await self.moderation.kick(ROOT, room_id, await self._account(name))

    async def _account(self, name: str) -> User:
        return await self.people.any((await self.user(name)).user_id)

    async def remove_room(self, room_id: str) -> None:
        await self.directory.remove(ROOT, room_id)

    async def change_account(self, name: str, **changes: Any) -> None:
        """Have an administrator change an account."""
        user = await self.stores.users.by_name(name)
        assert user
        changed = replace(user, **changes)
        await self.stores.users.save(changed)
        self.accounts.forget(changed.id)
        await self.control.account_changed(changed)

    async def admitted(
        self,
        name: str,
        kind: SessionKind = "multiplexed",
        *,
        room: str = "",
        as_events: bool = False,
        expires_in: float = 900,
        sink: RecordingSink | None = None,
    ) -> Peer:
        """Let a socket in as the web layer does, but do not start it yet. Raises what refuses a handshake."""
        principal = await self.user(name, expires_in=expires_in)
        place = self.door.enter("127.0.0.1")
        try:
            await self.accounts.get(principal.user_id)
            self.door.identify(place, principal.user_id)
            await self.broker.open(user_topic(principal.user_id), self.live.inbox)
            session = await self._session(principal, kind, room, as_events, place)
        except BaseException:
            self.door.leave(place)
            raise
        return Peer(session, sink or RecordingSink())

    async def connect(self, name: str, kind: SessionKind = "multiplexed", **options: Any) -> Peer:
        """Open a socket; `options` are those of `admitted`."""
        peer = await self.admitted(name, kind, **options)
        peer.session.start(peer.sink)
        await settle()
        return peer

    async def _session(
        self, principal: Principal, kind: SessionKind, room: str, as_events: bool, place: Place
    ) -> Session:
        if kind == "multiplexed":
            return MultiplexedSession(self.live, principal, place, self.dispatch)
        if kind == "inbox":
            return InboxSession(self.live, principal, place, as_events=as_events)
        await admit(self.live, principal, room)
        return RoomSession(self.live, principal, place, room, as_events=as_events)

    async def joined(self, room_id: str, *names: str) -> list[Peer]:
        """Connect these users and have them join the room; nothing is left unread."""
        peers = [await self.connect(name) for name in names]
        for peer in peers:
            answer = await peer.ask("join", room=room_id)
            assert answer["type"] == "reply", answer
        await settle()
        for peer in peers:
            peer.received()
        return peers
