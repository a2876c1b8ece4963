"""`gateroom check-config`: whether the configuration would be accepted, what it says, whether production may run it."""

import json
from typing import Annotated, Any

import typer
from pydantic import SecretStr

from gateroom.cli.options import AsJson, Config, DataDir, settings_of
from gateroom.settings import RULES, Settings, load_settings

Production = Annotated[
    bool, typer.Option("--production", help="Print what production asks for, and end with 1 if anything is refused.")
]


def check_config(
    config: Config = None, data_dir: DataDir = None, production: Production = False, as_json: AsJson = False
) -> None:
    """Check file, environment and flags, and print every setting in force; secrets are shown as ***."""
    if production:
        # Whatever the profile is: under `production` the first look would refuse, and not say what is fine.
        overrides = {"server": {"data_dir": data_dir, "profile": "development"}}
        _judge(load_settings(config, overrides), as_json)
        return
    shown = _hidden(settings_of(config, data_dir).model_dump(mode="python"))
    if as_json:
        typer.echo(json.dumps(shown, default=str))
        return
    for section, values in shown.items():
        for name, value in values.items():
            typer.echo(f"{section}.{name} = {value if isinstance(value, str) else json.dumps(value, default=str)}")
    typer.echo("the configuration is fine")


def _judge(settings: Settings, as_json: bool) -> None:
    """Print each rule with its verdict."""
    found = [(rule, rule.holds(settings)) for rule in RULES]
    if as_json:
        typer.echo(json.dumps([{"setting": rule.setting, "ok": ok, "demand": rule.demand} for rule, ok in found]))
    else:
        for rule, ok in found:
            typer.echo(f"{'ok' if ok else 'refused':<8} {rule.setting}" + ("" if ok else f": {rule.demand}"))
    if not all(ok for _, ok in found):
        raise typer.Exit(1)


def _hidden(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return "***"
    if isinstance(value, dict):
        return {key: _hidden(inner) for key, inner in value.items()}
    return value
