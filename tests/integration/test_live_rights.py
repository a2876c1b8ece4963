"""Changes of rights, as sockets that are open already feel them (contract section 5)."""

from pathlib import Path

import pytest

from gateroom.auth.key_files import load_or_create
from support.in_process import Account, InProcess, running_in_process
from support.tokens import claims_of, forge


@pytest.fixture
def ben(gateway: InProcess) -> Account:
    """Somebody for one test only, since they may not survive it."""
    return gateway.user()


def test_a_member_who_is_removed_hears_nothing_more(gateway: InProcess, ada: Account, ben: Account, room: str) -> None:
    with gateway.connected(ada) as owner, gateway.connected(ben) as member:
        owner.join(room)
        member.join(room)
        owner.event("joined")
        for number in range(5):
            owner.publish(room, number)
        gateway.delete(f"/api/rooms/{room}/members/{ben.id}", ada)
        owner.event("left")
        owner.publish(room, "behind their back")
        heard = member.arrived()
        assert heard[-1] == {"type": "removed", "room": room, "reason": "forbidden"}
        assert [event["data"] for event in heard[:-1]] == [0, 1, 2, 3, 4]
        assert member.ask("publish", room=room, data=1)["code"] == "not_joined"
        assert member.ask("join", room=room)["code"] == "forbidden"


def test_who_comes_back_must_join_again(gateway: InProcess, ada: Account, ben: Account, room: str) -> None:
    with gateway.connected(ben) as member:
        member.join(room)
        gateway.delete(f"/api/rooms/{room}/members/{ben.id}", ada)
        member.event("removed")
        gateway.set_role(ada, room, ben, "member")
        gateway.post(f"/api/rooms/{room}/messages", ada, {"data": "too early"})
        assert member.arrived() == []
        member.join(room)
        gateway.post(f"/api/rooms/{room}/messages", ada, {"data": "in time"})
        assert member.event("message")["data"] == "in time"


def test_a_lower_role_counts_from_the_next_command_on(
    gateway: InProcess, ada: Account, ben: Account, room: str
) -> None:
    with gateway.connected(ben) as member:
        member.join(room)
        member.publish(room, 1)
        gateway.set_role(ada, room, ben, "viewer")
        assert member.ask("publish", room=room, data=2)["code"] == "forbidden"
        gateway.post(f"/api/rooms/{room}/messages", ada, {"data": "still hears"})
        assert member.event("message")["data"] == "still hears"
        gateway.set_role(ada, room, ben, "moderator")
        member.publish(room, 3)


def test_closing_a_public_room_puts_its_guests_out(gateway: InProcess, ada: Account) -> None:
    guest, member = gateway.user(), gateway.user()
    room = gateway.room(ada, "public", member=member)
    with gateway.connected(guest) as outsider, gateway.connected(member) as insider:
        outsider.join(room)
        insider.join(room)
        outsider.event("joined")
        gateway.patch(f"/api/rooms/{room}", ada, {"visibility": "private"})
        assert outsider.event() == {"type": "removed", "room": room, "reason": "forbidden"}
        assert insider.event("left")["user"] == guest.person
        insider.publish(room, "among us")
        assert outsider.arrived() == []


def test_a_deleted_room_is_over_for_everybody(gateway: InProcess, ada: Account, ben: Account, room: str) -> None:
    with gateway.connected(ada) as owner, gateway.connected(ben) as member:
        owner.join(room)
        member.join(room)
        owner.event("joined")
        gateway.delete(f"/api/rooms/{room}", ada)
        for peer in (owner, member):
            assert peer.arrived() == [{"type": "removed", "room": room, "reason": "room_closed"}]
            assert peer.ask("publish", room=room, data=1)["code"] == "not_joined"
            assert peer.ask("join", room=room)["code"] == "forbidden"


def test_a_disabled_account_loses_all_its_sockets(gateway: InProcess, ada: Account, ben: Account, room: str) -> None:
    with (
        gateway.connected(ada) as other,
        gateway.connected(ben) as peer,
        gateway.socket(ben, f"/ws/rooms/{room}") as plain,
        gateway.socket(ben, "/ws/users/me") as inbox,
    ):
        other.join(room)
        peer.join(room)
        gateway.patch(f"/api/users/{ben.id}", gateway.admin, {"disabled": True})
        assert plain.closed() == (1008, "user_disabled")
        assert inbox.closed() == (1008, "user_disabled")
        assert peer.closed() == (1008, "user_disabled")
        assert [event["type"] for event in other.arrived()] == ["left"]
    assert gateway.get(f"/api/users/{ben.id}/connections", gateway.admin).json()["items"] == []


def test_a_deleted_account_loses_all_its_sockets(gateway: InProcess, ben: Account) -> None:
    with gateway.connected(ben) as peer:
        gateway.delete(f"/api/users/{ben.id}", gateway.admin)
        assert peer.closed() == (1008, "user_disabled")


def test_an_administrator_disconnects_who_may_come_back(gateway: InProcess, ben: Account) -> None:
    with gateway.connected(ben) as peer:
        gateway.delete(f"/api/users/{ben.id}/connections", gateway.admin)
        assert peer.closed() == (1008, "disconnected")
    with gateway.connected(ben):
        pass


def test_a_scope_that_is_taken_away_is_gone_from_open_sockets(gateway: InProcess, ada: Account) -> None:
    room = gateway.room(ada)
    deputy = gateway.user(scopes=["rooms:admin", "users:send"])
    with gateway.connected(deputy) as peer:
        assert peer.join(room)["role"] == "owner"
        assert peer.ask("send", user=ada.id, data=1)["type"] == "reply"
        gateway.patch(f"/api/users/{deputy.id}", gateway.admin, {"scopes": []})
        assert peer.event() == {"type": "removed", "room": room, "reason": "forbidden"}
        assert peer.ask("send", user=ada.id, data=1)["code"] == "forbidden"


def test_a_scope_that_is_given_needs_a_new_token(gateway: InProcess, ben: Account) -> None:
    with gateway.connected(ben) as peer:
        gateway.patch(f"/api/users/{ben.id}", gateway.admin, {"scopes": ["rooms:admin"]})
        private = gateway.room(gateway.admin)
        assert peer.ask("join", room=private)["code"] == "forbidden"


def test_a_socket_ends_with_its_token(tmp_path: Path) -> None:
    with running_in_process(tmp_path) as gateway:
        claims = claims_of(gateway.admin.token)
        key = load_or_create(tmp_path / "keys").current
        short = forge(key, claims | {"iat": claims["iat"] - 899, "exp": claims["iat"] + 2})
        with gateway.socket(path=f"/ws?token={short}") as peer:
            peer.event("welcome")
            while (frame := peer.receive())["type"] == "websocket.send":
                pass
            assert (frame["code"], frame["reason"]) == (1008, "token_expired")
