"""Text to command, strictly: nothing that could break another receiver gets past here."""

import re
from array import array
from itertools import accumulate

import msgspec

from gateroom.errors import InvalidCommand
from gateroom.protocol.commands import AnyCommand, CommandId

MAX_DEPTH = 64  # nested arrays and objects; every receiver's parser must survive it

# What no double can hold begins here; msgspec itself stops integers only at 4,300 digits.
_MAX_DIGITS = 308
_STRINGS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
_HUGE = re.compile(rb"(?<![.0-9])[0-9]{%d}" % (_MAX_DIGITS + 1))
_DIGITS_AS_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
_BRACKETS = b"[{]}"
_BRACKETS_AS_STEPS = bytes.maketrans(_BRACKETS, array("b", (1, 1, -1, -1)).tobytes())
_NO_BRACKETS = bytes(set(range(256)) - set(_BRACKETS))

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
    check_depth(text)
    if len(text) > _MAX_DIGITS and _has_huge_number(text):
        raise InvalidCommand(f"The data has a number of more than {_MAX_DIGITS} digits.")


def check_depth(text: bytes) -> None:
    """Raise `InvalidCommand` when the JSON text is nested deeper than `MAX_DEPTH`."""
    if text.count(b"[") + text.count(b"{") <= MAX_DEPTH:
        return
    steps = array("b", _STRINGS.sub(b"", text).translate(_BRACKETS_AS_STEPS, _NO_BRACKETS))
    if max(accumulate(steps), default=0) > MAX_DEPTH:
        raise InvalidCommand(f"The data is nested deeper than {MAX_DEPTH} levels.")


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
