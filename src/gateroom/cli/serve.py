"""`gateroom serve`."""

from pathlib import Path
from typing import Annotated

import typer

from gateroom.app import Gateroom, whole_app
from gateroom.cli.options import Config, DataDir, Refused, with_stores
from gateroom.errors import InvalidCommand
from gateroom.opening import Stores, load_keys
from gateroom.rooms.first_start import NOT_CHOSEN, NewAccount
from gateroom.server import run
from gateroom.server.logs import configure
from gateroom.settings import Settings, load_settings


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    workers: Annotated[int, typer.Option(help="Processes; more than one needs a broker between them.")] = 1,
    data_dir: DataDir = None,
    config: Config = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Add users alice, bob and carol, with printed passwords.")
    ] = False,
) -> None:
    """Serve the gateway until SIGTERM or Ctrl-C."""
    if workers != 1:
        raise Refused("--workers: more than one process cannot share the in-process broker; use --workers 1.")
    settings = load_settings(config, {"server": {"host": host, "port": port, "data_dir": data_dir}})
    if demo and settings.server.profile == "production":
        raise Refused("--demo: users with printed passwords are not for production; see server.profile.")
    configure(settings.observability.log_format, settings.observability.log_level)
    _try_out(settings)
    born: list[NewAccount] = []
    gateroom = Gateroom(settings, demo=demo, tell=born.append)
    raise typer.Exit(
        run.serve(
            whole_app(gateroom),
            host=settings.server.host,
            port=settings.server.port,
            profile=gateroom.profile(),
            on_started=lambda address: _greet(settings, address, born),
        )
    )


def _try_out(settings: Settings) -> None:
    """Open what the server will need, so that what is wrong with it is said in one line and not in a traceback.

    Raises `KeyRefused`, `StorageError` or `Refused`.
    """
    chosen = settings.auth.admin_password

    async def work(stores: Stores) -> None:
        if await stores.registry.page(None, 1):
            return
        if chosen is None:
            if settings.server.profile == "production":
                raise Refused(f"auth.admin_password: {NOT_CHOSEN}")
            return
        try:
            stores.passwords.check_strength(chosen.get_secret_value())
        except InvalidCommand as error:
            raise Refused(f"auth.admin_password: {error.detail}") from None

    with_stores(settings, work)
    load_keys(settings)
    for issuer in settings.auth.issuers:
        issuer.file_keys()


def _greet(settings: Settings, address: str, born: list[NewAccount]) -> None:
    """Say where the server is, and once the passwords that it made up."""
    if born:
        typer.echo("")
        for account in born:
            password = account.password or "as configured in auth.admin_password"
            typer.echo(f"  new account {account.username:<6} password {password}")
        typer.echo("  generated passwords are not shown again" if any(a.password for a in born) else "")
    typer.echo("")
    if settings.console.enabled:
        typer.echo(f"  console     {address}/console")
    if settings.server.docs != "off":
        typer.echo(f"  API         {address}/docs")
    typer.echo(f"  data        {Path(settings.server.data_dir).resolve()}")
    typer.echo("")
    typer.echo(f"gateroom is ready on {address}")
