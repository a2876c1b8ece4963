"""What is no command, or too much of it: answered, kept from others, and in the end cut off (contract section 4)."""

import json
from pathlib import Path
from typing import Any

import pytest

from support.in_process import Account, InProcess, Peer, running_in_process

CANARY = "canary-7f3a"


def gets_invalid_command(peer: Peer, text: str) -> dict[str, Any]:
    peer.send(text)
    answer = peer.event("error")
    assert answer["code"] == "invalid_command"
    assert CANARY not in json.dumps(answer)
    return answer


@pytest.mark.parametrize(
    "text",
    [
        '{"type": "canary-7f3a", "id": 7}',
        '{"type": "JOIN", "id": 7, "room": "lobby"}',
        '{"type": null, "id": 7}',
        '{"type": ["ping"], "id": 7}',
        '{"id": 7}',
        '{"type": "ping", "id": 7, "canary-7f3a": 1}',
        '{"type": "join", "id": 7}',
        '{"type": "join", "id": 7, "room": 1}',
        '{"type": "join", "id": 7, "room": "Canary-7f3a canary-7f3a"}',
        '{"type": "join", "id": 7, "room": "canary-7f3a\\n"}',
        '{"type": "join", "id": 7, "room": "*"}',
        '{"type": "join", "id": 7, "room": "../x"}',
        '{"type": "join", "id": 7, "room": "__proto__"}',
        '{"type": "join", "id": 7, "room": "lobby", "since": 5}',
        '{"type": "join", "id": 7, "room": "lobby", "since": {"epoch": "a"}}',
        '{"type": "join", "id": 7, "room": "lobby", "since": {"epoch": "a", "seq": -1}}',
        '{"type": "join", "id": 7, "room": "lobby", "since": {"epoch": "a", "seq": 1.5}}',
        '{"type": "join", "id": 7, "room": "lobby", "since": {"epoch": "a", "seq": 1, "canary-7f3a": 1}}',
        '{"type": "publish", "id": 7, "room": "lobby"}',
        '{"type": "send", "id": 7, "user": "canary-7f3a canary-7f3a", "data": 1}',
        '{"type": "send", "id": 7, "data": 1}',
        '{"type": "history", "id": 7, "inbox": 1}',
        '{"type": "history", "id": 7, "inbox": true, "limit": 0}',
        '{"type": "history", "id": 7, "inbox": true, "limit": 1001}',
        '{"type": "history", "id": 7, "inbox": true, "limit": "5"}',
    ],
)
def test_what_is_no_command_is_answered_and_the_socket_stays(gateway: InProcess, ada: Account, text: str) -> None:
    with gateway.connected(ada) as peer:
        assert gets_invalid_command(peer, text)["id"] == 7
        assert peer.ask("ping") == {"type": "reply"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        CANARY,
        "null",
        "7",
        '"ping"',
        "[]",
        '[{"type": "ping", "id": 7}]',
        "{",
        '{"type": "ping", "id": 7',
        '{"type": "ping", "id": 7}}',
        '{"type": "ping", "id": 7} {"type": "ping", "id": 8}',
        "{'type': 'ping', 'id': 7}",
        '{"type": "ping"}',
        '{"type": "ping", "id": null}',
        '{"type": "ping", "id": true}',
        '{"type": "ping", "id": 1.5}',
        '{"type": "ping", "id": ""}',
        '{"type": "ping", "id": [7]}',
        '{"type": "ping", "id": 9007199254740992}',
        '{"type": "ping", "id": ' + "9" * 5000 + "}",
        '{"type": "ping", "id": "' + "x" * 65 + '"}',
        '{"type": "ping", "id": "\\ud800"}',
        "[" * 60000,
        '{"a":' * 10000,
        "[],[]," * 10000,
    ],
    ids=lambda text: ascii(text[:40]),
)
def test_what_has_no_id_is_answered_without(gateway: InProcess, ada: Account, text: str) -> None:
    with gateway.connected(ada) as peer:
        assert "id" not in gets_invalid_command(peer, text)
        assert peer.ask("ping") == {"type": "reply"}


