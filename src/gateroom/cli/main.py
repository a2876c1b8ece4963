"""The `gateroom` command. Exit status: 0 done, 1 refused or failed (one line says why), 2 usage."""

import sys
from typing import Annotated

import typer

from gateroom.auth.keys import KeyRefused
from gateroom.cli import bench, check, keys, moderation, rooms, schemas, serve, token, users
from gateroom.cli.options import Refused
from gateroom.errors import GateroomError
from gateroom.server.logs import configure
from gateroom.server.run import ServeError
from gateroom.settings import SettingsError
from gateroom.storage.engine import StorageError
from gateroom.version import __version__

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
app.command()(serve.serve)
app.add_typer(users.app, name="users")
moderation.add_to(rooms.app)
app.add_typer(rooms.app, name="rooms")
app.add_typer(keys.app, name="keys")
app.add_typer(token.app, name="token")
app.command("check-config")(check.check_config)
app.command("openapi")(schemas.openapi)
app.command("bench")(bench.bench)


@app.callback(invoke_without_command=True)
def gateroom(
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False,
) -> None:
    """A JWT-secured real-time API gateway."""
    if version:
        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line; what can go wrong is said in one line on stderr."""
    configure("console", "warning")  # on stderr: what a command prints is for the next program
    try:
        app()
    except (SettingsError, StorageError, KeyRefused, ServeError, Refused) as problem:
        _fail(str(problem))
    except GateroomError as error:
        _fail(error.detail)
    except OSError as error:  # such as a data directory that one may not write to
        _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))


def _fail(sentence: str) -> None:
    for line in sentence.splitlines():
        typer.echo(f"gateroom: {line}", err=True)
    sys.exit(1)
