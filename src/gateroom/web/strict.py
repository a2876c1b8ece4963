"""How our routes read bodies: strictly, and without ever repeating what was sent."""

from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from functools import partial
from typing import Any

import msgspec
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from gateroom.errors import GateroomError, InvalidCommand, MalformedRequest, TooLarge
from gateroom.web.audit import recorded
from gateroom.web.errors import problem

MAX_BODY_BYTES = 65536


class _StrictRequest(Request):
    """Parses JSON without NaN, numbers beyond a double, or lone surrogates, which the standard parser lets through.

    Reads at most `MAX_BODY_BYTES`, whatever the server and the application around our routes allow.
    """

    async def stream(self) -> AsyncGenerator[bytes, None]:
        taken = 0
        async for chunk in super().stream():
            taken += len(chunk)
            if taken > MAX_BODY_BYTES:
                raise HTTPException(413)
            yield chunk

    async def json(self) -> Any:
        try:
            return msgspec.json.decode(await self.body())
        except (msgspec.MsgspecError, RecursionError, ValueError):
            raise HTTPException(400) from None


_UNREADABLE: Mapping[int, type[GateroomError]] = {400: MalformedRequest, 413: TooLarge}


class StrictRoute(APIRoute):
    """A route whose validation errors name the field and never its value, and whose changes go into the audit log."""

    def refused(self, error: GateroomError) -> Response:
        """Make the answer that says what is wrong."""
        return problem(error)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await recorded(request, self, partial(self._answer, handler))

        return strict

    async def _answer(
        self, handler: Callable[[Request], Coroutine[Any, Any, Response]], request: Request
    ) -> tuple[Response, str | None]:
        """Return the response, and the code of what went wrong."""
        try:
            return await handler(_StrictRequest(request.scope, request.receive)), None
        except GateroomError as error:
            return self.refused(error), error.code
        except RequestValidationError as error:
            return self.refused(InvalidCommand(explain(error.errors()))), InvalidCommand.code
        except HTTPException as error:
            if error.status_code in _UNREADABLE:
                unreadable = _UNREADABLE[error.status_code]()
                return self.refused(unreadable), unreadable.code
            raise


def explain(problems: Any) -> str:
    """Say what is wrong with which field, in one sentence without any of the input."""
    found = []
    for item in problems:
        location = [str(part) for part in item["loc"] if part not in ("body", "query", "path", "header")]
        # A name that the client made up is input too.
        name = "a field" if item["type"] == "extra_forbidden" else ".".join(location) or "the body"
        found.append(f"{name}: {_SENTENCES.get(item['type'], 'not valid')}")
    return "; ".join(dict.fromkeys(found)) + "."


_SENTENCES = {
    "missing": "is required",
    "extra_forbidden": "is unknown",
    "string_type": "must be a string",
    "string_too_short": "is too short",
    "string_too_long": "is too long",
    "string_pattern_mismatch": "has characters or a form that is not allowed",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "greater_than_equal": "is too small",
    "less_than_equal": "is too large",
    "list_type": "must be a list",
    "too_long": "has too many items",
    "enum": "is not one of the values allowed",
    "literal_error": "is not one of the values allowed",
    "model_attributes_type": "must be a JSON object",
    "model_type": "must be a JSON object",
    "dict_type": "must be a JSON object",
}
