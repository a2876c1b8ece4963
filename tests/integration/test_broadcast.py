"""What is for every connection (contract section 2)."""

from support.in_process import Account, InProcess


def test_a_broadcast_reaches_every_connection(gateway: InProcess, ada: Account, ben: Account, room: str) -> None:
    herald = gateway.user(scopes=["broadcast"])
    with (
        gateway.connected(ada) as first,
        gateway.connected(ada) as second,
        gateway.socket(ben, f"/ws/rooms/{room}") as plain,
        gateway.socket(ben, "/ws/users/me", offer=["gateroom.v1"]) as inbox,
    ):
        inbox.event("welcome")
        answer = gateway.post("/api/broadcast", herald, {"data": {"down": "at noon"}})
        assert (answer.status_code, answer.json()) == (200, {"connections": 4})
        for peer in (first, second, inbox):
            event = peer.event("broadcast")
            assert (event["data"], set(event)) == ({"down": "at noon"}, {"type", "data", "at"})
        assert plain.text() == '{"down":"at noon"}'


def test_a_broadcast_needs_its_scope(gateway: InProcess, ada: Account) -> None:
    with gateway.connected(ada) as peer:
        answer = gateway.post("/api/broadcast", ada, {"data": 1})
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert peer.arrived() == []
