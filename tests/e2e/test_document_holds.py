"""What the OpenAPI document says is what a real server does, whatever is sent to it (schemathesis; HC-3)."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import CheckFunction, not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from support.gateway import RunningGateway, running_gateway
from support.operations import Operation, document, operations

EXAMPLES = 6  # for each operation
CHECKS: list[CheckFunction] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
AnyCase = Case[Any]
SCHEMA: Any = schemathesis.openapi.from_dict(document())


class Place:
    """A server, whoever calls it, and what paths may name that is there."""

    def __init__(self, gateway: RunningGateway) -> None:
        self.gateway = gateway
        self._numbers = itertools.count(1)
        self.calls = requests.Session()
        self.calls.trust_env = False  # no proxy of this machine's

    def afresh(self) -> dict[str, str]:
        """Be logged in, and make a room and a user; return what stands for them in a path."""
        name = f"p{next(self._numbers)}"
        if self.calls.get(f"{self.gateway.url}/auth/me").status_code == 401:
            self.calls.headers["Authorization"] = f"Bearer {self.gateway.token()}"
        self._make("/api/rooms", {"id": name})
        user = self._make("/api/users", {"username": name, "password": f"the password of {name}"})
        return {"user": user["id"], "room": name, "session": "-"}

    def _make(self, path: str, body: Mapping[str, str]) -> Any:
        answer = self.calls.post(self.gateway.url + path, json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with running_gateway(environment={"GATEROOM_AUTH__LOGIN_RATE": "0"}) as gateway:
        yield Place(gateway)
        said = "".join(gateway.output)
        assert "Traceback" not in said
        assert "error_id" not in said


def cases(operation: Operation, there: dict[str, str]) -> st.SearchStrategy[AnyCase]:
    """Return requests: as described, not as described, and as described about what is there."""
    described = SCHEMA[operation.path][operation.method]
    named = {name: value for name, value in there.items() if f"{{{name}}}" in operation.path}
    kinds = [described.as_strategy(), described.as_strategy(GenerationMode.NEGATIVE)]
    return st.one_of(*kinds, *([described.as_strategy(path_parameters=named)] if named else []))


@pytest.mark.parametrize("operation", operations(), ids=str)
def test_no_request_is_answered_otherwise_than_described(place: Place, operation: Operation) -> None:
    there = place.afresh()

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases(operation, there))
    def holds(case: AnyCase) -> None:
        answer = case.call(base_url=place.gateway.url, session=place.calls, timeout=20)
        case.validate_response(answer, checks=CHECKS)

    holds()
