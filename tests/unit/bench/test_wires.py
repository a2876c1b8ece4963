import json

import pytest

from gateroom.bench.wires import (
    MESSAGE_BYTES,
    WIRES,
    EchoWire,
    GateroomWire,
    RefusedByServer,
    Said,
    SocketIOWire,
    Wire,
    client_frame,
    message,
    stamp_of,
)


@pytest.mark.parametrize("stamp", [0, 1, 1_234_567_890_123_456])
def test_a_message_is_json_of_one_size_and_gives_its_stamp_back_from_any_envelope(stamp: int) -> None:
    text = message(stamp)

    assert len(text) == MESSAGE_BYTES
    assert int(json.loads(text)["t"]) == stamp
    assert stamp_of(text) == stamp
    assert stamp_of(b'{"type":"message","data":' + text + b"}") == stamp


@pytest.mark.parametrize(("size", "head"), [(125, "81fd"), (126, "81fe007e"), (1000, "81fe03e8")])
def test_a_client_frame_is_masked_with_zero(size: int, head: str) -> None:
    assert client_frame(b"x" * size) == bytes.fromhex(head) + bytes(4) + b"x" * size


@pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)
def test_a_publish_carries_the_message_as_it_is(wire: Wire) -> None:
    assert message(7) in wire.publish(3, message(7))


def test_an_echo_wire_has_nothing_to_say_before_or_between() -> None:
    wire = EchoWire()

    assert wire.ready_at_once
    assert wire.heard(b"anything") == Said()


def test_a_socket_io_client_connects_answers_pings_and_is_ready() -> None:
    wire = SocketIOWire()

    assert wire.heard(b'0{"sid":"a"}') == Said(answer=b"40")
    assert wire.heard(b'40{"sid":"b"}') == Said(ready=True)
    assert wire.heard(b"2") == Said(answer=b"3")
    with pytest.raises(RefusedByServer):
        wire.heard(b'44{"message":"no"}')


def test_a_gateroom_client_shows_its_token_joins_after_the_welcome_and_is_ready_when_answered() -> None:
    wire = GateroomWire(room="lobby")

    assert wire.headers("abc") == (("Authorization", "Bearer abc"),)
    assert wire.headers(None) == ()
    assert wire.heard(b'{"type":"welcome","connection":"c"}') == Said(answer=b'{"type":"join","id":0,"room":"lobby"}')
    assert wire.heard(b'{"type":"reply","id":0}') == Said(ready=True)
    assert wire.heard(b'{"type":"members","room":"lobby","count":3}') == Said()


def test_a_gateroom_publish_is_a_command() -> None:
    command = json.loads(GateroomWire(room="den").publish(12, b'{"t":"1"}'))

    assert command == {"type": "publish", "id": 12, "room": "den", "data": {"t": "1"}}


def test_a_gateroom_error_is_never_taken_for_an_answer() -> None:
    with pytest.raises(RefusedByServer, match="forbidden"):
        GateroomWire().heard(b'{"type":"error","id":0,"code":"forbidden","message":"No."}')
