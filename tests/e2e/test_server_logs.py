"""What a server writes into its log while peers do what they like."""

import logging
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from gateroom.server.access_log import LOGGERS
from support.asgi import by_path, echo, hello, refusing
from support.feeds import RecordingFeed
from support.raw_client import BINARY, TEXT, masked, masked_close, upgrade
from support.serving import serving
from support.stage import staged

CANARY = "canary-51c0ffee"
CREDENTIALS = [
    f"Authorization: Bearer {CANARY}",
    f"Cookie: __Host-gateroom_access={CANARY}",
    f"X-CSRF-Token: {CANARY}",
]


@pytest.fixture
def levels_as_before() -> Iterator[None]:
    """Undo what uvicorn's `log_level` does to the loggers of the whole process."""
    before = {name: logging.getLogger(name).level for name in LOGGERS}
    yield
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.usefixtures("levels_as_before")
@pytest.mark.parametrize("level", ["info", "debug", "trace"])
def test_no_credential_and_no_message_is_logged_at_any_level(level: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(1)
    app = by_path(echo=echo, hello=hello, refused=refusing("invalid_token"))
    with capture_logs() as lines, serving(app, log_level=level) as server:
        for path in ("/echo", "/refused"):
            with server.client() as client:
                offers = ["gateroom.v1", f"bearer.{CANARY}"]
                client.send(upgrade(f"{path}?token={CANARY}&ticket={CANARY}", headers=CREDENTIALS, protocols=offers))
                assert client.read_response().status == 101
                client.send(masked(TEXT, CANARY) + masked(BINARY, CANARY) + masked_close(1000))
                client.read_to_end()
        with server.client() as client:
            headers = "\r\n".join(CREDENTIALS)
            body = f"password={CANARY}"
            head = f"POST /hello?access_token={CANARY} HTTP/1.1\r\nHost: x\r\n{headers}\r\n"
            assert client.request(f"{head}Content-Length: {len(body)}\r\n\r\n{body}").status == 200
            client.request(f"GET /{CANARY}?{CANARY} HTTP/1.1\r\n{headers}\r\n\r\n")
    assert "/echo" in caplog.text
    assert CANARY not in caplog.text
    assert CANARY not in repr(lines)


def test_a_path_cannot_write_a_line_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with serving(refusing("forbidden")) as server, server.client() as client:
        client.send(upgrade("/x%0d%0aforged%1b[2J?%0d%0aforged"))
        assert client.read_response().status == 403
    lines = [record.getMessage() for record in caplog.records]
    assert any("/x" in line for line in lines)
    assert not any(character in line for line in lines for character in "\r\n\x1b")


def test_peers_that_break_the_protocol_do_not_fill_the_log() -> None:
    with capture_logs() as lines, staged() as stage:
        for _ in range(40):
            with stage.connect(RecordingFeed()) as client:
                client.send(b"\x8f\x80\x00\x00\x00\x00")
                assert client.read_close().code == 1002
            with stage.server.client() as client:
                client.open("/echo")
                client.send(masked(TEXT, b"\xff"))
                assert client.read_close().code == 1007
            with stage.server.client() as client:
                assert client.request("nonsense\r\n\r\n").status == 400
            with stage.server.client() as client:
                assert client.request(upgrade(leave_out=["Host"])).status == 400
    assert 0 < len(lines) <= 40


def test_the_classes_can_be_named_in_anyones_uvicorn() -> None:
    http, ws = "gateroom.server.http_protocol:HttpProtocol", "gateroom.server.frame_protocol:FrameProtocol"
    app = by_path(echo=echo, hello=hello)
    with serving(app, lifespan="off", http=http, ws=ws) as server, server.client() as client:
        assert client.request("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n").status == 200
        client.open("/echo")
        client.send_text("fine")
        assert client.read_text() == "fine"
