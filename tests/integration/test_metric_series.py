"""The number of metric series does not depend on what clients make up (AD-3)."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.in_process import InProcess, running_in_process

MADE_UP = 100  # of each sort


@pytest.fixture
def unlimited(tmp_path: Path) -> Iterator[InProcess]:
    realtime = {"publish_rate": 0, "max_violations": 0, "max_rooms_per_connection": 0}
    with running_in_process(tmp_path, realtime=realtime) as running:
        yield running


def series(gateway: InProcess) -> set[tuple[str, tuple[tuple[str, str], ...]]]:
    """Return each series by its name and labels."""
    page = gateway.client.get("/metrics").raise_for_status().text
    return {
        (sample.name, tuple(sorted(sample.labels.items())))
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def make_up(gateway: InProcess, numbers: Iterator[int]) -> None:
    """Do so many things of each sort, all about paths, rooms, users, types and reasons that never were before."""
    with gateway.connected(gateway.admin) as peer:
        for number in itertools.islice(numbers, MADE_UP):
            name = f"made-up-{number}"
            gateway.client.get(f"/{name}/{name}?{name}={name}")
            gateway.get(f"/api/rooms/{name}", gateway.admin)
            gateway.client.request(name.upper(), "/healthz")
            for command in (
                {"type": "join", "room": name},
                {"type": "publish", "room": name, "data": name},
                {"type": "send", "user": f"@{name}", "data": name},
                {"type": name},
                {"type": "ping", name: name},
            ):
                peer.send_json({**command, "id": name})
                assert peer.event()["id"] == name
        peer.session.close(code=4000 + number, reason=name)
    for _ in range(20):
        number = next(numbers)
        gateway.refusal(f"/ws?token=made-up-{number}")
        gateway.refusal(f"/ws/rooms/made-up-{number}", headers=gateway.admin.headers)
        gateway.refusal("/ws", headers={"Origin": f"https://made-up-{number}.example"})


def test_what_clients_make_up_adds_no_series(unlimited: InProcess) -> None:
    numbers = itertools.count(1)
    make_up(unlimited, numbers)  # by then every outcome has its series
    before = series(unlimited)
    assert len(before) > 30
    make_up(unlimited, numbers)
    assert series(unlimited) == before
    assert not any("made-up" in value for _, labels in before for _, value in labels)
