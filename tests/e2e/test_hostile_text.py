"""Nothing that anybody sends becomes a line of the log, or moves the terminal of who reads it (LG-3)."""

import json
from urllib.parse import quote

import pytest

from support.gateway import running_gateway
from support.patience import until

FORGED = '{"event":"audit","action":"auth.login","outcome":"ok"}'
HOSTILE = f"a\r\n{FORGED}\x1b[2J"


@pytest.mark.parametrize("form", ["console", "json"])
def test_no_text_writes_a_line_of_its_own(form: str) -> None:
    environment = {"GATEROOM_OBSERVABILITY__LOG_FORMAT": form, "GATEROOM_OBSERVABILITY__LOG_LEVEL": "debug"}
    with running_gateway(environment=environment) as gateway, gateway.client() as rest:
        rest.headers["Authorization"] = f"Bearer {gateway.token()}"
        for username, password in ((HOSTILE[:60], "x"), ("admin", HOSTILE)):
            rest.post("/auth/login", json={"username": username, "password": password})
        rest.post("/auth/token", data={"grant_type": HOSTILE, "username": HOSTILE, "client_id": HOSTILE})
        assert rest.post("/api/rooms", json={"id": "titled", "title": HOSTILE}).status_code == 201
        rest.post("/api/rooms", json={"id": HOSTILE, HOSTILE: 1})
        rest.post("/api/rooms/titled/messages", json={"data": HOSTILE})
        for path in (f"/api/rooms/{quote(HOSTILE)}", f"/api/users/{quote(HOSTILE, safe='')}?{quote(HOSTILE)}", "/last"):
            rest.get(path)
        until(lambda: any("/last" in line for line in gateway.output), "the last request's line")
        said = list(gateway.output)
    assert all(line.rstrip("\n").isprintable() for line in said)
    assert not any(line.startswith(FORGED) for line in said)
    events = [json.loads(line) for line in said if line.startswith("{")]
    assert bool(events) == (form == "json")
    logins = [event for event in events if event.get("action") == "auth.login" and event["outcome"] == "ok"]
    assert len(logins) == len(events[:1])  # the one that was
