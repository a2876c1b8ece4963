"""Fetches the key sets of outside issuers: from the configured address only, bounded in size and time."""

import asyncio
from types import TracebackType

import httpx2 as httpx

from gateroom.auth.key_sets import KeySetUnreachable
from gateroom.auth.public_keys import MAX_SET_BYTES

TIMEOUT = 5.0  # seconds, from the name's resolution to the last byte


class KeySetClient:
    """An HTTP client that follows no redirect: one could lead into the network behind us."""

    def __init__(self) -> None:
        """Read the system's certificates; that takes some milliseconds."""
        # Not compressed: a few bytes could become as much as they like.
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "gateroom"}
        self._client = httpx.AsyncClient(headers=headers, timeout=TIMEOUT, follow_redirects=False)

    async def __aenter__(self) -> "KeySetClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def fetch(self, url: str) -> bytes:
        """Return what is at `url`, up to `MAX_SET_BYTES`. Raises `KeySetUnreachable`."""
        try:
            async with asyncio.timeout(TIMEOUT), self._client.stream("GET", url) as response:
                if response.status_code != 200:
                    raise KeySetUnreachable(f"it answered {response.status_code}")
                body = bytearray()
                async for chunk in response.aiter_raw():
                    body += chunk
                    if len(body) > MAX_SET_BYTES:
                        raise KeySetUnreachable(f"its answer is over {MAX_SET_BYTES} bytes")
                return bytes(body)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as fault:
            raise KeySetUnreachable(f"it did not answer: {type(fault).__name__}") from None
