"""`gateroom token`: access tokens for scripts and tests, and what a token says."""

import sys
import time
from typing import Annotated

import typer

from gateroom.auth.claims import Claims, parse_scopes
from gateroom.auth.principal import scope_text
from gateroom.auth.refresh import link_of, new_token
from gateroom.auth.sessions import Device, Terms, open_session
from gateroom.auth.tokens import Issued
from gateroom.cli.options import AsJson, Config, DataDir, Refused, settings_of, show, with_stores
from gateroom.errors import Refusal
from gateroom.opening import Stores, access_tokens, load_keys
from gateroom.protocol.events import rfc3339

app = typer.Typer(no_args_is_help=True, help="Mint and inspect access tokens.")


@app.command()
def mint(
    username: Annotated[str, typer.Argument(help="Whose token it is.")],
    scope: Annotated[str | None, typer.Option(help="Scopes, space-separated; left out: all the account has.")] = None,
    count: Annotated[int, typer.Option(min=1, max=100_000, help="How many, all of one session.")] = 1,
    config: Config = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Print an access token signed with the key of the data directory, or several, a line each."""
    settings = settings_of(config, data_dir)
    try:
        wanted = None if scope is None else parse_scopes(scope)
    except ValueError:
        raise typer.BadParameter("the scope is not a list of scopes separated by spaces") from None

    async def work(stores: Stores) -> list[Issued]:
        user = await stores.users.by_name(username)
        if user is None:
            raise Refused(f"there is no user called {username}; see `gateroom users list`")
        if user.disabled:
            raise Refused(f"{username} is disabled; see `gateroom users disable --undo`")
        scopes = user.scopes if wanted is None else user.scopes & wanted
        # A session of its own that nobody can refresh: it is listed, can be ended, and ends with the token.
        terms = Terms(settings.auth.access_ttl, settings.auth.access_ttl)
        session = open_session(user, scopes, Device("gateroom-cli"), terms, time.time())
        await stores.sessions.add(session, link_of(new_token()))
        tokens = access_tokens(settings, load_keys(settings))
        return [tokens.issue(user, session.id, scopes, session.client_id) for _ in range(count)]

    minted = with_stores(settings, work)
    if as_json:
        show([{"token": issued.token, **_row(issued.claims)} for issued in minted], as_json=True)
    else:
        for issued in minted:
            typer.echo(issued.token)


@app.command()
def inspect(
    token: Annotated[str | None, typer.Argument(help="The token; without, it is read from standard input.")] = None,
    config: Config = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Verify a token and print its claims."""
    settings = settings_of(config, data_dir)
    text = sys.stdin.readline().strip() if token is None else token
    try:
        claims = access_tokens(settings, load_keys(settings)).verify(text)
    except Refusal as refusal:
        raise Refused(f"{refusal.code}: {refusal.detail}") from None
    show([_row(claims)], as_json=as_json)


def _row(claims: Claims) -> dict[str, object]:
    return {
        "sub": claims.sub,
        "sid": claims.sid,
        "jti": claims.jti,
        "client_id": claims.client_id,
        "scope": scope_text(claims.scope),
        "roles": sorted(claims.roles),
        "iat": rfc3339(claims.iat),
        "exp": rfc3339(claims.exp),
    }
