"""What a user may send and read over HTTP is bounded together with what their sockets do (MH-5)."""

from collections.abc import Iterator

import pytest

from support.in_process import Account, InProcess, running_in_process

RATES = {"publish_rate": 0.001, "publish_burst": 2, "costly_rate": 0.1, "user_rate_factor": 1}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    with running_in_process(tmp_path_factory.mktemp("data"), realtime=RATES) as running:
        yield running


def publish(gateway: InProcess, by: Account, to: str) -> int:
    return gateway.post(f"/api/{to}/messages", by, {"data": 1}).status_code


def test_messages_to_rooms_and_users_take_from_one_allowance(gateway: InProcess) -> None:
    user, other = gateway.user(), gateway.user()
    room = gateway.room(user)
    assert publish(gateway, user, f"rooms/{room}") == 201
    assert publish(gateway, user, f"users/{other.id}") == 201
    for to in (f"rooms/{room}", f"users/{other.id}"):
        assert publish(gateway, user, to) == 429
    answer = gateway.post(f"/api/rooms/{room}/messages", user, {"data": 1})
    assert (answer.json()["code"], answer.headers["Retry-After"]) == ("rate_limited", "1")
    assert publish(gateway, other, f"users/{user.id}") == 201


def test_what_was_sent_over_http_is_missing_on_the_socket(gateway: InProcess) -> None:
    user = gateway.user()
    for _ in range(2):
        assert publish(gateway, user, f"users/{user.id}") == 201
    with gateway.connected(user) as peer:
        assert peer.ask("send", user=user.id, data=1)["code"] == "rate_limited"
        assert peer.ask("ping")["type"] == "reply"


def test_reading_history_takes_from_another(gateway: InProcess) -> None:
    user = gateway.user()
    assert [gateway.get("/api/rooms/lobby/messages", user).status_code for _ in range(2)] == [200, 429]
    assert publish(gateway, user, "rooms/lobby") == 201


def test_patches_of_a_state_count_as_messages_and_reading_it_as_reading_history(gateway: InProcess) -> None:
    user = gateway.user()

    def patch() -> int:
        headers = {"Content-Type": "application/json-patch+json", **user.headers}
        return gateway.client.patch("/api/rooms/lobby/state", content=b"[]", headers=headers).status_code

    assert [patch(), publish(gateway, user, "rooms/lobby"), patch()] == [200, 201, 429]
    assert gateway.get("/api/rooms/lobby/state", user).status_code == 200
    assert gateway.get("/api/rooms/lobby/messages", user).status_code == 429
