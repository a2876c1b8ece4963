"""Text to command, strictly: nothing that could break another receiver gets past here."""

import re

import msgspec

from gateroom.errors import InvalidCommand
from gateroom.protocol.commands import AnyCommand, CommandId

MAX_DEPTH = 64  # nested arrays and objects; every receiver's parser must survive it

# What no double can hold begins here; msgspec itself stops integers only at 4,300 digits.
_MAX_DIGITS = 308
_STRINGS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
_HUGE = re.compile(rb"(?<![.0-9])[0-9]{%d}" % (_MAX_DIGITS + 1))
_DIGITS_AS_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)

_commands: msgspec.json.Decoder[AnyCommand] = msgspec.json.Decoder(AnyCommand)
_anything = msgspec.json.Decoder()


class _Envelope(msgspec.Struct):
    id: CommandId


_envelopes = msgspec.json.Decoder(_Envelope)


class Unreadable(InvalidCommand):
    """A frame that is no command; `command_id` is its id where that much could be read."""

    def __init__(self, detail: str, command_id: int | str | None) -> None:
        super().__init__(detail)
        self.command_id = command_id


def decode(text: bytes) -> AnyCommand:
    """Parse one frame of valid UTF-8 as a command.

    `data` stays raw JSON, but is parsed once to be sure of it: no NaN, no number beyond a double, no lone surrogate
    (RFC 8259 sections 6 and 8.2), at most `MAX_DEPTH` levels. Raises `Unreadable`.
    """
    try:
        command = _commands.decode(text)
        data = getattr(command, "data", None)
        if data is not None:
            check_json(data)
    except InvalidCommand as error:
        raise Unreadable(error.detail, _id_of(text)) from None
    except msgspec.ValidationError as error:
        raise Unreadable(_explain(error), _id_of(text)) from None
    except (msgspec.DecodeError, RecursionError, ValueError):
        raise Unreadable("The frame is not a JSON object that can be read.", _id_of(text)) from None
    return command


def check_json(raw: msgspec.Raw | bytes) -> None:
    """Raise `InvalidCommand` unless `raw` is JSON that every receiver can read."""
    try:
        _anything.decode(raw)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        raise InvalidCommand("The data is not JSON that every receiver can read.") from None
    text = bytes(raw)
    if _too_deep(text):
        raise InvalidCommand(f"The data is nested deeper than {MAX_DEPTH} levels.")
    if len(text) > _MAX_DIGITS and _has_huge_number(text):
        raise InvalidCommand(f"The data has a number of more than {_MAX_DIGITS} digits.")


def _too_deep(raw: bytes) -> bool:
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return False
    depth = 0
    quoted = escaped = False
    for byte in raw:
        if quoted:
            quoted = escaped or byte != 0x22
            escaped = byte == 0x5C and not escaped
        elif byte == 0x22:
            quoted = True
        elif byte in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif byte in b"]}":
            depth -= 1
    return False


def _has_huge_number(raw: bytes) -> bool:
    if b"0" * (_MAX_DIGITS + 1) not in raw.translate(_DIGITS_AS_ZEROS):  # the usual case, at little cost
        return False
    return _HUGE.search(_STRINGS.sub(b'""', raw)) is not None


def _id_of(text: bytes) -> int | str | None:
    try:
        return _envelopes.decode(text).id
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return None


def _explain(error: msgspec.ValidationError) -> str:
    """Name the field that is wrong, when it is one of ours; msgspec's own words may repeat the input."""
    problem, _, path = str(error).partition(" - at `$.")
    field = path.rstrip("`").partition(".")[0]  # of nested ones the outermost
    if field.isidentifier():
        return f"The field '{field}' is not as the protocol has it."
    if problem.startswith("Object missing required field"):
        return f"The field '{problem.split('`')[1]}' is missing."
    if problem.startswith("Object contains unknown field"):
        return "There is a field that the protocol does not have."
    return "The frame is not a JSON object with the fields of a command."
