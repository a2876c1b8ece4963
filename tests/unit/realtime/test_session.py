"""One peer from accept to end."""

import gc
import json
from collections import Counter

import pytest
from structlog.testing import capture_logs

from gateroom.auth.principal import Principal
from gateroom.errors import ConnectionLimit, Refusal, Restarting, Unavailable
from gateroom.realtime.connection import Connection
from gateroom.realtime.limits import Limits
from gateroom.realtime.session import Session
from gateroom.realtime.subscription import Subscription
from support.live import LiveWorld, Peer, is_answer, settle
from support.sinks import Closed, RecordingSink

PING = '{"type":"ping","id":0}'


def answers(peer: Peer) -> Counter[str]:
    return Counter(frame.get("code", "ok") for frame in peer.received() if is_answer(frame))


async def flood(peer: Peer, text: str, count: int) -> Counter[str]:
    peer.send(*[text] * count)
    await settle()
    return answers(peer)


# The start


async def test_the_first_frame_says_who_one_is_and_what_one_may(world: LiveWorld) -> None:
    ada = await world.connect("ada")
    (welcome,) = ada.received()
    assert welcome.pop("connection") == ada.session.connection.id
    assert welcome.pop("inbox").keys() == {"epoch", "seq"}
    assert welcome == {
        "type": "welcome",
        "user": {"id": "u-ada", "name": "ada"},
        "session": "s-ada",
        "expires_at": "2027-01-15T08:15:00.000Z",
        "limits": {
            "max_message_bytes": 65536,
            "publish_rate": 50,
            "publish_burst": 100,
            "max_rooms_per_connection": 128,
        },
    }


async def test_what_is_pipelined_before_the_first_frame_was_read_comes_after_it(world: LiveWorld) -> None:
    ada = await world.admitted("ada")
    ada.session.start(ada.sink)
    ada.send(PING)
    await settle()
    assert [frame["type"] for frame in ada.received()] == ["welcome", "reply"]
    assert len(ada.sink.writes) == 1


async def test_no_two_connections_are_called_alike(world: LiveWorld) -> None:
    peers = [await world.connect("ada") for _ in range(20)]
    assert len({peer.session.connection.id for peer in peers}) == 20


async def test_who_was_disabled_on_the_way_in_is_put_out(world: LiveWorld) -> None:
    ada = await world.admitted("ada")
    await world.change_account("ada", disabled=True)
    ada.session.start(ada.sink)
    await settle()
    assert ada.closed == (1008, "user_disabled")


async def test_who_was_deleted_on_the_way_in_is_put_out(world: LiveWorld) -> None:
    ada = await world.admitted("ada")
    await world.stores.users.remove("u-ada")
    world.accounts.forget("u-ada")
    ada.session.start(ada.sink)
    await settle()
    assert ada.closed == (1008, "user_disabled")


async def test_who_lost_powers_on_the_way_in_has_to_come_again(world: LiveWorld) -> None:
    ada = await world.admitted("ada")
    await world.change_account("ada", scopes=frozenset())
    ada.session.start(ada.sink)
    await settle()
    assert ada.closed == (1013, "overloaded")
    again = await world.connect("ada")
    assert again.closed is None


async def test_nobody_is_let_in_on_trust_when_the_store_is_away(world: LiveWorld) -> None:
    ada = await world.admitted("ada")
    world.accounts.forget("u-ada")
    world.sql.fault = Unavailable()
    ada.session.start(ada.sink)
    await settle()
    assert ada.closed == (1013, "overloaded")


async def test_nor_is_anybody_after_a_mistake_of_ours(world: LiveWorld) -> None:
    ada = await world.admitted("ada")
    world.accounts.forget("u-ada")
    world.sql.fault = ZeroDivisionError()
    ada.session.start(ada.sink)
    await settle()
    assert ada.closed is not None
    assert ada.closed.code == 1011


