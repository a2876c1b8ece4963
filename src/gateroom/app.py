"""The composition root: the only file that names adapters; owns what is opened and closes it again."""

import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import fields
from functools import partial
from typing import Any

from fastapi import FastAPI

from gateroom.auth.accounts import Accounts
from gateroom.auth.alive import Alive
from gateroom.auth.api_keys import ApiKeys
from gateroom.auth.audit import Audit
from gateroom.auth.bearers import Bearers
from gateroom.auth.csrf import Csrf
from gateroom.auth.key_files import ring_of
from gateroom.auth.key_watch import KeyWatch
from gateroom.auth.login import Login
from gateroom.auth.newcomers import OutsideAccounts
from gateroom.auth.outsiders import Issuer, Outsiders
from gateroom.auth.people import People
from gateroom.auth.registration import Registration
from gateroom.auth.sessions import Sessions
from gateroom.auth.throttle import LoginThrottle
from gateroom.auth.tickets import Tickets
from gateroom.broker.local import LocalBroker
from gateroom.opening import Stores, access_tokens, key_directory, open_stores, room_kinds, session_terms
from gateroom.outbound.key_sets import KeySetClient
from gateroom.protocol.events import SERVER, Person
from gateroom.realtime.chores import Chore, Chores
from gateroom.realtime.control import Control
from gateroom.realtime.counts import Counts
from gateroom.realtime.dispatch import Dispatch
from gateroom.realtime.door import Door
from gateroom.realtime.hub import Hub
from gateroom.realtime.keeper import Keeper
from gateroom.realtime.limits import Limits
from gateroom.realtime.live import Live
from gateroom.realtime.ports import Position, Retention
from gateroom.realtime.publisher import Publisher
from gateroom.realtime.recheck import Recheck
from gateroom.realtime.renewal import Renewal
from gateroom.realtime.sweep import Sweep
from gateroom.realtime.tick import Tick
from gateroom.rooms.activity import Activity
from gateroom.rooms.arrivals import Arrivals
from gateroom.rooms.directory import Directory
from gateroom.rooms.first_start import FirstStart, NewAccount
from gateroom.rooms.model import RoomCaps
from gateroom.rooms.moderation import Moderation
from gateroom.rooms.review import Review
from gateroom.rooms.standings import Standings
from gateroom.rooms.templates import Template, Templates
from gateroom.server.profile import STATE_KEY, ServerProfile
from gateroom.settings import Settings
from gateroom.version import __version__
from gateroom.web import embedding
from gateroom.web.api import Edge, add_to
from gateroom.web.metrics import registry_of
from gateroom.web.runtime import Runtime, WebOptions

INBOX = Retention(size=100, ttl=86400, durable=True)
_BROKER, _HUB = 0, 1  # the stages of a tick


