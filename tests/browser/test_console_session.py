"""The console's log-in over time: renewed by itself, in every tab, and ended when the person says so."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from support.browser import Console
from support.gateway import RunningGateway, running_gateway

OpenConsole = Callable[..., Console]

TOKEN_LIFE = 4  # seconds


@pytest.fixture(scope="module")
def brief() -> Iterator[RunningGateway]:
    """A gateway whose access tokens live for seconds."""
    environment = {"GATEROOM_AUTH__ACCESS_TTL": str(TOKEN_LIFE), "GATEROOM_REALTIME__EXPIRY_NOTICE": "1"}
    with running_gateway(demo=True, environment=environment) as gateway:
        yield gateway


def test_logging_out_ends_the_session_and_the_socket(gateway: RunningGateway, open_console: OpenConsole) -> None:
    alice = open_console(gateway.url)
    alice.log_in("alice", gateway.passwords["alice"])
    cookies = {cookie["name"] for cookie in alice.page.context.cookies()}
    assert cookies == {"gateroom_access", "gateroom_refresh"}
    alice.press("Connection")
    alice.press("Log out")
    alice.sees_status("Not connected")
    expect(alice.page.get_by_role("button", name="Log in and connect")).to_be_visible()
    expect(alice.page.locator("#verdict")).to_be_hidden()
    assert alice.page.context.cookies() == []
    alice.page.reload()
    expect(alice.page.get_by_role("button", name="Log in and connect")).to_be_visible()


def test_who_comes_back_when_the_access_token_is_gone_is_still_logged_in(
    gateway: RunningGateway, open_console: OpenConsole
) -> None:
    alice = open_console(gateway.url)
    alice.log_in("alice", gateway.passwords["alice"])
    alice.page.context.clear_cookies(name="gateroom_access")
    alice.page.reload()
    expect(alice.page.get_by_text("Logged in as alice")).to_be_visible()
    alice.press("Connect")
    alice.sees_status("Connected")


def test_two_tabs_stay_connected_longer_than_a_token_lives(brief: RunningGateway, open_console: OpenConsole) -> None:
    """They share the cookies, and a refresh token used twice would end the session of both."""
    alice = open_console(brief.url)
    alice.log_in("alice", brief.passwords["alice"])
    other = alice.page.context.new_page()
    other.goto(f"{brief.url}/console")
    other.get_by_role("button", name="Connect", exact=True).click()
    for _ in range(3):  # each renewal comes at half of a token's life
        for page in (alice.page, other):
            ends = page.locator("#token-ends")
            expect(ends).not_to_have_text(ends.text_content() or "", timeout=TOKEN_LIFE * 1000)
    for page in (alice.page, other):
        expect(page.locator("#status-text")).to_have_text("Connected")
        expect(page.locator("#verdict")).to_be_hidden()
        expect(page.locator("#frame-list [data-direction=in]").first).to_contain_text("welcome")
    assert not any("refresh_reused" in line for line in brief.output)
