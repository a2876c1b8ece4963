"""Bans, mutes and kicks over HTTP, and as sockets and handshakes feel them (contract sections 2 and 3)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from support.in_process import Account, InProcess


@pytest.fixture
def mod(gateway: InProcess) -> Account:
    return gateway.user()


@pytest.fixture
def desk(gateway: InProcess, ada: Account, ben: Account, mod: Account) -> str:
    """A private room: ada owns it, mod is a moderator, ben a member."""
    return gateway.room(ada, moderator=mod, member=ben)


def put(gateway: InProcess, by: Account, room: str, what: str, user: Account, **body: object) -> Any:
    return gateway.put(f"/api/rooms/{room}/{what}/{user.id}", by, body)


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


def in_an_hour() -> str:
    return (datetime.now(UTC) + timedelta(hours=1)).isoformat()


def test_a_ban_shuts_out_of_everything_at_once(
    gateway: InProcess, ada: Account, ben: Account, mod: Account, desk: str
) -> None:
    with gateway.connected(ben) as peer, gateway.socket(ben, f"/ws/rooms/{desk}") as plain:
        peer.join(desk)
        answer = put(gateway, mod, desk, "bans", ben, until=in_an_hour())
        assert answer.status_code == 200
        assert (answer.json()["id"], answer.json()["username"]) == (ben.id, ben.name)
        assert peer.event() == {"type": "removed", "room": desk, "reason": "banned"}
        assert plain.closed() == (1008, "banned")
        assert peer.ask("join", room=desk, since={"epoch": "x", "seq": 0})["code"] == "banned"
    assert gateway.refusal(f"/ws/rooms/{desk}", headers=ben.headers) == (1008, "banned")
    for path in ("", "/messages", "/presence", "/members"):
        assert code(gateway.get(f"/api/rooms/{desk}{path}", ben)) == (403, "banned")
    assert code(gateway.post(f"/api/rooms/{desk}/messages", ben, {"data": 1})) == (403, "banned")
    assert desk not in [room["id"] for room in gateway.get("/api/rooms?limit=200", ben).json()["items"]]
    gateway.set_role(ada, desk, ben, "viewer")  # a membership does not help
    assert code(gateway.get(f"/api/rooms/{desk}", ben)) == (403, "banned")
    assert gateway.delete(f"/api/rooms/{desk}/bans/{ben.id}", mod).status_code == 204
    assert gateway.get(f"/api/rooms/{desk}", ben).status_code == 200
    assert code(gateway.delete(f"/api/rooms/{desk}/bans/{ben.id}", mod)) == (404, "not_found")


def test_the_muted_may_read_and_not_write(gateway: InProcess, ben: Account, mod: Account, desk: str) -> None:
    with gateway.connected(ben) as peer, gateway.socket(ben, f"/ws/rooms/{desk}") as plain:
        peer.join(desk)
        assert put(gateway, mod, desk, "mutes", ben).json()["until"] is None
        assert peer.ask("publish", room=desk, data=1)["code"] == "muted"
        plain.send("psst")
        assert plain.closed() == (1008, "muted")
        assert code(gateway.post(f"/api/rooms/{desk}/messages", ben, {"data": 1})) == (403, "muted")
        assert gateway.get(f"/api/rooms/{desk}/messages", ben).status_code == 200
        assert gateway.post(f"/api/rooms/{desk}/messages", mod, {"data": "hear"}).status_code == 201
        assert peer.event("message")["data"] == "hear"
        gateway.delete(f"/api/rooms/{desk}/mutes/{ben.id}", mod)
        peer.publish(desk, 2)


def test_the_kicked_are_out_now_and_may_come_back(gateway: InProcess, ben: Account, mod: Account, desk: str) -> None:
    path = f"/api/rooms/{desk}/connections/@{ben.name}"
    with gateway.connected(ben) as peer, gateway.socket(ben, f"/ws/rooms/{desk}") as plain:
        peer.join(desk)
        assert gateway.delete(path, mod).json() == {"connections": 2}
        assert peer.event() == {"type": "removed", "room": desk, "reason": "kicked"}
        assert plain.closed() == (1008, "kicked")
        peer.join(desk)
        assert gateway.delete(path, mod).json() == {"connections": 1}


def test_bans_and_mutes_are_listed_in_pages_for_moderators(
    gateway: InProcess, ada: Account, ben: Account, mod: Account, desk: str
) -> None:
    others = sorted((gateway.user() for _ in range(3)), key=lambda user: user.name)
    for user in others:
        put(gateway, ada, desk, "bans", user)
    put(gateway, ada, desk, "mutes", ben, until="2999-01-01T00:00:00+01:00")
    first = gateway.get(f"/api/rooms/{desk}/bans?limit=2", mod).json()
    rest = gateway.get(f"/api/rooms/{desk}/bans?limit=2&cursor={first['next']}", mod).json()
    assert [item["username"] for item in [*first["items"], *rest["items"]]] == [user.name for user in others]
    assert rest["next"] is None
    muted = gateway.get(f"/api/rooms/{desk}/mutes", mod).json()["items"]
    assert [(item["id"], item["until"]) for item in muted] == [(ben.id, "2998-12-31T23:00:00.000Z")]
    assert code(gateway.get(f"/api/rooms/{desk}/bans", ben)) == (403, "forbidden")


@pytest.mark.parametrize(
    "until",
    ["soon", "2020-01-01T00:00:00Z", "2999-01-01T00:00:00", "2999-01-01", "9999-12-31T23:59:59Z", 4e9, "0", True],
)
def test_an_end_that_is_none_is_refused(gateway: InProcess, ben: Account, mod: Account, desk: str, until: Any) -> None:
    assert code(put(gateway, mod, desk, "bans", ben, until=until)) == (422, "invalid_command")
    assert gateway.get(f"/api/rooms/{desk}", ben).status_code == 200


def test_a_ban_needs_no_body(gateway: InProcess, ben: Account, mod: Account, desk: str) -> None:
    answer = gateway.client.put(f"/api/rooms/{desk}/bans/{ben.id}", headers=mod.headers)
    assert (answer.status_code, answer.json()["until"]) == (200, None)


@pytest.mark.parametrize("what", ["bans", "mutes", "connections"])
def test_who_may_do_it_to_whom(gateway: InProcess, ada: Account, ben: Account, mod: Account, what: str) -> None:
    deputy, second, boss = gateway.user(), gateway.user(), gateway.user(scopes=["rooms:admin"])
    room = gateway.room(ada, "public", moderator=mod, member=ben)
    gateway.set_role(ada, room, deputy, "moderator")
    gateway.set_role(ada, room, second, "owner")

    def attempt(by: Account, of: Account) -> int:
        if what == "connections":
            return int(gateway.delete(f"/api/rooms/{room}/{what}/{of.id}", by).status_code)
        return int(put(gateway, by, room, what, of).status_code)

    stranger = gateway.user()
    for by, of in ((ben, stranger), (stranger, ben), (mod, ada), (mod, deputy), (mod, mod), (ada, ada), (ada, boss)):
        expected = 200 if by is ada and of is boss else 403
        assert attempt(by, of) == expected, (by.name, of.name)
    assert attempt(mod, boss) == 403  # who acts as owner everywhere
    for by, of in ((mod, stranger), (mod, ben), (ada, deputy), (ada, second), (boss, ada)):
        assert attempt(by, of) == 200, (by.name, of.name)


def test_the_scope_over_all_rooms_beats_a_ban(gateway: InProcess, ada: Account, desk: str) -> None:
    boss = gateway.user(scopes=["rooms:admin"])
    assert put(gateway, ada, desk, "bans", boss).status_code == 200
    assert gateway.get(f"/api/rooms/{desk}", boss).status_code == 200


def test_outsiders_learn_nothing(gateway: InProcess, ada: Account, ben: Account, desk: str) -> None:
    stranger = gateway.user()
    put(gateway, ada, desk, "bans", stranger)  # nor from a ban that they never noticed
    for room in (desk, "nowhere"):
        for user in (ben.id, "@nobody-of-that-name"):
            assert code(put(gateway, stranger, room, "bans", ben)) == (404, "not_found")
            assert code(gateway.delete(f"/api/rooms/{room}/mutes/{user}", stranger)) == (404, "not_found")
            assert code(gateway.delete(f"/api/rooms/{room}/connections/{user}", stranger)) == (404, "not_found")
        assert gateway.refusal(f"/ws/rooms/{room}", headers=stranger.headers) == (1008, "forbidden")
    assert code(gateway.delete(f"/api/rooms/{desk}/bans/@nobody-of-that-name", ben)) == (403, "forbidden")
    assert code(gateway.delete(f"/api/rooms/{desk}/bans/@nobody-of-that-name", ada)) == (404, "not_found")
