"""A real browser's pages of other origins: listed ones may call the API, any other gets nothing (HS-2, HC-2)."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext

from support.browser import DEADLINE
from support.gateway import RunningGateway, running_gateway

LOG_IN = """async (password) => {
    const options = {method: "POST", headers: {"Content-Type": "application/json"}};
    options.body = JSON.stringify({username: "admin", password, cookie: true});
    return (await fetch("/auth/login", options)).status;
}"""
# Closes by itself once it has heard something; a socket that is refused is closed by the browser.
CONNECT = """([url, offer]) => new Promise((done) => {
    const seen = {opened: false, heard: 0};
    const socket = new WebSocket(url, offer);
    socket.onopen = () => { seen.opened = true; };
    socket.onmessage = () => { seen.heard += 1; socket.close(1000); };
    socket.onclose = (event) => done({...seen, code: event.code, reason: event.reason});
})"""
SUBMIT = """([url, fields, encoding]) => {
    const form = document.createElement("form");
    form.method = "POST";
    form.action = url;
    form.enctype = encoding;
    for (const [name, value] of fields) {
        const field = document.createElement("input");
        [field.name, field.value] = [name, value];
        form.append(field);
    }
    document.body.append(form);
    form.submit();
}"""

CALL = """async ([url, options]) => {
    try {
        const answer = await fetch(url, options);
        return {status: answer.status, etag: answer.headers.get("ETag"), body: await answer.text()};
    } catch (error) {
        return {error: error.name};
    }
}"""


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>a page</title>")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@dataclass(frozen=True, slots=True)
class Web:
    """A gateway, and pages of two other origins, of which it lists the first."""

    gateway: RunningGateway
    chromium: Browser
    listed: str
    evil: str

    def call(self, origin: str, path: str, **options: Any) -> dict[str, Any]:
        """Have a page of that origin call the gateway; return what the page got to see."""
        page = self.chromium.new_page()
        try:
            page.goto(origin)
            found: dict[str, Any] = page.evaluate(CALL, [self.gateway.url + path, options])
            return found
        finally:
            page.close()


@pytest.fixture(scope="module")
def web(chromium: Browser) -> Iterator[Web]:
    with ExitStack() as stack:
        origins = []
        for _ in range(2):
            server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
            origins.append(f"http://127.0.0.1:{server.server_port}")
        environment = {"GATEROOM_AUTH__ALLOWED_ORIGINS": origins[0]}
        running = stack.enter_context(running_gateway(environment=environment))
        yield Web(running, chromium, *origins)


def test_a_listed_page_calls_with_its_own_headers_and_reads_the_answer(web: Web) -> None:
    headers = {"Authorization": f"Bearer {web.gateway.token()}", "Content-Type": "application/json"}
    made = web.call(web.listed, "/api/rooms", method="POST", headers=headers, body='{"id": "by-page"}')
    assert made["status"] == 201, made
    state = web.call(web.listed, "/api/rooms/by-page/state", headers=headers)
    assert (state["status"], bool(state["etag"])) == (200, True)
    patched = web.call(
        web.listed,
        "/api/rooms/by-page/state",
        method="PATCH",
        headers={**headers, "Content-Type": "application/json-patch+json", "If-Match": state["etag"]},
        body='[{"op": "add", "path": "/done", "value": true}]',
    )
    assert patched["status"] == 200, patched
    refused = web.call(web.listed, "/auth/me")
    assert refused["status"] == 401


def test_another_page_sees_nothing_and_changes_nothing(web: Web) -> None:
    headers = {"Authorization": f"Bearer {web.gateway.token()}", "Content-Type": "application/json"}
    body = '{"id": "by-evil-page"}'
    assert web.call(web.evil, "/api/rooms", method="POST", headers=headers, body=body) == {"error": "TypeError"}
    assert web.call(web.evil, "/healthz") == {"error": "TypeError"}
    with web.gateway.client() as client:
        assert client.get("/api/rooms/by-evil-page", headers=headers).status_code == 404


@pytest.fixture(scope="module")
def victim(web: Web) -> Iterator[BrowserContext]:
    """A browser whose user has logged in at the gateway: a cookie is sent to every port of a host, SameSite or not."""
    context = web.chromium.new_context()
    context.set_default_timeout(DEADLINE)
    page = context.new_page()
    page.goto(f"{web.gateway.url}/console")
    assert page.evaluate(LOG_IN, web.gateway.admin_password) == 200
    page.close()
    yield context
    context.close()


def seen_by(context: BrowserContext, origin: str, script: str, *arguments: object) -> dict[str, Any]:
    """Run a script on a page of that origin, in the browser of whoever has logged in; return what it saw."""
    page = context.new_page()
    try:
        page.goto(origin)
        found: dict[str, Any] = page.evaluate(script, list(arguments))
        return found
    finally:
        page.close()


@pytest.mark.parametrize("offer", [[], ["gateroom.v1"]], ids=["bare", "with the subprotocol"])
@pytest.mark.parametrize("path", ["/ws", "/ws/rooms/lobby", "/ws/users/me"])
def test_a_foreign_page_opens_no_socket_with_the_users_cookie(
    web: Web, victim: BrowserContext, path: str, offer: list[str]
) -> None:
    url = web.gateway.ws_url + path
    refused = seen_by(victim, web.evil, CONNECT, url, offer)
    assert refused == {"opened": False, "heard": 0, "code": 1006, "reason": ""}
    if path == "/ws":  # where something is said at once
        heard = seen_by(victim, f"{web.gateway.url}/console", CONNECT, url, offer)
        assert heard == {"opened": True, "heard": 1, "code": 1000, "reason": ""}


@pytest.mark.parametrize("mode", ["cors", "no-cors"])
def test_a_foreign_page_reads_nothing_with_the_users_cookie(web: Web, victim: BrowserContext, mode: str) -> None:
    options = {"credentials": "include", "mode": mode}
    seen = seen_by(victim, web.evil, CALL, f"{web.gateway.url}/auth/me", options)
    opaque = {"status": 0, "etag": None, "body": ""}
    assert seen == ({"error": "TypeError"} if mode == "cors" else opaque)
    own = seen_by(victim, f"{web.gateway.url}/console", CALL, "/auth/me", options)
    assert own["status"] == 200


@pytest.mark.parametrize(
    ("path", "fields", "encoding"),
    [
        ("/auth/logout", [], "application/x-www-form-urlencoded"),
        ("/auth/refresh", [], "application/x-www-form-urlencoded"),
        ("/auth/tickets", [], "text/plain"),
        ("/api/rooms", [['{"id": "by-form", "title": "', '"}']], "text/plain"),  # a body that is JSON all the same
        ("/auth/login", [["username", "admin"]], "application/x-www-form-urlencoded"),
    ],
)
def test_a_form_of_a_foreign_page_does_nothing_with_the_users_cookie(
    web: Web, victim: BrowserContext, path: str, fields: list[list[str]], encoding: str
) -> None:
    page = victim.new_page()
    try:
        page.goto(web.evil)
        with page.expect_response(web.gateway.url + path) as answered:
            page.evaluate(SUBMIT, [web.gateway.url + path, fields, encoding])
        assert answered.value.status in (403, 415, 422)
    finally:
        page.close()
    own = f"{web.gateway.url}/console"
    assert seen_by(victim, own, CALL, "/auth/me", {})["status"] == 200
    assert seen_by(victim, own, CALL, "/api/rooms/by-form", {})["status"] == 404
