"""What the server says, as a client parses it."""

import json
import re
import subprocess
import sys

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateroom.errors import BY_CODE, NotJoined
from gateroom.protocol import events
from gateroom.protocol.events import Person

ADA = Person("u-ada", "ada")
NOON = 1_800_000_000.125


def test_a_time_is_rfc_3339_in_utc_with_milliseconds() -> None:
    assert events.rfc3339(NOON) == "2027-01-15T08:00:00.125Z"
    assert events.rfc3339(0) == "1970-01-01T00:00:00.000Z"


def test_no_two_messages_have_the_same_id_not_even_of_processes_that_forked() -> None:
    program = """
import json, os
from gateroom.protocol.events import Person, message_body
for _ in range(3): print(json.loads(b"{" + message_body("desk", Person("u", "u"), b"1", 0))["id"], flush=True)
child = os.fork()
if child: os.waitpid(child, 0)  # one after the other: what both print must not run together
for _ in range(3): print(json.loads(b"{" + message_body("desk", Person("u", "u"), b"1", 0))["id"], flush=True)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    ids = ran.stdout.split()
    assert len(ids) == len(set(ids)) == 9


def test_a_room_message_has_the_fields_of_the_contract() -> None:
    text = events.numbered("message", "Ab-_09xy", 7, events.message_body("desk", ADA, b'{"a": [1]}', NOON))
    message = json.loads(text)
    assert re.fullmatch(r"[\w-]{13,28}", message.pop("id"))
    assert message == {
        "type": "message",
        "epoch": "Ab-_09xy",
        "seq": 7,
        "room": "desk",
        "from": {"id": "u-ada", "name": "ada"},
        "data": {"a": [1]},
        "at": "2027-01-15T08:00:00.125Z",
    }
    assert b'{"a": [1]}' in text  # the sender's own bytes


def test_a_direct_message_has_the_fields_of_the_contract() -> None:
    direct = json.loads(events.numbered("direct", "e", 1, events.direct_body(ADA, "u-bob", b'"hi"', NOON)))
    assert direct.pop("id")
    assert direct == {
        "type": "direct",
        "epoch": "e",
        "seq": 1,
        "from": {"id": "u-ada", "name": "ada"},
        "to": "u-bob",
        "data": "hi",
        "at": "2027-01-15T08:00:00.125Z",
    }


def test_no_two_messages_and_no_two_epochs_are_called_alike() -> None:
    bodies = [events.message_body("desk", ADA, b"1", NOON) for _ in range(1000)]
    assert len(set(bodies)) == 1000
    epochs = {events.new_epoch() for _ in range(1000)}
    assert len(epochs) == 1000
    assert all(re.fullmatch(r"[\w-]{12}", epoch) for epoch in epochs)


def test_a_reply_repeats_the_id_in_front_of_its_fields() -> None:
    assert events.reply(1) == b'{"type":"reply","id":1}'
    assert events.reply('q"', {"position": events.position("e", 2)}) == (
        b'{"type":"reply","id":"q\\"","position":{"epoch":"e","seq":2}}'
    )


def test_events_that_are_encoded_already_are_put_into_a_reply_as_they_are() -> None:
    first, second = b'{"type":"message","seq":1}', b'{ "x" : 1 }'
    assert json.loads(events.reply(1, {"missed": events.raw_list([first, second])}))["missed"] == [
        json.loads(first),
        json.loads(second),
    ]


def test_an_error_says_its_code_and_sentence() -> None:
    assert json.loads(events.error(5, NotJoined())) == {
        "type": "error",
        "id": 5,
        "code": "not_joined",
        "message": "Join the room first.",
    }
    assert "id" not in json.loads(events.error(None, NotJoined()))
    assert json.loads(events.error(0, NotJoined("Other words.")))["message"] == "Other words."


@pytest.mark.parametrize("code", sorted(BY_CODE))
def test_every_error_can_be_told(code: str) -> None:
    told = json.loads(events.error("x", BY_CODE[code]()))
    assert (told["id"], told["code"]) == ("x", code)
    assert told["message"]


def test_an_event_may_speak_of_people() -> None:
    assert json.loads(events.event("joined", {"room": "desk", "user": ADA})) == {
        "type": "joined",
        "room": "desk",
        "user": {"id": "u-ada", "name": "ada"},
    }


def test_a_broadcast_has_data_and_time() -> None:
    assert json.loads(events.broadcast(b'{"down":true}', NOON)) == {
        "type": "broadcast",
        "data": {"down": True},
        "at": "2027-01-15T08:00:00.125Z",
    }


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_simple_client_gets_a_string_as_it_is(text: str) -> None:
    event = events.numbered("message", "e", 1, events.message_body("desk", ADA, msgspec.json.encode(text), NOON))
    assert events.plain(event) == text.encode()


@pytest.mark.parametrize("data", [b"1", b"null", b"[1, 2]", b'{"a": "b"}', b"true"])
def test_a_simple_client_gets_anything_else_as_json(data: bytes) -> None:
    assert events.plain(events.broadcast(data, NOON)) == data


def test_a_simple_client_gets_nothing_of_what_has_no_data() -> None:
    assert events.plain(events.event("joined", {"room": "desk", "user": ADA})) is None
