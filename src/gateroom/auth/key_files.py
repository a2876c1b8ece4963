"""The keys in the data directory: one PEM file each, whose age says what it is good for."""

import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from gateroom.auth.claims import MAX_LEEWAY, MAX_LIFETIME
from gateroom.auth.keys import Algorithm, KeyRefused, KeyRing, Keys, SigningKey
from gateroom.auth.ports import Clock

# Seconds for which a new key verifies before it signs, so that every process and machine has seen it by then.
NOTICE = 2.0
# Seconds after which the last token of a key that signs no more has expired, whatever `auth.access_ttl` was.
LAST_TOKEN = MAX_LIFETIME + MAX_LEEWAY + 60.0

_Marks = tuple[tuple[str, int, int, int], ...]


class KeyState(StrEnum):
    """What a key is good for."""

    SIGNS = "signs"
    VERIFIES = "verifies"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key in its file. Times are in seconds since the epoch.

    `since` is when the file was written; `until` is when the last token of the key has expired, None for the newest.
    """

    file: Path
    key: SigningKey
    since: float
    until: float | None


@dataclass(frozen=True, slots=True)
class ListedKey:
    """A key as an operator sees it; times as in `StoredKey`, None where there is no file or no end."""

    key: SigningKey
    state: KeyState
    since: float | None = None
    until: float | None = None


class KeyDirectory:
    """Reads and writes the keys of one data directory; every method blocks, and raises `KeyRefused`."""

    def __init__(self, directory: Path, secrets: Sequence[SigningKey] = (), clock: Clock = time.time) -> None:
        """`secrets` are shared secrets from the configuration: the first of them signs, whatever files there are."""
        self._directory = directory
        self._secrets = tuple(secrets)
        self._clock = clock
        self._seen: _Marks | None = None
        self._stored: list[StoredKey] = []
        self._given: Keys | None = None

    def keys(self) -> Keys:
        """Return the keys in force; make an Ed25519 key first when there is none at all.

        Processes that start at once end up with the same key. Refused are files that others may read, a directory
        that others may write to, and what is not a key.
        """
        self._read()
        if not self._stored and not self._secrets:
            with _locked(self._directory):
                if not self.stored():
                    _store(self._directory, Algorithm.EDDSA)
            self._read()
        self._given = self._judge(self._stored)
        return self._given

    def changed(self) -> Keys | None:
        """Return the keys in force when they are others than those returned last, else None."""
        if self._marks() != self._seen:
            self._read()
        if not self._stored and not self._secrets:
            raise KeyRefused(f"The keys in {self._directory} are gone; those in memory stay in force until a restart")
        before, self._given = self._given, self._judge(self._stored)
        return None if self._given == before else self._given

    def _read(self) -> None:
        marks = self._marks()  # first: what changes while it is read is seen again
        self._stored = self.stored()
        self._seen = marks

    def stored(self) -> list[StoredKey]:
        """Return the keys that have files, the newest first."""
        with _refusing(self._directory):
            if not self._directory.is_dir():
                return []
            if self._directory.stat().st_mode & 0o022:
                mend = f"mend it with: chmod 700 {self._directory}"
                raise KeyRefused(f"Others may write to {self._directory} and plant a key; {mend}")
            aged = [(*_load_file(file), file) for file in self._directory.glob("*.pem")]
        found: list[StoredKey] = []
        for changed, key, file in sorted(aged, key=lambda entry: (entry[0], entry[2].name), reverse=True):
            until = found[-1].since + LAST_TOKEN if found else None
            found.append(StoredKey(file, key, changed / 1e9, until))
        return found

    def listed(self) -> list[ListedKey]:
        """Return every key with what it is good for, the one that signs first."""
        if not (stored := self.stored()) and not self._secrets:
            return []
        keys = self._judge(stored)

        def state(key: SigningKey) -> KeyState:
            if key == keys.current:
                return KeyState.SIGNS
            return KeyState.VERIFIES if key in keys.others else KeyState.RETIRED

        secrets = [ListedKey(key, state(key)) for key in self._secrets]
        return secrets + [ListedKey(found.key, state(found.key), found.since, found.until) for found in stored]

    def rotate(self, algorithm: Algorithm = Algorithm.EDDSA) -> SigningKey:
        """Add a new key; it signs after a moment, older ones verify until their last token has expired."""
        if self._secrets:
            raise KeyRefused(
                "auth.hmac_secret signs; to rotate it, move it to auth.previous_hmac_secret and set a new one"
            )
        with _locked(self._directory):
            self.stored()  # what is wrong there is said before anything is added
            return _store(self._directory, algorithm)

    def remove(self, kid: str) -> None:
        """Delete a key at once: its tokens, and what was derived from it, are dead. The newest one stays."""
        with _locked(self._directory):
            stored = self.stored()
            found = next((each for each in stored if each.key.kid == kid), None)
            if found is None:
                raise KeyRefused("There is no key file with this id; see `gateroom keys list`")
            if found is stored[0] and not self._secrets:
                raise KeyRefused("The newest key signs; add another first with `gateroom keys rotate`")
            self._delete([found])

    def prune(self, age: float) -> list[str]:
        """Delete the keys that have been retired for at least `age` seconds; return their ids."""
        with _locked(self._directory):
            gone = [key for key in self.stored() if key.until is not None and key.until + age <= self._clock()]
            self._delete(gone)
        return [each.key.kid for each in gone]

    def _delete(self, keys: Sequence[StoredKey]) -> None:
        for each in keys:
            each.file.unlink(missing_ok=True)
        _sync(self._directory)

    def _judge(self, stored: Sequence[StoredKey]) -> Keys:
        now = self._clock()
        believed = [found.key for found in stored if found.until is None or now < found.until]
        retired = tuple(found.key for found in stored if found.until is not None and now >= found.until)
        if self._secrets:
            return Keys(self._secrets[0], (*self._secrets[1:], *believed), retired)
        # A file from the future is no reason to wait: a clock was wrong when it was written, or is wrong now.
        ready = [found.key for found in stored if abs(now - found.since) >= NOTICE and found.key in believed]
        current = ready[0] if ready else believed[0]
        return Keys(current, tuple(key for key in believed if key != current), retired)

    def _marks(self) -> _Marks:
        """Return what tells from outside whether any file was added, changed or removed."""
        try:
            with os.scandir(self._directory) as entries:
                found = [(entry.name, entry.stat()) for entry in entries if entry.name.endswith(".pem")]
            mode = self._directory.stat().st_mode
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise _refused(self._directory, error) from None
        return tuple(sorted((name, status.st_mtime_ns, status.st_mode, mode) for name, status in found))


def load_or_create(directory: Path) -> KeyRing:
    """Return a ring of the keys in `directory`, which are made first when there are none. Raises `KeyRefused`."""
    return ring_of(KeyDirectory(directory).keys())


def ring_of(keys: Keys) -> KeyRing:
    return KeyRing(keys.current, *keys.others, retired=keys.retired)


def _refused(directory: Path, error: OSError) -> KeyRefused:
    return KeyRefused(f"{error.filename or directory}: {error.strerror or 'it cannot be used'}")


@contextmanager
def _refusing(directory: Path) -> Iterator[None]:
    """Say what the system refuses as `KeyRefused`."""
    try:
        yield
    except OSError as error:
        raise _refused(directory, error) from None


def _load_file(file: Path) -> tuple[int, SigningKey]:
    """Return when `file` was last changed, in nanoseconds, and its key."""
    with file.open("rb") as opened:
        status = os.fstat(opened.fileno())
        if status.st_mode & 0o077:
            raise KeyRefused(f"Others may read the key {file}; mend it with: chmod 600 {file}")
        pem = opened.read()
    try:
        return status.st_mtime_ns, SigningKey.from_pem(pem)
    except KeyRefused as refused:
        raise KeyRefused(f"{file}: {refused}") from None


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Make the directory if need be, and be the only process that adds or removes a key."""
    with _refusing(directory):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # Held for one small file at most, and let go by the system when its holder dies.
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def _store(directory: Path, algorithm: Algorithm) -> SigningKey:
    """Write a new key so that no reader ever sees a part of it; under the lock only."""
    key = SigningKey.generate(algorithm)
    unfinished = directory / ".new"
    unfinished.unlink(missing_ok=True)  # of a process that died here
    with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as opened:
        opened.write(key.pem())
        opened.flush()
        # Younger than every other key even if the clock is coarse or went back, since the newest signs.
        newest = max((file.stat().st_mtime_ns for file in directory.glob("*.pem")), default=0)
        if os.fstat(opened.fileno()).st_mtime_ns <= newest:
            os.utime(opened.fileno(), ns=(newest + 1, newest + 1))
        os.fsync(opened.fileno())
    unfinished.rename(directory / f"{key.kid}.pem")
    _sync(directory)
    return key


def _sync(directory: Path) -> None:
    """Make the change of names in `directory` survive a loss of power."""
    opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
