"""The exported OpenAPI document: up to date, and as a good public API's is."""

import json
import re
from typing import Any

import pytest

from gateroom.errors import BY_CODE
from gateroom.web.schemas import Problem
from support.operations import PUBLIC, Operation, document, guarded, operations
from support.tree import ROOT

EXPORTED = ROOT / "openapi" / "openapi.json"
PROBLEM = "application/problem+json"

each_operation = pytest.mark.parametrize("operation", operations(), ids=str)


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference into the components."""
    reference = schema.get("$ref")
    if reference is None:
        return schema
    found: dict[str, Any] = document()["components"]["schemas"][reference.rpartition("/")[2]]
    return found


def test_the_exported_document_is_up_to_date() -> None:
    assert EXPORTED.is_file(), "openapi/openapi.json is not there: run `make openapi`"
    exported = EXPORTED.read_text(encoding="utf-8")
    now = json.dumps(document(), indent=2, ensure_ascii=False) + "\n"
    assert exported == now, "openapi/openapi.json is stale: run `make openapi`"


def test_the_document_says_what_it_is_about() -> None:
    info = document()["info"]
    assert info["title"] == "Gateroom"
    assert re.fullmatch(r"\d+\.\d+\.\d+", info["version"])
    assert len(info["description"]) > 40
    used = {tag for operation in operations() for tag in operation.document["tags"]}
    assert {tag["name"] for tag in document()["tags"]} == used
    assert all(len(tag["description"]) > 10 for tag in document()["tags"])


def test_every_operation_of_the_contract_is_there() -> None:
    there = {str(operation) for operation in operations()}
    for call in (
        "POST /auth/token",
        "POST /auth/login",
        "GET /auth/me",
        "PUT /auth/me/password",
        "POST /auth/refresh",
        "POST /auth/logout",
        "GET /auth/sessions",
        "DELETE /auth/sessions/{session}",
        "POST /auth/introspect",
        "POST /auth/revoke",
        "GET /.well-known/jwks.json",
        "GET /.well-known/oauth-authorization-server",
        "POST /api/users",
        "GET /api/users",
        "GET /api/users/{user}",
        "PATCH /api/users/{user}",
        "DELETE /api/users/{user}",
        "POST /api/users/{user}/messages",
        "GET /api/users/{user}/connections",
        "DELETE /api/users/{user}/connections",
        "POST /api/rooms",
        "GET /api/rooms",
        "GET /api/rooms/{room}",
        "PATCH /api/rooms/{room}",
        "DELETE /api/rooms/{room}",
        "GET /api/rooms/{room}/members",
        "PUT /api/rooms/{room}/members/{user}",
        "DELETE /api/rooms/{room}/members/{user}",
        "POST /api/rooms/{room}/messages",
        "GET /api/rooms/{room}/messages",
        "GET /api/rooms/{room}/presence",
        "GET /api/rooms/{room}/state",
        "PATCH /api/rooms/{room}/state",
        "GET /healthz",
        "GET /readyz",
        "GET /metrics",
    ):
        assert call in there


@each_operation
def test_it_has_a_name_a_summary_and_a_description(operation: Operation) -> None:
    described = operation.document
    assert re.fullmatch(r"[a-z]+(_[a-z]+)+", described["operationId"]), described["operationId"]
    assert described["operationId"].startswith(f"{described['tags'][0]}_"), "this name is made up of the path"
    assert 5 < len(described["summary"]) < 60
    assert described["description"].endswith(".")
    assert len(described["tags"]) == 1


def test_no_name_occurs_twice() -> None:
    names = [operation.document["operationId"] for operation in operations()]
    assert len(set(names)) == len(names)


def test_no_schema_has_a_name_that_a_framework_made_up() -> None:
    # FastAPI calls a form after its operation.
    good = re.compile(r"[A-Z][A-Za-z]+|Body_auth_(token|revoke|introspect)")
    assert [name for name in document()["components"]["schemas"] if not good.fullmatch(name)] == []
    assert {"HTTPValidationError", "ValidationError"}.isdisjoint(document()["components"]["schemas"])


@each_operation
def test_every_parameter_is_described_or_has_an_example(operation: Operation) -> None:
    for parameter in operation.document.get("parameters", []):
        schema = resolved(parameter["schema"])
        told = parameter.get("description") or schema.get("description")
        assert told or parameter.get("examples") or schema.get("examples"), parameter["name"]


@each_operation
def test_every_body_has_an_example(operation: Operation) -> None:
    for media in operation.document.get("requestBody", {}).get("content", {}).values():
        schema = resolved(media["schema"])
        schema = resolved(schema["anyOf"][0]) if "anyOf" in schema else schema  # one that may be left out
        schema = schema.get("items", schema)
        required = schema.get("required") or list(schema["properties"])[:1]
        for name in required:
            field = resolved(schema["properties"][name])
            alternatives = [field, *map(resolved, field.get("anyOf", []))]
            assert any("examples" in each or "enum" in each for each in alternatives), f"{operation}: {name}"


@each_operation
def test_every_error_is_described_by_its_code_and_with_an_example(operation: Operation) -> None:
    for status, response in operation.document["responses"].items():
        if status < "400":
            continue
        assert len(response["description"]) > 5
        if operation.path in ("/auth/token", "/auth/revoke", "/auth/introspect"):
            schema = resolved(response["content"]["application/json"]["schema"])
            assert set(schema["properties"]) == {"error", "error_description"}
        elif operation.path == "/readyz":
            assert "checks" in resolved(response["content"]["application/json"]["schema"])["properties"]
        else:
            assert list(response["content"]) == [PROBLEM]
            assert set(resolved(response["content"][PROBLEM]["schema"])["properties"]) == set(Problem.model_fields)
            examples = response["content"][PROBLEM]["examples"]
            assert examples
            for code, example in examples.items():
                assert Problem.model_validate(example["value"]).code == code
                assert example["value"]["status"] == int(status)
                assert code in BY_CODE


@pytest.mark.parametrize("operation", guarded(), ids=str)
def test_a_guarded_operation_says_so(operation: Operation) -> None:
    assert operation.document["security"]
    assert {"401", "503"} <= set(operation.document["responses"])
    codes = operation.document["responses"]["401"]["content"][PROBLEM]["examples"]
    assert {"missing_token", "invalid_token", "token_expired", "user_disabled"} <= set(codes)
    if operation.method != "GET":
        assert "invalid_csrf" in operation.document["responses"]["403"]["content"][PROBLEM]["examples"]


@each_operation
def test_what_may_be_malformed_is_told(operation: Operation) -> None:
    statuses = set(operation.document["responses"])
    takes_json = "application/json" in operation.document.get("requestBody", {}).get("content", {})
    if takes_json:
        assert {"400", "413", "422"} <= statuses
    elif operation.document.get("parameters"):
        assert "422" in statuses


def test_the_others_need_no_credential() -> None:
    for operation in operations():
        if operation.path in PUBLIC:
            assert "security" not in operation.document, operation


def test_swagger_can_log_in() -> None:
    (scheme,) = document()["components"]["securitySchemes"].values()
    flow = scheme["flows"]["password"]
    assert scheme["type"] == "oauth2"
    assert flow["tokenUrl"] == "auth/token"  # relative to the page, so that it works behind any prefix
    assert {"users:admin", "users:send", "rooms:create", "rooms:admin"} <= set(flow["scopes"])
