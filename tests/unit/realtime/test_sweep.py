"""What happens once a second."""

import asyncio

import pytest
from structlog.testing import capture_logs

from gateroom.realtime.limits import Limits
from gateroom.realtime.subscription import CROWD
from gateroom.realtime.sweep import INTERVAL
from gateroom.rooms.model import Visibility
from support.live import LiveWorld, Peer, TurnedLoop, settle
from support.sinks import RecordingSink


async def crowd(world: LiveWorld, size: int) -> list[Peer]:
    """Fill a public room with so many users."""
    await world.room("hall", visibility=Visibility.PUBLIC)
    peers = await world.joined("hall", *(f"user-{number}" for number in range(size)))
    await settle()
    for peer in peers:
        peer.received()
    world.sweep.once()
    await settle()
    for peer in peers:
        peer.received()
    return peers


async def test_up_to_so_many_users_each_coming_and_going_is_told(world: LiveWorld) -> None:
    peers = await crowd(world, CROWD - 1)
    (last,) = await world.joined("hall", "the-last")
    assert [frame["type"] for frame in peers[0].received()] == ["joined"]
    last.vanish()
    await settle()
    assert [frame["type"] for frame in peers[0].received()] == ["left"]
    world.sweep.once()
    await settle()
    assert peers[0].received() == []


async def test_in_a_crowd_only_the_count_is_told_and_at_most_once_a_second(world: LiveWorld) -> None:
    peers = await crowd(world, CROWD)
    await world.joined("hall", *(f"newcomer-{number}" for number in range(10)))
    peers[-1].vanish()
    await settle()
    assert peers[0].received() == []
    world.sweep.once()
    await settle()
    assert peers[0].received() == [{"type": "members", "room": "hall", "count": CROWD + 9}]
    world.sweep.once()
    await settle()
    assert peers[0].received() == []


async def test_a_newcomer_to_a_crowd_is_told_the_count_too(world: LiveWorld) -> None:
    await crowd(world, CROWD)
    newcomer = await world.connect("newcomer")
    assert (await newcomer.ask("join", room="hall"))["members"] == CROWD + 1
    newcomer.received()
    world.sweep.once()
    await settle()
    assert newcomer.received() == [{"type": "members", "room": "hall", "count": CROWD + 1}]


async def test_a_crowd_that_is_gone_needs_no_telling(world: LiveWorld) -> None:
    peers = await crowd(world, CROWD + 1)
    for peer in peers:
        peer.vanish()
    world.sweep.once()
    await settle()
    assert world.live.crowded == set()
    assert world.hub.on("room:hall") == []


async def test_history_that_has_outlived_its_retention_is_dropped(world: LiveWorld) -> None:
    await world.room("desk", ada="owner")
    (ada,) = await world.joined("desk", "ada")
    await ada.ask("publish", room="desk", data=1)
    world.clock.advance(86401)
    ada.session.principal = await world.user("ada")  # the token would have ended before
    world.sweep.once()
    assert (await ada.ask("history", room="desk"))["messages"] == []


class BrokenSink(RecordingSink):
    """A sink that does what no sink may do."""

    def ping(self) -> bool:
        raise OSError("a broken sink")


async def test_a_session_that_fails_is_ended_and_the_others_are_looked_after() -> None:
    world = LiveWorld(Limits(ping_interval=25))
    broken = await world.connect("ada", sink=BrokenSink())
    healthy = await world.connect("bob")
    world.clock.advance(25)
    with capture_logs() as logs:
        world.sweep.once()
        await settle()
    assert broken.closed is not None
    assert broken.closed.code == 1011
    assert healthy.sink.pings == 1
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["session_failed"]


def test_it_goes_on_every_second_until_the_end() -> None:
    async def scenario() -> None:
        world = LiveWorld()
        ada = await world.connect("ada", expires_in=10)
        async with world.sweep.running():
            await loop.turn(INTERVAL + 0.01)
            assert ada.closed is None
            world.clock.advance(10)
            await loop.turn(INTERVAL + 0.01)
            assert ada.closed == (1008, "token_expired")
        bob = await world.connect("bob", expires_in=10)
        world.clock.advance(10)
        await loop.turn(5 * INTERVAL)
        assert bob.closed is None

    loop = TurnedLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(scenario())


def test_a_sweep_that_fails_is_not_the_last() -> None:
    async def scenario() -> None:
        world = LiveWorld()
        sweeps: list[int] = []

        def trim() -> None:
            sweeps.append(1)
            if len(sweeps) == 1:
                raise ValueError("a mistake")

        with capture_logs() as logs:
            async with type(world.sweep)(world.live, trim).running():
                for _ in range(3):
                    await loop.turn(INTERVAL + 0.01)
        assert len(sweeps) >= 2
        assert [entry["event"] for entry in logs] == ["background_work_failed"]

    loop = TurnedLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(scenario())


@pytest.mark.parametrize("peers", [0, 3])
async def test_a_sweep_over_quiet_sockets_writes_nothing(world: LiveWorld, peers: int) -> None:
    quiet = [await world.connect(f"user-{number}") for number in range(peers)]
    for peer in quiet:
        peer.received()
    world.sweep.once()
    await settle()
    assert all(peer.received() == [] for peer in quiet)


async def test_who_leaves_a_crowd_is_counted_as_who_came_was(world: LiveWorld) -> None:
    peers = await crowd(world, CROWD + 1)
    world.sweep.once()
    await settle()
    for peer in peers:
        peer.received()
    peers.pop().vanish()  # from one more than the crowd begins with
    peers.pop().vanish()  # and on from there
    await settle()
    world.sweep.once()
    await settle()
    told = peers[0].received()
    assert [(frame["type"], frame.get("count")) for frame in told] == [("left", None), ("members", CROWD - 1)]
