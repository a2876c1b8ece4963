"""Why a connection was refused or ended, as the console tells it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from gateroom.errors import BY_CODE, Refusal
from support.browser import Console
from support.gateway import RunningGateway, running_gateway

OpenConsole = Callable[..., Console]

ENDS = {code: error for code, error in BY_CODE.items() if issubclass(error, Refusal)}


@pytest.mark.parametrize(
    ("by_ticket", "code"), [(False, "1008"), (True, "401")], ids=["as subprotocol", "for a ticket"]
)
def test_a_garbage_token_is_told_to_be_invalid(
    gateway: RunningGateway, open_console: OpenConsole, by_ticket: bool, code: str
) -> None:
    console = open_console(gateway.url)
    console.offer_token("garbage", by_ticket=by_ticket)
    verdict = console.verdict()
    expect(verdict).to_contain_text(f"{code} invalid_token")
    expect(verdict).to_contain_text("The token is not valid")
    expect(verdict).to_contain_text("Get a new token")
    console.sees_status("Refused")
    expect(verdict.get_by_text("Reconnecting in")).to_be_hidden()


def test_connecting_without_any_credential_is_explained(gateway: RunningGateway, open_console: OpenConsole) -> None:
    console = open_console(gateway.url)
    console.press("Connect without a log-in")
    expect(console.verdict()).to_contain_text("1008 missing_token")
    expect(console.verdict()).to_contain_text("No credential was sent")


def test_a_token_that_no_browser_can_send_as_subprotocol_is_explained(
    gateway: RunningGateway, open_console: OpenConsole
) -> None:
    console = open_console(gateway.url)
    console.offer_token("not a token, but words")
    expect(console.page.locator("#token-problem")).to_contain_text("A subprotocol cannot carry these characters")
    console.offer_token("not a token, but words", by_ticket=True)
    expect(console.verdict()).to_contain_text("401 invalid_token")
    console.offer_token("wörter", by_ticket=True)
    expect(console.verdict()).to_contain_text("401 invalid_token")


def test_a_wrong_password_is_said_plainly(gateway: RunningGateway, open_console: OpenConsole) -> None:
    console = open_console(gateway.url)
    console.fill("Username", "alice")
    console.fill("Password", "not-the-password")
    console.press("Log in and connect")
    expect(console.page.locator("#login-problem")).to_have_text("The username or the password is wrong.")
    console.sees_status("Not connected")


def test_a_refusal_by_http_that_browsers_hide_is_guessed_at(open_console: OpenConsole) -> None:
    with running_gateway(demo=True, environment={"GATEROOM_REALTIME__REFUSAL": "handshake"}) as gateway:
        console = open_console(gateway.url)
        console.offer_token("garbage")
        verdict = console.verdict()
        expect(verdict).to_contain_text("The gateway did not open a socket")
        expect(verdict).to_contain_text("1006")
        expect(verdict.get_by_role("listitem").filter(has_text="429")).to_be_visible()
        expect(verdict.get_by_text("Reconnecting in")).to_be_hidden()


@pytest.fixture
def mortal() -> Iterator[RunningGateway]:
    """A gateway that the test may stop."""
    with running_gateway(demo=True) as running:
        yield running


def test_a_restart_is_survived_rooms_and_all(mortal: RunningGateway, open_console: OpenConsole) -> None:
    console = open_console(mortal.url)
    console.log_in("alice", mortal.passwords["alice"])
    console.join("lobby")
    mortal.stop()
    verdict = console.verdict()
    expect(verdict).to_contain_text("1012 restarting")
    expect(verdict).to_contain_text("The gateway is restarting")
    expect(console.conversation("lobby")).to_have_attribute("data-state", "offline")
    with running_gateway("--port", str(mortal.port), data_dir=mortal.data_dir):
        console.sees_status("Connected")
        expect(verdict).to_be_hidden()
        expect(console.conversation("lobby")).to_have_attribute("data-state", "joined")
        console.say("back again")
        expect(console.message_list("lobby").locator(".text")).to_have_text("back again")


def test_coming_back_goes_on_in_sight_until_it_is_cancelled(mortal: RunningGateway, open_console: OpenConsole) -> None:
    console = open_console(mortal.url)
    console.log_in("alice", mortal.passwords["alice"])
    mortal.stop()
    verdict = console.verdict()
    expect(verdict.get_by_text("Reconnecting in")).to_be_visible()
    console.press("Reconnect now")
    expect(verdict).to_contain_text("The gateway does not answer")
    expect(verdict.get_by_text("Reconnecting in")).to_be_visible()
    console.press("Cancel")
    expect(verdict.get_by_text("Reconnecting in")).to_be_hidden()
    console.sees_status("Not connected")


def explained(console: Console, code: int, reason: str) -> dict[str, Any]:
    """Ask the page's own module what it would say."""
    script = "async (end) => (await import('/console/reasons.js')).explain(end)"
    answer: dict[str, Any] = console.page.evaluate(script, {"code": code, "reason": reason})
    return answer


def test_every_reason_that_the_gateway_has_is_explained(gateway: RunningGateway, open_console: OpenConsole) -> None:
    console = open_console(gateway.url)
    generic = {explained(console, code, "")["title"] for code in (1008, 4999)}
    told = {code: explained(console, error.close_code, code) for code, error in ENDS.items()}
    assert [code for code, words in told.items() if words["title"] in generic] == []
    assert len({words["title"] for words in told.values()}) == len(told)


def test_the_page_comes_back_by_itself_only_where_the_contract_says_so(
    gateway: RunningGateway, open_console: OpenConsole
) -> None:
    console = open_console(gateway.url)
    next_step = {code: explained(console, error.close_code, code)["next"] for code, error in ENDS.items()}
    assert {code for code, step in next_step.items() if step == "spread"} == {"restarting", "overloaded"}
    assert {code for code, step in next_step.items() if step == "retry"} == {
        "rate_limited",
        "connection_limit",
        "slow_consumer",
        "ping_timeout",
        "internal_error",
    }
    assert explained(console, 1006, "")["next"] == "retry"
    assert {explained(console, code, "")["next"] for code in (1003, 1007, 1009)} == {"stop"}
    assert explained(console, 1011, "internal_error 8d3f")["title"] == "Something went wrong in the gateway"


def test_delays_grow_are_spread_and_end_at_half_a_minute(gateway: RunningGateway, open_console: OpenConsole) -> None:
    script = """async ([next, attempt, chance]) =>
      (await import('/console/retry.js')).delayOf(next, attempt, () => chance)"""
    page = open_console(gateway.url).page
    delays = [page.evaluate(script, ["retry", attempt, chance]) for attempt in (0, 3, 20) for chance in (0, 1)]
    assert delays == [500, 1000, 4000, 8000, 15_000, 30_000]
    spread = [page.evaluate(script, ["spread", attempt, chance]) for attempt in (0, 20) for chance in (0, 1)]
    assert spread == [500, 5500, 500, 30_500]
