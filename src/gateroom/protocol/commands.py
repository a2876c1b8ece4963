"""What a client may ask for on a socket (`gateroom.v1`)."""

from typing import Annotated

from msgspec import Meta, Raw, Struct

from gateroom.names import ROOM_ID_PATTERN, USER_REFERENCE_PATTERN

MAX_TOKEN_LENGTH = 4096  # of an access token
SAFE_INTEGER = 2**53 - 1  # what every JSON reader keeps exactly (RFC 8259 section 6)

CommandId = Annotated[int, Meta(ge=-SAFE_INTEGER, le=SAFE_INTEGER)] | Annotated[str, Meta(min_length=1, max_length=64)]
Key = Annotated[str, Meta(min_length=1, max_length=64)]
RoomId = Annotated[str, Meta(pattern=ROOM_ID_PATTERN)]
UserReference = Annotated[str, Meta(pattern=USER_REFERENCE_PATTERN)]


class Command(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", gc=False):
    """Base of all commands; `id` is repeated in the one answer each of them gets."""

    id: CommandId


class RoomCommand(Command, frozen=True, forbid_unknown_fields=True, tag_field="type", gc=False):
    room: RoomId


class Since(Struct, frozen=True, forbid_unknown_fields=True):
    """A position the client has reached."""

    epoch: Annotated[str, Meta(min_length=1, max_length=64)]
    seq: Annotated[int, Meta(ge=0, le=SAFE_INTEGER)]


class Join(RoomCommand, frozen=True, forbid_unknown_fields=True, tag="join", gc=False):
    since: Since | None = None


class Leave(RoomCommand, frozen=True, forbid_unknown_fields=True, tag="leave", gc=False):
    pass


class Publish(RoomCommand, frozen=True, forbid_unknown_fields=True, tag="publish", gc=False):
    data: Raw
    key: Key | None = None
    ephemeral: bool = False


class Patch(RoomCommand, frozen=True, forbid_unknown_fields=True, tag="patch", gc=False):
    """Change the room's shared document; `patch` is read by `protocol.patches`."""

    patch: Raw
    version: Annotated[int, Meta(ge=0, le=SAFE_INTEGER)] | None = None


class Presence(RoomCommand, frozen=True, forbid_unknown_fields=True, tag="presence", gc=False):
    pass


class History(Command, frozen=True, forbid_unknown_fields=True, tag="history", gc=False):
    """Of a room, or with `inbox: true` of the caller's own stream."""

    room: RoomId | None = None
    inbox: bool = False
    since: Since | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class Send(Command, frozen=True, forbid_unknown_fields=True, tag="send", gc=False):
    user: UserReference
    data: Raw
    key: Key | None = None


class Refresh(Command, frozen=True, forbid_unknown_fields=True, tag="refresh", gc=False):
    """Carry on with a newer access token of the same session."""

    token: Annotated[str, Meta(min_length=1, max_length=MAX_TOKEN_LENGTH)]


class Ping(Command, frozen=True, forbid_unknown_fields=True, tag="ping", gc=False):
    pass


AnyCommand = Join | Leave | Publish | Patch | Presence | History | Send | Refresh | Ping
