"""What a server says on a socket (`gateroom.v1`): replies, errors and events as JSON text, encoded once."""

import os
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import count
from typing import Any

import msgspec

from gateroom.errors import GateroomError
from gateroom.protocol.commands import CommandId

_encode = msgspec.json.Encoder().encode


class Person(msgspec.Struct, frozen=True):
    """A user as others see them."""

    id: str
    name: str


SERVER = Person("server", "server")  # who speaks when no user does


class _MessageBody(msgspec.Struct):
    room: str
    id: str
    sender: Person = msgspec.field(name="from")
    data: msgspec.Raw
    at: str


class _DirectBody(msgspec.Struct):
    id: str
    sender: Person = msgspec.field(name="from")
    to: str
    data: msgspec.Raw
    at: str


class _StateBody(msgspec.Struct):
    room: str
    patch: msgspec.Raw
    by: Person


class _Data(msgspec.Struct):
    data: msgspec.Raw


def rfc3339(seconds: float) -> str:
    """Return a moment (seconds since the epoch) as RFC 3339 UTC with milliseconds, rounded down."""
    whole, milliseconds = divmod(int(seconds * 1000), 1000)
    return f"{_to_the_second(whole)}.{milliseconds:03d}Z"


@lru_cache(maxsize=16)  # thousands of messages are of the same second
def _to_the_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


class _Ids:
    """Message ids: of this process by a random beginning, then counted, since random bytes cost a system call each."""

    def __init__(self) -> None:
        self.renew()
        os.register_at_fork(after_in_child=self.renew)

    def renew(self) -> None:
        self._beginning = secrets.token_urlsafe(9)
        self._numbers = count()

    def new(self) -> str:
        return f"{self._beginning}{next(self._numbers):x}"


_ids = _Ids()


def message_body(room: str, sender: Person, data: msgspec.Raw | bytes, at: float) -> bytes:
    """Encode a room message without opening brace, type and position, which `numbered` puts in front."""
    return _encode(_MessageBody(room, _ids.new(), sender, msgspec.Raw(bytes(data)), rfc3339(at)))[1:]


def direct_body(sender: Person, to: str, data: msgspec.Raw | bytes, at: float) -> bytes:
    """Encode a message to one user in the same way; `to` is that user's id."""
    return _encode(_DirectBody(_ids.new(), sender, to, msgspec.Raw(bytes(data)), rfc3339(at)))[1:]


def state_body(room: str, patch: bytes, by: Person) -> bytes:
    """Encode a change of a room's shared state in the same way; `state` puts its version in front."""
    return _encode(_StateBody(room, msgspec.Raw(patch), by))[1:]


def state(version: int, body: bytes) -> bytes:
    """Complete a body to the event that says which version of the state the patch makes."""
    return b'{"type":"state","state_version":%d,%b' % (version, body)


def whole_state(room: str, version: int, text: bytes) -> bytes:
    """Encode the event for those who missed patches: one that puts the whole document in place."""
    return state(version, state_body(room, b'[{"op":"replace","path":"","value":%b}]' % text, SERVER))


def numbered(kind: str, epoch: str, seq: int, body: bytes) -> bytes:
    """Complete a body to the event of that kind and position; epochs, made by `new_epoch`, need no escaping."""
    return b'{"type":"%b","epoch":"%b","seq":%d,%b' % (kind.encode(), epoch.encode(), seq, body)


def ephemeral(kind: str, body: bytes) -> bytes:
    """Complete a body to an event of that kind without position, which nobody keeps."""
    return b'{"type":"%b","ephemeral":true,%b' % (kind.encode(), body)


def new_epoch() -> str:
    """Make the name of a new numbering; unique, since stored streams are known by it."""
    return secrets.token_urlsafe(9)


def plain(event: bytes) -> bytes | None:
    """Return an event's data as simple clients get it: a string as it is, anything else as JSON text; None without."""
    try:
        raw = bytes(msgspec.json.decode(event, type=_Data).data)
    except msgspec.ValidationError:
        return None
    return msgspec.json.decode(raw, type=str).encode() if raw.startswith(b'"') else raw


def reply(command_id: CommandId, fields: Mapping[str, Any] | None = None) -> bytes:
    return _encode({"type": "reply", "id": command_id, **(fields or {})})


def error(command_id: CommandId | None, failure: GateroomError) -> bytes:
    identified = {} if command_id is None else {"id": command_id}
    return _encode({"type": "error", **identified, "code": failure.code, "message": failure.detail})


def position(epoch: str, seq: int) -> dict[str, Any]:
    return {"epoch": epoch, "seq": seq}


def raw_list(texts: Sequence[bytes]) -> list[msgspec.Raw]:
    """Embed events that are already encoded in a reply."""
    return [msgspec.Raw(text) for text in texts]


def event(name: str, fields: Mapping[str, Any]) -> bytes:
    """Encode an event without position; the values must be JSON already or `Person`."""
    return _encode({"type": name, **fields})


def broadcast(data: bytes, at: float) -> bytes:
    """Encode what goes to every connection; `data` is JSON text that was checked."""
    return _encode({"type": "broadcast", "data": msgspec.Raw(data), "at": rfc3339(at)})
