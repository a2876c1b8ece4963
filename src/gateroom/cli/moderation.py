"""`gateroom rooms ban` and its like, straight in the database; a running server follows within half a minute.

There is no `kick` among them: it leaves nothing in the database, so that only the HTTP API can do it.
"""

import time
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError

from gateroom.cli.options import AsJson, Config, DataDir, Refused, settings_of, show, with_stores
from gateroom.cli.rooms import EVERY_PAGE, RoomId, Username, existing_room, existing_user
from gateroom.errors import NotFound
from gateroom.opening import Stores
from gateroom.protocol.events import rfc3339
from gateroom.rooms.model import Measure, Sanction
from gateroom.settings.values import Seconds

For = Annotated[str | None, typer.Option("--for", help="How long, such as 15m, 24h or 30d; left out: for good.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands to those about rooms."""
    for command in (ban, unban, mute, unmute, sanctions):
        app.command()(command)


def ban(
    room: RoomId,
    username: Username,
    period: For = None,
    config: Config = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Shut a user out of a room, whatever else they are there."""
    taken = _put(room, username, Measure.BAN, period, config, data_dir)
    show([_row(taken)], as_json=as_json)


def mute(
    room: RoomId,
    username: Username,
    period: For = None,
    config: Config = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Let a user read a room only."""
    taken = _put(room, username, Measure.MUTE, period, config, data_dir)
    show([_row(taken)], as_json=as_json)


def unban(room: RoomId, username: Username, config: Config = None, data_dir: DataDir = None) -> None:
    """Lift a ban."""
    _lift(room, username, Measure.BAN, config, data_dir)


def unmute(room: RoomId, username: Username, config: Config = None, data_dir: DataDir = None) -> None:
    """Lift a mute."""
    _lift(room, username, Measure.MUTE, config, data_dir)


def sanctions(room: RoomId, config: Config = None, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List the bans and mutes in force in a room."""

    async def work(stores: Stores) -> list[Sanction]:
        await existing_room(stores, room)
        found: list[Sanction] = []
        for measure in Measure:
            after = None
            while page := await stores.sanctions.page(room, measure, after, EVERY_PAGE):
                found.extend(page)
                after = page[-1].username
        return found

    show([_row(taken) for taken in with_stores(settings_of(config, data_dir), work)], as_json=as_json)


def _put(room: str, username: str, measure: Measure, period: str | None, config: Config, data_dir: DataDir) -> Sanction:
    seconds = _seconds(period)

    async def work(stores: Stores) -> Sanction:
        await existing_room(stores, room)
        user = await existing_user(stores, username)
        return await stores.sanctions.put(room, user.id, measure, None if seconds is None else time.time() + seconds)

    return with_stores(settings_of(config, data_dir), work)


def _lift(room: str, username: str, measure: Measure, config: Config, data_dir: DataDir) -> None:
    async def work(stores: Stores) -> None:
        await existing_room(stores, room)
        user = await existing_user(stores, username)
        try:
            await stores.sanctions.lift(room, user.id, measure)
        except NotFound:
            raise Refused(f"there is no {measure} of {username} in {room}; see `gateroom rooms sanctions`") from None

    with_stores(settings_of(config, data_dir), work)


def _seconds(period: str | None) -> float | None:
    if period is None:
        return None
    try:
        seconds = TypeAdapter(Seconds).validate_python(period)
    except ValidationError:
        seconds = 0.0
    if not seconds:
        raise typer.BadParameter("--for is a time such as 15m, 24h or 30d")
    return seconds


def _row(taken: Sanction) -> dict[str, object]:
    return {
        "measure": taken.measure.value,
        "id": taken.user_id,
        "username": taken.username,
        "since": rfc3339(taken.since),
        "until": None if taken.until is None else rfc3339(taken.until),
    }
