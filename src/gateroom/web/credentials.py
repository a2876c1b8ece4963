"""Where a credential may be, and that there is only one (contract section 3)."""

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import parse_qsl

from starlette.requests import HTTPConnection

from gateroom.errors import AmbiguousCredentials, InvalidToken, MissingToken
from gateroom.web import cookies
from gateroom.web.runtime import WebOptions

BEARER_PREFIX = "bearer."
MAX_QUERY_FIELDS = 50


class Place(StrEnum):
    """The places a credential can be in, by their names in `auth.credentials`."""

    QUERY = "query"
    HEADER = "header"
    SUBPROTOCOL = "subprotocol"
    COOKIE = "cookie"
    TICKET = "ticket"


@dataclass(frozen=True, slots=True, repr=False)
class Credential:
    """A token, or a ticket, that nobody has believed yet, and where it was; never printed."""

    token: str
    place: Place


def of_socket(connection: HTTPConnection, options: WebOptions) -> Credential:
    """Find the one credential of a handshake.

    An explicit one wins over the cookie. Raises `MissingToken`, or `AmbiguousCredentials` when explicit ones differ or
    one is given twice.
    """
    query = _query(connection)
    found = {
        Place.QUERY: [value for name, value in query if name == "token"],
        Place.TICKET: [value for name, value in query if name == "ticket"],
        Place.HEADER: _in_header(connection),
    }
    found[Place.SUBPROTOCOL] = [
        offer.removeprefix(BEARER_PREFIX) for offer in offers(connection) if offer.startswith(BEARER_PREFIX)
    ]
    return _choose(found, connection, options)


def of_request(connection: HTTPConnection, options: WebOptions) -> Credential:
    """Find the credential of an HTTP request: in the Authorization header, or the cookie."""
    return _choose({Place.HEADER: _in_header(connection)}, connection, options)


def refresh_cookie(connection: HTTPConnection, options: WebOptions) -> str:
    """Return the refresh token in the cookie. Raises `MissingToken` or `AmbiguousCredentials`."""
    if Place.COOKIE not in options.credentials:
        raise MissingToken
    held = cookies.values(connection, cookies.refresh_name(cookies.is_secure(connection, options)))
    if len(held) > 1:
        raise AmbiguousCredentials
    if not held or not held[0]:
        raise MissingToken
    return held[0]


def offers(connection: HTTPConnection) -> list[str]:
    """Return the subprotocols a client offered, in order (RFC 6455 section 11.3.4)."""
    lines = connection.headers.getlist("sec-websocket-protocol")
    return [offer for line in lines for part in line.split(",") if (offer := part.strip(" \t"))]


def _choose(found: dict[Place, list[str]], connection: HTTPConnection, options: WebOptions) -> Credential:
    explicit = [(place, token) for place, tokens in found.items() if place in options.credentials for token in tokens]
    if any(len(tokens) > 1 for place, tokens in found.items() if place in options.credentials):
        raise AmbiguousCredentials
    if len({token for _, token in explicit}) > 1:
        raise AmbiguousCredentials
    if explicit:
        place, token = explicit[0]
        return _given(token, place)
    if Place.COOKIE in options.credentials:
        secure = cookies.is_secure(connection, options)
        held = cookies.values(connection, cookies.access_name(secure))
        if len(held) > 1:
            raise AmbiguousCredentials
        if held:
            return _given(held[0], Place.COOKIE)
    raise MissingToken


def _given(token: str, place: Place) -> Credential:
    if not token:  # no fall-back to the cookie: whoever names a token means it
        raise MissingToken
    return Credential(token, place)


def _query(connection: HTTPConnection) -> list[tuple[str, str]]:
    query = connection.scope["query_string"].decode("latin-1")
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS)
    except ValueError:
        raise InvalidToken from None


def _in_header(connection: HTTPConnection) -> list[str]:
    found = []
    for line in connection.headers.getlist("authorization"):
        scheme, _, token = line.partition(" ")
        if scheme.lower() == "bearer":
            found.append(token.strip(" "))
    return found
