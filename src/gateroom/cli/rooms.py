"""`gateroom rooms`: rooms and members, straight in the database; a running server follows within half a minute."""

import json
import re
import time
from typing import Annotated

import typer

from gateroom.auth.ports import User
from gateroom.cli.options import AsJson, Config, DataDir, Refused, settings_of, show, with_stores
from gateroom.errors import Conflict, NotFound
from gateroom.names import ROOM_ID_PATTERN
from gateroom.opening import Stores, room_kinds
from gateroom.protocol.events import rfc3339
from gateroom.protocol.patches import State
from gateroom.realtime.ports import retention_of
from gateroom.realtime.topics import room_topic
from gateroom.rooms.model import Member, Role, Room, RoomKind, Visibility

app = typer.Typer(no_args_is_help=True, help="Manage rooms and their members.")

RoomId = Annotated[str, typer.Argument(help="The room's id.")]
Username = Annotated[str, typer.Argument(help="The username.")]
EVERY_PAGE = 500


@app.command()
def add(
    room: RoomId,
    owner: Annotated[str | None, typer.Option(help="Username of its owner.")] = None,
    title: Annotated[str, typer.Option(help="What people see.")] = "",
    kind: Annotated[str, typer.Option(help="One of the configured kinds.")] = "default",
    public: Annotated[bool, typer.Option("--public", help="Let every user in.")] = False,
    config: Config = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Make a room."""
    settings = settings_of(config, data_dir)
    if not re.match(ROOM_ID_PATTERN, room):
        raise Refused("the room's id must be up to 100 of a-z, 0-9 and . _ : -, beginning with a-z or 0-9")
    if kind not in room_kinds(settings):
        raise Refused(f"there is no kind of that name; configure rooms.kinds.{kind}")
    visibility = Visibility.PUBLIC if public else Visibility.PRIVATE

    async def work(stores: Stores) -> Room:
        owner_id = (await existing_user(stores, owner)).id if owner else None
        made = Room(room, kind, title, visibility, owner_id, time.time())
        try:
            await stores.rooms.add(made, owner_id)
        except Conflict:
            raise Refused(f"there is a room called {room} already") from None
        return made

    show([_row(with_stores(settings, work))], as_json=as_json)


@app.command("list")
def list_(config: Config = None, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List all rooms."""

    async def work(stores: Stores) -> list[Room]:
        found: list[Room] = []
        while page := await stores.rooms.page(None, found[-1].id if found else None, EVERY_PAGE):
            found.extend(page)
        return found

    show([_row(room) for room in with_stores(settings_of(config, data_dir), work)], as_json=as_json)


@app.command()
def members(room: RoomId, config: Config = None, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List the members of a room."""

    async def work(stores: Stores) -> list[Member]:
        await existing_room(stores, room)
        found: list[Member] = []
        while page := await stores.members.page(room, found[-1].username if found else None, EVERY_PAGE):
            found.extend(page)
        return found

    show([_member(member) for member in with_stores(settings_of(config, data_dir), work)], as_json=as_json)


@app.command()
def member(
    room: RoomId,
    username: Username,
    role: Annotated[Role | None, typer.Option(help="The role to give.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="End the membership.")] = False,
    config: Config = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Give a user a role in a room, or end the membership."""
    if (role is None) == (not remove):
        raise typer.BadParameter("say either --role or --remove")

    async def work(stores: Stores) -> list[Member]:
        await existing_room(stores, room)
        user = await existing_user(stores, username)
        try:
            if role is not None:
                return [await stores.members.put(room, user.id, role)]
            await stores.members.remove(room, user.id)
        except Conflict:
            raise Refused(f"{username} is the last owner of {room}; make another one first") from None
        except NotFound:
            raise Refused(f"{username} is not a member of {room}") from None
        return []

    show([_member(found) for found in with_stores(settings_of(config, data_dir), work)], as_json=as_json)


@app.command()
def state(room: RoomId, config: Config = None, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Print the document that a room shares, with its version; of a room that is not durable only the server has it."""
    settings = settings_of(config, data_dir)

    async def work(stores: Stores) -> State:
        kind = room_kinds(settings).get((await existing_room(stores, room)).kind, RoomKind())
        if not retention_of(kind).durable:
            raise Refused(f"rooms of kind {kind.name} are not durable; read it from the running server")
        topic = room_topic(room)
        opened = (await stores.streams.open([topic])).get(topic)
        return opened.state if opened else State()

    found = with_stores(settings, work)
    shown = {"state_version": found.version, "state": json.loads(found.text)}
    typer.echo(json.dumps(shown, ensure_ascii=as_json, indent=None if as_json else 2))


@app.command()
def delete(room: RoomId, config: Config = None, data_dir: DataDir = None) -> None:
    """Delete a room and its memberships."""

    async def work(stores: Stores) -> None:
        await existing_room(stores, room)
        await stores.rooms.remove(room)

    with_stores(settings_of(config, data_dir), work)


async def existing_room(stores: Stores, room_id: str) -> Room:
    room = await stores.rooms.by_id(room_id)
    if room is None:
        raise Refused(f"there is no room called {room_id}; see `gateroom rooms list`")
    return room


async def existing_user(stores: Stores, username: str) -> User:
    user = await stores.users.by_name(username)
    if user is None:
        raise Refused(f"there is no user called {username}; see `gateroom users list`")
    return user


def _row(room: Room) -> dict[str, object]:
    return {
        "id": room.id,
        "kind": room.kind,
        "title": room.title,
        "visibility": room.visibility.value,
        "created_at": rfc3339(room.created_at),
    }


def _member(member: Member) -> dict[str, object]:
    return {
        "id": member.user_id,
        "username": member.username,
        "role": member.role.value,
        "since": rfc3339(member.since),
    }
