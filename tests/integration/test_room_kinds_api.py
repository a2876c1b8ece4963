"""Capacity, ttl and templates over HTTP and at handshakes (contract section 7)."""

from collections.abc import Iterator
from typing import Any

import pytest

from support.in_process import Account, InProcess, running_in_process

ROOMS = {
    "kinds": {"small": {"capacity": 1}, "brief": {"ttl": 3600}},
    "templates": [
        {"pattern": "order:*", "kind": "brief", "visibility": "public"},
        {"pattern": "desk:{user}", "kind": "small"},
    ],
    "max_rooms_per_user": 5,
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    with running_in_process(tmp_path_factory.mktemp("data"), rooms=ROOMS) as running:
        yield running


@pytest.fixture
def eve(gateway: InProcess) -> Account:
    return gateway.user()


def show(gateway: InProcess, by: Account, room: str) -> Any:
    return gateway.get(f"/api/rooms/{room}", by).json()


def test_a_full_room_refuses_handshakes_and_joins(gateway: InProcess, eve: Account) -> None:
    with gateway.connected(eve) as peer, gateway.socket(eve, f"/ws/rooms/desk:{eve.id}") as second:
        assert peer.join(f"desk:{eve.id}")["role"] == "owner"
        gateway.set_role(eve, f"desk:{eve.id}", gateway.admin, "member")
        assert gateway.refusal(f"/ws/rooms/desk:{eve.id}", headers=gateway.admin.headers) == (1008, "room_full")
        with gateway.connected(gateway.admin) as other:
            assert other.ask("join", room=f"desk:{eve.id}")["code"] == "room_full"
        assert second.session is not None


def test_capacity_and_ttl_are_shown_as_they_hold(gateway: InProcess, eve: Account) -> None:
    made = gateway.post("/api/rooms", eve, {"id": "nook", "kind": "small"}).json()
    assert (made["capacity"], made["ttl"]) == (1, 0)
    gateway.patch("/api/rooms/nook", eve, {"capacity": 7, "ttl": 90.5})
    shown = show(gateway, eve, "nook")
    assert (shown["capacity"], shown["ttl"]) == (7, 90.5)
    gateway.patch("/api/rooms/nook", eve, {"title": "Nook"})
    assert show(gateway, eve, "nook") == {**shown, "title": "Nook"}
    made = gateway.post("/api/rooms", eve, {"id": "barn", "kind": "brief", "capacity": 2, "ttl": 0}).json()
    assert (made["capacity"], made["ttl"]) == (2, 0)


@pytest.mark.parametrize("wrong", [{"capacity": -1}, {"capacity": 1.5}, {"ttl": -1}, {"ttl": 1e10}, {"ttl": "soon"}])
def test_what_is_no_capacity_or_ttl_is_refused(gateway: InProcess, eve: Account, wrong: dict[str, object]) -> None:
    answer = gateway.post("/api/rooms", eve, {"id": "wrong", **wrong})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_command")


def test_publishing_makes_a_room_of_a_template_and_reading_does_not(gateway: InProcess, eve: Account) -> None:
    for path in ("", "/messages", "/presence"):
        assert gateway.get(f"/api/rooms/order:17{path}", eve).status_code == 404
    assert gateway.post("/api/rooms/order:17/messages", eve, {"data": 1}).status_code == 201
    shown = show(gateway, eve, "order:17")
    assert (shown["kind"], shown["visibility"], shown["ttl"]) == ("brief", "public", 3600)
    assert gateway.get("/api/rooms/order:17/members", eve).json()["code"] == "forbidden"  # it is nobody's


def test_a_personal_room_is_made_for_its_user_only(gateway: InProcess, eve: Account) -> None:
    other = gateway.user()
    path = f"/api/rooms/desk:{eve.id}/messages"
    assert gateway.post(path, other, {"data": 1}).status_code == 404
    assert gateway.refusal(f"/ws/rooms/desk:{eve.id}", headers=other.headers) == (1008, "forbidden")
    assert gateway.post("/api/rooms", other, {"id": f"desk:{eve.id}"}).json()["code"] == "forbidden"
    assert gateway.post(path, eve, {"data": 1}).status_code == 201
    assert gateway.post(path, other, {"data": 1}).status_code == 404


def test_templates_have_a_cap_too(gateway: InProcess, eve: Account) -> None:
    def publish(number: int) -> Any:
        return gateway.post(f"/api/rooms/order:cap{number}/messages", eve, {"data": 1})

    assert [publish(number).status_code for number in range(5)] == [201] * 5
    assert (publish(5).status_code, publish(5).json()["code"]) == (409, "limit_reached")
    assert gateway.refusal("/ws/rooms/order:cap5", headers=eve.headers) == (1008, "forbidden")
    with gateway.connected(eve) as peer:
        assert peer.ask("join", room="order:cap5")["code"] == "limit_reached"
        assert peer.join("order:cap4")["role"] == "member"


def test_a_room_ends_by_itself(gateway: InProcess, eve: Account) -> None:
    gateway.post("/api/rooms", eve, {"id": "soap", "ttl": 0.2})
    with gateway.connected(eve) as peer, gateway.socket(eve, "/ws/rooms/soap") as plain:
        peer.join("soap")
        assert peer.event() == {"type": "removed", "room": "soap", "reason": "room_closed"}
        assert plain.closed() == (1008, "room_closed")
        assert gateway.get("/api/rooms/soap", eve).status_code == 404
