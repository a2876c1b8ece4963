"""`/ws/rooms/{room}` and `/ws/users/me`: sockets for clients too simple for commands (contract section 3)."""

from pathlib import Path

import pytest

from support.in_process import SUBPROTOCOL, Account, InProcess, running_in_process

# One room


@pytest.mark.parametrize(
    "text",
    ["hello", "", " ", "add:kimchi stew", '{"type": "leave"}', "[1", "NaN", "🌍\u202e\x00\r\n", '"x"', "x" * 60000],
    ids=lambda text: ascii(text[:20]),
)
def test_a_text_is_published_as_it_is(gateway: InProcess, ada: Account, ben: Account, room: str, text: str) -> None:
    path = f"/ws/rooms/{room}"
    with gateway.socket(ada, path) as first, gateway.socket(ben, path) as second, gateway.connected(ben) as third:
        third.join(room)
        first.send(text)
        assert first.text() == text
        assert second.text() == text
        message = third.event("message")
        assert (message["data"], message["from"]) == (text, ada.person)


def test_other_data_is_delivered_as_json(gateway: InProcess, ada: Account, room: str) -> None:
    with gateway.socket(ada, f"/ws/rooms/{room}") as plain:
        for data, text in (
            ({"a": [1, None]}, '{"a":[1,null]}'),
            (1.5, "1.5"),
            (None, "null"),
            (True, "true"),
            ("é", "é"),
        ):
            gateway.post(f"/api/rooms/{room}/messages", ada, {"data": data})
            assert plain.text() == text


def test_a_simple_client_hears_of_messages_only(gateway: InProcess, ada: Account, ben: Account, room: str) -> None:
    with gateway.socket(ada, f"/ws/rooms/{room}") as plain:
        with gateway.connected(ben) as peer:
            peer.join(room)
            peer.ask("leave", room=room)
        gateway.post(f"/api/users/{ada.id}/messages", ben, {"data": "for the inbox"})
        plain.send("the first thing it hears")
        assert plain.text() == "the first thing it hears"


def test_others_see_a_simple_client_come_and_go(gateway: InProcess, ada: Account, ben: Account, room: str) -> None:
    with gateway.connected(ada) as watcher:
        watcher.join(room)
        with gateway.socket(ben, f"/ws/rooms/{room}"):
            assert watcher.event("joined")["user"] == ben.person
            assert {user["id"] for user in watcher.ask("presence", room=room)["users"]} == {ada.id, ben.id}
        assert watcher.event("left")["user"] == ben.person


def test_with_the_subprotocol_events_come_instead(gateway: InProcess, ada: Account, ben: Account, room: str) -> None:
    with gateway.socket(ada, f"/ws/rooms/{room}", offer=[SUBPROTOCOL]) as peer:
        welcome = peer.event("welcome")
        assert welcome["user"] == ada.person
        with gateway.socket(ben, f"/ws/rooms/{room}") as other:
            assert peer.event() == {"type": "joined", "room": room, "user": ben.person}
            other.send("hello")
            message = peer.event("message")
            assert (message["room"], message["data"], message["seq"]) == (room, "hello", 1)
        assert peer.event("left")["user"] == ben.person
        peer.send('{"type": "ping", "id": 1}')  # a text like any other
        assert peer.event("message")["data"] == '{"type": "ping", "id": 1}'


@pytest.mark.parametrize("offer", [[], [SUBPROTOCOL]], ids=["bare", "events"])
def test_who_may_not_publish_is_closed_out(
    gateway: InProcess, ada: Account, ben: Account, room: str, offer: list[str]
) -> None:
    gateway.set_role(ada, room, ben, "viewer")
    with gateway.socket(ben, f"/ws/rooms/{room}", offer=offer) as viewer:
        if offer:
            viewer.event("welcome")
        gateway.post(f"/api/rooms/{room}/messages", ada, {"data": "for all"})
        assert "for all" in viewer.text()
        viewer.send("from me")
        assert viewer.closed() == (1008, "forbidden")


