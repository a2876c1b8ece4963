"""Frames and commands as no client should send them, made of the bytes that hypothesis gives.

So it can shrink what it finds, and a million of them are cheap.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from support.raw_client import BINARY, CLOSE, CONT, PING, PONG, TEXT, masked

T = TypeVar("T")
Json = dict[str, Any]

ENTROPY = 1024  # bytes that are enough for `ITEMS` of either kind
ITEMS = 25  # frames or commands made of them


class Chance:
    """Decisions, each read from the next bytes; when they are used up every decision is the first one."""

    def __init__(self, entropy: bytes) -> None:
        self._entropy = entropy
        self._at = 0

    def below(self, limit: int) -> int:
        """Return a number below `limit`, at most 65,536."""
        size = 1 if limit <= 256 else 2
        taken = self._entropy[self._at : self._at + size]
        self._at += size
        return int.from_bytes(taken, "big") * limit >> 8 * size

    def one_of(self, choices: Sequence[T]) -> T:
        return choices[self.below(len(choices))]

    def once_in(self, times: int) -> bool:
        """Decide yes once in so many times, and never without entropy."""
        return self.below(times) == times - 1

    def some_bytes(self, most: int) -> bytes:
        """Return up to `most` bytes of anything."""
        size = self.below(most + 1)
        taken = self._entropy[self._at : self._at + size]
        self._at += size
        return taken.ljust(size, b"\0")

    def pieces(self, data: bytes, most: int) -> list[bytes]:
        """Cut the data into up to `most` pieces."""
        cuts = sorted(self.below(len(data) + 1) for _ in range(self.below(most))) if len(data) < 65536 else []
        return [data[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(data)], strict=True)]


# Commands

_GOOD: tuple[Json, ...] = (
    {"type": "ping", "id": 1},
    {"type": "join", "id": "a", "room": "lobby"},
    {"type": "publish", "id": 2, "room": "lobby", "data": {"text": "hello"}},
    {"type": "leave", "id": 3, "room": "lobby"},
    {"type": "presence", "id": 4, "room": "lobby"},
    {"type": "history", "id": 5, "room": "lobby", "since": {"epoch": "e", "seq": 1}, "limit": 10},
    {"type": "history", "id": 6, "inbox": True},
    {"type": "send", "id": 7, "user": "@bob", "data": [1, 2.5, None]},
    {"type": "join", "id": 8, "room": "side", "since": {"epoch": "e", "seq": 0}},
    {"type": "patch", "id": 9, "room": "lobby", "patch": [{"op": "add", "path": "/a", "value": [1]}], "version": 0},
    {"type": "patch", "id": 10, "room": "lobby", "patch": [{"op": "copy", "from": "", "path": "/b"}]},
)
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 2**53, -(2**53), 2**63, 2**64, 10**30, 1e308, "", "x", "x" * 65, "x" * 300, "lobby",
    "@", "@nobody", "LOBBY", "../lobby", "a\x00b", "\u202e", "é", "\U0001f600", [], {}, [[]], {"": None}, ["lobby"],
    {"seq": -1}, {"epoch": "", "seq": 0}, {"epoch": "e", "seq": 2**53}, {"epoch": "e"}, "publish", "nonsense", "Ping",
)  # fmt: skip
_NAMES = (
    "type",
    "id",
    "room",
    "data",
    "patch",
    "version",
    "since",
    "user",
    "limit",
    "inbox",
    "nonsense",
    "",
    "Type",
    "id ",
)
_ODD_TEXTS = (
    b"", b" ", b"null", b"true", b"1", b'""', b"[]", b"{}", b"{", b"}", b"[" * 500, b'{"a":' * 500, b"\xef\xbb\xbf{}",
    b'{"type":"ping","id":NaN}', b'{"type":"ping","id":1e999}', b'{"type":"ping","id":1}{"type":"ping","id":1}',
    b'{"type":"ping","id":1,}', b"{'type':'ping','id':1}", b'{"type":"ping","id":01}', b'{"type":"ping"\x00,"id":1}',
    b'{"type":"publish","id":1,"room":"lobby","data":1e999}', b'{"type":"publish","id":1,"room":"lobby","data":NaN}',
    b'{"type":"publish","id":1,"room":"lobby","data":"\\ud800"}', b'{"type":"ping","id":"\\ud800"}',
    b'{"type":"publish","id":1,"room":"lobby","data":' + b"[" * 65 + b"]" * 65 + b"}",
    b'{"type":"publish","id":1,"room":"lobby","data":' + b"9" * 400 + b"}",
    b'{"type":"publish","id":1,"room":"lobby","data":"' + b"x" * 20_000 + b'"}',
    b'{"type":"ping","id":1,"id":2}', b'{"type":"ping","type":"leave","id":1}', b'{"id":1,"type":"ping"}',
)  # fmt: skip
_BAD_UTF8 = (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\x80", b"\xf0\x9f\x98")


def command(chance: Chance) -> bytes:
    """Make the text of a command, mostly a bad one; it may not even be UTF-8."""
    return chance.one_of(_TEXTS)(chance)


def is_utf8(text: bytes) -> bool:
    """Tell whether a text frame may hold this."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _good(chance: Chance) -> bytes:
    return json.dumps(chance.one_of(_GOOD)).encode()


