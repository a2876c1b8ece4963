"""Keys on disk: who may read them, which of them signs, and how long the others verify."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import gateroom
from gateroom.auth.key_files import LAST_TOKEN, NOTICE, KeyDirectory, KeyState, load_or_create
from gateroom.auth.keys import Algorithm, KeyRefused, Keys, SigningKey
from support.clock import FrozenClock

SECRET, OTHER_SECRET = "q8Zt0mX1vN5cR7yB3wK9uJ2hG6fD4sLp", "Lp4sD6fG2hJ9uK3wB7yR5cN1vX0mZt8q"
BEGAN = 1_700_000_000.0


def written(directory: Path, *ages: float, now: float) -> list[SigningKey]:
    """Put a key into `directory` for each age in seconds; return them in this order."""
    directory.mkdir(mode=0o700, exist_ok=True)
    keys = []
    for age in ages:
        keys.append(SigningKey.generate())
        file = directory / f"{keys[-1].kid}.pem"
        file.write_bytes(keys[-1].pem())
        file.chmod(0o600)
        os.utime(file, (now - age, now - age))
    return keys


def test_the_first_start_makes_a_key_that_only_its_owner_can_read(tmp_path: Path) -> None:
    directory = tmp_path / "var" / "keys"
    ring = load_or_create(directory)
    file = directory / f"{ring.current.kid}.pem"
    assert ring.current.algorithm is Algorithm.EDDSA
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_the_next_start_finds_the_same_key(tmp_path: Path) -> None:
    assert load_or_create(tmp_path / "keys").current.kid == load_or_create(tmp_path / "keys").current.kid


def test_the_newest_key_signs_and_the_older_ones_verify(tmp_path: Path) -> None:
    first = load_or_create(tmp_path / "keys").current
    second = KeyDirectory(tmp_path / "keys").rotate()
    third = KeyDirectory(tmp_path / "keys").rotate()
    ring = load_or_create(tmp_path / "keys")
    assert [key.kid for key in ring.keys] == [third.kid, second.kid, first.kid]


def test_a_new_key_signs_even_if_the_clock_went_back(tmp_path: Path) -> None:
    first = load_or_create(tmp_path / "keys").current
    later = 4_000_000_000
    os.utime(tmp_path / "keys" / f"{first.kid}.pem", (later, later))
    second = KeyDirectory(tmp_path / "keys").rotate()
    assert load_or_create(tmp_path / "keys").current.kid == second.kid


def test_a_key_file_of_another_kind_and_name_is_taken(tmp_path: Path) -> None:
    key = SigningKey.generate(Algorithm.ES256)
    file = tmp_path / "mine.pem"
    file.write_bytes(key.pem())
    file.chmod(0o400)
    assert load_or_create(tmp_path).current.kid == key.kid


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610])
def test_a_key_that_others_may_read_is_refused_with_the_way_to_mend_it(tmp_path: Path, mode: int) -> None:
    file = tmp_path / f"{load_or_create(tmp_path).current.kid}.pem"
    file.chmod(mode)
    with pytest.raises(KeyRefused, match=f"chmod 600 {file}"):
        load_or_create(tmp_path)


def test_a_directory_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    load_or_create(tmp_path)
    tmp_path.chmod(0o770)
    with pytest.raises(KeyRefused, match=f"chmod 700 {tmp_path}"):
        load_or_create(tmp_path)


def test_a_broken_key_file_is_named_and_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "broken.pem"
    file.write_text("-----BEGIN PRIVATE KEY-----\nQ2FuYXJ5\n-----END PRIVATE KEY-----\n")
    file.chmod(0o600)
    with pytest.raises(KeyRefused, match=r"broken\.pem") as refused:
        load_or_create(tmp_path)
    assert "Q2FuYXJ5" not in str(refused.value)


def test_what_a_process_left_that_died_while_writing_does_no_harm(tmp_path: Path) -> None:
    directory = tmp_path / "keys"
    directory.mkdir(mode=0o700)
    (directory / ".new").write_bytes(b"-----BEGIN PRI")
    kid = load_or_create(directory).current.kid
    assert {path.name for path in directory.iterdir()} == {".lock", f"{kid}.pem"}


def test_processes_that_start_at_once_end_up_with_the_same_key(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from gateroom.auth.key_files import load_or_create\n"
        "print('ready', flush=True); sys.stdin.readline(); print(load_or_create(Path(sys.argv[1])).current.kid)"
    )
    source = str(Path(gateroom.__path__[0]).parent)
    starting = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "keys")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": source},
        )
        for _ in range(4)
    ]
    try:
        for process in starting:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in starting:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        kids = {process.communicate(timeout=30)[0] for process in starting}
    finally:
        for process in starting:
            process.kill()
            process.wait()
    assert len(kids) == 1
    assert len(list((tmp_path / "keys").glob("*.pem"))) == 1


@pytest.mark.parametrize("mode", [0o500, 0o000])
def test_a_directory_that_cannot_be_used_is_named(tmp_path: Path, mode: int) -> None:
    """Root may write anywhere, so the directory is a file here, and below a file there is nothing."""
    (tmp_path / "file").touch(mode)
    for place in (tmp_path / "file", tmp_path / "file" / "keys"):
        with pytest.raises(KeyRefused, match="file"):
            KeyDirectory(place).rotate()
        with pytest.raises(KeyRefused, match="file"):
            KeyDirectory(place).keys()


# Rotation


def test_a_new_key_verifies_first_and_signs_when_every_process_has_seen_it(tmp_path: Path) -> None:
    clock = FrozenClock(BEGAN)
    directory = KeyDirectory(tmp_path, clock=clock)
    old, new = written(tmp_path, 3600, 0, now=BEGAN)
    assert directory.keys() == Keys(old, (new,))
    clock.advance(NOTICE)
    assert directory.changed() == Keys(new, (old,))
    assert directory.changed() is None


def test_an_old_key_verifies_until_its_last_token_has_expired(tmp_path: Path) -> None:
    clock = FrozenClock(BEGAN)
    old, new = written(tmp_path, 2 * LAST_TOKEN, LAST_TOKEN - 1, now=BEGAN)
    directory = KeyDirectory(tmp_path, clock=clock)
    assert directory.keys() == Keys(new, (old,))
    clock.advance(1)
    assert directory.changed() == Keys(new, retired=(old,))


def test_each_key_is_listed_with_what_it_is_good_for(tmp_path: Path) -> None:
    oldest, old, new = written(tmp_path, 3 * LAST_TOKEN, 2 * LAST_TOKEN, 60, now=BEGAN)
    listed = KeyDirectory(tmp_path, clock=FrozenClock(BEGAN)).listed()
    assert [(found.key, found.state, found.until) for found in listed] == [
        (new, KeyState.SIGNS, None),
        (old, KeyState.VERIFIES, BEGAN - 60 + LAST_TOKEN),
        (oldest, KeyState.RETIRED, BEGAN - LAST_TOKEN),
    ]
    assert [found.since for found in listed] == [BEGAN - 60, BEGAN - 2 * LAST_TOKEN, BEGAN - 3 * LAST_TOKEN]


def test_only_keys_retired_long_ago_are_pruned(tmp_path: Path) -> None:
    oldest, old, new = written(tmp_path, 3 * LAST_TOKEN, 2 * LAST_TOKEN, LAST_TOKEN, now=BEGAN)
    directory = KeyDirectory(tmp_path, clock=FrozenClock(BEGAN))
    assert directory.prune(LAST_TOKEN + 1) == []
    assert directory.prune(LAST_TOKEN) == [oldest.kid]
    assert directory.prune(0) == [old.kid]
    assert directory.prune(0) == []
    assert directory.keys() == Keys(new)


def test_a_key_that_leaked_is_removed_at_once_but_never_the_one_that_signs(tmp_path: Path) -> None:
    old, new = written(tmp_path, 120, 60, now=BEGAN)
    directory = KeyDirectory(tmp_path, clock=FrozenClock(BEGAN))
    directory.keys()
    with pytest.raises(KeyRefused, match="keys rotate"):
        directory.remove(new.kid)
    directory.remove(old.kid)
    assert directory.changed() == Keys(new)
    with pytest.raises(KeyRefused, match="keys list"):
        directory.remove("../keys")


@pytest.mark.parametrize("algorithm", [Algorithm.ES256, Algorithm.RS256])
def test_a_rotation_may_change_the_algorithm(tmp_path: Path, algorithm: Algorithm) -> None:
    directory = KeyDirectory(tmp_path)
    directory.keys()
    added = directory.rotate(algorithm)
    assert added.algorithm is algorithm
    assert stat.S_IMODE((tmp_path / f"{added.kid}.pem").stat().st_mode) == 0o600
    assert {key.algorithm for key in load_or_create(tmp_path).keys} == {Algorithm.EDDSA, algorithm}


def test_a_file_that_is_only_touched_changes_nothing(tmp_path: Path) -> None:
    directory = KeyDirectory(tmp_path, clock=FrozenClock(BEGAN))
    (key,) = written(tmp_path, 60, now=BEGAN)
    directory.keys()
    os.utime(tmp_path / f"{key.kid}.pem", (BEGAN - 30, BEGAN - 30))
    assert directory.changed() is None


def test_keys_that_vanish_are_a_complaint_and_no_reason_to_make_new_ones(tmp_path: Path) -> None:
    directory = KeyDirectory(tmp_path)
    kid = directory.keys().current.kid
    (tmp_path / f"{kid}.pem").unlink()
    with pytest.raises(KeyRefused, match="gone"):
        directory.changed()
    assert list(tmp_path.glob("*.pem")) == []


# Shared secrets


def test_a_configured_secret_signs_and_needs_no_file(tmp_path: Path) -> None:
    secret = SigningKey.from_secret(SECRET)
    directory = KeyDirectory(tmp_path / "keys", [secret])
    assert directory.keys() == Keys(secret)
    assert not (tmp_path / "keys").exists()
    with pytest.raises(KeyRefused, match=r"auth\.previous_hmac_secret"):
        directory.rotate()


def test_what_signed_before_a_secret_was_configured_still_verifies(tmp_path: Path) -> None:
    (key,) = written(tmp_path, 60, now=BEGAN)
    secrets = [SigningKey.from_secret(SECRET), SigningKey.from_secret(OTHER_SECRET)]
    directory = KeyDirectory(tmp_path, secrets, FrozenClock(BEGAN))
    assert directory.keys() == Keys(secrets[0], (secrets[1], key))
    assert [found.state for found in directory.listed()] == [KeyState.SIGNS, KeyState.VERIFIES, KeyState.VERIFIES]
