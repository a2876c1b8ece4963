"""The programs in `examples/`, each run as its first lines say, and used as a person would."""

import contextlib
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx2 as httpx
import pytest
from playwright.sync_api import Browser, Page

from support.browser import running_chromium
from support.secrecy import leaks_in
from support.tree import ROOT
from support.visitors import Refused, refused, visiting

EXAMPLES = ROOT / "examples"
PROGRAMS = sorted(path.stem for path in EXAMPLES.glob("*.py") if not path.stem.startswith("test_"))
# Lines of FastAPI's own three WebSocket tutorials; rooms go on from the last of them.
COPIED_LINES = {"echo": 51, "items": 92, "broadcast": 82, "rooms": 82}
HTTP, WS = "gateroom.server.http_protocol:HttpProtocol", "gateroom.server.frame_protocol:FrameProtocol"
PATIENCE = 30.0  # seconds


@dataclass(frozen=True, slots=True)
class Running:
    """A program that serves: where, and the passwords that it printed."""

    process: subprocess.Popen[str]
    port: int
    passwords: dict[str, str]
    output: list[str]  # lines so far

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def token(self, name: str) -> str:
        form = {"grant_type": "password", "username": name, "password": self.passwords[name]}
        token = httpx.post(f"{self.url}/auth/token", data=form).json()["access_token"]
        assert isinstance(token, str)
        return token

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)


def command_of(program: str) -> list[str]:
    """Return the words of the command that the program's first lines give."""
    text = (EXAMPLES / f"{program}.py").read_text(encoding="utf-8")
    found = re.search(r"^    uvicorn --app-dir examples (\w+:app)$", text, re.MULTILINE)
    assert found, f"{program}.py does not say how to run it"
    return ["uvicorn", "--app-dir", str(EXAMPLES), found[1]]


@contextlib.contextmanager
def running(program: str, folder: Path, port: int = 0) -> Iterator[Running]:
    """Run a program in a folder, where it keeps its data; end it with the block."""
    words = [sys.executable, "-m", *command_of(program), "--port", str(port), "--http", HTTP, "--ws", WS]
    process = subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        served = wait_until_it_serves(process)
        yield served
    finally:
        process.kill()
        process.wait(PATIENCE)
        if process.stdout:
            process.stdout.close()
    assert leaks_in(served.output) == []


def wait_until_it_serves(process: subprocess.Popen[str]) -> Running:
    lines: queue.Queue[str] = queue.Queue()
    said: list[str] = []

    def read() -> None:
        assert process.stdout
        with contextlib.suppress(ValueError):  # closed at the end
            for line in process.stdout:
                said.append(line)
                lines.put(line)
        lines.put("")

    threading.Thread(target=read, daemon=True).start()
    passwords: dict[str, str] = {}
    while line := lines.get(timeout=PATIENCE):
        if account := re.fullmatch(r"(admin|alice|bob|carol): (\S+)\n", line):
            passwords[account[1]] = account[2]
        if address := re.search(r"Uvicorn running on http://127\.0\.0\.1:(\d+)", line):
            return Running(process, int(address[1]), passwords, said)
    raise AssertionError("it did not start:\n" + "".join(said))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with running_chromium() as browser:
        yield browser


@contextlib.contextmanager
def page_of(browser: Browser, program: Running, path: str, name: str) -> Iterator[Page]:
    """Open the program's page in a browser of its own, and log in there."""
    context = browser.new_context()
    context.set_default_timeout(15_000)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(program.url + path)
    page.fill("#login [name=username]", name)
    page.fill("#login [name=password]", program.passwords[name])
    page.click("#login button")
    try:
        yield page
        assert errors == []
    finally:
        context.close()


def says(page: Page, text: str) -> None:
    page.fill("#say [name=text]", text)
    page.click("#say button")


def sees(page: Page, text: str) -> None:
    """Wait until a line says exactly that."""
    page.locator("#log li").get_by_text(text, exact=True).first.wait_for()


def lines_on(page: Page) -> list[str]:
    return page.locator("#log li").all_inner_texts()


def test_every_program_is_listed_and_short() -> None:
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert HTTP in readme
    assert WS in readme
    listed = re.findall(r"\[(\w+)\.py\]", readme)
    assert sorted(listed) == sorted([*PROGRAMS, "test_tutorial"])
    assert set(PROGRAMS) == set(COPIED_LINES)
    for program, copied in COPIED_LINES.items():
        lines = (EXAMPLES / f"{program}.py").read_text(encoding="utf-8").count("\n")
        assert lines < copied, program


