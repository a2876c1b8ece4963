"""Chromium for the tests, and the console as a person handles it."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Locator, Page, sync_playwright

from support.require import require_tool

DEADLINE = 15_000  # milliseconds that anything on the page may take

_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_NOTE_VIOLATIONS = """
window.violations = [];
addEventListener("securitypolicyviolation", (event) => {
  window.violations.push(`${event.effectiveDirective} ${event.blockedURI}`);
});
"""


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """Run a headless Chromium; skip, or with GATEROOM_TEST_REQUIRE=all fail, where none is installed."""
    program = require_tool("chromium", "chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


class Console:
    """The console in a browser context of its own: its own cookies, its own window."""

    def __init__(self, browser: Browser, gateway_url: str, *, width: int = 1280, height: int = 800) -> None:
        context = browser.new_context(viewport={"width": width, "height": height})
        context.set_default_timeout(DEADLINE)
        context.add_init_script(_NOTE_VIOLATIONS)
        self.page: Page = context.new_page()
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(f"{gateway_url}/console")

    def close(self) -> None:
        self.page.context.close()

    def press(self, button: str) -> None:
        """Press the button of exactly that name."""
        self.page.get_by_role("button", name=button, exact=True).click()

    def fill(self, label: str, text: str) -> None:
        """Write into the field with exactly that label."""
        self.page.get_by_label(label, exact=True).fill(text)

    def log_in(self, username: str, password: str) -> None:
        """Log in by cookie and wait until connected."""
        self.fill("Username", username)
        self.fill("Password", password)
        self.press("Log in and connect")
        self.sees_status("Connected")

    def offer_token(self, token: str, *, by_ticket: bool = False) -> None:
        """Try to connect with a pasted token."""
        self.page.get_by_label("An access token").check()
        self.fill("Access token", token)
        if by_ticket:
            self.page.get_by_label("?ticket=", exact=True).check()
        self.press("Connect")

    def join(self, room: str) -> None:
        """Join a room and wait until it is in view."""
        self.ask_to_join(room)
        self.page.get_by_role("heading", name=room, exact=True).wait_for()
        self.message_list(room).get_by_text("You joined").last.wait_for()

    def ask_to_join(self, room: str) -> None:
        if not self.page.locator("#join-room").is_visible():
            self.press("Join a room")
        self.page.locator("#join-room").fill(room)
        self.press("Join")

    def say(self, text: str, *, as_json: bool = False) -> None:
        """Write into the conversation in view and send it."""
        self.page.get_by_label("JSON" if as_json else "Text", exact=True).check()
        self.fill("Message", text)
        self.press("Send")

    def conversation(self, name: str) -> Locator:
        """Return the tab of a room, or of "Inbox"."""
        return self.page.locator("#channels").get_by_role("button", name=name)

    def message_list(self, room: str | None = None) -> Locator:
        """Return the messages of a room, or those to this user alone."""
        return self.page.get_by_role("log", name=f"Messages in {room}" if room else "Messages to you")

    def people(self) -> Locator:
        return self.page.get_by_role("list", name="Who is here").get_by_role("button")

    def frames(self, direction: str) -> Locator:
        """Return the rows of the frame log that are "in", "out" or a "note"."""
        return self.page.locator(f"#frame-list [data-direction={direction}]")

    def sees_status(self, text: str) -> None:
        """Wait until the status line says exactly that."""
        self.page.locator("#status-text").get_by_text(text, exact=True).wait_for()

    def verdict(self) -> Locator:
        """Return the explanation of why a connection ended, once it is there."""
        verdict = self.page.locator("#verdict")
        verdict.wait_for()
        return verdict

    def violations(self) -> list[str]:
        """Return what the page's security policy had to block so far."""
        found: list[str] = self.page.evaluate("window.violations")
        return found
