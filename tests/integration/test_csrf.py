"""What a browser's cookie may be used for, and by which pages (contract section 2)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx2 as httpx
import pytest

from support.in_process import ADMIN_PASSWORD, InProcess, running_in_process
from support.operations import Operation, guarded

OWN = "http://127.0.0.1"


@dataclass(frozen=True, slots=True)
class Browser:
    """A logged-in browser: its cookie goes along by itself."""

    gateway: InProcess
    csrf_token: str

    def change_something(self, **headers: str) -> httpx.Response:
        """Make the least change there is: rename the lobby."""
        return self.gateway.client.patch("/api/rooms/lobby", json={"title": "Lobby"}, headers=headers)


@pytest.fixture
def browser(gateway: InProcess) -> Iterator[Browser]:
    yield Browser(gateway, log_in(gateway))
    gateway.client.cookies.clear()


def log_in(gateway: InProcess) -> str:
    gateway.client.cookies.clear()
    body = {"username": "admin", "password": ADMIN_PASSWORD, "cookie": True}
    token = gateway.client.post("/auth/login", json=body).json()["csrf_token"]
    assert isinstance(token, str)
    return token


def assert_refused(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.json()["code"]) == (403, "invalid_csrf"), answer.text


@pytest.mark.parametrize("proof", [{"Origin": OWN}, {"Sec-Fetch-Site": "same-origin"}])
def test_a_page_of_ours_changes_something(browser: Browser, proof: Mapping[str, str]) -> None:
    assert browser.change_something(**{"X-CSRF-Token": browser.csrf_token}, **proof).status_code == 200


def test_reading_needs_no_proof(browser: Browser) -> None:
    assert browser.gateway.client.get("/api/rooms/lobby").status_code == 200
    assert browser.gateway.client.get("/auth/me").json()["csrf_token"] == browser.csrf_token


@pytest.mark.parametrize("given", [None, "", "wrong", "é", "x" * 43, "x" * 5000])
def test_without_the_token_nothing_changes(browser: Browser, given: str | None) -> None:
    headers = [("Origin", OWN)] + ([("X-CSRF-Token", given)] if given is not None else [])
    raw = [(name.encode(), value.encode()) for name, value in headers]
    assert_refused(browser.gateway.client.patch("/api/rooms/lobby", json={"title": "Lobby"}, headers=raw))


def test_the_token_of_another_session_is_of_no_use(browser: Browser) -> None:
    foreign = browser.csrf_token
    own = log_in(browser.gateway)
    assert own != foreign
    assert_refused(browser.change_something(**{"X-CSRF-Token": foreign, "Origin": OWN}))
    assert browser.change_something(**{"X-CSRF-Token": own, "Origin": OWN}).status_code == 200


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "",
        "https://127.0.0.1",
        "http://127.0.0.1:80",
        "http://127.0.0.1:8000",
        "http://127.0.0.1/",
        "http://127.0.0.1.evil.example",
        "http://evil127.0.0.1",
        "http://localhost",
        "HTTP://127.0.0.1",
        "http://127.0.0.1, https://evil.example",
        "http://127.0.0.1 ",
    ],
)
def test_a_foreign_page_with_the_token_still_changes_nothing(browser: Browser, origin: str) -> None:
    headers = {"X-CSRF-Token": browser.csrf_token, "Origin": origin, "Sec-Fetch-Site": "same-origin"}
    assert_refused(browser.change_something(**headers))


@pytest.mark.parametrize("site", [None, "none", "same-site", "cross-site", "Same-Origin", "same-origin, none"])
def test_without_an_origin_only_the_browsers_word_for_same_origin_counts(browser: Browser, site: str | None) -> None:
    headers = {"X-CSRF-Token": browser.csrf_token} | ({"Sec-Fetch-Site": site} if site else {})
    assert_refused(browser.change_something(**headers))


def test_two_origins_are_none(browser: Browser) -> None:
    headers = [("X-CSRF-Token", browser.csrf_token), ("Origin", OWN), ("Origin", OWN)]
    assert_refused(browser.gateway.client.patch("/api/rooms/lobby", json={"title": "Lobby"}, headers=headers))


@pytest.mark.parametrize("call", ["refresh", "logout"])
@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {}], ids=str
)
def test_a_foreign_pages_form_makes_the_browser_forget_nothing(
    gateway: InProcess, call: str, headers: Mapping[str, str]
) -> None:
    """A browser that follows it sends no cookie of ours, but would take what the answer sets."""
    gateway.client.cookies.clear()
    answer = gateway.client.post(f"/auth/{call}", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "missing_token")
    assert "Set-Cookie" not in answer.headers


def test_a_bearer_token_needs_no_such_proof(gateway: InProcess) -> None:
    gateway.client.cookies.clear()
    headers = {**gateway.admin.headers, "Origin": "https://evil.example"}
    answer = gateway.client.patch("/api/rooms/lobby", json={"title": "Lobby"}, headers=headers)
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_a_bearer_token_beside_the_cookie_needs_none_either(browser: Browser) -> None:
    answer = browser.change_something(**browser.gateway.admin.headers)
    assert answer.status_code == 200


@pytest.mark.parametrize("operation", [each for each in guarded() if each.method != "GET"], ids=str)
def test_every_call_that_changes_something_asks_for_it(browser: Browser, operation: Operation) -> None:
    foreign = {"X-CSRF-Token": browser.csrf_token, "Origin": "https://evil.example"}
    for headers in ({}, {"Origin": OWN}, {"X-CSRF-Token": browser.csrf_token}, foreign):
        assert_refused(browser.gateway.client.request(operation.method, operation.concrete, headers=headers))


def test_no_get_changes_anything(browser: Browser) -> None:
    for path in ("/auth/token", "/auth/login"):
        assert browser.gateway.client.get(path).status_code == 405


def test_the_public_address_is_the_own_origin_behind_a_proxy(tmp_path: Path) -> None:
    public = "https://chat.example.org"
    with running_in_process(tmp_path, server={"public_url": public}, auth={"cookie_secure": "on"}) as gateway:
        body = {"username": "admin", "password": ADMIN_PASSWORD, "cookie": True}
        answer = gateway.client.post("/auth/login", json=body, headers={"Origin": public})
        assert answer.status_code == 200
        token = answer.headers.get_list("Set-Cookie")[0].partition("=")[2].partition(";")[0]
        headers = {"Cookie": f"__Host-gateroom_access={token}", "X-CSRF-Token": answer.json()["csrf_token"]}
        path, change = "/api/rooms/lobby", {"title": "Lobby"}
        allowed = gateway.client.patch(path, json=change, headers={**headers, "Origin": public})
        assert allowed.status_code == 200
        # What was asked is not what counts: a proxy may pass any Host on.
        assert_refused(gateway.client.patch(path, json=change, headers={**headers, "Origin": OWN}))


def test_a_configured_origin_is_as_good_as_our_own(tmp_path: Path) -> None:
    app = "http://127.0.0.1:3000"
    with running_in_process(tmp_path, auth={"allowed_origins": [app]}) as gateway:
        csrf_token = log_in(gateway)
        for origin, status in ((app, 200), (OWN, 200), ("http://127.0.0.1:3001", 403)):
            answer = Browser(gateway, csrf_token).change_something(**{"X-CSRF-Token": csrf_token, "Origin": origin})
            assert answer.status_code == status
