"""The `gateroom` command as a process of its own, forked from one that has imported it already: that takes a second."""

import json
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.secrecy import leaks_in

PATIENCE = 30.0  # seconds that a command may take

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["gateroom.cli.main"])


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended, and what it said."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def sentence(self) -> str:
        """The one line that says what is wrong; log lines may stand before it, but no traceback."""
        assert "Traceback" not in self.err, self.err
        (line,) = [line for line in self.err.splitlines() if line.startswith("gateroom: ")]
        return line.removeprefix("gateroom: ")


def run_cli(
    *args: str | Path, stdin: str = "", environment: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Ran:
    """Run `gateroom` with these arguments and no settings but those of `environment`.

    Raises `TimeoutError` when it does not end.
    """
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        (scratch / "in").write_text(stdin)
        words = [str(arg) for arg in args]
        process = _processes.Process(target=_run, args=(words, scratch, cwd or scratch, dict(environment or {})))
        process.start()
        process.join(PATIENCE)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise TimeoutError(f"gateroom {words} did not end")
        ran = Ran(process.exitcode, (scratch / "out").read_text(), (scratch / "err").read_text())
        assert leaks_in(ran.err.splitlines()) == []  # what a command is asked for is on stdout
        return ran


def _run(words: list[str], scratch: Path, cwd: Path, environment: dict[str, str]) -> None:
    from gateroom.cli.main import main

    for number, name, flags in ((0, "in", os.O_RDONLY), (1, "out", os.O_WRONLY), (2, "err", os.O_WRONLY)):
        opened = os.open(scratch / name, flags | os.O_CREAT, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115 - until the process ends
    os.chdir(cwd)
    for name in [name for name in os.environ if name.startswith("GATEROOM_")]:
        del os.environ[name]
    os.environ.update(environment)
    sys.argv = ["gateroom", *words]
    main()
