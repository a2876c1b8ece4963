"""A throw-away PostgreSQL server for the tests, which leaves nothing behind."""

import os
import pwd
import re
import shutil
import socket
import subprocess
import threading
from collections import deque
from pathlib import Path
from typing import IO
from uuid import uuid4

STARTUP = 60.0  # seconds

_READY = b"database system is ready to accept connections"
# Nothing here has to survive anything.
_RECKLESS = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "autovacuum=off")
_EMPTY = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid();
DROP SCHEMA public CASCADE;
CREATE SCHEMA public
"""


class PostgresServer:
    """A running private cluster that trusts whoever comes by loopback."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        """Create the cluster in `folder`, with the programs in `binaries`, and start it. Raises `RuntimeError` with the
        server's last words."""
        self._binaries = binaries
        self._folder = folder
        self._spare: list[str] = []  # empty databases
        self._log: deque[bytes] = deque(maxlen=30)
        self._ready = threading.Event()
        self._make_cluster()
        self.port = _free_port()
        self._process = self._start()
        log = self._process.stderr
        assert log is not None
        self._reader = threading.Thread(target=self._read, args=(log,), daemon=True)
        self._reader.start()
        if not self._ready.wait(STARTUP) or self._process.poll() is not None:
            self.stop()
            raise RuntimeError(b"".join(self._log).decode(errors="replace"))

    def url(self, database: str) -> str:
        """Return the URL of `database` on this server."""
        return f"postgresql://gateroom@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str, database: str = "postgres") -> str:
        """Run one statement as the superuser and return its rows as text."""
        quiet = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
        where = ["-h", str(self._folder), "-p", str(self.port), "-U", "gateroom", "-d", database]
        command = [str(self._binaries / "psql"), *quiet, *where, "-c", statement]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=STARTUP).stdout.strip()

    def lend(self) -> str:
        """Return the name of an empty database; making one takes ten times as long as emptying one."""
        if self._spare:
            return self._spare.pop()
        name = f"test_{uuid4().hex}"
        self.execute(f"CREATE DATABASE {name}")
        return name

    def take_back(self, name: str) -> None:
        """Empty a database that was lent, ending what is still connected to it; one that was dropped is forgotten."""
        try:
            self.execute(_EMPTY, name)
        except subprocess.CalledProcessError:
            return
        self._spare.append(name)

    def stop(self) -> None:
        """End the server at once."""
        self._process.terminate()
        try:
            self._process.wait(STARTUP)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()

    def _make_cluster(self) -> None:
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(self._folder, owner.pw_uid, owner.pw_gid)
        options = ["-U", "gateroom", "--auth=trust", "--no-sync", "--no-instructions", "-E", "UTF8", "--locale=C.UTF-8"]
        initdb = str(self._binaries / "initdb")
        version = subprocess.run([initdb, "--version"], check=True, capture_output=True, text=True, timeout=STARTUP)
        if int(re.findall(r"\d+", version.stdout)[0]) >= 15:
            # An order of letters that is not the code points': who relies on the locale is found out.
            options += ["--locale-provider=icu", "--icu-locale=en-US"]
        command = [*_as_owner(), initdb, *options, "-D", str(self._folder / "data")]
        made = subprocess.run(command, cwd=self._folder, capture_output=True, text=True, timeout=STARTUP, check=False)
        if made.returncode:
            raise RuntimeError(made.stdout + made.stderr)

    def _start(self) -> subprocess.Popen[bytes]:
        settings = [
            f"port={self.port}",
            "listen_addresses=127.0.0.1",
            f"unix_socket_directories={self._folder}",
            "shared_buffers=16MB",
            *_RECKLESS,
        ]
        options = [part for setting in settings for part in ("-c", setting)]
        command = [str(self._binaries / "postgres"), "-D", str(self._folder / "data"), *options]
        return subprocess.Popen([*_as_owner(), *command], cwd=self._folder, stderr=subprocess.PIPE)

    def _read(self, log: IO[bytes]) -> None:
        with log:
            for line in log:
                self._log.append(line)
                if _READY in line:
                    self._ready.set()
        self._ready.set()  # it ended; whoever waits looks at the process


def _as_owner() -> list[str]:
    """Return the words before a command that has to run as an ordinary user, and to end with this process."""
    words = ["setpriv", "--pdeathsig", "INT"] if shutil.which("setpriv") else []
    if os.geteuid() == 0:
        return [*words, "--reuid=postgres", "--regid=postgres", "--init-groups"]
    return words


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
