"""What other programs may do to a SQLite file while Gateroom has it open."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path


@contextmanager
def write_lock(file: Path) -> Iterator[None]:
    """Hold the write lock, as another process would."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def backup(file: Path) -> Path:
    """Copy a database as it is now; returns the copy."""
    copy = file.with_name("backup.db")
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    return copy


def restore(copy: Path, file: Path) -> None:
    """Put a copy in the place of a database."""
    for leftover in ("-wal", "-shm"):
        file.with_name(f"{file.name}{leftover}").unlink(missing_ok=True)
    copy.rename(file)


def modes(folder: Path) -> dict[str, int]:
    """Return who may do what with each file (POSIX permission bits)."""
    return {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