def test_echo_answers_who_has_logged_in(tmp_path: Path, chromium: Browser) -> None:
    with running("echo", tmp_path) as program:
        assert_refuses_strangers(program, "/echo")
        with visiting(program.ws_url, f"/echo?token={program.token('alice')}") as visitor:
            visitor.send("hello")
            assert visitor.text() == "Message text was: hello"
        with page_of(chromium, program, "/", "bob") as page:
            sees(page, "Connected")
            says(page, "<b>hello</b>")
            sees(page, "Message text was: <b>hello</b>")


def test_items_knows_the_item_the_query_and_the_person(tmp_path: Path) -> None:
    with running("items", tmp_path) as program:
        token = program.token("alice")
        assert_refuses_strangers(program, "/items/foo/ws?q=3")
        with visiting(program.ws_url, f"/items/foo%20bar/ws?q=3&token={quote(token)}") as visitor:
            visitor.send("hello")
            said = [visitor.text() for _ in range(3)]
            assert said == ["You are alice", "Query parameter q is: 3", "Message text was: hello, for item ID: foo bar"]
        cookie = {"Cookie": f"gateroom_access={token}", "Origin": program.url}
        with visiting(program.ws_url, "/items/foo/ws", headers=cookie) as visitor:
            visitor.send("hello")
            assert [visitor.text(), visitor.text()] == ["You are alice", "Message text was: hello, for item ID: foo"]


def test_broadcast_reaches_everybody(tmp_path: Path, chromium: Browser) -> None:
    with running("broadcast", tmp_path) as program:
        assert_refuses_strangers(program, "/ws/rooms/lobby")
        with page_of(chromium, program, "/", "alice") as first:
            sees(first, "You are alice")
            with page_of(chromium, program, "/", "bob") as second:
                sees(first, "bob joined the chat")
                sees(second, "You are bob")
                says(first, "hello <script>")
                sees(first, "You wrote: hello <script>")
                sees(second, "alice says: hello <script>")
            sees(first, "bob left the chat")
        program.passwords["alice"] = "wrong password"
        with page_of(chromium, program, "/", "alice") as page:
            sees(page, "The username or the password is wrong.")


def test_rooms_are_private_and_outlive_the_server(tmp_path: Path, chromium: Browser) -> None:
    with contextlib.ExitStack() as stack:
        program = stack.enter_context(running("rooms", tmp_path))
        alice = stack.enter_context(page_of(chromium, program, "/rooms/den", "alice"))
        sees(alice, "You are in")
        bob = stack.enter_context(page_of(chromium, program, "/rooms/den", "bob"))
        sees(bob, "This is not allowed.")
        alice.fill("#invite [name=username]", "bob")
        alice.click("#invite button")
        sees(alice, "bob may come in")
        bob.close()
        bob = stack.enter_context(page_of(chromium, program, "/rooms/den", "bob"))
        sees(bob, "You are in")
        says(alice, "hello")
        sees(bob, "alice: hello")
        program.stop()
        sees(alice, "Closed: restarting")
        sees(bob, "Closed: restarting")
        stack.enter_context(running("rooms", tmp_path, program.port))
        for page in (alice, bob):  # by themselves: rooms, memberships and messages are in the database
            page.locator("#log li").get_by_text("You are in", exact=True).nth(1).wait_for()
        says(bob, "still here")
        sees(alice, "bob: still here")
        assert lines_on(alice).count("alice: hello") == 1


def assert_refuses_strangers(program: Running, path: str) -> None:
    """None of the programs lets anyone in who only claims to be somebody."""
    joint = "&" if "?" in path else "?"
    assert told(refused(program.ws_url, path)) == (403, "missing_token")
    assert told(refused(program.ws_url, f"{path}{joint}token=anything")) == (403, "invalid_token")
    cookie = {"Cookie": f"gateroom_access={program.token('alice')}", "Origin": "https://evil.example"}
    assert told(refused(program.ws_url, path, headers=cookie)) == (403, "origin_not_allowed")


def told(answer: Refused) -> tuple[int, str]:
    return answer.status, answer.code


def test_the_tutorials_tests_pass_where_they_are_copied_to(tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / "test_tutorial.py", tmp_path)
    # pytest-asyncio asks for a setting, which nobody needs for these tests.
    words = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "-p", "no:asyncio"]
    ran = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout
    assert "5 passed" in ran.stdout
