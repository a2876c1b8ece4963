"""What a server in production must have set, and how to mend what is not (security.md CF-2)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_network
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from gateroom.settings.values import is_loopback

if TYPE_CHECKING:
    from gateroom.settings.model import Settings

_WIDEST_IPV4, _WIDEST_IPV6 = 8, 32  # prefix lengths of networks of proxies
_TLS_MODES = frozenset({"require", "verify-ca", "verify-full"})
_LIMITS = (
    "max_connections",
    "max_connections_per_user",
    "max_rooms_per_connection",
    "max_message_bytes",
    "max_backlog_bytes",
    "max_violations",
    "publish_rate",
    "ping_interval",
    "ping_timeout",
    "stall_timeout",
    "header_timeout",
    "body_timeout",
)


@dataclass(frozen=True, slots=True)
class Rule:
    """What a setting must be; `demand` reads after its name."""

    setting: str
    demand: str
    holds: "Callable[[Settings], bool]"

    @property
    def path(self) -> tuple[str, str]:
        section, _, name = self.setting.partition(".")
        return section, name


def _no_limit(name: str) -> Rule:
    return Rule(f"realtime.{name}", "must not be 0, which means no limit", lambda s: getattr(s.realtime, name) > 0)


RULES: tuple[Rule, ...] = (
    Rule(
        "server.public_url",
        "must be the https:// origin that browsers see, which a proxy in front ends TLS for",
        lambda s: s.server.public_url is not None and s.server.public_url.startswith("https://"),
    ),
    Rule(
        "server.trusted_proxies",
        "must name the proxy in front, or all clients are counted as one",
        lambda s: bool(s.server.trusted_proxies),
    ),
    Rule(
        "server.trusted_proxies",
        f"must not be wider than /{_WIDEST_IPV4}, or /{_WIDEST_IPV6} of IPv6: whoever is in it can claim any address",
        lambda s: all(map(_is_narrow, s.server.trusted_proxies)),
    ),
    Rule("server.docs", "must be off, or token for operators", lambda s: s.server.docs != "public"),
    Rule(
        "storage.synchronous",
        "must be full with SQLite, or a loss of power may undo bans and revocations",
        lambda s: s.storage.synchronous == "full" or _database(s).startswith("postgres"),
    ),
    Rule(
        "storage.url",
        "must have a password and sslmode=require, verify-ca or verify-full, but for a database on this machine",
        lambda s: _is_guarded(_database(s)),
    ),
    Rule(
        "auth.cookie_secure",
        "must be on, unless auth.credentials goes without cookie",
        lambda s: s.auth.cookie_secure == "on" or "cookie" not in s.auth.credentials,
    ),
    Rule(
        "auth.credentials",
        "must go without query, since URLs end up in logs and histories; a client that has only a URL takes a ticket",
        lambda s: "query" not in s.auth.credentials,
    ),
    Rule(
        "auth.allowed_origins",
        "must all be https://",
        lambda s: all(origin.startswith("https://") for origin in s.auth.allowed_origins),
    ),
    Rule(
        "auth.issuers",
        "must all have an https:// jwks_url, or a key_file",
        lambda s: all((each.jwks_url or "https://").startswith("https://") for each in s.auth.issuers),
    ),
    Rule(
        "auth.login_rate", "must not be 0, which lets passwords be tried without end", lambda s: s.auth.login_rate > 0
    ),
    *map(_no_limit, _LIMITS),
    Rule(
        "observability.metrics",
        "must be loopback, token or off",
        lambda s: s.observability.metrics != "public",
    ),
    Rule(
        "observability.log_level",
        "must not be debug",
        lambda s: s.observability.log_level != "debug",
    ),
    Rule("console.enabled", "must be false: the console is for trying things out", lambda s: not s.console.enabled),
)


def broken(settings: "Settings") -> Iterable[Rule]:
    """Return the rules that the settings break."""
    return [rule for rule in RULES if not rule.holds(settings)]


def _is_narrow(network: str) -> bool:
    parsed = ip_network(network)
    return parsed.prefixlen >= (_WIDEST_IPV4 if isinstance(parsed, IPv4Network) else _WIDEST_IPV6)


def _database(settings: "Settings") -> str:
    return settings.storage.url.get_secret_value() if settings.storage.url else ""


def _is_guarded(url: str) -> bool:
    if not url.startswith("postgres"):
        return True
    try:
        found = urlsplit(url)
        query = parse_qs(found.query)
        hosts = [found.hostname] if found.hostname else [part.partition(":")[0] for part in query.get("host", [])]
    except ValueError:
        return False
    if all(host.startswith("/") or is_loopback(host) for host in hosts):
        return True
    return bool(found.password) and query.get("sslmode", [""])[-1] in _TLS_MODES