async def test_an_account_that_is_merely_read_again_changes_nothing(world: LiveWorld) -> None:
    ada = await world.admitted("ada")
    world.accounts.forget("u-ada")
    ada.session.start(ada.sink)
    await settle()
    assert ada.closed is None
    assert (await ada.ask("ping"))["type"] == "reply"


# What no peer may send


async def test_a_binary_message_is_not_supported(world: LiveWorld) -> None:
    ada = await world.connect("ada")
    ada.session.binary()
    await settle()
    assert ada.closed == (1003, "")


@pytest.mark.parametrize(
    "data", [b"\xed\xa0\x80", b"\xff", b'{"type":"ping","id":"\xc3"}', b"\xc0\x80", b"\xf5\x80\x80\x80"]
)
async def test_text_that_is_not_utf_8_is_refused(world: LiveWorld, data: bytes) -> None:
    ada = await world.connect("ada")
    ada.send(data)
    await settle()
    assert ada.closed == (1007, "")


async def test_a_text_may_be_as_long_as_the_limit_and_no_longer() -> None:
    world = LiveWorld(Limits(max_message_bytes=len(PING)))
    ada = await world.connect("ada")
    assert await flood(ada, PING, 1) == {"ok": 1}
    ada.send(PING + " ")
    await settle()
    assert ada.closed == (1009, "")


async def test_without_a_limit_a_text_may_be_as_long_as_it_likes() -> None:
    world = LiveWorld(Limits(max_message_bytes=0))
    ada = await world.connect("ada")
    assert await flood(ada, PING + " " * 1_000_000, 1) == {"ok": 1}


async def test_bad_frames_are_answered_until_there_are_too_many_within_a_minute(world: LiveWorld) -> None:
    ada = await world.connect("ada")
    assert await flood(ada, "nonsense", 10) == {"invalid_command": 10}
    assert ada.closed is None
    await flood(ada, "nonsense", 1)
    assert ada.closed == (1008, "protocol_violation")


async def test_bad_frames_of_more_than_a_minute_ago_are_forgiven(world: LiveWorld) -> None:
    ada = await world.connect("ada")
    for _ in range(5):
        assert await flood(ada, "nonsense", 10) == {"invalid_command": 10}
        world.clock.advance(60)
    assert ada.closed is None


async def test_bad_frames_within_any_minute_count(world: LiveWorld) -> None:
    ada = await world.connect("ada")
    await flood(ada, "nonsense", 5)
    world.clock.advance(59)
    await flood(ada, "nonsense", 5)
    assert ada.closed is None
    await flood(ada, "nonsense", 1)
    assert ada.closed == (1008, "protocol_violation")


async def test_without_a_limit_bad_frames_are_borne() -> None:
    world = LiveWorld(Limits(max_violations=0))
    ada = await world.connect("ada")
    assert await flood(ada, "nonsense", 1000) == {"invalid_command": 1000}


# How much a peer may ask


def publishing(number: int, data: str = "") -> str:
    return json.dumps({"type": "publish", "id": number, "room": "desk", "data": data or number})


async def test_a_short_excess_of_publishes_is_dropped_with_an_error(world: LiveWorld) -> None:
    await world.room("desk", ada="owner")
    (ada,) = await world.joined("desk", "ada")
    ada.send(*(publishing(number) for number in range(105)))
    await settle()
    frames = ada.received()
    assert [frame["data"] for frame in frames if frame["type"] == "message"] == list(range(100))
    refused = [frame for frame in frames if frame.get("code") == "rate_limited"]
    assert [frame["id"] for frame in refused] == [100, 101, 102, 103, 104]
    world.clock.advance(0.1)
    world.clock.advance(0.0125)  # 0.1125 s at 50 a second: five and a bit
    assert await flood(ada, publishing(0), 10) == {"ok": 5, "rate_limited": 5}
    assert ada.closed is None


async def test_who_goes_on_publishing_regardless_is_ended(world: LiveWorld) -> None:
    await world.room("desk", ada="owner")
    (ada,) = await world.joined("desk", "ada")
    await flood(ada, publishing(0), 100 + 200)
    assert ada.closed is None
    await flood(ada, publishing(0), 1)
    assert ada.closed == (1008, "rate_limited")


