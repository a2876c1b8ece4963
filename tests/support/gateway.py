"""A real `gateroom serve` process for tests that judge from outside."""

import contextlib
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx2 as httpx

from support.secrecy import leaks_in

ADMIN_PASSWORD = "a password for tests only"
START_PATIENCE = 30.0  # seconds
READY = "gateroom is ready on "


@dataclass(slots=True)
class RunningGateway:
    """A serving process: where it is, who may log in, and what it said."""

    process: subprocess.Popen[str]
    data_dir: Path
    url: str = ""
    admin_password: str = ADMIN_PASSWORD
    passwords: dict[str, str] = field(default_factory=dict)
    output: list[str] = field(default_factory=list)  # lines of stdout and stderr so far

    @property
    def ws_url(self) -> str:
        return "ws" + self.url.removeprefix("http")

    @property
    def authority(self) -> str:
        return self.url.removeprefix("http://")

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=20)

    def token(self, username: str = "admin", password: str | None = None) -> str:
        """Log in over REST and return the access token."""
        known = {"admin": self.admin_password, **self.passwords}
        form = {"grant_type": "password", "username": username, "password": password or known[username]}
        with self.client() as client:
            response = client.post("/auth/token", data=form)
        assert response.status_code == 200, response.text
        token = response.json()["access_token"]
        assert isinstance(token, str)
        return token

    def stop(self, patience: float = 20) -> int:
        """End it with SIGTERM; returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(patience)


@contextlib.contextmanager
def running_gateway(
    *args: str,
    demo: bool = False,
    data_dir: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[RunningGateway]:
    """Serve on a free port with a data directory of its own; end it with the block, whatever happens.

    What it has said until then must not have a secret in it.
    """
    with tempfile.TemporaryDirectory() as scratch:
        directory = data_dir or Path(scratch)
        command = [sys.executable, "-m", "gateroom", "serve", "--port", "0", "--data-dir", str(directory), *args]
        if demo:
            command.append("--demo")
        settings = {"GATEROOM_AUTH__ADMIN_PASSWORD": ADMIN_PASSWORD, **(environment or {})}
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=scratch,
            env={**_inherited(), **settings, "PYTHONUNBUFFERED": "1"},
        )
        gateway = RunningGateway(process, directory)
        lines, reader = _follow(gateway)
        try:
            _wait_until_ready(gateway, lines)
            yield gateway
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(10)
            reader.join(10)  # until it has read everything
            if process.stdout:
                process.stdout.close()
        assert leaks_in(gateway.output, [gateway.admin_password, *gateway.passwords.values()]) == []


def _inherited() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("GATEROOM_")}


def _follow(gateway: RunningGateway) -> tuple["queue.Queue[str | None]", threading.Thread]:
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        assert gateway.process.stdout
        with contextlib.suppress(ValueError):  # closed at the end
            for line in gateway.process.stdout:
                gateway.output.append(line)
                lines.put(line)
        lines.put(None)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    return lines, reader


def _wait_until_ready(gateway: RunningGateway, lines: "queue.Queue[str | None]") -> None:
    while (line := lines.get(timeout=START_PATIENCE)) is not None:
        words = line.split()
        if words[:2] == ["new", "account"] and words[2] != "admin":
            gateway.passwords[words[2]] = words[4]
        if line.startswith(READY):
            gateway.url = line.removeprefix(READY).strip()
            return
    raise AssertionError("the gateway did not start:\n" + "".join(gateway.output))
