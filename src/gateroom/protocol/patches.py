"""A room's shared document and the patches that change it (RFC 6902): read strictly, applied whole or not at all."""

from typing import Annotated, Any, Literal

import msgspec
from jsonpatch import JsonPatch, JsonPatchException
from jsonpointer import EndOfList, JsonPointerException, resolve_pointer
from msgspec import UNSET, Meta, Struct, UnsetType

from gateroom.errors import Conflict, GateroomError, InternalError, InvalidCommand, TooLarge
from gateroom.incidents import blame
from gateroom.protocol.codec import check_depth, check_json

MAX_OPERATIONS = 128  # of one patch: each costs about 10 µs
MAX_STATE_BYTES = 16 * 1024 * 1024  # of a document, whatever is configured

# RFC 6901 section 3: "" or reference tokens each behind a slash, with ~ only as ~0 or ~1.
Pointer = Annotated[str, Meta(pattern=r"^(/[^~]*(~[01][^~]*)*)?\Z")]


class Operation(Struct, frozen=True):
    """One step of a patch. Members that its kind does not define are ignored (RFC 6902 section 4)."""

    op: Literal["add", "remove", "replace", "move", "copy", "test"]
    path: Pointer
    from_: Pointer | UnsetType = msgspec.field(name="from", default=UNSET)
    value: Any = UNSET

    @property
    def source(self) -> str:
        """Where a move or copy takes from; "" is the whole document."""
        return self.from_ or ""


Operations = tuple[Operation, ...]


class State(Struct, frozen=True):
    """A room's shared document as JSON text; its version rises by one per patch, from 0 for an untouched one."""

    version: int = 0
    text: bytes = b"{}"


class Change(Struct, frozen=True):
    """A patch as it was asked for: against this version (None: whatever it is by then), to at most so many bytes."""

    operations: Operations
    version: int | None = None
    max_bytes: int = 65536  # 0: `MAX_STATE_BYTES`


_patches: msgspec.json.Decoder[Operations] = msgspec.json.Decoder(
    Annotated[Operations, Meta(max_length=MAX_OPERATIONS)]
)
_encode = msgspec.json.Encoder().encode
_STEPS = JsonPatch.operations


def parse(raw: msgspec.Raw | bytes) -> Operations:
    """Read a patch. Raises `InvalidCommand` for one that could not be applied to any document."""
    check_json(raw)
    try:
        operations = _patches.decode(raw)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        raise InvalidCommand(
            f"The patch is not a list of at most {MAX_OPERATIONS} operations as RFC 6902 has them."
        ) from None
    for operation in operations:
        _check(operation)
    return operations


def written(operations: Operations) -> bytes:
    """Return the patch as JSON text with nothing in it but what was read, so that all who get it read the same."""
    return _encode(operations)


def changed(state: State, change: Change) -> State | GateroomError:
    """Return the state after the change, or why it stays as it is: `Conflict`, `TooLarge`, `InvalidCommand`.

    Never raises: who else waits for the same transaction has nothing to do with it.
    """
    try:
        if change.version is not None and change.version != state.version:
            raise Conflict("The state has changed meanwhile.")
        return State(state.version + 1, _applied(state.text, change.operations, change.max_bytes or MAX_STATE_BYTES))
    except GateroomError as error:
        return error
    except Exception as fault:
        blame("patch_failed", fault)
        return InternalError()


def _check(operation: Operation) -> None:
    """Raise `InvalidCommand` for what RFC 6902 section 4 rules out whatever the document is."""
    if operation.op in ("add", "replace", "test") and operation.value is UNSET:
        raise InvalidCommand(f"The operation '{operation.op}' needs a value.")
    if operation.op == "remove" and not operation.path:
        raise InvalidCommand("The whole document cannot be removed; replace it.")
    if operation.op in ("move", "copy"):
        if operation.from_ is UNSET:
            raise InvalidCommand(f"The operation '{operation.op}' needs a 'from'.")
        if operation.op == "move" and operation.path.startswith(f"{operation.source}/"):
            raise InvalidCommand("Nothing can be moved into itself.")


def _applied(text: bytes, operations: Operations, limit: int) -> bytes:
    """Apply the operations one after the other to a document of their own.

    What they copy may be `limit` bytes all together: so the document never outgrows what it is, what the patch brings,
    and that. It takes no longer than that either, whatever the operations are.
    """
    document = msgspec.json.decode(text)
    left = limit
    try:
        for operation in operations:
            if operation.op == "copy":
                left -= _size(document, operation.source)
                if left < 0:
                    raise TooLarge("The patch copies more than a state may have.")
            document = _STEPS[operation.op](msgspec.to_builtins(operation)).apply(document)
        patched = _encode(document)
    except (JsonPatchException, JsonPointerException):
        raise Conflict("The patch does not fit the state as it is.") from None
    except RecursionError:
        raise InvalidCommand("The state would be nested too deep.") from None
    if len(patched) > limit:
        raise TooLarge("The state would be too large.")
    check_depth(patched)
    return patched


def _size(document: Any, pointer: str) -> int:
    found = resolve_pointer(document, pointer)
    if isinstance(found, EndOfList):  # the place behind an array's last element, where there is nothing
        raise Conflict("The patch does not fit the state as it is.")
    return len(_encode(found))
