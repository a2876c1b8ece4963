"""Which foreign pages may call and read the API: exactly the configured ones (HC-2)."""

from collections.abc import Iterator

import httpx2 as httpx
import pytest

from support.in_process import ADMIN_PASSWORD, HOST, InProcess, running_in_process

APP = "https://app.example.org"
ALLOWED = [APP, "https://other.example.org:8443"]
REFUSED = [
    "https://evil.example",
    "null",
    "",
    "*",
    "http://app.example.org",
    "https://app.example.org:8443",
    "https://APP.example.org",
    "https://app.example.org.evil.example",
    "https://sub.app.example.org",
    "https://app.example.org/",
    f"{APP}, {APP}",
]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    with running_in_process(tmp_path_factory.mktemp("data"), auth={"allowed_origins": ALLOWED}) as running:
        yield running


def told(answer: httpx.Response) -> list[str]:
    return [name for name in answer.headers if name.startswith("access-control-")]


def preflight(gateway: InProcess, origin: str, method: str = "POST", headers: str = "") -> httpx.Response:
    asked = {"Origin": origin, "Access-Control-Request-Method": method}
    if headers:
        asked["Access-Control-Request-Headers"] = headers
    return gateway.client.options("/api/rooms", headers=asked)


@pytest.mark.parametrize("origin", ALLOWED)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_a_listed_page_may_send_what_the_api_takes(gateway: InProcess, origin: str, method: str) -> None:
    answer = preflight(gateway, origin, method, "authorization, content-type, x-csrf-token, if-match")
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert method in answer.headers["Access-Control-Allow-Methods"].split(", ")
    assert "Origin" in answer.headers["Vary"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_listed_page_may_not_send_whatever_it_likes(gateway: InProcess) -> None:
    assert preflight(gateway, APP, headers="x-forwarded-for").status_code == 400
    assert preflight(gateway, APP, "TRACE").status_code == 400


@pytest.mark.parametrize(("path", "status"), [("/auth/me", 200), ("/api/rooms/none", 404), ("/nowhere", 404)])
def test_a_listed_page_reads_answers_errors_and_the_headers_it_needs(
    gateway: InProcess, path: str, status: int
) -> None:
    answer = gateway.client.get(path, headers={**gateway.admin.headers, "Origin": APP})
    assert answer.status_code == status
    assert answer.headers["Access-Control-Allow-Origin"] == APP
    shown = answer.headers["Access-Control-Expose-Headers"].split(", ")
    assert {"ETag", "Retry-After", "WWW-Authenticate"} <= set(shown)
    assert "*" not in "".join(answer.headers[name] for name in told(answer))


def test_a_listed_page_is_told_how_to_authenticate(gateway: InProcess) -> None:
    answer = gateway.client.get("/auth/me", headers={"Origin": APP})
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (401, APP)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    shown = answer.headers["Access-Control-Expose-Headers"].split(", ")
    assert "X-CSRF-Token" in shown  # without it a page that was loaded late could not renew


@pytest.mark.parametrize("origin", REFUSED)
def test_any_other_page_is_told_nothing(gateway: InProcess, origin: str) -> None:
    assert told(preflight(gateway, origin)) == []
    for headers in ({}, gateway.admin.headers):
        answer = gateway.client.get("/auth/me", headers={**headers, "Origin": origin})
        assert told(answer) == []
        assert "Origin" in answer.headers["Vary"]


def test_two_origins_are_none(gateway: InProcess) -> None:
    answer = gateway.client.get("/healthz", headers=[("Origin", APP), ("Origin", APP)])
    assert told(answer) == []


def test_a_listed_page_works_with_cookies_and_the_csrf_token_and_another_does_not(gateway: InProcess) -> None:
    body = {"username": "admin", "password": ADMIN_PASSWORD, "cookie": True}
    logged_in = gateway.client.post("/auth/login", json=body, headers={"Origin": APP})
    assert (logged_in.status_code, logged_in.headers["Access-Control-Allow-Origin"]) == (200, APP)
    try:
        csrf = {"X-CSRF-Token": logged_in.json()["csrf_token"]}
        made = gateway.client.post("/api/rooms", json={"id": "by-page"}, headers={**csrf, "Origin": APP})
        assert (made.status_code, made.headers["Access-Control-Allow-Origin"]) == (201, APP)
        evil = {**csrf, "Origin": "https://evil.example"}
        refused = gateway.client.post("/api/rooms", json={"id": "by-evil"}, headers=evil)
        assert (refused.status_code, refused.json()["code"], told(refused)) == (403, "invalid_csrf", [])
        assert gateway.client.post("/auth/login", json=body, headers=evil).status_code == 403
    finally:
        gateway.client.cookies.clear()


def test_our_own_page_needs_no_permission(gateway: InProcess) -> None:
    answer = gateway.client.get("/healthz", headers={"Origin": f"http://{HOST}"})
    assert (answer.status_code, told(answer)) == (200, [])
