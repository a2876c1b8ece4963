"""A real browser's pages of other origins call the HTTP API: listed ones may, any other may not (HC-2)."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser

from support.gateway import RunningGateway, running_gateway

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
