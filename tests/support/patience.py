"""Waiting for what can only be looked at, never waited on: another process's counters, memory and files."""

import threading
import time
from collections.abc import Callable

PATIENCE = 10.0  # seconds
_PACE = 0.02  # seconds between two looks


def until(happened: Callable[[], bool], what: str | Callable[[], str], patience: float = PATIENCE) -> None:
    """Look again and again until it has happened. Raises `TimeoutError` saying `what` did not."""
    deadline, pause = time.monotonic() + patience, threading.Event()
    while not happened():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {patience:g} s: {what if isinstance(what, str) else what()}")
        pause.wait(_PACE)
