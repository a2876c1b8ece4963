"""Strict reading of what peers send."""

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateroom.errors import InvalidCommand
from gateroom.protocol.codec import MAX_DEPTH, Unreadable, check_json, decode
from gateroom.protocol.commands import (
    SAFE_INTEGER,
    AnyCommand,
    History,
    Join,
    Leave,
    Ping,
    Presence,
    Publish,
    Send,
    Since,
)

CANARY = "c4n4ry"

# The only things a refusal says; what the peer sent is in none of them.
SENTENCES = {
    "The frame is not a JSON object that can be read.",
    "The frame is not a JSON object with the fields of a command.",
    "There is a field that the protocol does not have.",
    "The data is not JSON that every receiver can read.",
    "The data is nested deeper than 64 levels.",
    "The data has a number of more than 308 digits.",
    *(
        f"The field '{name}' is not as the protocol has it."
        for name in ("type", "id", "room", "data", "since", "limit", "inbox", "user")
    ),
    *(f"The field '{name}' is missing." for name in ("type", "id", "room", "data", "user")),
}


def publishing(data: bytes) -> bytes:
    return b'{"type":"publish","id":7,"room":"desk","data":' + data + b"}"


def with_id(raw: str) -> bytes:
    return f'{{"type":"ping","id":{raw}}}'.encode()


def start(value: object) -> str:
    """Name a test by the start of its data: some of it is large."""
    return repr(value)[:40]


def refused(text: bytes) -> Unreadable:
    with pytest.raises(Unreadable) as caught:
        decode(text)
    assert caught.value.code == "invalid_command"
    assert caught.value.detail in SENTENCES
    return caught.value


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ('{"type":"ping","id":1}', Ping(id=1)),
        ('{"id":"a","type":"ping"}', Ping(id="a")),
        ('{"type":"join","id":1,"room":"desk"}', Join(id=1, room="desk")),
        ('{"type":"join","id":1,"room":"desk","since":null}', Join(id=1, room="desk")),
        (
            '{"type":"join","id":1,"room":"a:b.c_d-1","since":{"epoch":"e","seq":0}}',
            Join(id=1, room="a:b.c_d-1", since=Since("e", 0)),
        ),
        ('{"type":"leave","id":1,"room":"desk"}', Leave(id=1, room="desk")),
        ('{"type":"presence","id":1,"room":"desk"}', Presence(id=1, room="desk")),
        ('{"type":"history","id":1,"inbox":true}', History(id=1, inbox=True)),
        ('{"type":"history","id":1,"room":"desk","limit":1000}', History(id=1, room="desk", limit=1000)),
        (' \t\r\n{ "type" : "ping" , "id" : 1 }\n', Ping(id=1)),
    ],
)
def test_a_proper_command_is_read(text: str, command: AnyCommand) -> None:
    assert decode(text.encode()) == command


@pytest.mark.parametrize("user", ["@ada", "@a-da.1_", "u-ada", "A_-9", "x" * 64])
def test_a_user_is_named_by_id_or_by_name(user: str) -> None:
    command = decode(json.dumps({"type": "send", "id": 1, "user": user, "data": None}).encode())
    assert isinstance(command, Send)
    assert command.user == user


@pytest.mark.parametrize("user", ["", "@", "@a", "@Ada", "x" * 65, "a b", "u\n", "@ada\n", "é", "../x", "*", 1, None])
def test_nobody_is_named_otherwise(user: object) -> None:
    assert refused(json.dumps({"type": "send", "id": 1, "user": user, "data": 1}).encode()).command_id == 1


@pytest.mark.parametrize("room", ["a", "0", "a" * 100, "order:42", "a.b_c-d:e", "room.9"])
def test_a_room_has_a_name_of_the_contract(room: str) -> None:
    assert decode(json.dumps({"type": "leave", "id": 1, "room": room}).encode()) == Leave(id=1, room=room)


@pytest.mark.parametrize(
    "room",
    [
        "",
        "a" * 101,
        "A",
        "-a",
        ".a",
        ":a",
        "_a",
        "a b",
        "a\n",
        "\na",
        "a\r\nb",
        "*",
        "a*",
        "../x",
        "a/b",
        "\u0430",
        "a\u0000",
        1,
        None,
        True,
        ["a"],
        {"a": 1},
    ],
)
def test_no_room_has_another_name(room: object) -> None:
    error = refused(json.dumps({"type": "join", "id": 1, "room": room}).encode())
    assert (error.command_id, error.detail) == (1, "The field 'room' is not as the protocol has it.")


# Ids


@pytest.mark.parametrize("raw", ["0", "-1", str(SAFE_INTEGER), str(-SAFE_INTEGER), '"a"', f'"{"é" * 64}"', '"\\u0000"'])
def test_an_id_may_be_anything_up_to_its_bounds(raw: str) -> None:
    assert decode(with_id(raw)) == Ping(id=json.loads(raw))


