"""Runs a Python module or script under cProfile, which SIGUSR1 switches on, and SIGUSR2 off and written to a file.

    python -m gateroom.bench.profiled OUT -m MODULE ARGUMENTS…
    python -m gateroom.bench.profiled OUT SCRIPT ARGUMENTS…

Only what happens between the two signals is counted, so that neither start-up nor handshakes hide the message path.
Garbage is not collected meanwhile: a collection would be charged to whichever function happened to set it off.
"""

import cProfile
import gc
import os
import runpy
import signal
import sys
from pathlib import Path
from types import CodeType, FrameType

import msgspec


class Calls(msgspec.Struct):
    """How often one function was called, and the seconds spent in itself, not in what it called."""

    function: str
    calls: int
    seconds: float


def _name(code: CodeType | str) -> str:
    """Name a function by the end of its path, as short as it can be found by."""
    if isinstance(code, str):
        return code.strip("<>")  # one that is not written in Python
    return f"{'/'.join(Path(code.co_filename).parts[-3:])}:{code.co_firstlineno} {code.co_qualname}"


def main() -> None:
    """Run the program that the arguments name, with the two signals in place."""
    out, target = Path(sys.argv[1]), sys.argv[2:]
    profiler = cProfile.Profile()

    def begin(number: int, frame: FrameType | None) -> None:
        gc.disable()
        profiler.enable()

    def finish(number: int, frame: FrameType | None) -> None:
        profiler.disable()
        gc.enable()
        calls = [Calls(_name(entry.code), entry.callcount, entry.inlinetime) for entry in profiler.getstats()]
        unfinished = out.with_suffix(".part")
        unfinished.write_bytes(msgspec.json.encode(calls))
        unfinished.rename(out)  # whoever waits for the file finds it whole

    signal.signal(signal.SIGUSR1, begin)
    signal.signal(signal.SIGUSR2, finish)
    if target[0] == "-m":
        sys.argv = target[1:]
        runpy.run_module(target[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = target
        sys.path.insert(0, os.path.dirname(target[0]))
        runpy.run_path(target[0], run_name="__main__")


if __name__ == "__main__":
    main()
