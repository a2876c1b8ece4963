"""`gateroom bench`: what a delivery costs here, beside other servers on the same machine in the same minutes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from gateroom.bench import CannotMeasure, profiling, table
from gateroom.bench.peers import PEERS
from gateroom.bench.profiling import Deliveries, Handshakes
from gateroom.bench.run import FULL, QUICK, Plan, Suite, check_machine
from gateroom.cli.options import AsJson, Refused

_PROFILED = (Deliveries(200, 1, seconds=2.0), Deliveries(200, 64, seconds=2.0), Handshakes(200))
_WIDTH = 150  # that the table needs


def bench(
    quick: Annotated[bool, typer.Option("--quick", help="Fewer rounds and sizes: about a minute.")] = False,
    only: Annotated[list[str] | None, typer.Option(help=f"One of: {', '.join(PEERS)}. May be repeated.")] = None,
    profile: Annotated[bool, typer.Option("--profile", help="Show where the time goes instead.")] = False,
    out: Annotated[Path, typer.Option(help="Where the figures go as JSON, whatever is printed.")] = Path("bench.json"),
    as_json: AsJson = False,
) -> None:
    """Measure what a delivery, a handshake and a connection cost, beside the FastAPI tutorial loop and others."""
    for name in only or ():
        if name not in PEERS:
            raise typer.BadParameter(f"there is no server of that name; there are {', '.join(PEERS)}")
    if not out.parent.is_dir():
        raise Refused("--out: there is no such directory.")
    try:
        check_machine()
        if profile:
            _profile(only or ["gateroom"])
        else:
            _compare(only or list(PEERS), QUICK if quick else FULL, out, as_json)
    except CannotMeasure as reason:
        raise Refused(str(reason)) from None


def _compare(names: Sequence[str], plan: Plan, out: Path, as_json: bool) -> None:
    results = Suite(plan, [PEERS[name] for name in names], lambda line: typer.echo(line, err=True)).run()
    document = table.document(results, plan)
    table.write(out, document)
    if as_json:
        typer.echo(out.read_text("utf-8"), nl=False)
    else:
        _print(table.render(results, plan))
        for name, why in results.left_out.items():
            typer.echo(f"{name} left out: {why}")
        typer.echo(f"written to {out}")
    if "gateroom" in results.left_out:
        raise typer.Exit(1)


def _profile(names: Sequence[str]) -> None:
    for name in names:
        for task in _PROFILED:
            _print(profiling.render(profiling.profile(PEERS[name], task)))


def _print(shown: Table) -> None:
    """Print a table whole, even where the terminal is too narrow for it."""
    Console(highlight=False, width=max(_WIDTH, Console().width)).print(shown)
