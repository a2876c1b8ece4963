"""Which web pages may use a browser's credentials here (RFC 6454; RFC 6455 section 10.2)."""

from starlette.requests import HTTPConnection

from gateroom.web.runtime import WebOptions

_HTTP_SCHEME = {"ws": "http", "wss": "https"}


def origin_of(connection: HTTPConnection) -> str | None:
    """Return the Origin header; None without one, and "null" when there are two, which no browser sends."""
    sent = connection.headers.getlist("origin")
    if not sent:
        return None
    return sent[0] if len(sent) == 1 else "null"


def is_allowed(origin: str, connection: HTTPConnection, options: WebOptions) -> bool:
    """Compare exactly, letter by letter, with the server's own origin and the allowed ones.

    The own origin is the configured public one, or else the scheme and Host of this very request: a foreign page's
    request has the page's Origin but our Host.
    """
    if origin in options.allowed_origins:
        return True
    if options.public_origin is not None:
        return origin == options.public_origin
    hosts = connection.headers.getlist("host")
    scheme = connection.scope["scheme"]
    return len(hosts) == 1 and origin == f"{_HTTP_SCHEME.get(scheme, scheme)}://{hosts[0]}"
