"""The parser's bounds, without a socket."""

import logging

import pytest
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State

from gateroom.server.profile import ServerProfile
from gateroom.server.wire import MalformedUpgrade, Rate, Wire, slices
from support.raw_client import BINARY, CONT, PING, TEXT, masked, upgrade

UNBOUNDED = ServerProfile(max_message_bytes=0, max_fragments=0, max_fragment_rate=0, max_control_rate=0)


def opened(profile: ServerProfile = ServerProfile()) -> Wire:  # noqa: B008 - frozen
    wire = Wire(profile)
    wire.receive_data(upgrade("/ws"))
    (request,) = wire.events_received()
    assert isinstance(request, Request)
    wire.send_response(wire.accept(request))
    wire.data_to_send()
    return wire


def frames(wire: Wire) -> list[Frame]:
    return [event for event in wire.events_received() if isinstance(event, Frame)]


def close_code(wire: Wire) -> int | None:
    return int(wire.close_sent.code) if wire.close_sent else None


def test_a_rate_allows_so_many_a_second() -> None:
    rate = Rate(3)
    assert not any(rate.exceeded(now) for now in (10.0, 10.1, 10.2, 10.3))
    assert not any(rate.exceeded(now) for now in (10.4, 10.5))
    assert rate.exceeded(10.6)


def test_a_rate_forgets_after_a_second() -> None:
    rate = Rate(3)
    assert not any(rate.exceeded(now) for now in (10.0, 10.1, 10.2, 10.3, 11.1, 11.2, 11.4, 12.4, 12.5))


def test_a_rate_of_0_is_no_limit() -> None:
    rate = Rate(0)
    assert not any(rate.exceeded(1.0) for _ in range(1000))


@pytest.mark.parametrize(("size", "code"), [(100, None), (101, 1009), (225, 1009), (226, 1009)])
def test_a_message_may_be_as_long_as_the_profile_says(size: int, code: int | None) -> None:
    wire = opened(ServerProfile(max_message_bytes=100))
    wire.receive_data(masked(TEXT, bytes(size)))
    assert close_code(wire) == code
    assert len(frames(wire)) == (0 if code else 1)


@pytest.mark.parametrize(("last", "code"), [(50, None), (51, 1009)])
def test_fragments_are_summed(last: int, code: int | None) -> None:
    wire = opened(ServerProfile(max_message_bytes=100))
    wire.receive_data(masked(BINARY, bytes(50), fin=False) + masked(PING, bytes(125)) + masked(CONT, bytes(last)))
    assert close_code(wire) == code


def test_a_close_for_size_does_not_say_the_librarys_limit() -> None:
    wire = opened(ServerProfile(max_message_bytes=100))
    wire.receive_data(masked(TEXT, bytes(1000)))
    assert wire.close_sent is not None
    assert wire.close_sent.reason == ""


def test_no_beginning_of_a_long_message_is_taken_for_a_whole_one() -> None:
    # Its length takes eight bytes, said by 127 where a short frame has its size.
    message = masked(TEXT, bytes(65536))
    wire = opened()
    assert [wire.whole_text(message[:cut]) for cut in range(len(message)) if cut < 300] == [None] * 300


def test_too_many_fragments_of_one_message_break_off() -> None:
    wire = opened(ServerProfile(max_fragments=3))
    for _ in range(2):
        wire.receive_data(masked(TEXT, fin=False) + masked(CONT, fin=False) + masked(CONT))
        assert close_code(wire) is None
    wire.receive_data(masked(TEXT, fin=False) + masked(CONT, fin=False) * 3)
    assert close_code(wire) == 1008


def test_what_follows_a_break_is_not_parsed() -> None:
    wire = opened(ServerProfile(max_control_rate=2))
    wire.receive_data(masked(PING) * 10 + masked(TEXT, "x"))
    wire.receive_data(masked(TEXT, "y") + b"nonsense")
    assert close_code(wire) == 1008
    assert wire.parser_exc is not None
    assert {frame.opcode for frame in frames(wire)} == {Opcode.PING}
    assert wire.state is State.CLOSING


def test_a_profile_without_bounds_has_none() -> None:
    wire = opened(UNBOUNDED)
    wire.receive_data(masked(BINARY, bytes(1_000_000)) + masked(TEXT, fin=False) + masked(CONT, fin=False) * 5000)
    wire.receive_data(masked(CONT) + masked(PING) * 5000)
    assert close_code(wire) is None
    assert len(frames(wire)) == 10_003


@pytest.mark.parametrize("header", ["Host: other", "Sec-WebSocket-Version: 8", "Origin: http://a\r\nOrigin: http://b"])
def test_a_malformed_upgrade_is_not_accepted(header: str) -> None:
    wire = Wire(ServerProfile())
    wire.receive_data(upgrade("/ws", headers=[header]))
    (request,) = wire.events_received()
    assert isinstance(request, Request)
    with pytest.raises(MalformedUpgrade):
        wire.accept(request)


def test_neither_heads_nor_frames_are_logged_at_any_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="gateroom.server.wire")
    wire = opened()
    wire.receive_data(masked(TEXT, "canary"))
    wire.send_text(b"canary")
    assert caplog.records == []


def test_what_was_read_is_cut_into_slices_without_loss() -> None:
    small, large = b"x" * 100, bytes(range(256)) * 1000
    assert list(slices(small)) == [small]
    assert max(map(len, slices(large))) < 20_000
    assert b"".join(slices(large)) == large
