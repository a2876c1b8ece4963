"""Becomes another program on one core, with every file descriptor it may have, that ends when its parent does.

    python launch.py CORE PROGRAM ARGUMENTS…

A step of its own, since what is done between fork and exec in a process with threads may hang.
"""

import ctypes
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1  # prctl(2); it outlives exec

if __name__ == "__main__":
    core, *command = sys.argv[1:]
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    os.sched_setaffinity(0, {int(core)})
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    os.execvp(command[0], command)  # noqa: S606 - without a shell is how it should be