@pytest.mark.parametrize(
    "raw",
    [
        str(SAFE_INTEGER + 1),
        str(-SAFE_INTEGER - 1),
        "9" * 400,
        "1.0",
        "1.5",
        "1e2",
        "true",
        "null",
        '""',
        f'"{"a" * 65}"',
        "[]",
        "{}",
        "[1]",
    ],
)
def test_an_id_beyond_its_bounds_is_no_id(raw: str) -> None:
    error = refused(with_id(raw))
    assert (error.command_id, error.detail) == (None, "The field 'id' is not as the protocol has it.")


@pytest.mark.parametrize(
    ("text", "command_id", "detail"),
    [
        ('{"type":"nothing","id":3}', 3, "The field 'type' is not as the protocol has it."),
        ('{"type":"Ping","id":3}', 3, "The field 'type' is not as the protocol has it."),
        ('{"type":1,"id":3}', 3, "The field 'type' is not as the protocol has it."),
        ('{"type":null,"id":3}', 3, "The field 'type' is not as the protocol has it."),
        ('{"id":3}', 3, "The field 'type' is missing."),
        ("{}", None, "The field 'type' is missing."),
        ('{"type":"ping"}', None, "The field 'id' is missing."),
        ('{"type":"publish","id":"x","data":1}', "x", "The field 'room' is missing."),
        ('{"type":"publish","id":"x","room":"desk"}', "x", "The field 'data' is missing."),
        ('{"type":"ping","id":3,"from":"me"}', 3, "There is a field that the protocol does not have."),
        (
            '{"type":"publish","id":3,"room":"a","data":1,"role":1}',
            3,
            "There is a field that the protocol does not have.",
        ),
        ('{"type":"history","id":3,"limit":0}', 3, "The field 'limit' is not as the protocol has it."),
        ('{"type":"history","id":3,"limit":1001}', 3, "The field 'limit' is not as the protocol has it."),
        ('{"type":"history","id":3,"limit":"9"}', 3, "The field 'limit' is not as the protocol has it."),
        ('{"type":"history","id":3,"inbox":1}', 3, "The field 'inbox' is not as the protocol has it."),
        ('{"type":"join","id":3,"room":"a","since":{}}', 3, "The field 'since' is not as the protocol has it."),
        ('{"type":"join","id":3,"room":"a","since":"e:1"}', 3, "The field 'since' is not as the protocol has it."),
        (
            '{"type":"join","id":3,"room":"a","since":{"epoch":"e","seq":-1}}',
            3,
            "The field 'since' is not as the protocol has it.",
        ),
        (
            '{"type":"join","id":3,"room":"a","since":{"epoch":"e","seq":1,"x":1}}',
            3,
            "The field 'since' is not as the protocol has it.",
        ),
    ],
)
def test_a_refusal_names_the_field_and_repeats_the_id(text: str, command_id: object, detail: str) -> None:
    error = refused(text.encode())
    assert (error.command_id, error.detail) == (command_id, detail)


@pytest.mark.parametrize(
    "text", ["", " ", "[]", "null", "1", '"x"', "true", "{", "}", "{}{}", '{"type":"ping","id":1}x']
)
def test_what_is_no_json_object_is_refused_without_id(text: str) -> None:
    assert refused(text.encode()).command_id is None


def test_a_byte_order_mark_is_not_json() -> None:
    refused(b'\xef\xbb\xbf{"type":"ping","id":1}')


# Data


@pytest.mark.parametrize(
    "data",
    [
        b"null",
        b"0",
        b"-0",
        b'""',
        b"[]",
        b"{}",
        b'{"a":1,"a":2}',
        b'"\\u0000\\ud83d\\ude00\xc3\xa9"',
        b"1.7976931348623157e308",
        b"18446744073709551616",
        b"1e-400",
        b"1" * 308,
        b"-" + b"9" * 308,
        b"0." + b"1" * 60_000,
        b'"' + b"1" * 60_000 + b'"',
        b'{"' + b"1" * 400 + b'":["\\"' + b"1" * 400 + b'"]}',
        b'{"from":{"id":"forged"}}',
    ],
    ids=start,
)
def test_data_is_kept_as_it_came(data: bytes) -> None:
    command = decode(publishing(data))
    assert isinstance(command, Publish)
    assert bytes(command.data) == data


@pytest.mark.parametrize(
    "data",
    [
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"1e999",
        b"-1e999",
        b"[[1e309]]",
        b"1" * 60_000,
        b"1" * 309,
        b"-" + b"1" * 4299,
        b'{"a":["' + b"1" * 400 + b'",' + b"1" * 309 + b"]}",
        b"1" * 200 + b"e200",
        b"1" * 310 + b".5",
        b'{"a":' + b"1" * 400 + b',"a":1}',
        b'"\\ud800"',
        b'"\\udc00\\ud800"',
        b'{"\\ud800":1}',
        b'"\\ud800\\u0041"',
        b"01",
        b"1.",
        b".5",
        b"+1",
        b"1e",
        b"tru",
        b"'a'",
        b'"\\x"',
        b'"\\u12"',
        b'"a\x01b"',
        b'"a\nb"',
        b'"a\x00b"',
        b"[1,]",
        b'{"a":1,}',
        b"{1:2}",
        b"\x0b1",
        b"/**/1",
        b"",
    ],
    ids=start,
)
def test_data_that_some_receiver_could_not_read_is_refused(data: bytes) -> None:
    refused(publishing(data))


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


