"""`gateroom keys`: the keys that tokens are signed with; a running server follows within seconds."""

from typing import Annotated

import typer

from gateroom.auth.key_files import KeyDirectory, ListedKey
from gateroom.auth.keys import Algorithm
from gateroom.cli.options import AsJson, Config, DataDir, settings_of, show
from gateroom.opening import key_directory
from gateroom.protocol.events import rfc3339

app = typer.Typer(no_args_is_help=True, help="Rotate and list signing keys.")

_DAY = 86400.0  # seconds


@app.command()
def rotate(
    algorithm: Annotated[
        Algorithm,
        typer.Option(case_sensitive=False, help="How the new key signs; HS256 is set up by auth.hmac_secret."),
    ] = Algorithm.EDDSA,
    config: Config = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Add a key that signs from now on; older ones verify until their last token has expired."""
    directory = _directory(config, data_dir)
    added = directory.rotate(algorithm)
    show([_row(found) for found in directory.listed() if found.key == added], as_json=as_json)


@app.command("list")
def list_(config: Config = None, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List the keys, and what each is good for."""
    show([_row(found) for found in _directory(config, data_dir).listed()], as_json=as_json)


@app.command()
def remove(
    kid: Annotated[str, typer.Argument(help="The key's id.")],
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Delete a key at once, as when it has leaked: its tokens are dead."""
    _directory(config, data_dir).remove(kid)


@app.command()
def prune(
    days: Annotated[float, typer.Option(min=0, help="For how many days a key must have been retired.")] = 90,
    config: Config = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Delete keys that were retired long ago."""
    show([{"kid": kid} for kid in _directory(config, data_dir).prune(days * _DAY)], as_json=as_json)


def _directory(config: Config, data_dir: DataDir) -> KeyDirectory:
    return key_directory(settings_of(config, data_dir))


def _row(found: ListedKey) -> dict[str, object]:
    return {
        "kid": found.key.kid,
        "algorithm": found.key.algorithm.value,
        "state": found.state.value,
        "since": None if found.since is None else rfc3339(found.since),
        "until": None if found.until is None else rfc3339(found.until),
    }
