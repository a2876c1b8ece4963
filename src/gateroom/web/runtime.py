"""What the web layer works with: one frozen value, put on the application by `install`."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import HTTPConnection

from gateroom.auth.accounts import Accounts
from gateroom.auth.api_keys import ApiKeys
from gateroom.auth.audit import Audit
from gateroom.auth.bearers import Bearers
from gateroom.auth.csrf import Csrf
from gateroom.auth.keys import KeyRing
from gateroom.auth.login import Login
from gateroom.auth.people import People
from gateroom.auth.ports import AuditStore, SessionPages
from gateroom.auth.registration import Registration
from gateroom.auth.registry import Registry
from gateroom.auth.sessions import Sessions
from gateroom.auth.tickets import Tickets
from gateroom.auth.tokens import AccessTokens
from gateroom.realtime.control import Control
from gateroom.realtime.dispatch import Dispatch
from gateroom.realtime.live import Live
from gateroom.realtime.publisher import Publisher
from gateroom.rooms.directory import Directory
from gateroom.rooms.moderation import Moderation


@dataclass(frozen=True, slots=True)
class WebOptions:
    """What an operator chose about the edge."""

    public_origin: str | None = None  # None: the Host that was asked
    allowed_origins: frozenset[str] = frozenset()
    credentials: frozenset[str] = frozenset({"query", "cookie", "header", "subprotocol", "ticket"})
    cookie_secure: Literal["auto", "on", "off"] = "auto"
    metrics: Literal["loopback", "public", "token", "off"] = "loopback"


@dataclass(frozen=True, slots=True)
class Runtime:
    """The services behind the routes."""

    options: WebOptions
    ring: KeyRing
    tokens: AccessTokens
    bearers: Bearers
    tickets: Tickets
    accounts: Accounts
    people: People
    login: Login
    api_keys: ApiKeys
    registration: Registration
    audit: Audit
    audit_log: AuditStore
    sessions: Sessions
    devices: SessionPages
    csrf: Csrf
    registry: Registry
    directory: Directory
    moderation: Moderation
    live: Live
    dispatch: Dispatch
    control: Control
    publisher: Publisher
    metrics: CollectorRegistry
    # Dependencies whose state /readyz shows: a check raises when the dependency is not usable.
    checks: Mapping[str, Callable[[], Awaitable[None]]] = field(default_factory=dict)


def runtime_of(connection: HTTPConnection) -> Runtime:
    """Return the runtime of the application that serves this request or socket; see `runtime_in`."""
    return runtime_in(connection.app)


def runtime_in(app: Starlette) -> Runtime:
    """Return the runtime of an application.

    Raises `RuntimeError` when its lifespan has not run, so that nothing could be opened.
    """
    runtime = getattr(app.state, "gateroom", None)
    if not isinstance(runtime, Runtime):
        raise RuntimeError(
            "Gateroom is not started: run the application's lifespan (`with TestClient(app):` in tests)."
        )
    return runtime
