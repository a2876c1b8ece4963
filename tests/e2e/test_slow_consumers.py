"""Peers that do not read: aborted by the bound on what waits for them, or by time, at nobody else's cost."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from support.gateway import RunningGateway, running_gateway
from support.gauges import OPEN, Gauges, closes, faults_in, gauges_of
from support.patience import until
from support.v1_client import V1Client

SLOW = closes(1008, "slow_consumer")
MEGABYTE = 1_000_000
STALLED = 10  # peers
BACKLOG = 128 * 1024  # bytes
MESSAGE = "x" * 8000
AT_ONCE = 10  # messages in flight
STALL_TIMEOUT, SWEEP = 1, 1  # seconds


class Room:
    """The lobby with a reader who publishes what is to be heard, and the peers who do not read."""

    def __init__(self, gateway: RunningGateway, gauges: Gauges, stack: ExitStack) -> None:
        self.gauges = gauges
        self._gateway = gateway
        self._token = gateway.token("alice")
        self._stack = stack
        self.reader = self._in_the_room()
        self.heard = 0

    def stall(self, peers: int = STALLED) -> list[V1Client]:
        """Let in so many more, who will not read on."""
        return [self._in_the_room(receive_buffer=4096) for _ in range(peers)]

    def publish(self, messages: int) -> None:
        """Publish so many, a few at a time; the reader must hear each of them once and in order."""
        for _ in range(0, messages, AT_ONCE):
            for _ in range(AT_ONCE):
                self.reader.command("publish", room="lobby", data=MESSAGE)
            for _ in range(AT_ONCE):
                answer = self.reader.answer()
                assert answer["type"] == "reply", answer
            for _ in range(AT_ONCE):
                message = self.reader.event()
                self.heard += 1
                assert (message["type"], message["seq"]) == ("message", self.heard)

    def _in_the_room(self, receive_buffer: int | None = None) -> V1Client:
        client = V1Client(self._gateway, self._token, receive_buffer=receive_buffer)
        self._stack.enter_context(client)
        client.join("lobby")
        return client


@contextmanager
def room(**realtime: int) -> Iterator[Room]:
    settings = {f"GATEROOM_REALTIME__{name.upper()}": str(value) for name, value in realtime.items()}
    with (
        running_gateway(demo=True, environment={**settings, "GATEROOM_REALTIME__PUBLISH_RATE": "0"}) as gateway,
        gauges_of(gateway) as gauges,
        ExitStack() as stack,
    ):
        yield Room(gateway, gauges, stack)
        assert faults_in(gateway) == []


def test_who_lets_too_much_pile_up_is_aborted_and_memory_stays_flat() -> None:
    with room(max_backlog_bytes=BACKLOG, stall_timeout=0) as lobby:
        lobby.publish(200)  # history is full, buffers have grown
        before = lobby.gauges.memory
        lobby.stall()
        lobby.publish(2000)
        assert lobby.gauges[SLOW] == STALLED
        assert lobby.gauges[OPEN] == 1
        assert lobby.gauges.memory - before < 8 * MEGABYTE, "16 MB went by each of them"
        assert lobby.reader.ask("ping") == {"type": "reply"}


def test_who_takes_nothing_for_too_long_is_aborted() -> None:
    with room(max_backlog_bytes=0, stall_timeout=STALL_TIMEOUT) as lobby:
        lobby.stall()
        began = time.monotonic()
        lobby.publish(50)
        assert lobby.gauges[SLOW] == 0
        lobby.gauges.wait_for(SLOW, STALLED, patience=STALL_TIMEOUT + 2 * SWEEP + 3)
        assert time.monotonic() - began > STALL_TIMEOUT
        assert lobby.gauges[OPEN] == 1
        assert lobby.reader.ask("ping") == {"type": "reply"}


def test_nothing_is_kept_for_a_peer_that_was_aborted_not_even_by_the_system() -> None:
    with room(max_backlog_bytes=BACKLOG) as lobby:
        files = lobby.gauges.files
        peers = lobby.stall()
        assert lobby.gauges.files == files + STALLED
        lobby.publish(100)
        lobby.gauges.wait_for(OPEN, 1)
        until(lambda: lobby.gauges.files == files, "their files are closed")
        for peer in peers:
            with pytest.raises(ConnectionResetError):
                read_on(peer)


def read_on(peer: V1Client) -> None:
    while True:
        peer.read_frame()


def test_who_reads_on_in_time_gets_all_that_waited() -> None:
    with room(max_backlog_bytes=MEGABYTE) as lobby:
        (late,) = lobby.stall(1)
        lobby.publish(50)
        heard = [late.event() for _ in range(50)]
        assert [(message["seq"], message["data"]) for message in heard] == [(seq, MESSAGE) for seq in range(1, 51)]
        assert late.ask("ping") == {"type": "reply"}
        assert lobby.gauges[SLOW] == 0
