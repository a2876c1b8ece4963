"""The servers that are compared: how each is made ready to run, started, and asked for credentials."""

import http.client
import os
import secrets
import shutil
import subprocess
import sys
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import msgspec

from gateroom.bench import CannotMeasure

_HERE = Path(__file__).parent
_SERVERS = _HERE / "servers"
_NPM_SECONDS = 120
_CC_SECONDS = 60
_LOGIN_SECONDS = 30


class LeftOut(Exception):
    """A peer cannot run on this machine; says what it would take."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Access tokens, each a different one: `granted` by the server itself, `foreign` signed by another process.

    None, where nobody asks for any.
    """

    granted: Sequence[str] = ()
    foreign: Sequence[str] = ()


def _no_tokens(port: int, wanted: int) -> Tokens:
    return Tokens()


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to start a server that prints `ready on http://127.0.0.1:PORT`; `tokens` gets credentials once it runs."""

    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    tokens: Callable[[int, int], Tokens] = _no_tokens


@dataclass(frozen=True, slots=True)
class Peer:
    """One server of the comparison. `recipe` is given a directory of its own; it may raise LeftOut."""

    name: str
    wire: str
    recipe: Callable[[Path], Recipe]


def _gateroom(directory: Path) -> Recipe:
    password = secrets.token_urlsafe(24)
    gateroom = [sys.executable, "-m", "gateroom"]
    where = ["--config", str(_HERE / "profile.toml"), "--data-dir", str(directory)]

    def tokens(port: int, wanted: int) -> Tokens:
        mint = [*gateroom, "token", "mint", "admin", "--count", str(wanted), *where]
        return Tokens(_access_tokens(port, password, wanted), _run(mint, _LOGIN_SECONDS).split())

    return Recipe([*gateroom, "serve", "--port", "0", *where], {"GATEROOM_AUTH__ADMIN_PASSWORD": password}, tokens)


class _Granted(msgspec.Struct):
    access_token: str
    refresh_token: str | None = None


def _access_tokens(port: int, password: str, wanted: int) -> list[str]:
    """Get so many different access tokens: by refreshing, or where there is nothing to refresh, by new logins."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_LOGIN_SECONDS)
    login = {"grant_type": "password", "username": "admin", "password": password}
    tokens: list[str] = []
    form = login
    try:
        while len(tokens) < wanted:
            granted = _grant(connection, form)
            tokens.append(granted.access_token)
            if granted.refresh_token is not None:
                form = {"grant_type": "refresh_token", "refresh_token": granted.refresh_token}
    finally:
        connection.close()
    return tokens


def _grant(connection: http.client.HTTPConnection, form: Mapping[str, str]) -> _Granted:
    """Ask the token endpoint (RFC 6749 sections 4.3 and 6)."""
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/auth/token", urllib.parse.urlencode(form), kind)
    response = connection.getresponse()
    body = response.read()
    if response.status != 200:
        raise CannotMeasure(f"POST /auth/token answered {response.status}: {body[:200].decode('utf-8', 'replace')}")
    return msgspec.json.decode(body, type=_Granted)


def _on_uvicorn(module: str) -> Recipe:
    return Recipe(command=[sys.executable, str(_SERVERS / "on_uvicorn.py"), module])


def _python_socketio(directory: Path) -> Recipe:
    if find_spec("socketio") is None:
        raise LeftOut("python-socketio is not installed: pip install gateroom[bench]")
    return _on_uvicorn("python_socketio")


def _socket_io(directory: Path) -> Recipe:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise LeftOut("there is no node with npm on this machine")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gateroom" / "bench"
    modules = cache / "node_modules"
    if not (modules / "socket.io").is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        _run([npm, "install", "--no-audit", "--no-fund", "--prefix", str(cache), "socket.io@4"], _NPM_SECONDS)
    return Recipe(command=[node, str(_SERVERS / "socket_io.js")], environment={"NODE_PATH": str(modules)})


def _c_loop(directory: Path) -> Recipe:
    cc = shutil.which("cc")
    if cc is None:
        raise LeftOut("there is no C compiler (cc) on this machine")
    program = directory / "c_loop"
    _run([cc, "-O2", "-o", str(program), str(_SERVERS / "c_loop.c")], _CC_SECONDS)
    return Recipe(command=[str(program)])


def _run(command: Sequence[str], seconds: float) -> str:
    """Return what a program prints. Raises LeftOut where it fails or takes too long."""
    try:
        done = subprocess.run(command, check=True, capture_output=True, timeout=seconds)  # noqa: S603 - no input in it
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode("utf-8", "replace").strip().splitlines()
        raise LeftOut(f"{Path(command[0]).name} failed: {lines[-1] if lines else error.returncode}") from error
    except subprocess.TimeoutExpired:
        raise LeftOut(f"{Path(command[0]).name} took more than {seconds:.0f} s") from None
    return done.stdout.decode()


TUTORIAL = "tutorial"  # what everything is compared with

PEERS: Mapping[str, Peer] = {
    peer.name: peer
    for peer in (
        Peer("gateroom", "gateroom", _gateroom),
        Peer(TUTORIAL, "echo", lambda directory: _on_uvicorn("tutorial")),
        Peer("python-socketio", "socketio", _python_socketio),
        Peer("socket.io", "socketio", _socket_io),
        Peer("c-loop", "echo", _c_loop),
    )
}
