"""The cookies a browser session lives in: names, flags, and a reader that a duplicate or odd name cannot fool."""

from ipaddress import ip_address

from starlette.requests import HTTPConnection
from starlette.responses import Response

from gateroom.web.runtime import WebOptions

ACCESS, REFRESH = "gateroom_access", "gateroom_refresh"
REFRESH_PATH = "/auth"


def is_secure(connection: HTTPConnection, options: WebOptions) -> bool:
    """Say whether cookies carry `Secure`: always, but for plain http to a loopback host under `auto`, or `off`.

    Where browsers come by https, a proxy may well ask us by http and call us by its own name for us.
    """
    if options.cookie_secure != "auto":
        return options.cookie_secure == "on"
    if options.public_origin is not None and options.public_origin.startswith("https://"):
        return True
    plain = connection.scope["scheme"] in ("http", "ws")
    return not (plain and _is_loopback(connection.headers.get("host", "")))


def access_name(secure: bool) -> str:
    """Return the cookie's name; the prefix makes browsers insist on Secure, Path=/ and no Domain (RFC 6265bis)."""
    return f"__Host-{ACCESS}" if secure else ACCESS


def set_access(response: Response, token: str, max_age: int, *, secure: bool) -> None:
    """Put the access token where only the browser itself sees it; `max_age` in seconds."""
    response.set_cookie(
        access_name(secure), token, max_age=max_age, path="/", secure=secure, httponly=True, samesite="lax"
    )


def refresh_name(secure: bool) -> str:
    """Return the refresh cookie's name; `__Secure-` and not `__Host-`, since its path is not `/`."""
    return f"__Secure-{REFRESH}" if secure else REFRESH


def set_refresh(response: Response, token: str, max_age: int, *, secure: bool) -> None:
    """Put the refresh token where only our own pages send it, and to `/auth` only; `max_age` in seconds."""
    response.set_cookie(
        refresh_name(secure), token, max_age=max_age, path=REFRESH_PATH, secure=secure, httponly=True, samesite="strict"
    )


def clear(response: Response, *, secure: bool) -> None:
    """Have the browser forget both tokens."""
    response.delete_cookie(access_name(secure), path="/", secure=secure, httponly=True, samesite="lax")
    response.delete_cookie(refresh_name(secure), path=REFRESH_PATH, secure=secure, httponly=True, samesite="strict")


def values(connection: HTTPConnection, name: str) -> list[str]:
    """Return every value a cookie was sent with, comparing names as raw bytes.

    Python's and Starlette's parsers let the last duplicate win and strip more than spaces from a name.
    """
    wanted = name.encode()
    found = []
    for header, line in connection.scope["headers"]:
        if header == b"cookie":
            for pair in line.split(b";"):
                key, separator, value = pair.strip(b" \t").partition(b"=")
                if separator and key == wanted:
                    found.append(value.decode("latin-1"))
    return found


def _is_loopback(host: str) -> bool:
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
