"""What every answer tells browsers: HC-1 and HC-2 of security.md."""

from collections.abc import Mapping
from pathlib import Path

import httpx2 as httpx
import pytest
from starlette.testclient import TestClient

from gateroom import create_app
from support.in_process import HOST, InProcess, running_in_process, settings_for
from support.operations import Operation, operations

EVIL = {"Origin": "https://evil.example"}


def assert_guards_itself(answer: httpx.Response) -> None:
    headers = answer.headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    policy = dict(part.strip().partition(" ")[::2] for part in headers["Content-Security-Policy"].split(";"))
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["object-src"] == "'none'"
    assert "'unsafe-inline'" not in policy.get("script-src", policy["default-src"])
    assert "Server" not in headers
    assert not [name for name in headers if name.startswith("access-control-")]


@pytest.mark.parametrize("operation", operations(), ids=str)
def test_every_operation_answers_safely(gateway: InProcess, operation: Operation) -> None:
    for headers in ({}, EVIL, {"Authorization": "Bearer bad"}, gateway.admin.headers):
        if operation.method == "DELETE" and headers is gateway.admin.headers:
            continue  # these would do it
        assert_guards_itself(gateway.client.request(operation.method, operation.concrete, headers=headers))


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/console", 200),
        ("/console/console.js", 200),
        ("/docs", 200),
        ("/openapi.json", 200),
        ("/nowhere", 404),
        ("/ws", 404),
        ("/auth/login", 405),
        ("/auth/me/", 307),
    ],
)
def test_every_other_answer_is_safe_too(gateway: InProcess, path: str, status: int) -> None:
    answer = gateway.client.get(path, follow_redirects=False)
    assert answer.status_code == status
    assert_guards_itself(answer)


def test_a_fault_of_ours_is_answered_safely(tmp_path: Path) -> None:
    app = create_app(settings_for(tmp_path))

    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError("canary")

    with TestClient(app, base_url=f"http://{HOST}", raise_server_exceptions=False) as client:
        answer = client.get("/broken")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "error id" in answer.json()["detail"]
    assert "canary" not in answer.text
    assert_guards_itself(answer)


def test_over_tls_browsers_are_told_to_stay_there(gateway: InProcess) -> None:
    plain = gateway.client.get("/healthz")
    assert "Strict-Transport-Security" not in plain.headers
    secure = gateway.client.get(f"https://{HOST}/healthz")
    assert secure.headers["Strict-Transport-Security"].startswith("max-age=")


@pytest.mark.parametrize(
    "headers",
    [
        {"Access-Control-Request-Method": "POST"},
        {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,x-csrf-token"},
    ],
    ids=["simple", "with headers"],
)
def test_no_foreign_page_is_let_in_by_a_preflight(tmp_path: Path, headers: Mapping[str, str]) -> None:
    with running_in_process(tmp_path) as gateway:
        for path in ("/auth/login", "/auth/token", "/api/rooms", "/auth/me"):
            answer = gateway.client.options(path, headers={**EVIL, **headers})
            assert answer.status_code == 405
            assert not [name for name in answer.headers if name.startswith("access-control-")]
