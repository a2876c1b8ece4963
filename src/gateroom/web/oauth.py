"""What the OAuth 2 endpoints have in common: forms, and errors in the words of RFC 6749 section 5.2."""

from base64 import b64decode
from collections.abc import Mapping

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from gateroom.errors import GateroomError, InsufficientScope, InvalidCommand, InvalidScope, Refusal
from gateroom.web.errors import challenge
from gateroom.web.granting import NO_STORE
from gateroom.web.strict import StrictRoute


class OAuthRoute(StrictRoute):
    """Says what is wrong in OAuth's own form: a body that cannot be read, and what a handler raises."""

    def refused(self, error: GateroomError) -> Response:
        if isinstance(error, InvalidScope):
            return oauth_error(400, "invalid_scope", error.detail)
        if isinstance(error, InvalidCommand):
            return oauth_error(400, "invalid_request", "The body is not a form of the fields that are asked for.")
        if isinstance(error, InsufficientScope):
            return oauth_error(error.status, "insufficient_scope", error.detail, challenge=challenge(error))
        if error.status == 401 and isinstance(error, Refusal):
            return oauth_error(error.status, "invalid_token", error.detail, challenge=challenge(error))
        name = "invalid_request" if error.status < 500 else "temporarily_unavailable"
        return oauth_error(error.status, name, error.detail, error.retry_after)


def oauth_error(
    status: int, error: str, description: str, retry_after: int | None = None, challenge: str | None = None
) -> JSONResponse:
    """Make an error response; `challenge` is its WWW-Authenticate."""
    headers = dict(NO_STORE)
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    if challenge is not None:
        headers["WWW-Authenticate"] = challenge
    return JSONResponse({"error": error, "error_description": description}, status, headers)


def invalid_client() -> JSONResponse:
    return oauth_error(
        401,
        "invalid_client",
        "There are no confidential clients here; leave client_secret out.",
        challenge='Basic realm="gateroom"',
    )


async def form_of(request: Request) -> Mapping[str, str] | None:
    """Return the fields of a form by name; None when one is given twice, which nothing could be made of."""
    fields = [(name, value) for name, value in (await request.form()).multi_items() if isinstance(value, str)]
    found = dict(fields)
    return found if len(found) == len(fields) else None


def authenticates_a_client(request: Request) -> bool:
    """Tell whether a client's secret is in the header (RFC 6749 section 2.3.1); Swagger's form sends an empty one."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        return not b64decode(encoded).endswith(b":")
    except ValueError:
        return True
