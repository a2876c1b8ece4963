"""How the results are shown: one table for people, one JSON document for scripts."""

import platform
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec
from rich.table import Table
from rich.text import Text

from gateroom.bench.peers import TUTORIAL
from gateroom.bench.processes import Cores
from gateroom.bench.results import Measure, Results
from gateroom.bench.run import Plan

_PACKAGES = ("gateroom", "fastapi", "uvicorn", "uvloop", "websockets", "python-socketio", "picows")


def machine() -> Mapping[str, object]:
    """Say what this was measured on."""
    cores = Cores.of_this_machine()
    return {
        "cpu": _cpu_model(),
        "system": f"{platform.system()} {platform.release()}",
        "python": sys.version.split()[0],
        "server_core": cores.server,
        "load_core": cores.load,
    }


def versions() -> Mapping[str, str]:
    """Return the versions of the Python packages that took part."""
    found: dict[str, str] = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def render(results: Results, plan: Plan) -> Table:
    """Lay the medians out, a column for each server; in brackets the ratio to the tutorial loop in the same round."""
    about = machine()
    where = f"{about['cpu']}, {about['system']}, Python {about['python']}"
    if about["server_core"] == about["load_core"]:
        where += "; server and load share the only core"
    table = Table(
        title=f"gateroom bench, {plan.name} profile: medians of {plan.rounds} rounds (x: times the tutorial loop)",
        caption="\n".join([where, ", ".join(f"{name} {number}" for name, number in versions().items())]),
    )
    servers = results.servers()
    table.add_column("measure")
    table.add_column("unit")
    for server in servers:
        table.add_column(server, justify="right", no_wrap=True)
    for measure in results.samples:
        table.add_row(measure.name, measure.unit, *(_cell(results, measure, server) for server in servers))
    return table


def _cell(results: Results, measure: Measure, server: str) -> Text:
    value = results.figure(measure, server)
    if value is None:
        return Text("-", style="dim")
    ratio = None if server == TUTORIAL else results.ratio(measure, server)
    return Text(figure(value) if ratio is None else f"{figure(value)} ({figure(ratio)}x)")


def figure(value: float) -> str:
    """Write a number with about three digits that mean something."""
    if value == 0:
        return "0"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def document(results: Results, plan: Plan) -> Mapping[str, object]:
    """Build the JSON document: every sample, with what the table shows made of it."""
    return {
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "plan": asdict(plan),
        "machine": machine(),
        "versions": versions(),
        "left_out": results.left_out,
        "measures": [
            {"measure": measure.name, "unit": measure.unit, "servers": _row(results, measure)}
            for measure in results.samples
        ],
    }


def _row(results: Results, measure: Measure) -> Mapping[str, object]:
    return {
        server: {
            "figure": results.figure(measure, server),
            "of_tutorial": results.ratio(measure, server),
            "samples": [sample.value for sample in taken],
            "load_share": [sample.load_share for sample in taken if sample.load_share is not None],
        }
        for server, taken in results.samples[measure].items()
    }


def write(path: Path, document: Mapping[str, object]) -> None:
    """Write the document as indented JSON."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
