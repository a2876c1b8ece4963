"""What several commands have in common: where the configuration is, and how answers are printed."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from gateroom.opening import Stores, open_stores
from gateroom.settings import Settings, load_settings

T = TypeVar("T")

_WIDTH = 1000  # of a table where the output is not a terminal: nothing is cut off for the next program

Config = Annotated[
    Path | None, typer.Option("--config", help="TOML file; by default config/gateroom.toml, if there is one.")
]
DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Where database and keys are; by default `server.data_dir`.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


class Refused(Exception):
    """A command that cannot do what was asked: one line saying what, and how to mend it."""


def settings_of(config: Path | None, data_dir: Path | None) -> Settings:
    """Load the configuration with the flags that all commands have. Raises `SettingsError`."""
    return load_settings(config, {"server": {"data_dir": data_dir}})


def with_stores(settings: Settings, work: Callable[[Stores], Awaitable[T]]) -> T:
    """Run `work` on the opened database."""

    async def run() -> T:
        async with open_stores(settings) as stores:
            return await work(stores)

    return asyncio.run(run())


def show(rows: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Print rows as a table, or as a JSON array."""
    if as_json:
        typer.echo(json.dumps(rows))
        return
    if not rows:
        typer.echo("none")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in rows[0]:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*map(_cell, row.values()))
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH
    console.print(table)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return " ".join(value) if isinstance(value, list) else str(value)