def test_who_publishes_too_fast_is_closed_out(tmp_path: Path) -> None:
    rates = {"publish_rate": 0.001, "publish_burst": 3}
    path = "/ws/rooms/lobby"
    with running_in_process(tmp_path, realtime=rates) as gateway, gateway.socket(gateway.admin, path) as plain:
        for number in range(4):
            plain.send(str(number))
        assert [plain.text() for _ in range(3)] == ["0", "1", "2"]
        assert plain.closed() == (1008, "rate_limited")


@pytest.mark.parametrize("path", ["/ws/rooms/lobby", "/ws/users/me"])
def test_a_binary_frame_ends_the_socket(gateway: InProcess, ada: Account, path: str) -> None:
    with gateway.socket(ada, path) as plain:
        plain.send_bytes(b"\x00")
        assert plain.closed() == (1003, "")


@pytest.mark.parametrize("path", ["/ws/rooms/lobby", "/ws/users/me"])
def test_a_text_that_is_too_big_ends_the_socket(gateway: InProcess, ada: Account, path: str) -> None:
    with gateway.socket(ada, path) as plain:
        plain.send("x" * 65537)
        assert plain.closed() == (1009, "")


def test_a_deleted_room_ends_its_sockets(gateway: InProcess, ada: Account, ben: Account, room: str) -> None:
    with gateway.socket(ben, f"/ws/rooms/{room}") as plain, gateway.connected(ben) as peer:
        peer.join(room)
        gateway.delete(f"/api/rooms/{room}", ada)
        assert plain.closed() == (1008, "room_closed")
        assert peer.event() == {"type": "removed", "room": room, "reason": "room_closed"}


def test_who_is_put_out_is_closed_out(gateway: InProcess, ada: Account, ben: Account, room: str) -> None:
    with gateway.socket(ben, f"/ws/rooms/{room}") as plain:
        gateway.delete(f"/api/rooms/{room}/members/{ben.id}", ada)
        assert plain.closed() == (1008, "forbidden")


# The inbox


def test_the_inbox_delivers_what_is_sent(gateway: InProcess, ada: Account, ben: Account) -> None:
    with gateway.socket(ben, "/ws/users/me") as plain, gateway.socket(ben, "/ws/users/me", offer=[SUBPROTOCOL]) as full:
        full.event("welcome")
        for data, text in (("hello", "hello"), ({"a": 1}, '{"a":1}')):
            answer = gateway.post(f"/api/users/{ben.id}/messages", ada, {"data": data}).json()
            assert answer["connections"] == 2
            assert plain.text() == text
            direct = full.event("direct")
            assert (direct["data"], direct["from"], direct["to"]) == (data, ada.person, ben.id)


def test_the_inbox_is_ones_own_and_nothing_else(gateway: InProcess, ada: Account, ben: Account) -> None:
    with gateway.socket(ben, "/ws/users/me") as plain, gateway.connected(ada) as peer:
        peer.join("lobby")
        peer.publish("lobby", "not for the inbox")
        peer.ask("send", user=ada.id, data="not for ben")
        peer.ask("send", user=ben.id, data="for ben")
        assert plain.text() == "for ben"


@pytest.mark.parametrize("text", ["", "hello", '{"type": "ping", "id": 1}'])
def test_the_inbox_takes_nothing(gateway: InProcess, ada: Account, text: str) -> None:
    with gateway.socket(ada, "/ws/users/me") as plain:
        plain.send(text)
        assert plain.closed() == (1008, "forbidden")


def test_the_inbox_needs_no_scope_to_be_read(gateway: InProcess, ada: Account) -> None:
    reader = gateway.user(scopes=["rooms:create"])
    with gateway.socket(reader, "/ws/users/me") as plain:
        gateway.post(f"/api/users/{reader.id}/messages", ada, {"data": "hello"})
        assert plain.text() == "hello"
