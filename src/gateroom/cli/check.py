"""`gateroom check-config`: whether the configuration would be accepted, and what it says."""

import json
from typing import Any

import typer
from pydantic import SecretStr

from gateroom.cli.options import AsJson, Config, DataDir, settings_of


def check_config(config: Config = None, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Check file, environment and flags, and print every setting in force; secrets are shown as ***."""
    shown = _hidden(settings_of(config, data_dir).model_dump(mode="python"))
    if as_json:
        typer.echo(json.dumps(shown, default=str))
        return
    for section, values in shown.items():
        for name, value in values.items():
            typer.echo(f"{section}.{name} = {value if isinstance(value, str) else json.dumps(value, default=str)}")
    typer.echo("the configuration is fine")


def _hidden(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return "***"
    if isinstance(value, dict):
        return {key: _hidden(inner) for key, inner in value.items()}
    return value
