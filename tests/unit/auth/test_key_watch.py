"""A running process follows its key directory."""

import os
import time
from pathlib import Path

import pytest
import structlog

from gateroom.auth.key_files import NOTICE, KeyDirectory, ring_of
from gateroom.auth.key_watch import KeyWatch
from gateroom.auth.keys import KeyRing
from support.clock import FrozenClock


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(time.time() + 60)  # a minute after the files that a test writes


@pytest.fixture
def directory(tmp_path: Path, clock: FrozenClock) -> KeyDirectory:
    return KeyDirectory(tmp_path / "keys", clock=clock)


@pytest.fixture
def ring(directory: KeyDirectory) -> KeyRing:
    return ring_of(directory.keys())


async def test_a_rotation_reaches_the_ring(directory: KeyDirectory, ring: KeyRing) -> None:
    watch, old = KeyWatch(ring, directory), ring.current
    await watch.look()
    assert ring.generation == 0
    new = directory.rotate()
    await watch.look()
    assert (ring.current, ring.by_kid(old.kid)) == (new, old)
    assert ring.generation == 1


async def test_what_is_wrong_is_logged_once_and_the_ring_stays(
    directory: KeyDirectory, ring: KeyRing, tmp_path: Path
) -> None:
    watch, kept = KeyWatch(ring, directory), ring.keys
    broken = tmp_path / "keys" / "broken.pem"
    broken.write_text("canary")
    broken.chmod(0o600)
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            await watch.look()
        assert [line["event"] for line in logs] == ["keys_not_read"]
        broken.unlink()
        await watch.look()
        directory.rotate()
        await watch.look()
    assert "canary" not in str(logs)
    assert ring.keys[1:] == kept
    assert [line["event"] for line in logs] == ["keys_not_read", "keys_changed"]


async def test_a_key_moves_up_by_time_alone(directory: KeyDirectory, ring: KeyRing, clock: FrozenClock) -> None:
    watch, old = KeyWatch(ring, directory), ring.current
    new = directory.rotate()
    for key, age in ((old, 60), (new, 0)):
        file = next(found.file for found in directory.stored() if found.key == key)
        os.utime(file, (clock.now - age, clock.now - age))
    await watch.look()
    assert (ring.current, ring.by_kid(new.kid)) == (old, new)
    clock.advance(NOTICE)
    await watch.look()
    assert ring.current == new
