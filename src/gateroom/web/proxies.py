"""Who a request comes from when trusted proxies stand between: the one place that believes their headers."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Literal

from starlette.types import ASGIApp, Receive, Scope, Send

Style = Literal["x-forwarded", "forwarded"]
Address = IPv4Address | IPv6Address

MAX_HOPS = 32  # entries that are read, from the right
_SECURE = {"http": "https", "ws": "wss"}
_PLAIN = {secure: plain for plain, secure in _SECURE.items()}


class TrustedProxiesMiddleware:
    """Puts the client's address and scheme into the scope where the peer is one of the configured proxies.

    Read from the right, the first address that is not a trusted proxy's is the client: whatever stands left of it was
    made up by the client itself. Only the configured style of header is read, since a proxy that writes one passes the
    other on as it came. The port is unknown then, and 0.
    """

    def __init__(self, app: ASGIApp, trusted: Iterable[str], style: Style = "x-forwarded") -> None:
        self._app = app
        self._trusted = tuple(ip_network(network) for network in trusted)
        self._read = _x_forwarded if style == "x-forwarded" else _forwarded

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and self._trusts(_parsed(scope["client"] and scope["client"][0])):
            self._rewrite(scope)
        await self._app(scope, receive, send)

    def _trusts(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self._trusted)

    def _rewrite(self, scope: Scope) -> None:
        # In place: the server's own access log reads this very scope.
        nearest: tuple[Address, str] | None = None
        for sender, scheme in self._read(scope["headers"]):
            address = _parsed(sender)
            if address is None:  # what is no address says nothing, and neither does anything left of it
                break
            nearest = (address, scheme)
            if not self._trusts(address):
                break
        if nearest is None:
            return
        scope["client"] = (str(nearest[0]), 0)
        if nearest[1] == "https":
            scope["scheme"] = _SECURE.get(scope["scheme"], scope["scheme"])
        elif nearest[1] == "http":
            scope["scheme"] = _PLAIN.get(scope["scheme"], scope["scheme"])


def _x_forwarded(headers: Sequence[tuple[bytes, bytes]]) -> Iterable[tuple[str, str]]:
    """Return the senders and what they spoke, the nearest first. A single scheme is the whole chain's."""
    senders, schemes = _list(headers, b"x-forwarded-for"), _list(headers, b"x-forwarded-proto")
    if len(schemes) == 1:
        schemes *= len(senders)
    if len(schemes) != len(senders):
        schemes = [""] * len(senders)
    return list(zip(senders, (scheme.lower() for scheme in schemes), strict=True))[:MAX_HOPS]


def _forwarded(headers: Sequence[tuple[bytes, bytes]]) -> Iterable[tuple[str, str]]:
    """Return the same from `Forwarded` (RFC 7239 section 4)."""
    found = []
    for element in _list(headers, b"forwarded")[:MAX_HOPS]:
        pairs = [pair.partition("=") for pair in element.split(";")]
        fields = {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}
        found.append((fields.get("for", ""), fields.get("proto", "").lower()))
    return found


def _list(headers: Sequence[tuple[bytes, bytes]], name: bytes) -> list[str]:
    """Return the elements of a list in a header that may be given several times, the last first."""
    lines = [value.decode("latin-1") for key, value in headers if key == name]
    return [element.strip() for line in lines for element in line.split(",")][::-1]


def _parsed(text: str | None) -> Address | None:
    """Read an address with or without a port, as proxies write them; an IPv4 one in IPv6 clothes is IPv4."""
    if text is None or "%" in text:  # a zone is any text, and means something on the sender's machine only
        return None
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
