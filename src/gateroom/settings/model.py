"""The settings there are, by section: names, defaults and bounds.

`Settings(...)` is made of its arguments and the defaults alone, so that an embedding application is never surprised by
a file or a variable; `load_settings` is what reads those. Times are in seconds, sizes in bytes; 0 means no limit
wherever 0 is accepted.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from gateroom.protocol.patches import MAX_STATE_BYTES
from gateroom.rooms.model import Durability, Role, Visibility
from gateroom.settings import production
from gateroom.settings.issuers import IssuerSettings
from gateroom.settings.section import Section as _Section
from gateroom.settings.values import (
    AnyCase,
    BrokerUrl,
    Bytes,
    Count,
    DatabaseUrl,
    Directory,
    HmacSecret,
    Host,
    Items,
    KindName,
    Name,
    Network,
    Origin,
    OrNone,
    Password,
    Rate,
    ScopeName,
    Seconds,
    TemplatePattern,
    WholeSeconds,
    is_loopback,
    origin_host,
)

ENVIRONMENT_PREFIX = "GATEROOM_"
DEFAULT_KIND = "default"
DAY = 86400  # seconds
MAX_SESSION_AGE = 3650 * DAY  # a session without any end would outlive whoever forgot it
MAX_PASSWORD_LENGTH = 1024  # characters; more is never hashed


class ServerSettings(_Section):
    """Where the server listens, and what it is called from outside."""

    host: Host = "127.0.0.1"
    port: Annotated[Count, Field(le=65535)] = 8000  # 0: any free port
    data_dir: Directory = Path("var")
    public_url: OrNone[Origin] = None
    trusted_proxies: Items[Network] = ()
    proxy_headers: Literal["x-forwarded", "forwarded"] = "x-forwarded"  # the kind that these proxies write
    profile: Literal["development", "production"] = "development"  # production refuses what `settings.production` lists
    docs: Literal["public", "token", "off"] = "public"  # the OpenAPI page and document
    shutdown_grace: Annotated[Seconds, Field(gt=0)] = 10


class StorageSettings(_Section):
    """Where accounts, sessions and rooms are kept."""

    url: OrNone[DatabaseUrl] = None  # None: a file in the data directory
    synchronous: Literal["normal", "full"] = "normal"


class BrokerSettings(_Section):
    """What carries messages between processes."""

    url: BrokerUrl = SecretStr("local://")


class AuthSettings(_Section):
    """Who may call, and with what."""

    issuer: OrNone[Name] = None  # None: see `Settings.issuer`
    audience: Name = "gateroom"
    access_ttl: Annotated[WholeSeconds, Field(ge=1, le=3600)] = 900
    hmac_secret: OrNone[HmacSecret] = None  # None: a key of the data directory signs
    previous_hmac_secret: OrNone[HmacSecret] = None  # still verifies
    refresh_ttl: Annotated[WholeSeconds, Field(ge=1, le=MAX_SESSION_AGE)] = 30 * DAY
    session_max_age: Annotated[WholeSeconds, Field(ge=1, le=MAX_SESSION_AGE)] = 90 * DAY
    registration: Literal["open", "closed"] = "closed"
    admin_password: OrNone[Password] = None
    login_rate: Rate = 10  # failed logins a minute, for each address and each name
    password_min_length: Annotated[Count, Field(ge=8, le=64)] = 8
    default_scopes: Items[ScopeName] = ("users:send", "rooms:create")
    cookie_secure: Literal["auto", "on", "off"] = "auto"
    allowed_origins: Items[Origin] = ()  # besides the server's own
    credentials: Annotated[
        Items[Literal["query", "cookie", "header", "subprotocol", "ticket"]], Field(min_length=1)
    ] = (
        "query",
        "cookie",
        "header",
        "subprotocol",
        "ticket",
    )
    issuers: Items[IssuerSettings] = ()  # outside identity providers


class RealtimeSettings(_Section):
    """How much a socket may ask for, and how long it may be silent."""

    max_connections: Count = 0
    max_connections_per_user: Count = 50
    max_connections_per_address: Count = 0
    handshake_rate: Rate = 0  # a second, for the whole process
    max_rooms_per_connection: Count = 128
    max_message_bytes: Bytes = 65536
    publish_rate: Rate = 50  # a second, for each connection
    publish_burst: Annotated[Count, Field(ge=1)] = 100
    byte_rate: Bytes = 1024**2  # a second, for each connection; eight times that at once
    costly_rate: Rate = 20  # joins, histories and presences a second, for each connection; ten times that at once
    user_rate_factor: Rate = 4  # how many times a connection's rates all of a user's have together
    max_backlog_bytes: Bytes = 1024**2
    ping_interval: Seconds = 25
    ping_timeout: Seconds = 10
    stall_timeout: Seconds = 10
    header_timeout: Seconds = 10
    body_timeout: Seconds = 30
    max_connection_age: Seconds = 0
    max_violations: Count = 10  # a minute
    expiry_notice: Seconds = 60
    refusal: Literal["auto", "handshake", "close"] = "auto"


class KindSettings(_Section):
    """What the rooms of one kind are like."""

    history_size: Annotated[Count, Field(ge=1, le=100_000)] = 100  # to keep none, durability is `none`
    history_ttl: Seconds = 86400
    durability: Durability = Durability.DURABLE
    capacity: Count = 0
    ttl: Seconds = 0  # after a room was last used
    public_role: Role = Role.MEMBER
    presence: bool = True
    join_leave: Literal["auto", "off"] = "auto"
    max_state_bytes: Annotated[Bytes, Field(le=MAX_STATE_BYTES)] = 65536  # 0: up to that


def _with_default_kind(kinds: Mapping[str, KindSettings]) -> Mapping[str, KindSettings]:
    return {DEFAULT_KIND: KindSettings(), **kinds}


class TemplateSettings(_Section):
    """What rooms of a name are like that come into being by themselves."""

    pattern: TemplatePattern
    kind: KindName = DEFAULT_KIND
    visibility: Visibility = Visibility.PRIVATE


class RoomsSettings(_Section):
    """How many rooms there may be, and of what kinds; the kind `default` always exists."""

    max_rooms: Count = 0
    max_rooms_per_user: Count = 100
    templates: Items[TemplateSettings] = ()
    kinds: Annotated[Mapping[KindName, KindSettings], AfterValidator(_with_default_kind)] = Field(default_factory=dict)


class ObservabilitySettings(_Section):
    """What operators get to see."""

    log_format: Literal["console", "json"] = "console"
    log_level: AnyCase[Literal["debug", "info", "warning", "error"]] = "info"
    audit_ttl: Seconds = 90 * DAY
    metrics: Literal["loopback", "public", "token", "off"] = "loopback"


class ConsoleSettings(_Section):
    """The web console."""

    enabled: bool = True


class Settings(BaseSettings):
    """Everything that can be set; a frozen value. Raises pydantic's `ValidationError`, which never shows a value."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        env_prefix=ENVIRONMENT_PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,
        enable_decoding=False,
    )

    server: ServerSettings = ServerSettings()
    storage: StorageSettings = StorageSettings()
    broker: BrokerSettings = BrokerSettings()
    auth: AuthSettings = AuthSettings()
    realtime: RealtimeSettings = RealtimeSettings()
    rooms: RoomsSettings = RoomsSettings()
    observability: ObservabilitySettings = ObservabilitySettings()
    console: ConsoleSettings = ConsoleSettings()

    @property
    def issuer(self) -> str:
        """Return the `iss` of our tokens: what is set, else the public URL (RFC 9068 section 2.2), else `gateroom`."""
        return self.auth.issuer or self.server.public_url or "gateroom"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take the arguments only."""
        return (init_settings,)

    @model_validator(mode="after")
    def _refuse_contradictions(self) -> Self:
        faults = [
            InitErrorDetails(type=PydanticCustomError("contradiction", sentence), loc=loc, input=None)
            for loc, sentence in _contradictions(self)
        ]
        if faults:
            raise ValidationError.from_exception_data("Settings", faults, hide_input=True)
        return self


def _contradictions(settings: Settings) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield where and why settings that are fine alone cannot hold together."""
    server, auth, realtime = settings.server, settings.auth, settings.realtime
    public_host = origin_host(server.public_url) if server.public_url else server.host
    plain = server.public_url is None or server.public_url.startswith("http:")
    if auth.cookie_secure == "off" and not (plain and is_loopback(server.host) and is_loopback(public_host)):
        yield ("auth", "cookie_secure"), "must not be off, except for plain http on a loopback server.host"
    if server.public_url and plain and not is_loopback(public_host) and "cookie" in auth.credentials:
        yield ("server", "public_url"), "must be https, unless auth.credentials goes without cookie"
    if auth.admin_password is not None:
        length = len(auth.admin_password.get_secret_value())
        if not auth.password_min_length <= length <= MAX_PASSWORD_LENGTH:
            sentence = f"must have {auth.password_min_length} to {MAX_PASSWORD_LENGTH} characters"
            yield ("auth", "admin_password"), sentence
    outside = [each.issuer for each in auth.issuers]
    if len(set(outside)) < len(outside) or settings.issuer in outside:
        yield ("auth", "issuers"), "must be issuers that differ from each other, and from auth.issuer"
    if auth.previous_hmac_secret is not None and auth.hmac_secret is None:
        yield ("auth", "previous_hmac_secret"), "must not be set without auth.hmac_secret"
    for template in settings.rooms.templates:
        if template.kind not in settings.rooms.kinds:
            yield ("rooms", "templates"), f"has a kind that is not configured; add [rooms.kinds.{template.kind}]"
    for rule in production.broken(settings) if server.profile == "production" else ():
        yield rule.path, f"{rule.demand} (server.profile is production)"
    if 0 < realtime.max_backlog_bytes < realtime.max_message_bytes:
        yield ("realtime", "max_backlog_bytes"), "must not be less than realtime.max_message_bytes"
