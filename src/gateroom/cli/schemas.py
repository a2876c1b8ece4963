"""`gateroom openapi`: the HTTP API as a document."""

import json
from pathlib import Path
from typing import Annotated

import typer

from gateroom.app import create_app

Out = Annotated[Path | None, typer.Option("--out", help="Write here instead of standard output.")]


def openapi(out: Out = None) -> None:
    """Print the OpenAPI document of the HTTP API."""
    _write(json.dumps(create_app().openapi(), indent=2, ensure_ascii=False) + "\n", out)


def _write(text: str, out: Path | None) -> None:
    if out is None:
        typer.echo(text, nl=False)
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
