"""Settings read from where an operator puts them: a file, below the environment, below the command line."""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import EnvSettingsSource

from gateroom.settings.model import ENVIRONMENT_PREFIX, Settings
from gateroom.settings.names import meant_by

DEFAULT_FILE = Path("config/gateroom.toml")

# Read by the test suite and never by the server.
_TEST_PREFIX = "GATEROOM_TEST_"
# What Kubernetes and Docker links set for a service called `gateroom…`; of these a bare `…_PORT` is an address.
_SERVICE_LINK = re.compile(r"\w+_(SERVICE_(HOST|PORT)(_\w+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)")
_SERVICE_ADDRESS = re.compile(r"(tcp|udp|sctp)://")

_NOT_A_SECTION = {"model_type", "model_attributes_type", "mapping_type", "dict_type"}
_WORDING = {
    "Input should be": "must be",
    "List should have": "must have",
    "Tuple should have": "must have",
    "String should": "must",
    "greater than or equal to": "at least",
    "less than or equal to": "at most",
}

Location = tuple[int | str, ...]


class SettingsError(Exception):
    """Settings that cannot be used: one line in `problems` for each, naming the setting and never its value."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class _Source(NamedTuple):
    name: str
    tree: Mapping[str, object]


def load_settings(config: Path | None = None, overrides: Mapping[str, object] | None = None) -> Settings:
    """Read `config`, then the environment, then `overrides`; what comes later wins.

    Without `config`, the file is `config/gateroom.toml` of the current directory, if there is one. Variables are
    called `GATEROOM_SECTION__NAME`; an empty one counts as not set. `overrides` are nested by section; a None in them
    counts as not given. Raises `SettingsError`.
    """
    sources = (_read_file(config), _read_environment(), _Source("the command line", _given(overrides or {})))
    merged: dict[str, object] = {}
    for source in sources:
        _merge(merged, source.tree)
    problems = list(_stray_variables())
    # Taken out here, since pydantic-settings keeps names with an underscore, such as `_env_file`, to itself.
    strangers = [name for name in merged if name not in Settings.model_fields]
    problems += [_unknown((name,), sources) for name in strangers]
    try:
        settings = Settings.model_validate({name: merged[name] for name in merged if name not in strangers})
    except ValidationError as error:
        problems += [_problem(fault, sources) for fault in error.errors(include_url=False)]
    if problems:
        raise SettingsError(problems)
    return settings


def _read_file(config: Path | None) -> _Source:
    path = config or DEFAULT_FILE
    try:
        return _Source(str(path), tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        if config is None:
            return _Source(str(path), {})
        raise SettingsError([f"{path}: there is no such file"]) from None
    except OSError as error:
        raise SettingsError([f"{path}: cannot be read ({error.strerror})"]) from None
    except UnicodeDecodeError:
        raise SettingsError([f"{path}: is not UTF-8 text"]) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError([f"{path}: is not TOML: {error}"]) from None


def _read_environment() -> _Source:
    tree = EnvSettingsSource(Settings)()
    # A section given as a whole is refused as a stray variable.
    return _Source("", {name: section for name, section in tree.items() if isinstance(section, dict)})


def _stray_variables() -> Iterator[str]:
    """Yield a problem for each variable of ours that names no section or nothing in it, which no source would see."""
    for name, value in os.environ.items():
        upper = name.upper()
        if not value or not upper.startswith(ENVIRONMENT_PREFIX) or _is_foreign(upper, value):
            continue
        path = tuple(upper.removeprefix(ENVIRONMENT_PREFIX).lower().split("__"))
        if path[0] not in Settings.model_fields or len(path) == 1:
            meant = meant_by(path)
            yield f"{name}: is not a setting" + (f"; did you mean {_variable(meant)}?" if meant else "")


def _is_foreign(name: str, value: str) -> bool:
    linked = _SERVICE_LINK.fullmatch(name) or (name.endswith("_PORT") and _SERVICE_ADDRESS.match(value))
    return name.startswith(_TEST_PREFIX) or bool(linked)


def _given(overrides: Mapping[str, object]) -> dict[str, object]:
    return {
        name: _given(value) if isinstance(value, Mapping) else value
        for name, value in overrides.items()
        if value is not None
    }


def _merge(target: dict[str, object], tree: Mapping[str, object]) -> None:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            below = target.get(name)
            target[name] = below = dict(below) if isinstance(below, Mapping) else {}
            _merge(below, value)
        else:
            target[name] = value


def _problem(fault: ErrorDetails, sources: Sequence[_Source]) -> str:
    location = tuple(part for part in fault["loc"] if part != "[key]")
    if fault["type"] == "extra_forbidden":
        return _unknown(location, sources)
    if fault["type"] in _NOT_A_SECTION:
        return f"{_dotted(location)}: must be a section of settings{_whence(location, sources)}"
    sentence = fault["msg"].removeprefix("Value error, ")
    for theirs, ours in _WORDING.items():
        sentence = sentence.replace(theirs, ours, 1)
    return f"{_dotted(location)}: {sentence}{_whence(location, sources)}"


def _unknown(location: Location, sources: Sequence[_Source]) -> str:
    meant = meant_by(tuple(str(part) for part in location))
    hint = f"; did you mean {_dotted(meant)}?" if meant else ""
    return f"{_dotted(location)}: is not a setting{hint}{_whence(location, sources)}"


def _dotted(location: Location) -> str:
    shown = [f"[{part}]" if isinstance(part, int) else f".{_one_line(part)}" for part in location]
    return "".join(shown).removeprefix(".")


def _one_line(name: str) -> str:
    return name if re.fullmatch(r"[\w<>-]+", name) else ascii(name)


def _variable(path: Location) -> str:
    return ENVIRONMENT_PREFIX + "__".join(str(part).upper() for part in path)


def _whence(location: Location, sources: Sequence[_Source]) -> str:
    found = next((place for source in reversed(sources) if (place := _place(source, location))), None)
    return f" (from {found})" if found else ""


def _place(source: _Source, location: Location) -> str | None:
    """Say where in `source` the value at `location` was given; None when it was not."""
    tree: object = source.tree
    walked: list[str] = []
    for part in location:
        if not isinstance(tree, Mapping):
            break  # the rest of the location is inside a value
        if part not in tree:
            return None
        walked.append(str(part))
        tree = tree[part]
    return source.name or _variable(tuple(walked))
