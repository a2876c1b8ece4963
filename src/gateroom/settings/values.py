"""How a single setting may be written, each form parsed into one plain value.

Every sentence raised here reads after the setting's name and never contains the value, which may be a secret.
"""

import json
import re
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, StringConstraints

from gateroom.auth.keys import KeyRefused, SigningKey
from gateroom.names import TEMPLATE_PATTERN

_TIME_UNITS = {"": 1, "ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_SIZE_UNITS = {"": 1, "B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([A-Za-z]*)")
_ORIGIN = re.compile(r"(https?)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?/?", re.IGNORECASE | re.ASCII)
_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*", re.ASCII)
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
_KIND_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_DATABASES = ("sqlite:///", "sqlite+aiosqlite:///", "postgresql://", "postgresql+asyncpg://", "postgres://")
_DEFAULT_PORTS = {"http": 80, "https": 443}

_TEN_YEARS = 3650 * 86400
_MOST = 1_000_000_000


def parse_quantity(value: object, units: dict[str, float] | dict[str, int], sentence: str) -> object:
    """Return the number a text such as `15m` stands for; numbers pass. Raises `ValueError` with `sentence`."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    found = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    if found is None or found[2] not in units:
        raise ValueError(sentence)
    return float(found[1]) * units[found[2]]


def _parse_duration(value: object) -> object:
    return parse_quantity(value, _TIME_UNITS, "must be seconds, or a text such as 500ms, 10s, 15m, 24h or 30d")


def _parse_size(value: object) -> object:
    return parse_quantity(value, _SIZE_UNITS, "must be bytes, or a text such as 64KiB or 1MiB")


def _refuse_switch(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("must be a number")
    return value


def _split(value: object) -> object:
    if not isinstance(value, str):
        return value
    if value.startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError("must be a list, or a text of items with commas between them") from None
    return [item.strip() for item in value.split(",") if item.strip()]


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


def is_loopback(host: str) -> bool:
    """Say whether `host` (an address or a name) can only be reached from this machine."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def origin_host(origin: str) -> str:
    """Return the host of an origin that `Origin` has accepted, without its port."""
    return origin.partition("://")[2].rsplit(":", 1)[0] if origin[-1].isdigit() else origin.partition("://")[2]


def _normal_origin(value: str) -> str:
    found = _ORIGIN.fullmatch(value)
    if found is None or int(found[3] or 0) > 65535:
        raise ValueError("must be an origin such as https://chat.example.org: scheme, host and port only")
    scheme, host, port = found[1].lower(), found[2].lower(), int(found[3] or 0)
    # As browsers write it in `Origin` (RFC 6454 section 6.2): without the scheme's own port.
    return f"{scheme}://{host}" if port in (0, _DEFAULT_PORTS[scheme]) else f"{scheme}://{host}:{port}"


def _normal_network(value: str) -> str:
    try:
        network = ip_network(value, strict=False)
    except ValueError:
        raise ValueError("must be an IP address or network such as 10.0.0.0/8") from None
    if network.prefixlen == 0:
        raise ValueError("must not be every address: then anybody could choose the address they are counted under")
    return str(network)


def _checked_key_set_url(value: str) -> str:
    found = urlsplit(value)
    try:
        plain = found.scheme == "http" and is_loopback(found.hostname or "")
        good = bool(found.hostname) and (found.scheme == "https" or plain) and found.port != 0
    except ValueError:  # a port that is none
        good = False
    if not good or found.username is not None or found.fragment or not re.fullmatch(r"[!-~]+", value):
        raise ValueError("must be an https:// URL (http:// on loopback only) without a user")
    return value


def _checked_host(value: str) -> str:
    try:
        return str(ip_address(value))
    except ValueError:
        if _HOST_NAME.fullmatch(value):
            return value
        raise ValueError("must be an IP address or a host name") from None


def _checked_directory(value: Path) -> Path:
    if value == Path():
        raise ValueError("must be a directory of its own")
    return value.expanduser()


def _checked_scope(value: str) -> str:
    if not _SCOPE.fullmatch(value):
        raise ValueError("must be a scope such as rooms:create")  # RFC 6749 section 3.3
    return value


def _checked_kind_name(value: str) -> str:
    if not _KIND_NAME.fullmatch(value):
        raise ValueError("must be named with up to 32 of a-z, 0-9, _ and -")
    return value


def _checked_pattern(value: str) -> str:
    if not re.match(TEMPLATE_PATTERN, value):
        raise ValueError("must be a room id in which * or {user} stands for something, such as order:*")
    return value


def _checked_password(value: SecretStr) -> SecretStr:
    # A byte in the environment that is not UTF-8 arrives as a lone surrogate, which can be neither hashed nor typed.
    if any("\ud800" <= character <= "\udfff" for character in value.get_secret_value()):
        raise ValueError("must be UTF-8 text")
    return value


def _checked_hmac_secret(value: SecretStr) -> SecretStr:
    try:
        SigningKey.from_secret(value.get_secret_value())
    except KeyRefused as refused:
        raise ValueError(str(refused).replace("The secret is refused", "is refused", 1)) from None
    return value


def _checked_database(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().startswith(_DATABASES):
        raise ValueError("must begin with sqlite:/// or postgresql://")
    return value


def _checked_broker(value: SecretStr) -> SecretStr:
    if value.get_secret_value() != "local://":
        raise ValueError("must be local://, since no broker between processes is supported yet")
    return value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


_T = TypeVar("_T")

Seconds = Annotated[float, BeforeValidator(_parse_duration), Field(ge=0, le=_TEN_YEARS, allow_inf_nan=False)]
WholeSeconds = Annotated[int, BeforeValidator(_parse_duration)]
Bytes = Annotated[int, BeforeValidator(_parse_size), Field(ge=0, le=_MOST)]
Count = Annotated[int, BeforeValidator(_refuse_switch), Field(ge=0, le=_MOST)]
Rate = Annotated[float, BeforeValidator(_refuse_switch), Field(ge=0, le=_MOST, allow_inf_nan=False)]
Items = Annotated[tuple[_T, ...], BeforeValidator(_split)]
OrNone = Annotated[_T | None, BeforeValidator(_none_if_empty)]
AnyCase = Annotated[_T, BeforeValidator(_lower)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[!-~]+$")]
Host = Annotated[str, AfterValidator(_checked_host)]
HmacSecret = Annotated[SecretStr, AfterValidator(_checked_hmac_secret)]
Password = Annotated[SecretStr, AfterValidator(_checked_password)]
# Secret, since a URL may hold a password.
DatabaseUrl = Annotated[SecretStr, AfterValidator(_checked_database)]
BrokerUrl = Annotated[SecretStr, AfterValidator(_checked_broker)]
KeySetUrl = Annotated[str, AfterValidator(_checked_key_set_url)]
Origin = Annotated[str, AfterValidator(_normal_origin)]
Network = Annotated[str, AfterValidator(_normal_network)]
Directory = Annotated[Path, AfterValidator(_checked_directory)]
ScopeName = Annotated[str, AfterValidator(_checked_scope)]
TemplatePattern = Annotated[str, AfterValidator(_checked_pattern)]
KindName = Annotated[str, AfterValidator(_checked_kind_name)]
