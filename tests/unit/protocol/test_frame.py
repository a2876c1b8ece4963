"""Frames as `websockets` reads and writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import CLOSE, PING, PONG, TEXT, Close, Frame

from gateroom.protocol.frame import (
    MAX_REASON_BYTES,
    Segment,
    close_frame,
    ping_frame,
    pong_frame,
    text_frame,
)
from support.sinks import frames_in


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 65537, 300_000])
def test_a_text_of_any_size_is_framed_as_the_library_does(size: int) -> None:
    payload = b"x" * size
    assert text_frame(payload) == Frame(TEXT, payload).serialize(mask=False)
    (frame,) = frames_in(text_frame(payload))
    assert (frame.opcode, bytes(frame.data), frame.fin) == (TEXT, payload, True)


@given(st.text())
def test_every_text_arrives(text: str) -> None:
    (frame,) = frames_in(text_frame(text.encode()))
    assert bytes(frame.data).decode() == text


@given(st.sampled_from([1000, 1003, 1007, 1008, 1009, 1011, 1012, 1013, 4999]), st.text(max_size=200))
def test_a_close_says_its_code_and_fits_into_a_control_frame(code: int, reason: str) -> None:
    (frame,) = frames_in(close_frame(code, reason))
    assert frame.opcode is CLOSE
    assert len(frame.data) <= 125
    close = Close.parse(bytes(frame.data))
    assert close.code == code
    assert close.reason == reason.encode("ascii", "replace").decode()[:MAX_REASON_BYTES]


def test_a_close_may_have_no_reason() -> None:
    assert close_frame(1003) == Close(1003, "").serialize().join((b"\x88\x02", b""))


@pytest.mark.parametrize("payload", [b"", b"x" * 125])
def test_a_ping_and_its_answer_carry_the_same_payload(payload: bytes) -> None:
    ping, pong = frames_in(ping_frame(payload) + pong_frame(payload))
    assert (ping.opcode, bytes(ping.data)) == (PING, payload)
    assert (pong.opcode, bytes(pong.data)) == (PONG, payload)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=5))
def test_a_segment_is_its_texts_one_after_the_other(texts: list[bytes]) -> None:
    segment = Segment("room:desk", texts)
    assert [bytes(frame.data) for frame in frames_in(segment.frames)] == texts
    assert list(segment.texts) == texts