class Gateroom:
    """The gateway as a part of a FastAPI application: `Gateroom(Settings(...)).install(app)`.

    What it serves opens with the application's lifespan and closes with it.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        demo: bool = False,
        tell: Callable[[NewAccount], None] | None = None,
    ) -> None:
        """`tell` gets each account made at first start, with its password where that was generated; by default it is
        printed. `demo` adds three users to play with; raises `ValueError` in production."""
        self.settings = settings or Settings()
        if demo and self.settings.server.profile == "production":
            raise ValueError("demo users are not for production")
        self._demo = demo
        self._tell = tell or _print
        self._runtime: Runtime | None = None

    def install(self, app: FastAPI, *, whole: bool = False) -> None:
        """Add routes, sockets and lifespan to `app`; with `whole`, also speak for it where the framework refuses."""
        add_to(app, _edge(self.settings), whole=whole)
        inner = app.router.lifespan_context

        @asynccontextmanager
        async def lifespan(running: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
            async with self._opened(running), inner(running) as state:
                yield {**(state or {}), STATE_KEY: self.profile()}

        app.router.lifespan_context = lifespan

    def profile(self) -> ServerProfile:
        """Return what our server classes need to know."""
        realtime = self.settings.realtime
        return ServerProfile(
            refusal=realtime.refusal,
            max_message_bytes=realtime.max_message_bytes,
            header_timeout=realtime.header_timeout,
            body_timeout=realtime.body_timeout,
            stall_timeout=realtime.stall_timeout,
            shutdown_grace=self.settings.server.shutdown_grace,
        )

    # For the application Gateroom is part of

    async def publish(self, room: str, data: Any, *, sender: Person = SERVER, key: str | None = None) -> Position:
        """See `gateroom.publish`."""
        return await embedding.publish(self._started(), room, data, sender=sender, key=key)

    async def send_to_user(self, user: str, data: Any, *, sender: Person = SERVER, key: str | None = None) -> int:
        """See `gateroom.send_to_user`."""
        return await embedding.send_to_user(self._started(), user, data, sender=sender, key=key)

    def connections_of(self, user_id: str) -> Sequence[str]:
        """See `gateroom.connections_of`."""
        return embedding.connections_of(self._started(), user_id)

    def _started(self) -> Runtime:
        if self._runtime is None:
            raise RuntimeError("Gateroom is not started: run the application's lifespan first.")
        return self._runtime

    @asynccontextmanager
    async def _opened(self, app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stores = await stack.enter_async_context(open_stores(self.settings))
            trusted = await _trusted(self.settings, stack) if self.settings.auth.issuers else []
            runtime = await stack.enter_async_context(_run(self.settings, stores, trusted))
            start = FirstStart(stores.registry, runtime.directory)
            chosen = self.settings.auth.admin_password
            generate = self.settings.server.profile != "production"
            await start.admin(chosen.get_secret_value() if chosen else None, self._tell, generate=generate)
            if self._demo:
                await start.demo(self._tell)
            app.state.gateroom = self._runtime = runtime
            try:
                yield
            finally:
                self._runtime = None


async def _trusted(settings: Settings, stack: AsyncExitStack) -> list[Issuer]:
    """Return the outside issuers. Their client reads the system's certificates, a tenth of a second at the start."""
    client = await stack.enter_async_context(KeySetClient())
    return [each.trust(client.fetch, time.monotonic) for each in settings.auth.issuers]


