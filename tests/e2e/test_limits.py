"""Each limit at a real server: what its peer gets, what `/metrics` says, and that everybody else goes on."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise

import pytest

from support.gateway import RunningGateway, running_gateway
from support.gauges import OPEN, Gauges, closes, commands, faults_in, gauges_of, refused
from support.raw_client import BINARY, CONT, PING, TEXT, Closed, RawResponse, masked
from support.v1_client import Frame, V1Client, handshake

MESSAGE_BYTES = 2000
PUBLISH_BURST = 4
COMMAND_BURST = 300  # it has no setting
CONTROL_RATE = 64  # frames a second, up to twice that at once; neither has this
VIOLATIONS = 3
ROOMS = 2
PER_USER, PER_ADDRESS, IN_ALL = 3, 5, 7
HANDSHAKES = 1  # a second, twice that at once


class Case:
    """A gateway with its gauges, a token for each of its users, and somebody who must not be disturbed."""

    def __init__(self, gateway: RunningGateway, gauges: Gauges) -> None:
        self.gateway = gateway
        self.gauges = gauges
        self.tokens = {name: gateway.token(name) for name in ("admin", "alice", "bob", "carol")}

    def connect(self, name: str = "alice", **options: object) -> V1Client:
        return V1Client(self.gateway, self.tokens[name], **options)  # type: ignore[arg-type] # it checks them

    def knock(self, name: str, source: str | None = None) -> RawResponse:
        return handshake(self.gateway, self.tokens[name], source=source)

    def http_is_usable(self) -> bool:
        """Tell whether the process is alive, and lets somebody in."""
        with self.gateway.client() as client:
            return client.get("/healthz").status_code == 200 and bool(self.gateway.token())


@contextmanager
def case(**realtime: float) -> Iterator[Case]:
    settings = {f"GATEROOM_REALTIME__{name.upper()}": f"{value:g}" for name, value in realtime.items()}
    with running_gateway(demo=True, environment=settings) as gateway, gauges_of(gateway) as gauges:
        yield Case(gateway, gauges)
        assert faults_in(gateway) == []


@pytest.fixture(scope="module")
def one_socket() -> Iterator[Case]:
    """Bounds on what one socket may do."""
    with case(
        max_message_bytes=MESSAGE_BYTES,
        publish_rate=1,
        publish_burst=PUBLISH_BURST,
        max_violations=VIOLATIONS,
        max_rooms_per_connection=ROOMS,
    ) as found:
        yield found


@pytest.fixture(scope="module")
def crowded() -> Iterator[Case]:
    """Bounds on how many sockets there may be."""
    with case(
        max_connections_per_user=PER_USER, max_connections_per_address=PER_ADDRESS, max_connections=IN_ALL
    ) as found:
        yield found


# What one socket may do


@pytest.mark.parametrize("fragments", [1, 3], ids=["whole", "in fragments"])
def test_a_message_may_be_as_long_as_the_limit(one_socket: Case, fragments: int) -> None:
    with one_socket.connect() as client:
        client.send(in_fragments(ping_of(MESSAGE_BYTES), fragments))
        assert client.answer()["type"] == "reply"


@pytest.mark.parametrize("fragments", [1, 3], ids=["whole", "in fragments"])
def test_a_message_beyond_the_limit_closes_with_1009(one_socket: Case, fragments: int) -> None:
    before = one_socket.gauges[closes(1009)]
    with one_socket.connect() as client, one_socket.connect("bob") as other:
        client.send(in_fragments(ping_of(MESSAGE_BYTES + 1), fragments))
        assert client.end() == Closed(1009)
        assert other.ask("ping") == {"type": "reply"}
    one_socket.gauges.wait_for(closes(1009), before + 1)
    assert one_socket.http_is_usable()


def test_publishing_too_fast_is_refused_and_then_goes_on(one_socket: Case) -> None:
    before = one_socket.gauges[commands("publish", "rate_limited")]
    with one_socket.connect() as client:
        client.join("lobby")
        for _ in range(PUBLISH_BURST + 1):
            client.command("publish", room="lobby", data="x")
        answers = [client.answer() for _ in range(PUBLISH_BURST + 1)]
        assert [answer["type"] for answer in answers] == ["reply"] * PUBLISH_BURST + ["error"]
        assert answers[-1]["code"] == "rate_limited"
        assert client.ask("ping") == {"type": "reply"}
        assert one_socket.gauges[commands("publish", "rate_limited")] == before + 1
        assert one_socket.gauges[OPEN] == 1
    assert one_socket.http_is_usable()


def test_who_goes_on_publishing_too_fast_is_closed_with_1008(one_socket: Case) -> None:
    before = one_socket.gauges[closes(1008, "rate_limited")]
    with one_socket.connect() as client, one_socket.connect("bob") as other:
        client.join("lobby")
        publish = json.dumps({"type": "publish", "id": 1, "room": "lobby", "data": "x"})
        client.send(masked(TEXT, publish) * 4 * PUBLISH_BURST)
        assert client.end() == Closed(1008, "rate_limited")
        assert other.ask("ping") == {"type": "reply"}
    one_socket.gauges.wait_for(closes(1008, "rate_limited"), before + 1)
    assert one_socket.http_is_usable()


def test_other_commands_have_a_rate_too(one_socket: Case) -> None:
    before = one_socket.gauges[commands("ping", "rate_limited")]
    with one_socket.connect() as client:
        client.send(masked(TEXT, '{"type":"ping","id":"x"}') * (COMMAND_BURST + 100))
        answers: list[Frame] = []
        while not answers or answers[-1]["type"] == "reply":
            answers.append(client.answer())
        assert len(answers) > COMMAND_BURST
        assert answers[-1]["code"] == "rate_limited"
        assert client.end() == Closed(1008, "rate_limited")
    one_socket.gauges.wait_for(OPEN, 0)
    assert one_socket.gauges[commands("ping", "rate_limited")] > before
    assert one_socket.http_is_usable()


def test_nonsense_is_answered_until_there_is_too_much_of_it(one_socket: Case) -> None:
    before = one_socket.gauges[closes(1008, "protocol_violation")]
    with one_socket.connect() as client, one_socket.connect("bob") as other:
        for _ in range(VIOLATIONS):
            client.send_text('{"type":"nonsense"}')
            assert client.answer()["code"] == "invalid_command"
        assert client.ask("ping") == {"type": "reply"}
        client.send_text('{"type":"nonsense"}')
        assert client.end() == Closed(1008, "protocol_violation")
        assert other.ask("ping") == {"type": "reply"}
    one_socket.gauges.wait_for(closes(1008, "protocol_violation"), before + 1)
    assert one_socket.http_is_usable()


def test_a_flood_of_control_frames_closes_with_1008(one_socket: Case) -> None:
    before = one_socket.gauges[closes(1008, "protocol_violation")]
    with one_socket.connect() as client, one_socket.connect("bob") as other:
        client.send_as_far_as_possible(masked(PING) * (2 * CONTROL_RATE + 1))
        assert client.end() == Closed(1008, "protocol_violation")
        assert other.ask("ping") == {"type": "reply"}
    one_socket.gauges.wait_for(closes(1008, "protocol_violation"), before + 1)
    assert one_socket.http_is_usable()


@pytest.mark.parametrize(
    ("sent", "code"), [(masked(0x3), 1002), (masked(BINARY, "x"), 1003), (masked(TEXT, b"\xff"), 1007)]
)
def test_what_is_no_text_closes_with_a_code_that_is_counted(one_socket: Case, sent: bytes, code: int) -> None:
    before = one_socket.gauges[closes(code)]
    with one_socket.connect() as client:
        client.send(sent)
        assert client.end().code == code
    one_socket.gauges.wait_for(closes(code), before + 1)


def test_one_room_too_many_is_refused_until_another_is_left(one_socket: Case) -> None:
    rooms = [f"room-{number}" for number in range(ROOMS + 1)]
    make_rooms(one_socket, rooms)
    before = one_socket.gauges[commands("join", "limit_reached")]
    with one_socket.connect() as client:
        for room in rooms[:-1]:
            client.join(room)
        assert client.ask("join", room=rooms[-1])["code"] == "limit_reached"
        assert one_socket.gauges[commands("join", "limit_reached")] == before + 1
        assert client.ask("leave", room=rooms[0])["type"] == "reply"
        client.join(rooms[-1])
    assert one_socket.http_is_usable()


# How many sockets there may be


@pytest.mark.parametrize(
    ("guests", "surplus"),
    [
        ([("alice", "127.0.0.2")] * PER_USER, ("alice", "127.0.0.3")),
        ([("alice", "127.0.0.2")] * 3 + [("bob", "127.0.0.2")] * 2, ("carol", "127.0.0.2")),
        ([("alice", "127.0.0.2")] * 3 + [("bob", "127.0.0.3")] * 3 + [("carol", "127.0.0.4")], ("carol", "127.0.0.5")),
    ],
    ids=["of a user", "from an address", "in all"],
)
def test_a_connection_too_many_is_refused_until_another_goes(
    crowded: Case, guests: list[tuple[str, str]], surplus: tuple[str, str]
) -> None:
    crowded.gauges.wait_until_empty()
    before = crowded.gauges[refused("connection_limit")]
    with ExitStack() as stack:
        inside = [stack.enter_context(crowded.connect(name, source=source)) for name, source in guests]
        assert_refused(crowded.knock(*surplus), "connection_limit")
        assert crowded.gauges[refused("connection_limit")] == before + 1
        assert crowded.gauges[OPEN] == len(guests)
        assert crowded.http_is_usable()
        assert all(client.ask("ping") == {"type": "reply"} for client in inside)
        inside[0].close()
        crowded.gauges.wait_for(OPEN, len(guests) - 1)
        assert crowded.knock(*surplus).status == 101


def test_handshakes_have_a_rate() -> None:
    with case(handshake_rate=HANDSHAKES) as rated:
        answers = [rated.knock("alice") for _ in range(2 * HANDSHAKES + 3)]
        assert [answer.status for answer in answers[: 2 * HANDSHAKES]] == [101] * 2 * HANDSHAKES
        late = [answer for answer in answers if answer.status != 101]
        assert late
        for answer in late:
            assert_refused(answer, "rate_limited")
        assert rated.gauges[refused("rate_limited")] == len(late)
        assert rated.http_is_usable()


def assert_refused(response: RawResponse, code: str) -> None:
    assert response.status == 429
    assert int(response.headers["retry-after"]) > 0
    assert json.loads(response.body)["code"] == code


def make_rooms(found: Case, rooms: list[str]) -> None:
    with found.gateway.client() as client:
        for room in rooms:
            answer = client.post(
                "/api/rooms",
                json={"id": room, "visibility": "public"},
                headers={"Authorization": f"Bearer {found.tokens['admin']}"},
            )
            assert answer.status_code == 201, answer.text


def ping_of(size: int) -> str:
    """Return a ping command of so many bytes."""
    command = '{"type":"ping","id":1}'
    return command + " " * (size - len(command))


def in_fragments(text: str, count: int) -> bytes:
    """Frame a text as one message of so many frames."""
    cuts = [len(text) * number // count for number in range(count + 1)]
    parts = [text[start:stop] for start, stop in pairwise(cuts)]
    return b"".join(
        masked(CONT if number else TEXT, part, fin=number == count - 1) for number, part in enumerate(parts)
    )
