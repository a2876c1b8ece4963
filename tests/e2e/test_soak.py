"""Thousands of connections held, exchanged and gone: the process is as it was before.

`GATEROOM_SOAK=full` holds 10,000 of them for a minute instead of 1,000 for a moment. `pytest -s` shows the figures.

Memory: what a first crowd took, a second one takes again and no more. How much the system gets back meanwhile is a
matter of the allocator: Python's own keeps arenas of a megabyte for one object's sake, `PYTHONMALLOC=malloc` pages.
"""

import asyncio
import json
import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fastapi import FastAPI
from uvicorn import Config

from gateroom import create_app
from gateroom.server.frame_protocol import FrameProtocol
from gateroom.server.http_protocol import HttpProtocol
from support.gateway import running_gateway
from support.gauges import ACCEPTED, OPEN, Gauges, closes, faults_in, gauges_of
from support.herds import Herd, herd
from support.in_process import ADMIN_PASSWORD, settings_for
from support.patience import until
from support.raw_client import RawClient
from support.serving import Serving

pytestmark = pytest.mark.alone

FULL = os.environ.get("GATEROOM_SOAK") == "full"
CONNECTIONS = 10_000 if FULL else 1_000
HELD = 60.0 if FULL else 0.0  # seconds, while a tenth of them is exchanged again and again
WARM_UP = 64  # connections, as many as come at once
SETTLED = 15.0  # seconds that the process may take to be as before
SLACK = 8_000_000  # bytes
CALM_BYTES, CALM_SECONDS = 1_000_000, 1.5
POOLED = 15  # files that the database may keep open for its next users
SETTINGS = {
    "GATEROOM_REALTIME__MAX_CONNECTIONS_PER_USER": "0",
    "GATEROOM_REALTIME__USER_RATE_FACTOR": "0",  # all of them are one user's
    "GATEROOM_REALTIME__PING_INTERVAL": "5",
    "GATEROOM_REALTIME__PING_TIMEOUT": "30",
}


@pytest.mark.parametrize("allocator", ["pymalloc", "malloc"] if FULL else ["pymalloc"])
def test_connections_leave_nothing_behind(allocator: str) -> None:
    require_files(CONNECTIONS + 500)
    settings = {**SETTINGS, "PYTHONMALLOC": allocator}
    with running_gateway(environment=settings) as gateway, gauges_of(gateway) as gauges:
        with herd(gateway.port, gateway.token()) as clients:
            files = gauges.files
            clients.open(WARM_UP)
            clients.close()
            start = gauges.memory
            held = one_round(clients, gauges, files)
            most = held if allocator == "pymalloc" else start + 0.3 * (held - start) + SLACK
            until(lambda: gauges.memory < most, "memory came back", SETTLED)
            gone = settled(gauges)
            held_again = one_round(clients, gauges, files)
            until(lambda: gauges.memory < gone + SLACK, "all that the second crowd took came back", SETTLED)
            figures = [start, held, gone, held_again, settled(gauges)]
            assert held_again < held + SLACK
            assert clients.closed == []
        counted = gauges.read()
        assert counted[ACCEPTED] == gauges.total("gateroom_closes_total")
        assert [name for name in counted if name.startswith("gateroom_closes") and name != closes(1006)] == []
        assert faults_in(gateway) == []
    print(f"\n{allocator}, {counted[ACCEPTED]:.0f} sockets, {CONNECTIONS} at once; MB at the start, held,", end=" ")  # noqa: T201
    print("gone, held again, gone again:", *(f"{figure / 1e6:.1f}" for figure in figures))  # noqa: T201


def settled(gauges: Gauges) -> int:
    """Wait until the process has not given back memory for a while; return what it has then."""
    found, since = gauges.memory, time.monotonic()

    def calm() -> bool:
        nonlocal found, since
        now = gauges.memory
        if now < found - CALM_BYTES:
            found, since = now, time.monotonic()
        return time.monotonic() - since > CALM_SECONDS

    until(calm, "memory has settled", SETTLED)
    return gauges.memory


def one_round(clients: Herd, gauges: Gauges, files: int) -> int:
    """Have them come, be exchanged for a while, and go; return the memory of the process while they were there."""
    clients.open(CONNECTIONS)
    deadline = time.monotonic() + HELD
    clients.churn(CONNECTIONS // 2)
    while time.monotonic() < deadline:
        clients.churn(CONNECTIONS // 10)
    assert clients.connected == CONNECTIONS
    gauges.wait_for(OPEN, CONNECTIONS)
    assert gauges.files >= files + CONNECTIONS
    memory = gauges.memory
    clients.close()
    gauges.wait_until_empty(SETTLED)
    until(lambda: gauges.files <= files + POOLED, "the files are closed", SETTLED)
    return memory


def test_a_connection_is_no_task(tmp_path: Path) -> None:
    app = create_app(settings_for(tmp_path, realtime={"max_connections_per_user": 0}))
    with serving_whole(app) as server:

        def tasks() -> int:
            return server.call(lambda: len(asyncio.all_tasks()))

        with server.client() as client:
            form = f"grant_type=password&username=admin&password={ADMIN_PASSWORD.replace(' ', '+')}"
            head = "POST /auth/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            answer = client.request(f"{head}Content-Length: {len(form)}\r\n\r\n{form}")
            token = str(json.loads(answer.body)["access_token"])
        before = tasks()
        clients: list[RawClient] = []
        for _ in range(100):
            client = server.client()
            client.open("/ws", headers=[f"Authorization: Bearer {token}"])
            assert client.read_text().startswith('{"type":"welcome"')
            clients.append(client)
        assert tasks() == before
        for client in clients:
            client.close()
        server.wait_for_connections(0)
        assert tasks() == before


@contextmanager
def serving_whole(app: FastAPI) -> Iterator[Serving]:
    """Serve an application with its own lifespan."""
    server = Serving(Config(app, http=HttpProtocol, ws=FrameProtocol, log_config=None, lifespan="on"))
    server.start()
    try:
        yield server
    finally:
        server.stop()


def require_files(count: int) -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if most != resource.RLIM_INFINITY and most < count:
        pytest.skip(f"a process may have {most} open files here, {count} are needed: raise the hard limit (ulimit -Hn)")
