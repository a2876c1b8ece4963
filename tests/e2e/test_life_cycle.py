"""How sockets end by themselves: dead peers, tokens that run out, age, and the server's own end."""

import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

import pytest

from support.gateway import RunningGateway, running_gateway
from support.gauges import OPEN, closes, faults_in, gauges_of
from support.herds import herd
from support.patience import until
from support.raw_client import Closed, RawClient
from support.v1_client import V1Client

SWEEP = 1.0  # seconds: what is due happens at the next sweep
SLACK = 3.0  # seconds that a busy machine may be late
CLOSE_TIMEOUT = 3.0  # seconds for a peer to answer a close
GRACE = 3.0  # seconds
DEAD = 50  # peers
MEMBERS = 100


@contextmanager
def gateway_with(**settings: float) -> Iterator[RunningGateway]:
    """Serve with these settings, named `section__name`."""
    environment = {f"GATEROOM_{name.upper()}": f"{value:g}" for name, value in settings.items()}
    environment |= {"GATEROOM_REALTIME__PUBLISH_RATE": "0", "GATEROOM_REALTIME__MAX_CONNECTIONS_PER_USER": "0"}
    with running_gateway(demo=True, environment=environment) as gateway:
        yield gateway


def fill(reader: V1Client) -> None:
    """Have more published in the lobby than the buffers of a peer that does not read can take."""
    for _ in range(50):
        assert reader.ask("publish", room="lobby", data="x" * 8000)["type"] == "reply"


# Peers


def test_stopped_peers_are_gone_in_time_and_counted() -> None:
    with (
        gateway_with(realtime__ping_interval=1, realtime__ping_timeout=1) as gateway,
        gauges_of(gateway) as gauges,
        herd(gateway.port, gateway.token("alice"), 1) as dead,
        herd(gateway.port, gateway.token("bob"), 2) as alive,
    ):
        alive.open(10)
        files = gauges.files
        dead.open(DEAD)
        dead.freeze()
        gauges.wait_for(closes(1011, "ping_timeout"), DEAD, patience=1 + 1 + 2 * SWEEP + SLACK)
        assert gauges[OPEN] == 10
        until(lambda: gauges.files <= files, "their files are closed", CLOSE_TIMEOUT + SLACK)
        alive.look()
        assert (alive.connected, alive.closed) == (10, [])
        assert faults_in(gateway) == []


def test_a_live_peer_is_kept_by_its_pongs_alone() -> None:
    with (
        gateway_with(realtime__ping_interval=1, realtime__ping_timeout=1) as gateway,
        herd(gateway.port, gateway.token("alice")) as silent,
        V1Client(gateway, gateway.token("bob")) as dead,
    ):
        silent.open(1)
        while dead.read_frame().payload != b"":  # a ping, which it will not answer
            pass
        assert dead.read_close() == Closed(1011, "ping_timeout")
        silent.look()
        assert (silent.connected, silent.closed) == (1, [])


# Time


def test_a_socket_ends_with_its_token() -> None:
    with gateway_with(auth__access_ttl=2) as gateway, gauges_of(gateway) as gauges:
        with V1Client(gateway, gateway.token("alice")) as client:
            expires_at = datetime.fromisoformat(client.welcome["expires_at"])
            assert client.end() == Closed(1008, "token_expired")
            late = (datetime.now(UTC) - expires_at).total_seconds()
            assert 0 <= late < SWEEP + SLACK
        gauges.wait_for(closes(1008, "token_expired"), 1)
        assert faults_in(gateway) == []


def test_a_token_that_runs_out_ends_even_a_peer_that_does_not_read() -> None:
    with gateway_with(auth__access_ttl=2, realtime__stall_timeout=0) as gateway, gauges_of(gateway) as gauges:
        files = gauges.files
        token = gateway.token("alice")
        with V1Client(gateway, token, receive_buffer=4096) as stalled, V1Client(gateway, token) as reader:
            stalled.join("lobby")
            reader.join("lobby")
            fill(reader)
            assert reader.end() == Closed(1008, "token_expired")
            gauges.wait_for(closes(1008, "token_expired"), 2, patience=SWEEP + SLACK)
            assert gauges[OPEN] == 0
            until(lambda: gauges.files <= files, "their files are closed", CLOSE_TIMEOUT + SLACK)


def test_a_socket_ends_at_its_greatest_age() -> None:
    with gateway_with(realtime__max_connection_age=1) as gateway, gauges_of(gateway) as gauges:
        with V1Client(gateway, gateway.token("alice")) as client:
            began = time.monotonic()
            assert client.end() == Closed(1012, "restarting")
            assert time.monotonic() - began < 1 + SWEEP + SLACK
        gauges.wait_for(closes(1012, "restarting"), 1)


# The server's own end


def test_everybody_is_told_that_the_server_restarts() -> None:
    with gateway_with() as gateway, herd(gateway.port, gateway.token("alice")) as members:
        members.open(MEMBERS)
        with V1Client(gateway, gateway.token("bob")) as client:
            client.join("lobby")
            gateway.process.send_signal(signal.SIGTERM)
            assert client.end() == Closed(1012, "restarting")
        assert gateway.process.wait(CLOSE_TIMEOUT + SLACK) == 0
        members.look()
        assert members.closed == ["1012 restarting"] * MEMBERS
        assert faults_in(gateway) == []
        with pytest.raises(ConnectionRefusedError):
            RawClient(("127.0.0.1", gateway.port))


def test_it_ends_in_time_whatever_the_peers_do() -> None:
    with gateway_with(server__shutdown_grace=GRACE) as gateway, herd(gateway.port, gateway.token("alice")) as frozen:
        with ExitStack() as stack:
            reader = in_bad_company(gateway, stack)
            frozen.open(10)
            frozen.freeze()
            began = time.monotonic()
            gateway.process.send_signal(signal.SIGTERM)
            assert reader.end() == Closed(1012, "restarting")
            assert gateway.process.wait(GRACE + SLACK) == 0
            assert time.monotonic() - began < GRACE + 1
        assert not [line for line in gateway.output if "Traceback" in line]


def test_a_second_signal_ends_it_at_once() -> None:
    with gateway_with(server__shutdown_grace=60) as gateway, ExitStack() as stack:
        reader = in_bad_company(gateway, stack)
        gateway.process.send_signal(signal.SIGTERM)
        assert reader.end() == Closed(1012, "restarting")
        began = time.monotonic()
        gateway.process.send_signal(signal.SIGTERM)
        assert gateway.process.wait(CLOSE_TIMEOUT) == 1
        assert time.monotonic() - began < 1


def in_bad_company(gateway: RunningGateway, stack: ExitStack) -> V1Client:
    """Connect somebody who behaves, among peers who would keep a server waiting."""
    token = gateway.token("bob")
    stalled = stack.enter_context(V1Client(gateway, token, receive_buffer=4096))
    stalled.join("lobby")
    reader = stack.enter_context(V1Client(gateway, token))
    reader.join("lobby")
    fill(reader)
    for said in (
        "",
        "GET /healthz HTTP/1.1\r\nHo",
        "POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{",
    ):
        peer = stack.enter_context(socket.create_connection(("127.0.0.1", gateway.port)))
        peer.sendall(said.encode())
    return reader
