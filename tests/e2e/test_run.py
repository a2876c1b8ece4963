"""`gateroom.server.run` as a process: how it starts, and that it ends."""

import contextlib
import json
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.raw_client import Closed, RawClient, masked_close

PROGRAM = Path(__file__).with_name("serve_small_app.py")
PATIENCE = 20.0  # seconds
GET = "GET / HTTP/1.1\r\nHost: x\r\n"


class Process:
    """A serving process, and the lines it says."""

    def __init__(self, **options: Any) -> None:
        command = [sys.executable, str(PROGRAM), json.dumps(options)]
        self.popen = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert self.popen.stdout
        self._lines = self.popen.stdout
        self.said: list[str] = []

    def wait_for(self, beginning: str) -> str:
        """Read on to the line that begins so, and return the rest of it."""
        for line in self._lines:
            self.said.append(line.rstrip("\n"))
            if line.startswith(beginning):
                return line.removeprefix(beginning).strip()
        raise AssertionError(f"never said {beginning!r}: {self.said}")

    def connect(self, **options: Any) -> RawClient:
        host, _, port = self.wait_for("ready on http://").rpartition(":")
        return RawClient((host.strip("[]"), int(port)), **options)

    def wait(self) -> int:
        """Wait for the end, and return the exit status."""
        self.said += [line.rstrip("\n") for line in self._lines]
        return self.popen.wait(PATIENCE)


@contextlib.contextmanager
def process(**options: Any) -> Iterator[Process]:
    running = Process(**options)
    try:
        yield running
    finally:
        running.popen.kill()
        running.popen.wait(PATIENCE)
        running._lines.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_every_socket_with_a_reason_and_the_process_with_status_0(number: signal.Signals) -> None:
    with process() as running, running.connect() as client:
        client.open()
        running.popen.send_signal(number)
        assert client.read_close() == Closed(1012, "restarting")
        client.send(masked_close(1012))
        assert running.wait() == 0
        assert running.said[-2:] == ["ending", "ended"]


def test_peers_cannot_hold_up_the_end() -> None:
    grace = 3
    with process(grace=grace, floods=True) as running, running.connect(receive_buffer=4096) as client:
        client.open()
        begun = time.monotonic()
        running.popen.send_signal(signal.SIGTERM)
        assert running.wait() == 0
        assert time.monotonic() - begun < grace
        assert running.said[-2:] == ["ending", "ended"]


def test_an_endpoint_that_will_not_be_cancelled_cannot_hold_up_the_end_either() -> None:
    with process(grace=1, swallows_cancellation=True) as running, running.connect() as client:
        client.open()
        running.popen.send_signal(signal.SIGTERM)
        assert running.wait() == 1
        assert "ended" in running.said
        assert "did_not_end_in_time" in "\n".join(running.said)


def test_an_application_that_does_not_end_is_left_behind() -> None:
    with process(grace=1, hangs_at_the_end=True) as running, running.connect():
        running.popen.send_signal(signal.SIGTERM)
        running.wait_for("ending")
        assert running.wait() == 0
        assert "application_did_not_end" in "\n".join(running.said)


def test_a_second_signal_ends_it_at_once() -> None:
    with process(grace=600, hangs_at_the_end=True) as running, running.connect():
        running.popen.send_signal(signal.SIGINT)
        running.wait_for("ending")
        running.popen.send_signal(signal.SIGINT)
        assert running.wait() == 1


def test_nobody_is_let_in_while_it_ends() -> None:
    with process(hangs_at_the_end=True, grace=2) as running, running.connect() as client:
        address = client.peer
        running.popen.send_signal(signal.SIGTERM)
        running.wait_for("ending")
        with pytest.raises(ConnectionRefusedError):
            RawClient(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_the_real_address_is_told(host: str) -> None:
    with process(host=host) as running, running.connect() as client:
        assert client.request(GET + "\r\n").status == 200


def test_it_runs_on_uvloop_with_as_many_files_as_allowed_and_does_not_name_itself() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, hard), hard))
    try:
        with process() as running, running.connect() as client:
            response = client.request(GET + "\r\n")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    told = json.loads(response.body)
    assert told["soft"] == told["hard"] == hard
    assert told["loop"] == "uvloop"
    assert "server" not in response.headers


@pytest.mark.parametrize("header", ["X-Forwarded-For: 192.0.2.7", "Forwarded: for=192.0.2.7"])
def test_the_server_itself_believes_no_forwarded_address(header: str) -> None:
    with process() as running, running.connect() as client:
        response = client.request(GET + f"{header}\r\n\r\n")
        assert json.loads(response.body)["client"] == "127.0.0.1"


def test_a_port_in_use_is_refused_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with process(port=port) as running:
            assert running.wait() == 1
            assert running.said == [
                f"refused: Cannot listen on 127.0.0.1:{port}: Address already in use. Choose another --host or --port."
            ]


def test_a_host_that_is_no_address_is_refused_in_one_line() -> None:
    with process(host="no such host") as running:
        assert running.wait() == 1
        assert len(running.said) == 1
        assert running.said[0].startswith("refused: Cannot listen on no such host:0: ")


def test_an_application_that_does_not_start_is_an_error() -> None:
    with process(fails_to_start=True) as running:
        assert running.wait() == 1
        assert running.said[-1] == "refused: The application did not start; the log says why."
        assert "no luck" in "\n".join(running.said)


def test_a_signal_during_the_start_ends_it_too() -> None:
    with process(slow_to_start=True) as running:
        running.wait_for("waiting for a signal")
        running.popen.send_signal(signal.SIGTERM)
        assert running.wait() == 0
        assert not any(line.startswith("ready") for line in running.said)
