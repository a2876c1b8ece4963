"""`POST /auth/login`: JSON in, a token or a cookie out."""

from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path

import httpx2 as httpx
import pytest

from support.in_process import ADMIN_PASSWORD, InProcess, running_in_process

RIGHT = {"username": "admin", "password": ADMIN_PASSWORD}
BY_COOKIE = {**RIGHT, "cookie": True}


@pytest.fixture(autouse=True)
def fresh_browser(gateway: InProcess) -> Iterator[None]:
    yield
    gateway.client.cookies.clear()


def log_in_by_cookie(gateway: InProcess, origin: str = "http://127.0.0.1", **headers: str) -> httpx.Response:
    """Log in as a browser on a page of `origin` does."""
    host = origin.partition("://")[2]
    return gateway.client.post(f"{origin}/auth/login", json=BY_COOKIE, headers={"Host": host, **headers})


def cookies_of(answer: httpx.Response) -> dict[str, dict[str, str | bool]]:
    """Return the attributes of the cookies that are set, by name."""
    jars = [SimpleCookie(line) for line in answer.headers.get_list("Set-Cookie")]
    return {
        name: {attribute: value for attribute, value in morsel.items() if value}
        for jar in jars
        for name, morsel in jar.items()
    }


def test_a_token_comes_in_the_body(gateway: InProcess) -> None:
    answer = gateway.client.post("/auth/login", json=RIGHT)
    body = answer.json()
    assert set(body) == {"access_token", "token_type", "expires_in", "refresh_token", "scope"}
    assert (body["token_type"], body["expires_in"]) == ("bearer", 900)
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"


def test_with_a_cookie_the_body_has_no_token(gateway: InProcess) -> None:
    answer = log_in_by_cookie(gateway)
    body = answer.json()
    assert set(body) == {"user", "expires_in", "csrf_token"}
    assert set(body["user"]) == {"id", "username", "roles", "scopes"}
    assert (body["user"]["username"], body["expires_in"]) == ("admin", 900)
    assert answer.headers["Cache-Control"] == "no-store"
    token = gateway.client.cookies["gateroom_access"]
    assert token not in answer.text


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8000", "localhost:8000", "[::1]:8000"])
def test_on_loopback_http_the_cookie_has_no_prefix_and_no_secure_flag(gateway: InProcess, host: str) -> None:
    assert cookies_of(log_in_by_cookie(gateway, f"http://{host}")) == {
        "gateroom_access": {"path": "/", "httponly": True, "samesite": "lax", "max-age": "900"},
        "gateroom_refresh": {"path": "/auth", "httponly": True, "samesite": "strict", "max-age": str(30 * 86400)},
    }


@pytest.mark.parametrize(
    "origin",
    [
        "https://chat.example.org",
        "https://127.0.0.1:8443",
        "http://chat.example.org",
        "http://192.0.2.1:8000",
        "http://127.0.0.1.example.org",
        "http://localhost.example.org:8000",
    ],
)
def test_elsewhere_the_cookie_is_bound_to_the_host_and_to_https(gateway: InProcess, origin: str) -> None:
    month = str(30 * 86400)
    assert cookies_of(log_in_by_cookie(gateway, origin)) == {
        "__Host-gateroom_access": {
            "path": "/",
            "httponly": True,
            "samesite": "lax",
            "max-age": "900",
            "secure": True,
        },
        "__Secure-gateroom_refresh": {
            "path": "/auth",
            "httponly": True,
            "samesite": "strict",
            "max-age": month,
            "secure": True,
        },
    }


def test_a_cookie_fits_into_a_browser(gateway: InProcess) -> None:
    lines = log_in_by_cookie(gateway).headers.get_list("Set-Cookie")
    assert len(lines) == 2
    assert all(len(line) < 4096 for line in lines)


def test_the_secure_flag_can_be_forced(tmp_path: Path) -> None:
    with running_in_process(tmp_path, auth={"cookie_secure": "on"}) as gateway:
        cookies = cookies_of(log_in_by_cookie(gateway))
        assert set(cookies) == {"__Host-gateroom_access", "__Secure-gateroom_refresh"}
        assert all(attributes["secure"] for attributes in cookies.values())


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost"])
def test_behind_a_proxy_that_names_itself_the_cookie_is_bound_to_https_all_the_same(tmp_path: Path, host: str) -> None:
    """As nginx does by default: it asks with the name of what it proxies to, over plain http."""
    with running_in_process(tmp_path, server={"public_url": "https://chat.example.org"}) as gateway:
        cookies = cookies_of(log_in_by_cookie(gateway, f"http://{host}"))
        assert set(cookies) == {"__Host-gateroom_access", "__Secure-gateroom_refresh"}
        assert all(attributes["secure"] for attributes in cookies.values())


