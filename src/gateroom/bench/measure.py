"""What a server process costs, from the operating system's own accounts (Linux)."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

_PROC = Path("/proc")
_CPUCLOCK_SCHED = 2  # with the complement of a pid above it: that process's CPU clock, see clock_getcpuclockid(3)


def tree(pid: int) -> Sequence[int]:
    """Return the process and all its living descendants."""
    found = [pid]
    for parent in found:
        for children in _PROC.glob(f"{parent}/task/*/children"):
            found.extend(map(int, children.read_text().split()))
    return found


def cpu_seconds(pid: int) -> float:
    """Return the CPU time, in seconds, that the process tree has used so far, user and system, to the nanosecond."""
    return sum(time.clock_gettime((~member << 3) | _CPUCLOCK_SCHED) for member in tree(pid))


def memory_bytes(pid: int) -> int:
    """Return the memory of the process tree in bytes, shared pages by their share (PSS)."""
    return sum(_pss(member) for member in tree(pid))


def _pss(pid: int) -> int:
    for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def open_files(pid: int) -> int:
    """Return how many file descriptors the process tree holds."""
    return sum(len(os.listdir(_PROC / str(member) / "fd")) for member in tree(pid))