async def test_a_sustained_excess_is_ended_too(world: LiveWorld) -> None:
    await world.room("desk", ada="owner")
    (ada,) = await world.joined("desk", "ada")
    seconds = 0
    while ada.closed is None:
        await flood(ada, publishing(0), 60)  # ten a second too many
        world.clock.advance(1)
        seconds += 1
        assert seconds < 60
    assert ada.closed == (1008, "rate_limited")
    assert seconds > 10


async def test_what_is_within_the_rate_goes_on_for_ever(world: LiveWorld) -> None:
    await world.room("desk", ada="owner")
    (ada,) = await world.joined("desk", "ada")
    for _ in range(30):
        assert await flood(ada, publishing(0), 50) == {"ok": 50}
        world.clock.advance(1)


async def test_other_commands_have_an_allowance_of_their_own() -> None:
    world = LiveWorld(Limits(command_rate=5, command_burst=10))
    await world.room("desk", ada="owner")
    (ada,) = await world.joined("desk", "ada")
    assert await flood(ada, PING, 12) == {"ok": 10, "rate_limited": 2}
    assert await flood(ada, publishing(0), 10) == {"ok": 10}


async def test_each_connection_has_its_own_allowance(world: LiveWorld) -> None:
    await world.room("desk", ada="owner")
    first, second = await world.joined("desk", "ada", "ada")
    assert (await flood(first, publishing(0), 101))["rate_limited"] == 1
    assert await flood(second, publishing(0), 100) == {"ok": 100}


async def flood_all(peers: list[Peer], text: str, times: int) -> dict[str, int]:
    """Send from all of them; return how often each answer came, over all."""
    answers = [await flood(peer, text, times) for peer in peers]
    return dict(sum((Counter(each) for each in answers), Counter()))


async def test_all_connections_of_a_user_share_an_allowance_four_times_as_large(world: LiveWorld) -> None:
    await world.room("desk", ada="owner", bob="member")
    *adas, bob = await world.joined("desk", *["ada"] * 6, "bob")
    assert await flood_all(adas, publishing(0), 100) == {"ok": 400, "rate_limited": 200}
    assert await flood(bob, publishing(0), 100) == {"ok": 100}
    world.clock.advance(1)
    assert await flood_all(adas, publishing(0), 50) == {"ok": 200, "rate_limited": 100}


async def test_who_goes_on_regardless_on_many_connections_is_ended_on_each(world: LiveWorld) -> None:
    await world.room("desk", ada="owner")
    adas = await world.joined("desk", *["ada"] * 5)
    await flood_all(adas, publishing(0), 1000)
    assert {peer.closed for peer in adas} == {(1008, "rate_limited")}


async def test_coming_again_does_not_renew_what_a_user_has_used_up(world: LiveWorld) -> None:
    await world.room("desk", ada="owner")
    for _ in range(4):
        (ada,) = await world.joined("desk", "ada")
        assert await flood(ada, publishing(0), 100) == {"ok": 100}
        ada.vanish()
    (ada,) = await world.joined("desk", "ada")
    assert await flood(ada, publishing(0), 100) == {"rate_limited": 100}


async def test_a_user_without_a_factor_has_no_limit_over_all() -> None:
    world = LiveWorld(Limits(user_rate_factor=0))
    await world.room("desk", ada="owner")
    adas = await world.joined("desk", *["ada"] * 6)
    assert await flood_all(adas, publishing(0), 100) == {"ok": 600}


async def test_bytes_are_counted_whatever_they_are_part_of() -> None:
    world = LiveWorld(Limits(byte_rate=1000))
    await world.room("desk", ada="owner")
    (ada,) = await world.joined("desk", "ada")
    large = publishing(0, "x" * 20_000)
    assert (await flood(ada, large, 5))["rate_limited"] == 2  # 64 KiB at once, whatever the rate
    world.clock.advance(10)
    assert (await flood(ada, large, 2)) == {"rate_limited": 2}
    assert (await flood(ada, publishing(0, "x"), 10)) == {"ok": 10}