@asynccontextmanager
async def _run(settings: Settings, stores: Stores, trusted: Sequence[Issuer]) -> AsyncIterator[Runtime]:
    """Put the services together; in the end close every socket, store what was submitted, and let go."""
    directory = key_directory(settings)
    ring = ring_of(directory.keys())
    tokens = access_tokens(settings, ring)
    alive = Alive(stores.sessions, stores.revocations, stores.api_keys, time.time, time.monotonic)
    await alive.load()
    accounts = Accounts(stores.users, alive, time.monotonic)
    people = People(stores.users, accounts, time.monotonic)
    kinds = room_kinds(settings)
    standings = Standings(stores.rooms, stores.members, stores.sanctions, kinds, time.time, time.monotonic)
    limits = _limits(settings)
    tick, counts = Tick(), Counts()
    hub = Hub(partial(tick.wake, _HUB), counts)
    broker = LocalBroker(hub.deliver, partial(tick.wake, _BROKER), time.monotonic, stores.streams)
    tick.stages(broker.step, hub.flush)
    door = Door(limits, time.monotonic)
    caps = RoomCaps(settings.rooms.max_rooms, settings.rooms.max_rooms_per_user)
    templates = Templates([Template(each.pattern, each.kind, each.visibility) for each in settings.rooms.templates])
    activity = Activity()
    arrivals = Arrivals(templates, stores.rooms, standings, caps, activity, time.time)
    live = Live(
        hub,
        broker,
        accounts,
        people,
        standings,
        limits,
        door,
        counts,
        time.time,
        time.monotonic,
        INBOX,
        arrivals,
        activity,
    )
    control = Control(live, stores.places)
    arrivals.tell(control)
    audit = Audit(stores.audit, time.time, time.monotonic)
    clocks, scopes = (time.time, time.monotonic), stores.registry.default_scopes
    newcomers = OutsideAccounts(stores.identities, accounts, scopes, *clocks, control.account_changed, audit.record)
    outsiders = Outsiders(trusted, newcomers, time.time)
    bearers = Bearers(tokens, outsiders if trusted else None)
    api_keys = ApiKeys(stores.api_keys, alive, accounts, control, time.time)
    runtime = Runtime(
        options=_options(settings),
        ring=ring,
        tokens=tokens,
        bearers=bearers,
        accounts=accounts,
        people=people,
        tickets=Tickets(stores.tickets, time.time, time.monotonic),
        login=Login(
            stores.users, stores.users, stores.passwords, LoginThrottle(settings.auth.login_rate, time.monotonic)
        ),
        api_keys=api_keys,
        registration=Registration(stores.registry, is_open=settings.auth.registration == "open", clock=time.monotonic),
        audit=audit,
        audit_log=stores.audit,
        sessions=Sessions(
            stores.sessions, stores.revocations, tokens, accounts, alive, control, session_terms(settings), time.time
        ),
        devices=stores.sessions,
        csrf=Csrf(ring),
        registry=stores.registry,
        directory=Directory(
            stores.rooms,
            stores.members,
            standings,
            kinds,
            caps,
            templates,
            activity,
            control,
            time.time,
        ),
        moderation=Moderation(stores.sanctions, standings, control, time.time),
        live=live,
        dispatch=Dispatch(live, Renewal(bearers, accounts)),
        control=control,
        publisher=Publisher(live),
        metrics=registry_of(live),
        checks={"storage": stores.check},
    )
    chores = Chores(_chores(settings, stores, audit, api_keys))
    sweep = Sweep(live, broker.trim)
    keeper = Keeper(live, stores.lives, control, kinds)
    recheck = Recheck(
        live,
        control,
        alive,
        stores.users,
        stores.sessions,
        Review(standings, stores.places),
        [stores.sessions.prune, stores.revocations.prune],
    )
    watch = KeyWatch(ring, directory)
    async with (
        sweep.running(),
        keeper.running(),
        recheck.running(),
        chores.running(),
        watch.running(),
        outsiders.keys_kept_fresh(),
    ):
        try:
            yield runtime
        finally:
            control.stop()
            tick.run()
            await live.tasks.close(settings.server.shutdown_grace)
            await broker.close()
            hub.flush()
            await accounts.close()
            await alive.close()


def _chores(settings: Settings, stores: Stores, audit: Audit, api_keys: ApiKeys) -> Mapping[str, tuple[float, Chore]]:
    kept = settings.observability.audit_ttl

    async def trim_audit() -> None:
        if kept:
            await stores.audit.trim(time.time() - kept)

    return {
        "api_keys": (60, api_keys.flush),
        "audit": (1, audit.flush),
        "audit_held_back": (60, audit.tell_held_back),
        "audit_trim": (3600, trim_audit),
    }


def _limits(settings: Settings) -> Limits:
    names = {field.name for field in fields(Limits)}
    return Limits(**settings.realtime.model_dump(include=names))


def _edge(settings: Settings) -> Edge:
    return Edge(
        console=settings.console.enabled,
        docs=settings.server.docs,
        trusted_proxies=settings.server.trusted_proxies,
        proxy_headers=settings.server.proxy_headers,
        allowed_origins=settings.auth.allowed_origins,
    )


def _options(settings: Settings) -> WebOptions:
    return WebOptions(
        public_origin=settings.server.public_url,
        allowed_origins=frozenset(settings.auth.allowed_origins),
        credentials=frozenset(settings.auth.credentials),
        cookie_secure=settings.auth.cookie_secure,
        metrics=settings.observability.metrics,
    )


def _print(account: NewAccount) -> None:
    sys.stdout.write(f"{account.username}: {account.password or '(the configured password)'}\n")


def whole_app(gateroom: Gateroom) -> FastAPI:
    """Make the application that `gateroom serve` serves: Gateroom and nothing else."""
    app = FastAPI(title="Gateroom", version=__version__, openapi_url=None, docs_url=None, redoc_url=None)
    gateroom.install(app, whole=True)
    return app


def create_app(settings: Settings | None = None) -> FastAPI:
    """Make an application that is only Gateroom, for any ASGI server and for tests."""
    return whole_app(Gateroom(settings))
