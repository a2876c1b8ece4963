"""How the console's page and its parts are served."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from gateroom.web.errors import add_handlers
from gateroom.web.routes import console

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; object-src 'none'"
)


@pytest.fixture
def client() -> TestClient:
    app = FastAPI()
    app.include_router(console.router)
    add_handlers(app, whole=True)
    return TestClient(app)


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/console", "text/html; charset=utf-8"),
        ("/console/console.css", "text/css; charset=utf-8"),
        ("/console/console.js", "text/javascript; charset=utf-8"),
        ("/console/favicon.svg", "image/svg+xml"),
    ],
)
def test_each_part_has_its_type_and_the_strict_policy(client: TestClient, path: str, media_type: str) -> None:
    response = client.get(path)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == media_type
    assert response.headers["Content-Security-Policy"] == POLICY
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert response.headers["Cache-Control"] == "no-cache"


def test_a_part_that_is_known_already_is_not_sent_again(client: TestClient) -> None:
    first = client.get("/console/console.js")
    again = client.get("/console/console.js", headers={"If-None-Match": f'"other", W/{first.headers["ETag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert client.get("/console/console.js", headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize(
    "name", ["index.html", "missing.js", "..%2f..%2fapi.py", "%2e%2e", "..%5c..%5capi.py", "console.js%00", ".js"]
)
def test_nothing_else_is_served(client: TestClient, name: str) -> None:
    response = client.get(f"/console/{name}")
    assert response.status_code == 404
    assert response.json()["code"] == "not_found"


def test_everything_the_page_loads_is_served_from_here(client: TestClient) -> None:
    page = client.get("/console").text
    loaded = [part.split('"')[0] for mark in ('href="', 'src="') for part in page.split(mark)[1:]]
    assert loaded
    for path in loaded:
        assert client.get(f"/{path}").status_code == 200, path
    assert "//" not in "".join(loaded)


class _Attributes(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.names.update(name for name, _ in attrs)


def test_the_page_has_no_inline_script_style_or_handler(client: TestClient) -> None:
    page = client.get("/console").text
    seen = _Attributes()
    seen.feed(page)
    assert {name for name in seen.names if name == "style" or name.startswith("on")} == set()
    assert "style" not in seen.tags
    assert page.count("<script") == page.count('<script type="module" src=') == 1


def test_the_scripts_only_ever_make_text_and_keep_nothing() -> None:
    forbidden = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|DOMParser|createContextualFragment|document\.write|\beval\b"
        r"|new Function|localStorage|sessionStorage|indexedDB|document\.cookie|pushState|replaceState"
        r"|https?://(?!www\.w3\.org/2000/svg)"
    )
    folder = Path(console.__file__).parent.parent / "static" / "console"
    found = {path.name: forbidden.findall(path.read_text(encoding="utf-8")) for path in folder.iterdir()}
    assert {"index.html", "console.js", "talk.js"} <= found.keys()
    assert {name: words for name, words in found.items() if words} == {}