def _altered(chance: Chance) -> bytes:
    """Change fields of a good one."""
    fields = dict(chance.one_of(_GOOD))
    for _ in range(1 + chance.below(3)):
        name = chance.one_of([*fields, *_NAMES])
        if chance.once_in(4):
            fields.pop(name, None)
        else:
            fields[name] = chance.one_of(_VALUES)
    return json.dumps(fields, ensure_ascii=chance.once_in(2)).encode()


def _damaged(chance: Chance) -> bytes:
    """Change bytes of a good one."""
    text = bytearray(_good(chance))
    for _ in range(1 + chance.below(3)):
        at = chance.below(len(text) + 1)
        how = chance.below(3)
        if how == 0:
            text[at:at] = chance.some_bytes(3)
        elif how == 1:
            del text[at : at + 1 + chance.below(4)]
        else:
            text[at : at + 1] = chance.one_of((b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"0", b"\n", b"e"))
    return bytes(text)


def _odd(chance: Chance) -> bytes:
    return chance.one_of(_ODD_TEXTS)


def _not_utf8(chance: Chance) -> bytes:
    text = _good(chance)
    at = chance.below(len(text) + 1)
    return text[:at] + chance.one_of(_BAD_UTF8) + text[at:]


_TEXTS: tuple[Callable[[Chance], bytes], ...] = (
    _good, _altered, _altered, _altered, _altered, _damaged, _damaged, _damaged, _odd, _odd, _odd, _not_utf8,
)  # fmt: skip


# Frames

_CODES = (1000, 1001, 0, 999, 1004, 1005, 1006, 1009, 1015, 2999, 3000, 4999, 5000, 65535)
_SIZES = (0, 1, 125, 126, 127, 65535, 65536, 2**31, 2**63 - 1, 2**63, 2**64 - 1)


def frames(chance: Chance) -> bytes:
    """Make a frame or a few that belong together, mostly bad ones; the last may be incomplete."""
    return chance.one_of(_FRAMES)(chance)


def _good_text(chance: Chance) -> bytes:
    return masked(TEXT, _good(chance))


def _bad_text(chance: Chance) -> bytes:
    return masked(TEXT, command(chance))


def _any_frame(chance: Chance) -> bytes:
    """Make a frame with any header: reserved bits and opcodes, no mask, a length that is not true or not minimal."""
    payload = chance.some_bytes(40)
    first = chance.below(256)
    mask = 0 if chance.once_in(6) else 0x80
    size = chance.one_of(_SIZES) if chance.once_in(4) else len(payload)
    form = chance.below(6)
    if size > 65535 or form == 5:
        head = bytes((first, mask | 127)) + size.to_bytes(8, "big")
    elif size > 125 or form == 4:
        head = bytes((first, mask | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, mask | size))
    return head + (b"\0\0\0\0" if mask else b"") + payload


def _fragments(chance: Chance) -> bytes:
    """Make a message of several frames, perhaps with others between them, in a wrong order, or without an end."""
    text = _good(chance)
    parts = chance.pieces(text, 5)
    made: list[bytes] = []
    for number, part in enumerate(parts):
        opcode = chance.one_of((CONT, CONT, CONT, TEXT, BINARY)) if number else TEXT
        made.append(masked(opcode, part, fin=number == len(parts) - 1 and not chance.once_in(8)))
        if chance.once_in(4):
            made.append(chance.one_of((_control, _good_text))(chance))
    if chance.once_in(10):
        made.reverse()
    return b"".join(made)


def _control(chance: Chance) -> bytes:
    """Make a ping or pong, rarely too long or fragmented."""
    payload = b"x" * 126 if chance.once_in(12) else chance.some_bytes(10)
    return masked(chance.one_of((PING, PONG)), payload, fin=not chance.once_in(12))


def _close(chance: Chance) -> bytes:
    reason = chance.one_of((b"", b"bye", b"x" * 123, b"x" * 124, b"\xff", b"\xe2\x82"))
    body = chance.one_of((b"", b"\x03", chance.one_of(_CODES).to_bytes(2, "big") + reason))
    return masked(CLOSE, body)


def _binary(chance: Chance) -> bytes:
    return masked(BINARY, chance.some_bytes(20), fin=not chance.once_in(4))


def _large(chance: Chance) -> bytes:
    return masked(chance.one_of((TEXT, BINARY, CONT, PING)), b" " * chance.one_of((65535, 65536, 65537, 70_000)))


def _noise(chance: Chance) -> bytes:
    return chance.some_bytes(60)


def _cut(chance: Chance) -> bytes:
    return chance.pieces(_good_text(chance), 2)[0]


_FRAMES: tuple[Callable[[Chance], bytes], ...] = (
    _good_text, _good_text, _bad_text, _bad_text, _bad_text, _any_frame, _any_frame, _any_frame, _fragments,
    _fragments, _fragments, _control, _control, _control, _close, _binary, _noise, _cut, _large,
)  # fmt: skip
