"""Who sees what is for operators, under each setting of a production profile (AD-1)."""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from gateroom import Gateroom, create_app
from gateroom.settings import Settings
from support.in_process import Account, InProcess, running_in_process
from support.tree import ROOT

PRODUCTION: Mapping[str, Mapping[str, object]] = tomllib.loads((ROOT / "config" / "production.toml").read_text())
THROUGH_THE_PROXY = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https"}
PAGES = ("/docs", "/docs/start.js", "/openapi.json", "/metrics")
ADMIN_CALLS = ("/api/users", "/api/users/@admin/connections")


def in_production(access: str) -> dict[str, Mapping[str, object]]:
    """Return production's settings with pages and metrics set to `access`."""
    changes: Mapping[str, Mapping[str, object]] = {
        "server": {"docs": access},
        "auth": {"login_rate": 1000},
        "observability": {"metrics": access},
    }
    return {section: {**values, **changes.get(section, {})} for section, values in PRODUCTION.items()}


def statuses(gateway: InProcess, path: str, user: Account) -> list[int]:
    """Return how anonymous callers, users and administrators are answered."""
    return [
        gateway.client.get(path, headers={**THROUGH_THE_PROXY, **(caller.headers if caller else {})}).status_code
        for caller in (None, user, gateway.admin)
    ]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    with running_in_process(tmp_path_factory.mktemp("data"), **in_production("token")) as running:
        yield running


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    with running_in_process(tmp_path_factory.mktemp("data"), **in_production("off")) as running:
        yield running


@pytest.mark.parametrize("path", PAGES)
def test_pages_for_operators_are_for_operators(guarded: InProcess, path: str) -> None:
    assert statuses(guarded, path, guarded.user()) == [401, 403, 200]


def test_a_scraper_needs_one_scope_and_no_other(guarded: InProcess) -> None:
    scraper = guarded.user(["operations:read"])
    assert [guarded.get(path, scraper).status_code for path in (*PAGES, *ADMIN_CALLS)] == [200] * 4 + [403] * 2


@pytest.mark.parametrize("path", PAGES)
def test_what_is_off_is_not_there_for_anybody(closed: InProcess, path: str) -> None:
    assert statuses(closed, path, closed.user()) == [404, 404, 404]


@pytest.mark.parametrize("path", ["/console", "/console/console.js"])
def test_the_console_is_off_in_production(guarded: InProcess, path: str) -> None:
    assert statuses(guarded, path, guarded.user()) == [404, 404, 404]


@pytest.mark.parametrize("path", ADMIN_CALLS)
def test_calls_of_administrators_are_theirs(guarded: InProcess, path: str) -> None:
    assert statuses(guarded, path, guarded.user()) == [401, 403, 200]


def test_metrics_for_this_machine_are_not_behind_the_proxy(tmp_path: Path) -> None:
    settings = in_production("off") | {"observability": {"metrics": "loopback"}}
    with running_in_process(tmp_path, **settings) as gateway:
        assert statuses(gateway, "/metrics", gateway.user()) == [404, 404, 404]
        assert gateway.client.get("/metrics").status_code == 200


def test_in_development_all_of_it_is_open(tmp_path: Path) -> None:
    with running_in_process(tmp_path) as gateway:
        for path in (*PAGES, "/console"):
            assert statuses(gateway, path, gateway.admin)[1:] == ([404, 404] if path == "/metrics" else [200, 200])


def test_an_embedding_application_is_held_to_it_too() -> None:
    with pytest.raises(ValueError, match="public_url"):
        Settings.model_validate({"server": {"profile": "production"}})
    with pytest.raises(ValueError, match="demo"):
        Gateroom(Settings.model_validate(PRODUCTION), demo=True)


def test_the_document_is_the_same_wherever_it_comes_from(guarded: InProcess) -> None:
    assert guarded.get("/openapi.json", guarded.admin).json() == create_app().openapi()