async def test_costly_commands_have_an_allowance_of_their_own() -> None:
    world = LiveWorld(Limits(costly_rate=2))
    await world.room("desk", ada="owner")
    (ada,) = await world.joined("desk", "ada")  # that was one
    presence = '{"type":"presence","id":1,"room":"desk"}'
    assert await flood(ada, presence, 25) == {"ok": 19, "rate_limited": 6}
    assert await flood(ada, PING, 50) == {"ok": 50}
    assert await flood(ada, publishing(0), 50) == {"ok": 50}


async def test_rates_of_zero_are_no_limit() -> None:
    world = LiveWorld(Limits(publish_rate=0, command_rate=0))
    await world.room("desk", ada="owner")
    (ada,) = await world.joined("desk", "ada")
    assert await flood(ada, publishing(0), 2000) == {"ok": 2000}
    assert await flood(ada, PING, 2000) == {"ok": 2000}


# What time brings


def sweep(world: LiveWorld, seconds: float) -> None:
    """Let time pass, second by second."""
    whole = int(seconds)
    for _ in range(whole):
        world.clock.advance(1)
        world.sweep.once()
    if seconds > whole:
        world.clock.advance(seconds - whole)
        world.sweep.once()


async def test_a_socket_ends_with_its_token(world: LiveWorld) -> None:
    ada = await world.connect("ada", expires_in=5)
    sweep(world, 4)
    assert (await ada.ask("ping"))["type"] == "reply"
    sweep(world, 1)
    await settle()
    assert ada.closed == (1008, "token_expired")


async def test_a_silent_peer_is_asked_whether_it_lives_and_ends_when_it_does_not_say(world: LiveWorld) -> None:
    ada = await world.connect("ada")
    sweep(world, 24)
    assert ada.sink.pings == 0
    sweep(world, 1)
    assert ada.sink.pings == 1
    sweep(world, 10)
    await settle()
    assert ada.closed is None
    sweep(world, 1)
    await settle()
    assert ada.closed == (1011, "ping_timeout")
    assert ada.sink.pings == 1


async def test_a_peer_that_answers_lives_on(world: LiveWorld) -> None:
    ada = await world.connect("ada")
    for beat in range(1, 6):
        sweep(world, 25)
        assert ada.sink.pings == beat
        ada.session.pong()
    sweep(world, 20)
    assert ada.closed is None


async def test_a_peer_that_speaks_need_not_be_asked(world: LiveWorld) -> None:
    ada = await world.connect("ada")
    for _ in range(10):
        sweep(world, 20)
        ada.send(PING)
    await settle()
    assert ada.sink.pings == 0


async def test_a_text_answers_a_ping_too(world: LiveWorld) -> None:
    ada = await world.connect("ada")
    sweep(world, 25)
    sweep(world, 9)
    ada.send(PING)
    sweep(world, 20)
    await settle()
    assert ada.closed is None


async def test_where_the_server_keeps_alive_itself_no_pong_is_waited_for(world: LiveWorld) -> None:
    ada = await world.connect("ada", sink=RecordingSink(answers_pings=False))
    sweep(world, 300)
    await settle()
    assert ada.closed is None


async def test_without_an_interval_nobody_is_asked() -> None:
    world = LiveWorld(Limits(ping_interval=0))
    ada = await world.connect("ada")
    sweep(world, 300)
    assert (ada.sink.pings, ada.closed) == (0, None)


async def test_a_peer_that_takes_nothing_is_dropped_at_once_after_a_while(world: LiveWorld) -> None:
    ada = await world.connect("ada")
    ada.pause()
    sweep(world, 11)
    assert not ada.sink.aborted
    sweep(world, 1)
    assert ada.sink.aborted
    assert world.counts.closes == {(1008, "slow_consumer"): 1}
    assert world.live.sessions == {}