@pytest.mark.parametrize(
    "data",
    [
        nested(MAX_DEPTH),
        b'{"a":' * MAX_DEPTH + b"1" + b"}" * MAX_DEPTH,
        b"[" + b",".join([nested(MAX_DEPTH - 1)] * 100) + b"]",
        b"[" + b",".join([b"[]"] * 20_000) + b"]",
        b'"' + b"[" * 1000 + b'"',
        b'["\\"' + b"[{" * 100 + b'\\\\"]',
        b'{"' + b"[" * 100 + b'":"' + b"]" * 100 + b'"}',
    ],
    ids=start,
)
def test_data_may_be_as_deep_as_everybody_can_read(data: bytes) -> None:
    assert isinstance(decode(publishing(data)), Publish)


@pytest.mark.parametrize(
    "data",
    [
        nested(MAX_DEPTH + 1),
        b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1),
        b'{"a":' + nested(MAX_DEPTH) + b',"a":1}',
        b'["\\\\",' + nested(MAX_DEPTH) + b"]",
        b"[" * 30_000 + b"]" * 30_000,
        b'[{"":' * 15_000,
        b"[" * 65_000,
    ],
    ids=start,
)
def test_a_bomb_of_brackets_is_refused(data: bytes) -> None:
    refused(publishing(data))


@pytest.mark.parametrize(
    "bomb", [b"[" * 65_000, b'{"a":' * 13_000, b'{"type":"ping","id":1,"x":' + b"[" * 65_000], ids=start
)
def test_a_bomb_outside_data_is_refused_too(bomb: bytes) -> None:
    refused(bomb)


def test_no_refusal_repeats_what_was_sent() -> None:
    for text in (
        f'{{"type":"{CANARY}","id":1}}',
        f'{{"type":"ping","id":1,"{CANARY}":2}}',
        f'{{"type":"ping","id":1,"data":{{"{CANARY}":2}}}}',
        f'{{"type":"join","id":1,"room":"{CANARY.upper()}"}}',
        f'{{"type":"join","id":1,"room":"a","since":{{"{CANARY}":1}}}}',
        f'{{"type":"join","id":1,"room":"a","since":{{"epoch":"e","seq":"{CANARY}"}}}}',
        f'{{"type":"send","id":1,"user":"{CANARY} x","data":1}}',
        f'{{"type":"publish","id":1,"room":"a","data":{CANARY}}}',
        f"{CANARY}",
        f'"{CANARY}"',
    ):
        assert CANARY not in refused(text.encode()).detail


# Whatever comes

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
fields = st.dictionaries(
    st.sampled_from(["type", "id", "room", "data", "since", "limit", "inbox", "user", "from", ""]),
    st.sampled_from(["ping", "join", "publish", "history", "send", "desk", "@ada", 1, True, {"epoch": "e", "seq": 1}])
    | json_values,
)
texts = (
    st.binary(max_size=200)
    | fields.map(lambda value: json.dumps(value).encode())
    | fields.map(lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    | st.tuples(fields, st.integers(0, 200), st.binary(max_size=3)).map(
        lambda made: (text := json.dumps(made[0]).encode())[: made[1]] + made[2] + text[made[1] :]
    )
)


@given(texts)
@example(publishing(b"1e400"))
@example(publishing(b'"\xed\xa0\x80"'))
def test_every_frame_is_a_command_or_unreadable(text: bytes) -> None:
    read = command_or_refusal(text)
    if isinstance(read, Unreadable):
        assert read.detail in SENTENCES
        assert read.command_id is None or isinstance(read.command_id, int | str)
    else:
        assert isinstance(read.id, int | str)
        if isinstance(read, Publish | Send):
            assert_everybody_can_read(bytes(read.data))


def command_or_refusal(text: bytes) -> AnyCommand | Unreadable:
    try:
        return decode(text)
    except Unreadable as refusal:
        return refusal


@given(json_values.map(lambda value: json.dumps(value).encode()))
def test_what_passes_the_check_can_be_read_by_everybody(text: bytes) -> None:
    try:
        check_json(text)
    except InvalidCommand:
        return
    assert_everybody_can_read(text)


def assert_everybody_can_read(data: bytes) -> None:
    value: Any = json.loads(data.decode(), parse_constant=not_a_number)
    msgspec.json.decode(data)
    json.dumps(value, ensure_ascii=False).encode()  # no lone surrogate in it
    assert all(math.isfinite(number) for number in numbers_in(value))


def not_a_number(name: str) -> float:
    raise AssertionError(name)


def numbers_in(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [number for inner in value.values() for number in numbers_in(inner)]
    if isinstance(value, list):
        return [number for inner in value for number in numbers_in(inner)]
    return [float(value)] if isinstance(value, int | float) else []
