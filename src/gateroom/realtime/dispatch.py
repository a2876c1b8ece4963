"""What each command does: judge it, hand it to the broker or the hub, answer it once."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any, get_args

from gateroom.auth.principal import Scope
from gateroom.errors import (
    Forbidden,
    GateroomError,
    InvalidCommand,
    LimitReached,
    NotFound,
    NotJoined,
    RateLimited,
    Unavailable,
)
from gateroom.protocol import events
from gateroom.protocol.commands import (
    AnyCommand,
    History,
    Join,
    Leave,
    Patch,
    Ping,
    Presence,
    Publish,
    Refresh,
    Send,
    Since,
)
from gateroom.realtime import replies
from gateroom.realtime.limits import Cost
from gateroom.realtime.live import Live
from gateroom.realtime.ports import Opened, Outcome, Page, Position, Record, Retention, retention_of
from gateroom.realtime.records import direct_message, ephemeral_message, judged_change, room_message
from gateroom.realtime.renewal import Renewal
from gateroom.realtime.session import Session
from gateroom.realtime.subscription import Subscription
from gateroom.realtime.topics import user_topic
from gateroom.rooms import policy
from gateroom.rooms.model import Action
from gateroom.rooms.standings import Standing

PAGE_MESSAGES, PAGE_BYTES = 100, 256 * 1024
MAX_WAITING = 256  # commands of one room that wait for their turn

_WORTH_A_LINE = (403, 429)  # denied, or too much: what security people ask for afterwards
PATIENCE = 10.0  # seconds a command may wait for SQL or history

# What is counted when a command did what it says; made once, since it is counted per message.
_SUCCESS = {command: (command.__name__.lower(), "ok") for command in get_args(AnyCommand)}

_COSTS: Mapping[type[AnyCommand], Cost] = {
    Publish: Cost.PUBLISH,
    Send: Cost.PUBLISH,
    Patch: Cost.PUBLISH,
    Join: Cost.COSTLY,
    History: Cost.COSTLY,
    Presence: Cost.COSTLY,
}

Handler = Callable[[Session, Subscription | None, Any], None]
Act = Callable[[Session, Subscription, Any], None]


class Dispatch:
    """Runs commands for every session of the process. Nothing here waits; what must, goes on in a task."""

    def __init__(self, live: Live, renewal: Renewal) -> None:
        self._live = live
        self._renewal = renewal
        self._handlers: dict[type[AnyCommand], Handler] = {
            Join: self._join,
            Leave: self._leave,
            Publish: self._publish,
            Patch: self._patch,
            Presence: self._presence,
            History: self._history,
            Send: self._send,
            Refresh: self._refresh,
            Ping: self._ping,
        }

    def run(self, session: Session, command: AnyCommand) -> None:
        """Do what the command says, or answer why not."""
        room_id = getattr(command, "room", None)
        lane = session.subscriptions.get(room_id) if room_id else None
        try:
            session.charge(_COSTS.get(type(command), Cost.CHEAP))
            if lane is not None and lane.waiting >= MAX_WAITING:
                if lane.waiting >= 2 * MAX_WAITING:  # these refusals wait too
                    session.end(RateLimited())
                raise RateLimited
            self._handlers[type(command)](session, lane, command)
        except GateroomError as error:
            answer = partial(self._fail, session, command, error)
            if lane is None:
                answer()
            else:
                lane.in_turn(answer)

    # Commands

    def _join(self, session: Session, lane: Subscription | None, command: Join) -> None:
        if lane is None:
            cap = self._live.limits.max_rooms_per_connection
            if cap and len(session.subscriptions) >= cap:
                raise LimitReached
            lane = session.subscriptions[command.room] = Subscription(command.room)
        lane.in_turn(partial(self._act, session, lane, command, self._join_now))

    def _join_now(self, session: Session, lane: Subscription, command: Join) -> None:
        standing = self._live.standings.known(session.principal, command.room)
        if standing is None or (standing.room is None and self._live.arrivals.due(session.principal, command.room)):
            self._later(session, lane, command, self._join_later(session, lane, command))
            return
        policy.require(Action.READ, standing.grants)  # before the stream is looked at: it tells of a room
        if command.since is not None or self._live.broker.head(lane.topic) is None:
            self._later(session, lane, command, self._join_later(session, lane, command))
        else:
            self._enter(session, lane, command, standing, None)

    async def _join_later(self, session: Session, lane: Subscription, command: Join) -> None:
        standings = self._live.standings
        await self._live.arrivals.arrive(session.principal, command.room)
        while True:
            with standings.reading(session.principal, command.room) as reading:
                standing = await session.standing_in(command.room)
                policy.require(Action.READ, standing.grants)
                principal = session.principal
                page = await self._missed(lane.topic, retention_of(standing.kind), command.since)
            if not reading.stale and principal is session.principal:
                break  # else somebody's rights moved while this waited
        if not session.ended:
            self._enter(session, lane, command, standing, page)

    def _enter(
        self, session: Session, lane: Subscription, command: Join, standing: Standing, page: Page | None
    ) -> None:
        """Subscribe and answer, in one go: what is up to `head` was missed or came before, what is after it will come.

        The page ends at or before `head`, and where it ends before, `more` says so.
        """
        policy.require(Action.READ, standing.grants)
        head, state = self._live.broker.head(lane.topic), self._live.broker.state(lane.topic)
        if head is None or state is None:  # the stream was forgotten while this waited
            raise Unavailable
        session.subscribe(lane, standing)
        members = self._live.hub.user_count(lane.topic)
        fields = replies.joined(command.room, standing, members, Opened(head, state), page)
        self._succeed(session, command, fields)

    def _leave(self, session: Session, lane: Subscription | None, command: Leave) -> None:
        if lane is None:
            raise NotJoined
        lane.in_turn(partial(self._act, session, lane, command, self._leave_now))

    def _leave_now(self, session: Session, lane: Subscription, command: Leave) -> None:
        if not lane.joined:
            raise NotJoined
        session.unsubscribe(lane)
        self._succeed(session, command)

    def _publish(self, session: Session, lane: Subscription | None, command: Publish) -> None:
        self._beside(session, lane, command, self._publish_now)

    def _publish_now(self, session: Session, lane: Subscription, command: Publish) -> None:
        if command.ephemeral and command.key is not None:
            raise InvalidCommand("An ephemeral message has no key, since nobody remembers it.")
        sender = session.connection.person
        if command.ephemeral:
            record = ephemeral_message(self._live, lane, sender, command.data)
        else:
            record = room_message(self._live, lane, sender, command.data, command.key)
        self._submit(session, lane, command, record)

    def _patch(self, session: Session, lane: Subscription | None, command: Patch) -> None:
        self._beside(session, lane, command, self._patch_now)

    def _patch_now(self, session: Session, lane: Subscription, command: Patch) -> None:
        record = judged_change(self._live, lane, session.connection.person, command.patch, command.version)
        self._submit(session, lane, command, record)

    def _beside(
        self, session: Session, lane: Subscription | None, command: Publish | Patch, act: Callable[..., None]
    ) -> None:
        """Run beside the publishes in flight."""
        if lane is None:
            raise NotJoined
        if lane.clear:
            act(session, lane, command)
        else:
            lane.beside(partial(self._act, session, lane, command, act))

    def _submit(self, session: Session, lane: Subscription, command: Publish | Patch, record: Record) -> None:
        lane.started()
        self._live.broker.submit(record, partial(self._carried, session, lane, command))

    def _carried(self, session: Session, lane: Subscription, command: Publish | Patch, outcome: Outcome) -> None:
        if isinstance(outcome, GateroomError):
            self._fail(session, command, outcome)
        else:
            self._succeed(session, command, replies.carried(outcome))
        lane.settled()
        session.tidy(lane)

    def _presence(self, session: Session, lane: Subscription | None, command: Presence) -> None:
        if lane is None:
            raise NotJoined
        lane.in_turn(partial(self._act, session, lane, command, self._presence_now))

    def _presence_now(self, session: Session, lane: Subscription, command: Presence) -> None:
        if not lane.joined:
            raise NotJoined
        if not lane.kind.presence:
            raise Forbidden
        if lane.ttl:
            self._live.activity.note(lane.room_id, lane.ttl)
        people = self._live.hub.people(lane.topic)
        users = [{"id": person.id, "name": person.name, "connections": count} for person, count in people]
        self._succeed(session, command, {"users": users})

    def _history(self, session: Session, lane: Subscription | None, command: History) -> None:
        if command.inbox == (command.room is not None):
            raise InvalidCommand("Say either the room or inbox: true.")
        if command.inbox:
            topic = user_topic(session.principal.user_id)
            self._later(session, None, command, self._history_later(session, None, topic, self._live.inbox, command))
        elif lane is None:
            raise NotJoined
        else:
            lane.in_turn(partial(self._act, session, lane, command, self._history_now))

    def _history_now(self, session: Session, lane: Subscription, command: History) -> None:
        if not lane.joined:
            raise NotJoined
        self._later(session, lane, command, self._history_later(session, lane, lane.topic, lane.retention, command))

    async def _history_later(
        self, session: Session, lane: Subscription | None, topic: str, retention: Retention, command: History
    ) -> None:
        page = await self._read(topic, retention, command.since, command.limit)
        if lane is not None and not lane.joined:  # removed from the room while this waited
            raise NotJoined
        self._succeed(session, command, replies.history(page))

    def _send(self, session: Session, _: Subscription | None, command: Send) -> None:
        session.principal.require(Scope.USERS_SEND)
        user = self._live.people.known(command.user)
        if user is not None:
            self._send_to(session, command, user.id)
        else:
            self._later(session, None, command, self._send_later(session, command))

    async def _send_later(self, session: Session, command: Send) -> None:
        try:
            user = await self._live.people.find(command.user)
        except NotFound:
            raise Forbidden from None
        self._send_to(session, command, user.id)

    def _send_to(self, session: Session, command: Send, user_id: str) -> None:
        record = direct_message(self._live, user_id, session.connection.person, command.data, command.key)
        self._live.broker.submit(record, partial(self._sent, session, command, record.topic))

    def _sent(self, session: Session, command: Send, topic: str, outcome: Outcome) -> None:
        if isinstance(outcome, Position):
            self._succeed(session, command, {**replies.placed(outcome), "connections": len(self._live.hub.on(topic))})
        else:
            self._fail(session, command, outcome if isinstance(outcome, GateroomError) else Unavailable())

    def _refresh(self, session: Session, _: Subscription | None, command: Refresh) -> None:
        self._later(session, None, command, self._refresh_later(session, command))

    async def _refresh_later(self, session: Session, command: Refresh) -> None:
        await self._renewal.carry_on(session, command.token)
        self._succeed(session, command, {"expires_at": events.rfc3339(session.principal.expires_at)})

    def _ping(self, session: Session, _: Subscription | None, command: Ping) -> None:
        self._succeed(session, command)

    # Answers and turns

    def _succeed(self, session: Session, command: AnyCommand, fields: dict[str, Any] | None = None) -> None:
        self._live.counts.commands[_SUCCESS[type(command)]] += 1
        session.answer(events.reply(command.id, fields))

    def _fail(self, session: Session, command: AnyCommand, error: GateroomError) -> None:
        kind, _ = _SUCCESS[type(command)]
        self._live.counts.commands[kind, error.code] += 1
        if error.status in _WORTH_A_LINE:
            session.tell("command_refused", error.code, type=kind)
        session.answer(events.error(command.id, error))

    def _act(self, session: Session, lane: Subscription, command: Any, act: Act) -> None:
        """Run a command whose turn has come."""
        if session.ended:
            return
        try:
            act(session, lane, command)
        except GateroomError as error:
            lane.next_up(partial(self._fail, session, command, error))
        except Exception as fault:
            session.fault(fault)
        session.tidy(lane)

    def _later(
        self, session: Session, lane: Subscription | None, command: AnyCommand, work: Coroutine[Any, Any, None]
    ) -> None:
        """Run what has to wait for SQL or history in a task; meanwhile the lane waits."""
        if lane is not None:
            lane.settling = True
        self._live.tasks.spawn(self._settle(session, lane, command, work))

    async def _settle(
        self, session: Session, lane: Subscription | None, command: AnyCommand, work: Coroutine[Any, Any, None]
    ) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                await work
        except TimeoutError:
            self._fail(session, command, Unavailable())
        except GateroomError as error:
            self._fail(session, command, error)
        except Exception as fault:
            session.fault(fault)
        if lane is not None:
            lane.settling = False
            lane.go_on()
            session.tidy(lane)

    async def _missed(self, topic: str, retention: Retention, since: Since | None) -> Page | None:
        """Have the broker know the stream's head, and read what comes after `since`."""
        try:
            await self._live.broker.open(topic, retention)
            return await self._read(topic, retention, since) if since else None
        except NotFound:  # the room went while this waited
            raise Forbidden from None

    async def _read(self, topic: str, retention: Retention, since: Since | None, limit: int = PAGE_MESSAGES) -> Page:
        position = Position(since.epoch, since.seq) if since else None
        return await self._live.broker.history(topic, retention, position, limit, PAGE_BYTES)