async def test_a_peer_that_takes_something_now_and_then_is_borne(world: LiveWorld) -> None:
    ada = await world.connect("ada")
    for _ in range(10):
        ada.pause()
        sweep(world, 9)
        ada.resume()
    assert not ada.sink.aborted


async def test_a_stalled_peer_is_not_asked_whether_it_lives() -> None:
    world = LiveWorld(Limits(stall_timeout=0))
    ada = await world.connect("ada")
    ada.pause()
    sweep(world, 300)
    await settle()
    assert (ada.sink.aborted, ada.sink.pings, ada.closed) == (False, 0, None)


async def test_a_backlog_over_its_bound_drops_the_peer_and_nobody_else() -> None:
    world = LiveWorld(Limits(max_backlog_bytes=1000))
    await world.room("desk", ada="owner", bob="member")
    ada, bob = await world.joined("desk", "ada", "bob")
    bob.pause()
    for number in range(20):
        await ada.ask("publish", room="desk", data=number)
    assert bob.sink.aborted
    frames = ada.received()
    assert [frame["data"] for frame in frames if frame["type"] == "message"] == list(range(20))
    assert [frame["user"]["name"] for frame in frames if frame["type"] == "left"] == ["bob"]
    bob.vanish()
    assert world.counts.closes == {(1008, "slow_consumer"): 1}


async def test_a_connection_may_have_a_highest_age() -> None:
    world = LiveWorld(Limits(max_connection_age=60, ping_interval=0))
    ada = await world.connect("ada")
    sweep(world, 60)
    assert ada.closed is None
    sweep(world, 1)
    await settle()
    assert ada.closed == (1012, "restarting")


# The end


class Failing(Session):
    """A session with a mistake in it."""

    plain = False

    def __init__(self, world: LiveWorld, principal: Principal, fault: Exception, at: str) -> None:
        super().__init__(world.live, principal, world.door.enter("127.0.0.1"))
        self.fault_to_raise = fault
        self.at = at

    def opened(self) -> None:
        self._maybe("opened")

    def take(self, text: bytes) -> None:
        self._maybe("take")

    def room_lost(self, subscription: Subscription, refusal: Refusal) -> None:
        """There are no rooms."""

    def left(self) -> None:
        """There is nothing to leave."""

    def _maybe(self, where: str) -> None:
        if where == self.at:
            raise self.fault_to_raise


@pytest.mark.parametrize("at", ["opened", "take"])
async def test_a_mistake_of_ours_ends_the_socket_with_an_id_that_the_log_has(world: LiveWorld, at: str) -> None:
    peer = await failing(world, ZeroDivisionError("secret"), at)
    with capture_logs() as logs:
        peer.session.start(peer.sink)
        peer.send("anything")
        await settle()
    assert peer.closed is not None
    code, error_id = peer.closed.reason.split(" ")
    assert (peer.closed.code, code) == (1011, "internal_error")
    errors = [entry for entry in logs if entry["log_level"] == "error"]
    assert [(entry["event"], entry["error_id"]) for entry in errors] == [("session_failed", error_id)]
    assert world.counts.closes == {(1011, "internal_error"): 1}
    assert (world.door.inside, world.live.sessions) == (0, {})


@pytest.mark.parametrize("at", ["opened", "take"])
async def test_a_refusal_ends_the_socket_with_its_reason(world: LiveWorld, at: str) -> None:
    peer = await failing(world, Restarting(), at)
    peer.session.start(peer.sink)
    peer.send("anything")
    await settle()
    assert peer.closed == (1012, "restarting")


async def failing(world: LiveWorld, fault: Exception, at: str) -> Peer:
    principal = await world.user("ada")
    await world.accounts.get(principal.user_id)
    return Peer(Failing(world, principal, fault, at), RecordingSink())


async def test_the_first_end_counts_and_nothing_comes_after_it(world: LiveWorld) -> None:
    await world.room("desk", ada="owner", bob="member")
    ada, bob = await world.joined("desk", "ada", "bob")
    ada.session.binary()
    ada.session.stop()
    ada.send(b"\xff", PING)
    await bob.ask("publish", room="desk", data=1)
    assert ada.sink.read() == [Closed(1003, "")]
    ada.vanish()
    ada.vanish()
    assert world.counts.closes == {(1003, ""): 1}


