"""How many sockets there may be: counted before accept, and HTTP stays usable (contract section 7)."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from support.in_process import running_in_process


def test_sockets_are_counted_for_each_user(tmp_path: Path) -> None:
    with running_in_process(tmp_path, realtime={"max_connections_per_user": 2}) as gateway:
        user = gateway.user()
        with gateway.connected(user), gateway.connected(user) as second:
            assert gateway.refusal("/ws", headers=user.headers) == (1008, "connection_limit")
            assert gateway.refusal("/ws/rooms/lobby", headers=user.headers) == (1008, "connection_limit")
            with gateway.connected(gateway.admin):
                pass
            second.session.close()
        with gateway.connected(user), gateway.connected(user):
            pass


@pytest.mark.parametrize("limit", ["max_connections", "max_connections_per_address"])
def test_sockets_are_counted_in_all_and_by_address(tmp_path: Path, limit: str) -> None:
    with running_in_process(tmp_path, realtime={limit: 2}) as gateway:
        for _ in range(3):  # refused ones leave no trace
            assert gateway.refusal("/ws?token=bad") == (1008, "invalid_token")
        with gateway.connected(gateway.user()), gateway.connected(gateway.user()):
            assert gateway.refusal("/ws?token=bad") == (1008, "connection_limit")
            assert gateway.refusal("/ws", headers=gateway.admin.headers) == (1008, "connection_limit")
            assert gateway.client.get("/healthz").status_code == 200
            assert gateway.user().token
        with gateway.connected(gateway.admin):
            pass


def test_handshakes_are_counted_by_the_second(tmp_path: Path) -> None:
    with running_in_process(tmp_path, realtime={"handshake_rate": 0.001}) as gateway:
        with gateway.connected(gateway.admin):
            pass
        assert gateway.refusal("/ws", headers=gateway.admin.headers) == (1008, "rate_limited")
        assert gateway.refusal("/ws?token=bad", headers={"Origin": "https://evil.example"}) == (1008, "rate_limited")
        assert gateway.get("/auth/me", gateway.admin).status_code == 200


def test_open_sockets_hold_nothing_of_the_database(tmp_path: Path) -> None:
    """Whose pool is far smaller than their number (LC-5)."""
    with running_in_process(tmp_path, realtime={"max_connections_per_user": 0}) as gateway, ExitStack() as stack:
        for _ in range(60):
            stack.enter_context(gateway.connected(gateway.admin))
        for _ in range(20):
            assert gateway.get("/api/users", gateway.admin).status_code == 200
        assert gateway.room(gateway.user())
