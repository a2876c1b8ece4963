"""`gateroom users`: accounts, straight in the database; a running server follows within half a minute."""

import secrets
import sys
from contextlib import suppress
from dataclasses import replace
from typing import Annotated, Any

import typer

from gateroom.auth.ports import Identity, User
from gateroom.auth.principal import ALL_SCOPES
from gateroom.cli.options import AsJson, Config, DataDir, Refused, settings_of, show, with_stores
from gateroom.errors import Conflict, NotFound
from gateroom.opening import Stores
from gateroom.protocol.events import rfc3339

app = typer.Typer(no_args_is_help=True, help="Manage accounts.")

Username = Annotated[str, typer.Argument(help="The username.")]
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input; without, one is generated.")
]
EVERY_PAGE = 500


@app.command()
def add(
    username: Username,
    password_stdin: PasswordStdin = False,
    scope: Annotated[list[str] | None, typer.Option(help="A scope; repeat it. Without, the default scopes.")] = None,
    role: Annotated[list[str] | None, typer.Option(help="A role for the application; repeat it.")] = None,
    admin: Annotated[bool, typer.Option("--admin", help="Give every scope.")] = False,
    config: Config = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Make an account."""
    settings = settings_of(config, data_dir)
    password, generated = _password(password_stdin)

    async def work(stores: Stores) -> User:
        try:
            return await stores.registry.create(username, password, role or (), ALL_SCOPES if admin else scope)
        except Conflict:
            raise Refused(f"there is a user called {username} already") from None

    user = with_stores(settings, work)
    show([_row(user) | ({"password": password} if generated else {})], as_json=as_json)


@app.command("list")
def list_(config: Config = None, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List all accounts."""

    async def work(stores: Stores) -> list[User]:
        found: list[User] = []
        while page := await stores.registry.page(found[-1].username if found else None, EVERY_PAGE):
            found.extend(page)
        return found

    show([_row(user) for user in with_stores(settings_of(config, data_dir), work)], as_json=as_json)


@app.command()
def passwd(
    username: Username,
    password_stdin: PasswordStdin = False,
    config: Config = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Set a new password; all sessions of the old one end."""
    password, generated = _password(password_stdin)

    async def work(stores: Stores) -> User:
        user = await _existing(stores, username)
        await stores.registry.set_password(user.id, password)
        return user

    user = with_stores(settings_of(config, data_dir), work)
    show([{"username": user.username} | ({"password": password} if generated else {})], as_json=as_json)


@app.command()
def disable(
    username: Username,
    undo: Annotated[bool, typer.Option("--undo", help="Enable it again.")] = False,
    config: Config = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Disable an account: no login, no socket, and its sessions end."""

    async def work(stores: Stores) -> User:
        return await _changed(stores, username, disabled=not undo)

    show([_row(with_stores(settings_of(config, data_dir), work))], as_json=as_json)


@app.command()
def scopes(
    username: Username,
    scope: Annotated[list[str] | None, typer.Argument(help="All scopes the account is to have; none to show.")] = None,
    config: Config = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show or set the scopes of an account."""

    async def work(stores: Stores) -> User:
        if scope:
            return await _changed(stores, username, scopes=frozenset(scope))
        return await _existing(stores, username)

    show([_row(with_stores(settings_of(config, data_dir), work))], as_json=as_json)


@app.command()
def link(
    username: Username,
    issuer: Annotated[str, typer.Option(help="The issuer, as in auth.issuers.")],
    subject: Annotated[str, typer.Option(help="Whom the issuer means: the claim `sub` of its tokens.")],
    undo: Annotated[bool, typer.Option("--undo", help="Take it away again.")] = False,
    config: Config = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Let a subject of an outside issuer act as an account that is there already."""
    settings = settings_of(config, data_dir)
    if issuer not in [known.issuer for known in settings.auth.issuers]:
        raise Refused("--issuer: this is none of auth.issuers")

    async def work(stores: Stores) -> Identity:
        identity = Identity(issuer, subject, (await _existing(stores, username)).id)
        try:
            if undo:
                await stores.identities.unlink(issuer, subject)
            else:
                await stores.identities.link(identity)
        except Conflict:
            raise Refused("this subject has an account already; take it away from that first, with --undo") from None
        except NotFound:
            raise Refused("this subject has no account") from None
        return identity

    linked = with_stores(settings, work)
    show(
        [{"username": username, "issuer": linked.issuer, "subject": linked.subject, "linked": not undo}],
        as_json=as_json,
    )


async def _existing(stores: Stores, username: str) -> User:
    user = await stores.users.by_name(username)
    if user is None:
        raise Refused(f"there is no user called {username}; see `gateroom users list`")
    return user


async def _changed(stores: Stores, username: str, **changes: Any) -> User:
    """Change an account as it is now; whoever changes it at the same moment is not undone."""
    while True:
        was = await _existing(stores, username)
        with suppress(Conflict):
            await stores.registry.save(changed := replace(was, **changes), was)
            return changed


def _password(from_stdin: bool) -> tuple[str, bool]:
    if from_stdin:
        return sys.stdin.readline().rstrip("\n"), False
    return secrets.token_urlsafe(15), True


def _row(user: User) -> dict[str, object]:
    return {
        "id": user.id,
        "username": user.username,
        "scopes": sorted(user.scopes),
        "roles": sorted(user.roles),
        "disabled": user.disabled,
        "created_at": rfc3339(user.created_at),
    }
