"""Which foreign pages may read our answers: the configured ones, exactly (Fetch standard section 3.2)."""

from collections.abc import Iterable

from starlette.datastructures import MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
REQUEST_HEADERS = ("Authorization", "Content-Type", "If-Match", "If-None-Match", "X-CSRF-Token")
RESPONSE_HEADERS = ("ETag", "Location", "Retry-After", "WWW-Authenticate", "X-CSRF-Token")
_MAX_AGE = 600  # seconds for which a browser need not ask again


class ForeignPagesMiddleware:
    """Lets pages of the allowed origins call with credentials; any other page is told nothing at all.

    That is what Starlette's middleware is kept away from: it tells every page methods, headers and `credentials`.
    """

    def __init__(self, app: ASGIApp, origins: Iterable[str]) -> None:
        self._app = app
        self._origins = frozenset(origin.encode() for origin in origins)
        self._allowed = CORSMiddleware(
            app,
            allow_origins=[origin.decode() for origin in sorted(self._origins)],
            allow_methods=METHODS,
            allow_headers=REQUEST_HEADERS,
            expose_headers=RESPONSE_HEADERS,
            allow_credentials=True,
            max_age=_MAX_AGE,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent = [value for name, value in scope["headers"] if name == b"origin"]
        if len(sent) == 1 and sent[0] in self._origins:
            await self._allowed(scope, receive, send)
            return

        async def send_varied(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).add_vary_header("Origin")  # for caches: another page's answer differs
            await send(message)

        await self._app(scope, receive, send_varied)
