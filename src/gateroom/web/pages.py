"""Pages of our own and what they load: served from the package, under a policy that runs nothing else."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated

from fastapi import Header, Response

from gateroom.errors import NotFound

EntityTags = Annotated[str | None, Header(alias="If-None-Match")]

_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
# CSP 3: 'self' in connect-src covers ws: and wss: of the page's own host and port too (section 6.7.2.8).
CONTENT_SECURITY_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
    "object-src": "'none'",
}
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",  # kept, but asked for again: after an upgrade page and parts belong together
}


@dataclass(frozen=True, slots=True)
class _Asset:
    content: bytes
    media_type: str
    etag: str


class Pages:
    """A page, `index.html`, and its parts, read once from their files; no other name is ever served."""

    def __init__(self, files: Iterable[Path], **policy: str) -> None:
        """`policy` overrides directives of the content security policy, with underscores for dashes."""
        self._files = tuple(files)
        directives = CONTENT_SECURITY_POLICY | {name.replace("_", "-"): value for name, value in policy.items()}
        self._policy = "; ".join(f"{name} {value}" for name, value in directives.items())

    def page(self, entity_tags: str | None) -> Response:
        """Serve the page."""
        return self._served("index.html", entity_tags)

    def part(self, name: str, entity_tags: str | None) -> Response:
        """Serve a style sheet, script or picture of the page. Raises `NotFound` for any other name."""
        if name == "index.html":
            raise NotFound
        return self._served(name, entity_tags)

    @cached_property
    def _assets(self) -> dict[str, _Asset]:
        found = {}
        for path in self._files:
            content = path.read_bytes()
            etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
            found[path.name] = _Asset(content, _MEDIA_TYPES[path.suffix], etag)
        return found

    def _served(self, name: str, entity_tags: str | None) -> Response:
        asset = self._assets.get(name)
        if asset is None:
            raise NotFound
        headers = {**_HEADERS, "Content-Security-Policy": self._policy, "ETag": asset.etag}
        known = {tag.strip().removeprefix("W/") for tag in (entity_tags or "").split(",")}  # RFC 9110 section 13.1.2
        if asset.etag in known:
            return Response(status_code=304, headers=headers)
        return Response(asset.content, media_type=asset.media_type, headers=headers)
