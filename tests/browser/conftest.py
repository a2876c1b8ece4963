"""A Chromium and a gateway for each file of tests; consoles and a room for each test."""

from collections.abc import Callable, Iterator
from functools import cache
from itertools import count

import pytest
from playwright.sync_api import Browser

from support.browser import Console, running_chromium
from support.gateway import RunningGateway, running_gateway


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with running_chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def gateway(chromium: Browser) -> Iterator[RunningGateway]:
    with running_gateway(demo=True) as running:
        yield running


@pytest.fixture(scope="module")
def token(gateway: RunningGateway) -> Callable[[str], str]:
    """Give a user's access token; each logs in once."""
    return cache(gateway.token)


@pytest.fixture(scope="module")
def room_names() -> Iterator[str]:
    return (f"room-{number}" for number in count(1))


@pytest.fixture
def room(gateway: RunningGateway, token: Callable[[str], str], room_names: Iterator[str]) -> str:
    """Make a public room that nobody has been in."""
    name = next(room_names)
    with gateway.client() as client:
        headers = {"Authorization": f"Bearer {token('admin')}"}
        client.post("/api/rooms", json={"id": name, "visibility": "public"}, headers=headers).raise_for_status()
    return name


@pytest.fixture
def open_console(chromium: Browser) -> Iterator[Callable[..., Console]]:
    """Open consoles that must not have had an error of their own when the test ends."""
    consoles: list[Console] = []

    def open_one(url: str, *, width: int = 1280, height: int = 800) -> Console:
        consoles.append(Console(chromium, url, width=width, height=height))
        return consoles[-1]

    yield open_one
    errors = [error for console in consoles for error in console.errors]
    for console in consoles:
        console.close()
    assert errors == []


@pytest.fixture
def connected(
    gateway: RunningGateway, token: Callable[[str], str], open_console: Callable[..., Console]
) -> Callable[[str], Console]:
    """Open a console that is connected as a user."""

    def open_connected(username: str) -> Console:
        console = open_console(gateway.url)
        console.offer_token(token(username))
        console.sees_status("Connected")
        return console

    return open_connected
