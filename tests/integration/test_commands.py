"""The socket protocol `gateroom.v1` on `/ws`, in process (contract section 4)."""

import json
from pathlib import Path
from typing import Any

import pytest

from support.in_process import SUBPROTOCOL, Account, InProcess, running_in_process


def error(code: str) -> dict[str, str]:
    return {"type": "error", "code": code}


def without_message(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an error without its sentence, which is for people."""
    assert isinstance(answer.pop("message"), str)
    return answer


# welcome


def test_the_first_frame_says_who_one_is(gateway: InProcess, ada: Account) -> None:
    me = gateway.get("/auth/me", ada).json()
    with gateway.socket(ada) as peer:
        welcome = peer.event("welcome")
        assert set(welcome) == {"type", "connection", "user", "session", "expires_at", "inbox", "limits"}
        assert welcome["user"] == ada.person
        assert (welcome["session"], welcome["expires_at"]) == (me["session"], me["expires_at"])
        assert set(welcome["inbox"]) == {"epoch", "seq"}
        assert welcome["limits"]["max_message_bytes"] == 65536
        assert welcome["limits"]["max_rooms_per_connection"] == 128


def test_events_come_with_and_without_the_subprotocol(gateway: InProcess, ada: Account) -> None:
    with gateway.socket(ada) as bare, gateway.socket(ada, offer=[SUBPROTOCOL]) as offered:
        assert (bare.subprotocol, offered.subprotocol) == (None, SUBPROTOCOL)
        assert bare.event("welcome").keys() == offered.event("welcome").keys()


# join and leave


def test_joining_tells_where_one_is(gateway: InProcess, ada: Account, room: str) -> None:
    with gateway.connected(ada) as peer:
        answer = peer.join(room)
        assert {"room", "position", "role", "members", "recovered", "missed", "more"} <= set(answer)
        assert (answer["room"], answer["role"], answer["members"]) == (room, "owner", 1)
        assert (answer["recovered"], answer["missed"], answer["more"]) == (True, [], False)
        assert answer["position"]["seq"] == 0


def test_coming_and_going_is_told_to_the_others(gateway: InProcess, ada: Account, ben: Account, room: str) -> None:
    with gateway.connected(ada) as first:
        first.join(room)
        with gateway.connected(ben) as second:
            assert second.join(room)["members"] == 2
            assert first.event() == {"type": "joined", "room": room, "user": ben.person}
            assert second.arrived() == []
        assert first.event() == {"type": "left", "room": room, "user": ben.person}


def test_only_the_first_and_the_last_connection_of_a_user_are_told(
    gateway: InProcess, ada: Account, ben: Account, room: str
) -> None:
    with gateway.connected(ada) as watcher:
        watcher.join(room)
        with gateway.connected(ben) as first:
            first.join(room)
            watcher.event("joined")
            with gateway.connected(ben) as second:
                assert second.join(room)["members"] == 2
            first.ask("ping")
            assert watcher.arrived() == []
            assert first.ask("leave", room=room) == {"type": "reply"}
            assert watcher.event("left")["user"] == ben.person


def test_joining_twice_changes_nothing(gateway: InProcess, ada: Account, ben: Account, room: str) -> None:
    with gateway.connected(ada) as watcher, gateway.connected(ben) as peer:
        watcher.join(room)
        assert peer.join(room) == peer.join(room)
        assert [event["type"] for event in watcher.arrived()] == ["joined"]
        peer.publish(room, "once")
        assert peer.arrived() == []


def test_who_left_hears_nothing_more(gateway: InProcess, ada: Account, ben: Account, room: str) -> None:
    with gateway.connected(ada) as speaker, gateway.connected(ben) as peer:
        speaker.join(room)
        peer.join(room)
        peer.ask("leave", room=room)
        speaker.event("joined")
        speaker.event("left")
        speaker.publish(room, "secret")
        assert peer.arrived() == []
        assert without_message(peer.ask("publish", room=room, data=1)) == error("not_joined")
        peer.join(room)


@pytest.mark.parametrize("command", ["leave", "publish", "presence", "history"])
def test_a_room_must_be_joined_first(gateway: InProcess, ada: Account, room: str, command: str) -> None:
    fields = {"data": 1} if command == "publish" else {}
    with gateway.connected(ada) as peer:
        assert without_message(peer.ask(command, room=room, **fields)) == error("not_joined")


def test_a_private_room_and_none_at_all_are_answered_alike(gateway: InProcess, ben: Account) -> None:
    private = gateway.room(gateway.admin)
    with gateway.connected(ben) as peer:
        answers = [peer.ask("join", room=name) for name in (private, "no-such-room")]
        assert answers[0] == answers[1]
        assert without_message(answers[0]) == error("forbidden")


def test_a_connection_is_in_a_bounded_number_of_rooms(tmp_path: Path) -> None:
    with running_in_process(tmp_path, realtime={"max_rooms_per_connection": 2}) as gateway:
        rooms = [gateway.room(gateway.admin) for _ in range(3)]
        with gateway.connected(gateway.admin) as peer:
            peer.join(rooms[0])
            peer.join(rooms[1])
            assert without_message(peer.ask("join", room=rooms[2])) == error("limit_reached")
            peer.publish(rooms[0], "still here")
            peer.ask("leave", room=rooms[1])
            peer.join(rooms[2])


def test_what_was_missed_comes_with_the_next_join(gateway: InProcess, ada: Account, room: str) -> None:
    with gateway.connected(ada) as peer:
        since = peer.join(room)["position"]
    path = f"/api/rooms/{room}/messages"
    for number in range(3):
        gateway.post(path, ada, {"data": number})
    with gateway.connected(ada) as peer:
        answer = peer.join(room, since=since)
        assert [message["data"] for message in answer["missed"]] == [0, 1, 2]
        assert [message["seq"] for message in answer["missed"]] == [1, 2, 3]
        assert (answer["recovered"], answer["more"], answer["position"]["seq"]) == (True, False, 3)
        assert peer.arrived() == []


def test_what_is_missed_comes_in_pages(gateway: InProcess, ada: Account, room: str) -> None:
    path = f"/api/rooms/{room}/messages"
    big = "x" * 60000
    for _ in range(6):
        gateway.post(path, ada, {"data": big})
    with gateway.connected(ada) as peer:
        epoch = peer.join(room)["position"]["epoch"]
        peer.ask("leave", room=room)
        answer = peer.join(room, since={"epoch": epoch, "seq": 0})
        assert answer["more"] is True
        seen = [message["seq"] for message in answer["missed"]]
        assert 0 < len(seen) < 6
        assert len(json.dumps(answer["missed"])) <= 256 * 1024
        while seen[-1] < 6:
            page = peer.ask("history", room=room, since={"epoch": epoch, "seq": seen[-1]})
            seen += [message["seq"] for message in page["messages"]]
        assert seen == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("since", [{"epoch": "another", "seq": 1}, {"epoch": None, "seq": 99}])
def test_a_gap_is_never_silent(gateway: InProcess, ada: Account, room: str, since: dict[str, Any]) -> None:
    with gateway.connected(ada) as peer:
        epoch = peer.join(room)["position"]["epoch"]
        peer.publish(room, "one")
        peer.ask("leave", room=room)
        assert peer.join(room, since={**since, "epoch": since["epoch"] or epoch})["recovered"] is False


# publish


def test_a_message_reaches_everybody_and_its_sender(gateway: InProcess, ada: Account, ben: Account, room: str) -> None:
    with gateway.connected(ada) as first, gateway.connected(ben) as second:
        first.join(room)
        second.join(room)
        first.event("joined")
        data = {"text": "hello", "number": 1.5, "list": [None, True, "🌍"]}
        before, answer = first.ask_among("publish", room=room, data=data)
        own = before[0] if before else first.event("message")
        message = second.event("message")
        assert own == message
        assert set(message) == {"type", "room", "seq", "epoch", "id", "from", "data", "at"}
        assert (message["room"], message["from"], message["data"]) == (room, ada.person, data)
        assert answer == {"type": "reply", "position": {"epoch": message["epoch"], "seq": message["seq"]}}
        assert message["at"].endswith("Z")


def test_messages_are_numbered_without_gaps(gateway: InProcess, ada: Account, ben: Account, room: str) -> None:
    with gateway.connected(ada) as first, gateway.connected(ben) as second:
        first.join(room)
        second.join(room)
        first.event("joined")
        for number in range(20):
            (first if number % 2 else second).send_json({"type": "publish", "id": number, "room": room, "data": number})
        messages = [frame for frame in (second.event() for _ in range(30)) if frame["type"] == "message"]
        assert [message["seq"] for message in messages] == list(range(1, 21))
        assert sorted(message["data"] for message in messages) == list(range(20))


def test_answers_come_in_the_order_of_the_commands(gateway: InProcess, ada: Account, room: str) -> None:
    with gateway.connected(ada) as peer:
        commands: list[dict[str, Any]] = [
            {"type": "join", "room": room},
            {"type": "publish", "room": room, "data": 1},
            {"type": "presence", "room": room},
            {"type": "publish", "room": room, "data": 2},
            {"type": "leave", "room": room},
            {"type": "publish", "room": room, "data": 3},
            {"type": "join", "room": room},
        ]
        for number, command in enumerate(commands):
            peer.send_json({**command, "id": number})
        answers: list[dict[str, Any]] = []
        while len(answers) < len(commands):
            frame = peer.event()
            if frame["type"] in ("reply", "error"):
                answers.append(frame)
        assert [answer["id"] for answer in answers] == list(range(len(commands)))
        assert [answer["type"] for answer in answers] == ["reply"] * 5 + ["error", "reply"]


def test_a_viewer_reads_and_does_not_write(gateway: InProcess, ada: Account, ben: Account, room: str) -> None:
    gateway.set_role(ada, room, ben, "viewer")
    with gateway.connected(ben) as viewer, gateway.connected(ada) as owner:
        assert viewer.join(room)["role"] == "viewer"
        assert without_message(viewer.ask("publish", room=room, data="x")) == error("forbidden")
        assert viewer.ask("presence", room=room)["type"] == "reply"
        owner.join(room)
        viewer.event("joined")
        owner.publish(room, "for you")
        assert viewer.event("message")["data"] == "for you"


def test_a_guest_of_a_public_room_has_its_public_role(gateway: InProcess, ben: Account) -> None:
    with gateway.connected(ben) as peer:
        assert peer.join("lobby")["role"] == "member"
        peer.publish("lobby", "hello")


def test_a_sender_cannot_be_made_up(gateway: InProcess, ada: Account, ben: Account, room: str) -> None:
    with gateway.connected(ada) as peer:
        peer.join(room)
        for forged in (
            {"from": ben.person},
            {"user": ben.id},
            {"seq": 1},
            {"at": "2000-01-01T00:00:00Z"},
            {"role": "x"},
        ):
            answer = peer.ask("publish", room=room, data=1, **forged)
            assert without_message(answer) == error("invalid_command")


# send


def test_a_direct_message_reaches_all_devices(gateway: InProcess, ada: Account, ben: Account) -> None:
    with gateway.connected(ada) as sender, gateway.connected(ben) as first, gateway.connected(ben) as second:
        answer = sender.ask("send", user=ben.id, data={"text": "psst"})
        assert (answer["type"], answer["connections"]) == ("reply", 2)
        direct = first.event("direct")
        assert second.event("direct") == direct
        assert set(direct) == {"type", "seq", "epoch", "id", "from", "to", "data", "at"}
        assert (direct["from"], direct["to"], direct["data"]) == (ada.person, ben.id, {"text": "psst"})
        assert answer["position"] == {"epoch": direct["epoch"], "seq": direct["seq"]}
        assert sender.arrived() == []


def test_a_direct_message_waits_for_who_is_away(gateway: InProcess, ada: Account) -> None:
    away = gateway.user()
    with gateway.connected(ada) as sender:
        answer = sender.ask("send", user=f"@{away.name}", data="later")
        assert answer["connections"] == 0
    with gateway.socket(away) as peer:
        inbox = peer.event("welcome")["inbox"]
        assert inbox == answer["position"]
        page = peer.ask("history", inbox=True, since={"epoch": inbox["epoch"], "seq": 0})
        assert [message["data"] for message in page["messages"]] == ["later"]
        assert (page["position"], page["more"], page["recovered"]) == (inbox, False, True)


def test_one_may_send_to_oneself(gateway: InProcess, ada: Account) -> None:
    with gateway.connected(ada) as peer:
        before, answer = peer.ask_among("send", user=f"@{ada.name}", data="note")
        direct = before[0] if before else peer.event("direct")
        assert (direct["from"], direct["to"], answer["connections"]) == (ada.person, ada.id, 1)


def test_unknown_and_disabled_recipients_are_answered_alike(gateway: InProcess, ada: Account) -> None:
    disabled = gateway.user()
    gateway.patch(f"/api/users/{disabled.id}", gateway.admin, {"disabled": True})
    with gateway.connected(ada) as peer:
        for user in ("no-such-id", "@nobody", disabled.id, f"@{disabled.name}"):
            assert without_message(peer.ask("send", user=user, data=1)) == error("forbidden")


def test_sending_needs_its_scope(gateway: InProcess, ada: Account) -> None:
    mute = gateway.user(scopes=["rooms:create"])
    with gateway.connected(mute) as peer:
        assert without_message(peer.ask("send", user=ada.id, data=1)) == error("forbidden")
        assert without_message(peer.ask("send", user="@nobody", data=1)) == error("forbidden")


# presence, history, ping


def test_presence_shows_users_with_their_connections(gateway: InProcess, ada: Account, ben: Account, room: str) -> None:
    with gateway.connected(ada) as first, gateway.connected(ben) as second, gateway.connected(ben) as third:
        first.join(room)
        second.join(room)
        third.join(room)
        first.event("joined")
        users = first.ask("presence", room=room)["users"]
        assert sorted(users, key=lambda user: str(user["connections"])) == [
            {**ada.person, "connections": 1},
            {**ben.person, "connections": 2},
        ]


def test_history_is_read_in_pages(gateway: InProcess, ada: Account, room: str) -> None:
    with gateway.connected(ada) as peer:
        peer.join(room)
        for number in range(5):
            peer.publish(room, number)
        first = peer.ask("history", room=room, limit=3)
        assert [message["data"] for message in first["messages"]] == [0, 1, 2]
        assert (first["more"], first["recovered"]) == (True, True)
        second = peer.ask("history", room=room, since=first["position"], limit=3)
        assert [message["data"] for message in second["messages"]] == [3, 4]
        assert second["more"] is False


@pytest.mark.parametrize("fields", [{}, {"room": "lobby", "inbox": True}, {"inbox": False}])
def test_history_is_of_a_room_or_of_the_inbox(gateway: InProcess, ada: Account, fields: dict[str, Any]) -> None:
    with gateway.connected(ada) as peer:
        if "room" in fields:
            peer.join("lobby")
        assert without_message(peer.ask("history", **fields)) == error("invalid_command")


@pytest.mark.parametrize("command_id", [0, 1, -1, 2**53 - 1, -(2**53) + 1, "a", "x" * 64, "🌍", "\u202e"])
def test_a_command_is_answered_under_its_id(gateway: InProcess, ada: Account, command_id: int | str) -> None:
    with gateway.connected(ada) as peer:
        peer.send_json({"type": "ping", "id": command_id})
        assert peer.event() == {"type": "reply", "id": command_id}