def test_no_cookie_is_set_where_none_is_taken(tmp_path: Path) -> None:
    with running_in_process(tmp_path, auth={"credentials": ["header"]}) as gateway:
        answer = log_in_by_cookie(gateway)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_command")
        assert "Set-Cookie" not in answer.headers


def test_a_browser_is_logged_in_by_its_cookie(gateway: InProcess) -> None:
    csrf_token = log_in_by_cookie(gateway).json()["csrf_token"]
    me = gateway.client.get("/auth/me").json()
    assert (me["username"], me["csrf_token"]) == ("admin", csrf_token)


def test_a_cookie_of_the_other_name_does_not_count(gateway: InProcess) -> None:
    log_in_by_cookie(gateway)
    token = gateway.client.cookies["gateroom_access"]
    gateway.client.cookies.clear()
    for name in ("__Host-gateroom_access", "__Secure-gateroom_access", "GATEROOM_ACCESS", "\xa0gateroom_access"):
        cookie = f"{name}={token}".encode("latin-1")
        answer = gateway.client.get("/auth/me", headers=[(b"Cookie", cookie)])
        assert answer.json()["code"] == "missing_token", name


def test_two_cookies_are_ambiguous(gateway: InProcess) -> None:
    log_in_by_cookie(gateway)
    token = gateway.client.cookies["gateroom_access"]
    gateway.client.cookies.clear()
    cookie = f"gateroom_access={token}; gateroom_access={token}"
    answer = gateway.client.get("/auth/me", headers={"Cookie": cookie})
    assert (answer.status_code, answer.json()["code"]) == (401, "ambiguous_credentials")


def test_a_header_wins_over_the_cookie(gateway: InProcess) -> None:
    log_in_by_cookie(gateway)
    user = gateway.user()
    assert gateway.get("/auth/me", user).json()["username"] == user.name


@pytest.mark.parametrize("cookie", [False, True])
def test_a_wrong_password_is_refused_without_a_cookie(gateway: InProcess, cookie: bool) -> None:
    body = {"username": "admin", "password": "wrong password", "cookie": cookie}
    answer = gateway.client.post("/auth/login", json=body)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_credentials")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in answer.headers


def test_unknown_wrong_and_disabled_are_answered_alike(gateway: InProcess) -> None:
    disabled = gateway.user()
    gateway.patch(f"/api/users/{disabled.id}", gateway.admin, {"disabled": True})
    answers = [
        gateway.client.post("/auth/login", json={"username": username, "password": password})
        for username, password in (
            ("nobody-at-all", "some password"),
            ("admin", "some password"),
            (disabled.name, disabled.password),
            ("Admin", ADMIN_PASSWORD),
            ("ad\x00min", ADMIN_PASSWORD),
        )
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({(answer.content, frozenset(answer.headers.items())) for answer in answers}) == 1


def test_there_are_no_default_accounts(gateway: InProcess) -> None:
    for username, password in (("admin", "admin"), ("admin", "password"), ("root", "root"), ("alice", "alice")):
        answer = gateway.client.post("/auth/login", json={"username": username, "password": password})
        assert answer.status_code == 401


def test_a_foreign_page_cannot_log_a_browser_in(gateway: InProcess) -> None:
    answer = log_in_by_cookie(gateway, Origin="https://evil.example")
    assert (answer.status_code, answer.json()["code"]) == (403, "origin_not_allowed")
    assert "Set-Cookie" not in answer.headers


def test_our_own_page_can(gateway: InProcess) -> None:
    assert log_in_by_cookie(gateway, Origin="http://127.0.0.1").status_code == 200


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_body_that_a_foreign_page_could_send_without_asking_is_refused(gateway: InProcess, content_type: str) -> None:
    """Only JSON makes a browser ask first (Fetch, "CORS-safelisted request-header")."""
    body = f'{{"username": "admin", "password": "{ADMIN_PASSWORD}", "cookie": true}}'
    headers = {"Content-Type": content_type} if content_type else {}
    answer = gateway.client.post("/auth/login", content=body, headers=headers)
    assert answer.status_code in (415, 422)
    assert "Set-Cookie" not in answer.headers
    assert ADMIN_PASSWORD not in answer.text


def test_a_password_may_be_any_text(gateway: InProcess) -> None:
    password = "Grüße, мир 🌍 \u0301" * 3
    body = {"username": "polyglot", "password": password}
    assert gateway.post("/api/users", gateway.admin, body).status_code == 201
    assert gateway.client.post("/auth/login", json=body).status_code == 200
