"""The short way of an ordinary text frame past the parser: it must never be seen from outside."""

import struct
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import CONT, TEXT, Frame
from websockets.http11 import Request

from gateroom.server.profile import ServerProfile
from gateroom.server.wire import Wire

MASK = b"\x01\x02\x03\x04"


UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def an_open_wire(max_message_bytes: int = 65536) -> Wire:
    """A wire behind its handshake."""
    wire = Wire(ServerProfile(max_message_bytes=max_message_bytes))
    wire.receive_data(UPGRADE)
    [request] = wire.events_received()
    assert isinstance(request, Request)
    wire.send_response(wire.accept(request))
    return wire


def frame(payload: bytes, first: int = 0x81) -> bytes:
    """Frame as a client does, masked."""
    size = len(payload)
    head = bytes((first, 0x80 | size)) if size < 126 else bytes((first, 0x80 | 126)) + struct.pack("!H", size)
    return head + MASK + bytes(byte ^ MASK[place % 4] for place, byte in enumerate(payload))


def read(wire: Wire, pieces: list[bytes]) -> list[bytes]:
    """Return the payloads in order, as a live socket takes them."""
    found = []
    for piece in pieces:
        text = wire.whole_text(piece)
        if text is not None:
            found.append(text)
        else:
            wire.receive_data(piece)
            found += [bytes(event.data) for event in wire.events_received() if isinstance(event, Frame)]
    return found


def test_a_whole_text_frame_goes_the_short_way() -> None:
    for payload in (b"", b"hello", b"x" * 125, b"x" * 126, b"x" * 60_000):
        assert an_open_wire().whole_text(frame(payload)) == payload


def test_anything_else_is_left_to_the_parser() -> None:
    wire = an_open_wire(max_message_bytes=10)
    whole = frame(b"hello")
    for data in (
        whole[:-1],
        whole + b"\x00",
        whole + whole,
        frame(b"hello", 0x01),
        frame(b"hello", 0x82),
        frame(b"hello", 0xC1),
        frame(b"hello, how are you"),  # above the limit
        b"\x81\x05hello",  # not masked
        b"\x81",
        b"",
    ):
        assert wire.whole_text(data) is None


def test_a_payload_that_looks_like_a_frame_is_still_a_payload() -> None:
    inner = frame(b"not a frame")
    outer = frame(inner)
    # What a peer's network makes of it: the head alone, then a piece that by itself would be a whole frame.
    head, rest = outer[:6], outer[6:]
    unmasked_alike = frame(bytes(byte ^ MASK[place % 4] for place, byte in enumerate(rest)))
    assert read(an_open_wire(), [head, rest]) == [inner]
    assert read(an_open_wire(), [unmasked_alike[:2], unmasked_alike[2:6], inner]) != [b"not a frame"]


def test_nothing_is_taken_between_the_fragments_of_a_message() -> None:
    wire = an_open_wire()
    wire.receive_data(frame(b"", 0x01))
    assert wire.whole_text(frame(b"hello")) is None


@given(payloads=st.lists(st.binary(max_size=300), max_size=8), cuts=st.lists(st.integers(0, 2500), max_size=12))
def test_however_the_bytes_come_the_messages_are_the_same(payloads: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(frame(payload) for payload in payloads)
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})  # where the network cuts
    pieces = [stream[start:end] for start, end in pairwise(places)]
    assert read(an_open_wire(), pieces) == payloads


@given(payloads=st.lists(st.tuples(st.binary(max_size=200), st.integers(0, 200)), min_size=1, max_size=5))
def test_whole_and_fragmented_messages_alternate_as_they_like(payloads: list[tuple[bytes, int]]) -> None:
    pieces, expected = [], []
    for payload, cut in payloads:
        parts = [payload] if cut >= len(payload) else [payload[:cut], payload[cut:]]
        for number, part in enumerate(parts):
            last = number == len(parts) - 1
            pieces.append(frame(part, (0x80 if last else 0) | (int(TEXT) if number == 0 else int(CONT))))
            expected.append(part)
    assert read(an_open_wire(), pieces) == expected
