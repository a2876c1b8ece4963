"""The README's commands do what it says: they are run as written, against a server started as it says."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.gateway import RunningGateway, running_gateway

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DEADLINE = 60  # seconds
PUT_THERE = "http://127.0.0.1:8000"  # where the README's server is


def blocks(section: str) -> list[tuple[str, str]]:
    """Return the fenced blocks of a section, each with its language."""
    text = README.split(f"\n## {section}\n")[1].split("\n## ")[0]
    return re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL)


@pytest.fixture(scope="module")
def gateway() -> Iterator[RunningGateway]:
    with running_gateway(demo=True) as running:
        yield running


@pytest.mark.parametrize("section", ["The main job", "Stay logged in, and log out"])
def test_the_commands_print_what_the_readme_shows(gateway: RunningGateway, section: str) -> None:
    shown = blocks(section)
    script = "set -euo pipefail\n" + "".join(text for language, text in shown if language == "sh")
    script = script.replace("PASSWORD='…'", f"PASSWORD='{gateway.passwords['alice']}'")
    script = script.replace(PUT_THERE, gateway.url).replace("ws://127.0.0.1:8000", gateway.ws_url)
    script = script.replace(".venv/bin/python", sys.executable)
    done = subprocess.run(["bash"], input=script, capture_output=True, text=True, timeout=DEADLINE, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    promised = [json.loads(line) for language, text in shown if language == "json" for line in text.splitlines()]
    # A reply and a message may come in either order (contract, section 4).
    assert sorted(map(shape, printed)) == sorted(map(shape, promised))


def test_the_application_in_the_readme_starts_and_serves(tmp_path: Path) -> None:
    [(_, program)] = [block for block in blocks("In your own application") if block[0] == "python"]
    check = """
from starlette.testclient import TestClient
with TestClient(app, base_url="http://127.0.0.1") as client:
    form = {"grant_type": "password", "username": "admin", "password": "a password for tests only"}
    token = client.post("/auth/token", data=form).json()["access_token"]
    print(client.get("/orders", headers={"Authorization": f"Bearer {token}"}).json())
    with client.websocket_connect(f"/echo?token={token}") as socket:
        socket.send_text("hello")
        print(socket.receive_text())
"""
    program = program.replace(
        '{"data_dir": "var"}', '{"data_dir": "var"}, auth={"admin_password": "a password for tests only"}'
    )
    done = subprocess.run(
        [sys.executable, "-"], input=program + check, capture_output=True, text=True, timeout=DEADLINE, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == ["{'for': 'admin'}", "admin said hello"]


def test_every_file_and_command_the_readme_names_exists() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
    listed = subprocess.run(
        [sys.executable, "-m", "gateroom", "--help"], capture_output=True, text=True, timeout=DEADLINE, cwd=ROOT
    ).stdout
    for command in re.findall(r"`gateroom ([a-z-]+)", README):
        assert command in listed


def shape(value: object) -> str:
    """Return what stays the same from run to run: names and types."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {shape(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(shape, value)) + "]"
    return type(value).__name__