async def test_who_vanishes_is_let_go_of_once(world: LiveWorld) -> None:
    await world.room("desk", ada="owner", bob="member")
    ada, bob = await world.joined("desk", "ada", "bob")
    ada.vanish()
    ada.vanish()
    ada.send(PING)
    await settle()
    assert world.counts.closes == {(1006, ""): 1}
    assert [frame["type"] for frame in bob.received()] == ["left"]
    assert world.door.inside == 1
    assert ada.sink.read() == []


async def test_after_its_end_a_session_holds_nothing(world: LiveWorld) -> None:
    await world.room("desk", ada="owner")
    (ada,) = await world.joined("desk", "ada")
    ada.vanish()
    await settle()
    assert world.live.sessions == {}
    assert world.hub.connections_of("u-ada") == ()
    for topic in ("room:desk", "user:u-ada", "all"):
        assert world.hub.on(topic) == []
    assert (world.door.inside, ada.session.rooms) == (0, [])


async def test_a_session_that_ended_is_freed_without_the_garbage_collector(world: LiveWorld) -> None:
    def sessions() -> int:
        return sum(isinstance(thing, Session | Connection) for thing in gc.get_objects())

    await world.room("desk", ada="owner", bob="member")
    (ada,) = await world.joined("desk", "ada")
    gc.collect()
    before = sessions()
    gc.disable()
    try:
        for end in ("vanish", "close", "overflow"):
            (bob,) = await world.joined("desk", "bob")
            await bob.ask("publish", room="desk", data=1)
            if end == "vanish":
                bob.vanish()
            elif end == "close":
                bob.session.binary()
            else:
                bob.pause()
                sweep(world, 12)
            await settle()
            ada.received()
            assert bob.session.ended
            del bob
            assert sessions() == before, end
    finally:
        gc.enable()


async def test_a_user_may_have_as_many_sockets_as_the_limit_at_any_time() -> None:
    world = LiveWorld(Limits(max_connections_per_user=2))
    peers = [await world.connect("ada") for _ in range(2)]
    with pytest.raises(ConnectionLimit):
        await world.connect("ada")
    peers[0].vanish()
    peers[1].session.binary()
    for _ in range(2):
        await world.connect("ada")
    with pytest.raises(ConnectionLimit):
        await world.connect("ada")


@pytest.mark.parametrize("through", ["session", "control"])
async def test_at_the_end_what_was_submitted_is_answered_and_then_all_are_closed(
    world: LiveWorld, through: str
) -> None:
    await world.room("desk", ada="owner", bob="member")
    ada, bob = await world.joined("desk", "ada", "bob")
    ada.command("publish", room="desk", data="last words")
    if through == "control":
        world.control.stop()
    else:
        ada.session.stop()
        bob.session.stop()
    await settle()
    seen = [json.loads(item) if isinstance(item, str) else item for item in ada.sink.read()]
    assert sorted(item["type"] for item in seen[:2] if isinstance(item, dict)) == ["message", "reply"]
    assert seen[2:] == [Closed(1012, "restarting")]
    heard = bob.sink.read()
    assert json.loads(str(heard[0]))["data"] == "last words"
    assert heard[1:] == [Closed(1012, "restarting")]  # and nobody is told who left
    with pytest.raises(Restarting):
        await world.connect("cyd")


async def test_with_nobody_inside_the_door_is_shut_too(world: LiveWorld) -> None:
    world.control.stop()
    with pytest.raises(Restarting):
        await world.connect("ada")


async def test_who_was_let_in_before_the_end_and_starts_after_it_is_closed(world: LiveWorld) -> None:
    ada = await world.admitted("ada")
    world.control.stop()
    ada.session.start(ada.sink)
    await settle()
    assert ada.closed == (1012, "restarting")
    assert world.door.inside == 0