@pytest.mark.parametrize(
    "data",
    [
        "NaN",
        "Infinity",
        "-Infinity",
        "1e999",
        "-1e999",
        "9" * 5000,
        '"\\ud800"',
        '"\\udfff\\ud800"',
        '{"a": "\\ud800"}',
        '{"\\ud800": 1}',
        "[" * 100 + "]" * 100,
        '{"a":' * 100 + "1" + "}" * 100,
        "[" * 5000 + "]" * 5000,
        "[1,]",
        "01",
        "'x'",
        "",
        "undefined",
    ],
    ids=lambda data: data[:20],
)
def test_data_that_could_break_a_receiver_reaches_none(
    gateway: InProcess, ada: Account, ben: Account, room: str, data: str
) -> None:
    with gateway.connected(ada) as sender, gateway.connected(ben) as receiver:
        receiver.join(room)
        sender.join(room)
        receiver.event("joined")
        gets_invalid_command(sender, f'{{"type": "publish", "id": 7, "room": "{room}", "data": {data}}}')
        gets_invalid_command(sender, f'{{"type": "send", "id": 7, "user": "{ben.id}", "data": {data}}}')
        sender.publish(room, "sound")
        assert receiver.event("message")["data"] == "sound"
        assert receiver.arrived() == []


@pytest.mark.parametrize(
    "data", [None, False, 0, -1.5e-300, "", "\u2028\u202e\x00", [], {}, 2**64, [[[[]]]]], ids=ascii
)
def test_any_other_json_comes_as_it_was(gateway: InProcess, ada: Account, room: str, data: object) -> None:
    with gateway.connected(ada) as peer:
        peer.join(room)
        peer.send_json({"type": "publish", "id": 1, "room": room, "data": data})
        frames = [peer.event(), peer.event()]
        (message,) = [frame for frame in frames if frame["type"] == "message"]
        assert message["data"] == data


def test_who_goes_on_with_what_is_no_command_is_cut_off(tmp_path: Path) -> None:
    with (
        running_in_process(tmp_path, realtime={"max_violations": 3}) as gateway,
        gateway.connected(gateway.admin) as peer,
    ):
        for _ in range(3):
            gets_invalid_command(peer, "x")
        peer.send("x")
        peer.event("error")
        assert peer.closed() == (1008, "protocol_violation")


def test_an_error_of_a_proper_command_is_no_violation(tmp_path: Path) -> None:
    with (
        running_in_process(tmp_path, realtime={"max_violations": 3}) as gateway,
        gateway.connected(gateway.admin) as peer,
    ):
        for _ in range(10):
            assert peer.ask("leave", room="lobby")["code"] == "not_joined"
            assert peer.ask("join", room="no-such-room")["code"] == "forbidden"


def test_publishing_too_fast_is_refused_and_then_ended(tmp_path: Path) -> None:
    rates = {"publish_rate": 0.001, "publish_burst": 5}
    with running_in_process(tmp_path, realtime=rates) as gateway, gateway.connected(gateway.admin) as peer:
        peer.join("lobby")
        for _ in range(5):
            peer.publish("lobby", 1)
        assert peer.ask("publish", room="lobby", data=1)["code"] == "rate_limited"
        assert peer.ask("send", user="@admin", data=1)["code"] == "rate_limited"
        assert peer.ask("presence", room="lobby")["type"] == "reply"
        with gateway.connected(gateway.admin) as other:  # each connection has its own allowance
            other.join("lobby")
            other.publish("lobby", 1)
        for number in range(100):
            peer.send_json({"type": "publish", "id": number, "room": "lobby", "data": 1})
        while (frame := peer.receive())["type"] != "websocket.close":
            assert json.loads(frame["text"])["type"] in ("error", "message")
        assert (frame["code"], frame["reason"]) == (1008, "rate_limited")


# What a frame may be


def test_a_binary_frame_ends_the_socket(gateway: InProcess, ada: Account) -> None:
    with gateway.connected(ada) as peer:
        peer.send_bytes(b"x")
        assert peer.closed() == (1003, "")


def test_a_frame_that_is_too_big_ends_the_socket(tmp_path: Path) -> None:
    limits = {"max_message_bytes": 1000}
    with running_in_process(tmp_path, realtime=limits) as gateway, gateway.connected(gateway.admin) as peer:
        peer.join("lobby")
        padding = 1000 - len(json.dumps({"type": "publish", "id": 1, "room": "lobby", "data": ""}))
        peer.send_json({"type": "publish", "id": 1, "room": "lobby", "data": "x" * padding})
        assert {peer.event()["type"], peer.event()["type"]} == {"reply", "message"}
        peer.send_json({"type": "publish", "id": 1, "room": "lobby", "data": "x" * (padding + 1)})
        assert peer.closed() == (1009, "")


def test_text_that_is_no_text_ends_the_socket(gateway: InProcess, ada: Account) -> None:
    with gateway.connected(ada) as peer:
        peer.send("\ud800")
        assert peer.closed() == (1007, "")
