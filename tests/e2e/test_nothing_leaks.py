"""No password, token or message in anything that a real `gateroom serve` says, at its most talkative (LG-1, HS-4)."""

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import httpx2 as httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from support.gateway import RunningGateway, running_gateway
from support.provider import Provider, provider
from support.raw_client import RawClient, upgrade
from support.visitors import SUBPROTOCOL, refused, visiting

MARK = "canary"


class Canaries:
    """Secrets that can be told apart from everything else, and whether one got out."""

    def __init__(self) -> None:
        self.known: dict[str, str] = {}

    def new(self, name: str) -> str:
        """Make a secret: a good password, and of the form of a token's part."""
        return self.note(name, f"{MARK}-{name}-{secrets.token_urlsafe(12)}")

    def note(self, name: str, secret: str) -> str:
        self.known[name] = secret
        return secret

    def found_in(self, text: str) -> list[str]:
        """Return the names of the secrets in a text, also where it has them cut or encoded."""
        return [
            name
            for name, secret in self.known.items()
            if any(form in text for form in (secret, quote(secret, safe=""), secret[-24:]))
        ]


@pytest.fixture(scope="module", params=["console", "json"])
def session(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator["Session"]:
    canaries = Canaries()
    environment = {
        "GATEROOM_AUTH__ADMIN_PASSWORD": canaries.new("admin-password"),
        "GATEROOM_OBSERVABILITY__LOG_LEVEL": "debug",
        "GATEROOM_OBSERVABILITY__LOG_FORMAT": request.param,
    }
    data_dir = tmp_path_factory.mktemp("data")
    with provider("https://login.example.org") as outside:
        environment["GATEROOM_AUTH__ISSUERS"] = json.dumps([outside.configured()])
        with running_gateway(data_dir=data_dir, environment=environment) as gateway:
            gateway.admin_password = canaries.known["admin-password"]
            whole = Session(gateway, canaries, data_dir, outside)
            whole.run()
            assert gateway.stop() == 0
            yield whole


class Session:
    """A whole session with a canary in every place that a secret can be in; it keeps every answer."""

    def __init__(self, gateway: RunningGateway, canaries: Canaries, data_dir: Path, outside: Provider) -> None:
        self.gateway = gateway
        self.outside = outside
        self.canaries = canaries
        self.data_dir = data_dir
        self.refusals: list[str] = []  # bodies and headers of errors, and close reasons
        self.records: list[str] = []  # what operators read: metrics and the audit log

    def run(self) -> None:
        with self.gateway.client() as rest:
            self.log_in_wrongly(rest)
            token = self.canaries.note("admin-token", self.gateway.token())
            rest.headers["Authorization"] = f"Bearer {token}"
            user_token = self.make_a_user(rest)
            self.send_wrong_bodies(rest)
            self.talk(rest, user_token)
            self.knock_wrongly(token)
            self.break_the_protocol(user_token)
            self.moderate(rest)
            self.come_from_outside(rest)
            self.use_a_key(rest)
            self.live_a_session_through(rest)
            for path in ("/metrics", "/api/audit?limit=200", "/api/rooms/lobby/bans"):
                self.records.append(rest.get(path).raise_for_status().text)

    def log_in_wrongly(self, rest: httpx.Client) -> None:
        wrong = self.canaries.new("wrong-password")
        for form in (
            {"grant_type": "password", "username": "admin", "password": wrong},
            {"grant_type": wrong, "username": "admin", "password": wrong},
            {"grant_type": "password", "username": wrong, "password": wrong, "scope": f'"{wrong}'},
            {"grant_type": "password", "username": "admin", "password": wrong, "client_secret": wrong},
        ):
            self.refused(rest.post("/auth/token", data=form))
        self.refused(rest.post("/auth/token", params={"password": wrong, "token": wrong}))
        self.refused(rest.get("/auth/token", params={"password": wrong}))
        for cookie in (False, True):
            self.refused(rest.post("/auth/login", json={"username": "admin", "password": wrong, "cookie": cookie}))

    def make_a_user(self, rest: httpx.Client) -> str:
        password = self.canaries.new("user-password")
        assert rest.post("/api/users", json={"username": "ada", "password": password}).status_code == 201
        with self.gateway.client() as browser:
            body = {"username": "ada", "password": password, "cookie": True}
            answer = browser.post("/auth/login", json=body)
            self.canaries.note("csrf-token", answer.json()["csrf_token"])
            cookie = self.canaries.note("cookie", browser.cookies["gateroom_access"])
            self.canaries.note("refresh-cookie", browser.cookies["gateroom_refresh"])
            self.refused(browser.post("/auth/refresh", headers={"X-CSRF-Token": "wrong", "Origin": self.gateway.url}))
            self.refused(browser.post("/api/rooms", json={"id": "x"}, headers={"X-CSRF-Token": "wrong"}))
            with visiting(
                self.gateway.ws_url,
                headers={"Cookie": f"gateroom_access={cookie}", "Origin": self.gateway.url},
            ) as visitor:
                visitor.event("welcome")
        self.refresh_twice(password)
        return self.canaries.note("user-token", self.gateway.token("ada", password))

    def refresh_twice(self, password: str) -> None:
        with self.gateway.client() as client:
            pair = client.post("/auth/login", json={"username": "ada", "password": password}).json()
            first = self.canaries.note("refresh-token", pair["refresh_token"])
            second = client.post("/auth/refresh", json={"refresh_token": first}).json()
            self.canaries.note("next-refresh-token", second["refresh_token"])
            self.refused(client.post("/auth/refresh", json={"refresh_token": first}))
            form = {"grant_type": "refresh_token", "refresh_token": second["refresh_token"]}
            self.refused(client.post("/auth/token", data=form))
            self.refused(client.get("/auth/me", params={"refresh_token": first}))
            client.post("/auth/revoke", data={"token": first})
            assert refused(self.gateway.ws_url, f"/ws?token={first}").status == 403

    def send_wrong_bodies(self, rest: httpx.Client) -> None:
        secret = self.canaries.new("body")
        bodies: tuple[object, ...] = (
            {"username": secret, "password": [secret]},
            {secret: secret},
            [secret],
            secret,
            {"username": "x" * 100 + secret, "password": secret * 100},
        )
        for path in ("/auth/login", "/api/users", "/api/rooms", "/api/rooms/lobby/messages"):
            for body in bodies:
                self.refused(rest.post(path, json=body))
            self.refused(rest.post(path, content=f"{{{secret}", headers={"Content-Type": "application/json"}))
            self.refused(rest.post(path, content=secret * 5000, headers={"Content-Type": "application/json"}))
        # A path is no place for secrets: it may be logged.
        for path in ("/nowhere", "/api/rooms", "/api/rooms/nowhere", "/api/rooms/lobby/messages"):
            self.refused(rest.get(f"{path}?token={secret}&limit={secret}&{secret}={secret}"))
        self.refused(rest.get("/auth/me", headers={"Authorization": f"Bearer {secret}"}))
        self.refused(rest.get("/auth/me", headers={"Authorization": f"Basic {secret}"}))
        self.refused(rest.get("/auth/me", headers={"Authorization": f"Bearer {secret}.{secret}.{secret}"}))

    def talk(self, rest: httpx.Client, token: str) -> None:
        message = self.canaries.new("message")
        rest.post("/api/rooms/lobby/messages", json={"data": {"text": message}})
        rest.post("/api/users/@ada/messages", json={"data": message})
        offer = [SUBPROTOCOL, f"bearer.{token}"]
        with (
            visiting(self.gateway.ws_url, f"/ws?token={token}") as visitor,
            visiting(self.gateway.ws_url, f"/ws/rooms/lobby?token={token}") as plain,
            visiting(self.gateway.ws_url, "/ws/users/me", offer=offer) as inbox,
        ):
            visitor.event("welcome")
            inbox.event("welcome")
            visitor.ask("join", room="lobby")
            visitor.ask("publish", room="lobby", data=message)
            visitor.ask("send", user="@ada", data=message)
            plain.send(message)
            assert inbox.event("direct")["data"] == message
            for wrong in (
                {"type": message, "id": 1},
                {"type": "join", "id": 2, "room": message + " "},
                {"type": "publish", "id": 3, "room": "lobby", "data": 1, message: 1},
                {"type": "send", "id": 4, "user": message + " ", "data": message},
            ):
                visitor.send(json.dumps(wrong))
                while (frame := visitor.event())["type"] != "error":
                    pass
                self.refusals.append(json.dumps(frame))

    def knock_wrongly(self, token: str) -> None:
        wrong = self.canaries.new("wrong-token")
        foreign_page = {"Origin": f"https://{wrong}.example"}
        for path, offer, headers in (
            (f"/ws?token={wrong}", (), {}),
            (f"/ws?token={wrong * 200}", (), {}),
            (f"/ws?token={wrong}&token={wrong}", (), {}),
            (f"/ws?token={wrong}&{wrong}={wrong}", (SUBPROTOCOL,), {}),
            ("/ws", (SUBPROTOCOL, f"bearer.{wrong}"), {}),
            ("/ws", (f"bearer.{wrong}",), {}),
            ("/ws", (), {"Authorization": f"Bearer {wrong}"}),
            ("/ws", (), {"Cookie": f"gateroom_access={wrong}", "Origin": self.gateway.url}),
            (f"/ws?token={token}", (), foreign_page),
            (f"/ws/rooms/nowhere?token={token}", (), {}),
            (f"/ws/nowhere?token={token}", (), {}),
        ):
            self.knock(path, offer, headers)
        for head in (
            upgrade(f"/ws?token={wrong}", headers=["Sec-WebSocket-Version: 12"], leave_out=["Sec-WebSocket-Version"]),
            upgrade(f"/ws?token={wrong}", leave_out=["Sec-WebSocket-Key"]),
            upgrade(f"/ws?token={wrong}", headers=[f"X-{wrong}: {'x' * 20000}"]),
            upgrade(f"/ws?token={wrong}", headers=[f"Host: {wrong}"]),
            f"GET /?token={wrong} HTTP/1.1\r\nHost: {wrong} {wrong}\r\n\r\n",
            f"{wrong}\r\n\r\n",
        ):
            with RawClient(("127.0.0.1", self.gateway.port)) as raw:
                raw.send(head)
                self.refusals.append(raw.read_to_end().decode("latin-1"))

    def knock(self, path: str, offer: tuple[str, ...], headers: Mapping[str, str]) -> None:
        try:
            with visiting(self.gateway.ws_url, path, offer=offer, headers=headers) as visitor:
                self.refusals.append(str(visitor.closed()) + visitor.response_headers)
        except InvalidStatus as refused:
            self.refusals.append(f"{refused.response.headers}{refused.response.body!r}")

    def moderate(self, rest: httpx.Client) -> None:
        """Change and refuse to change a room's state and its people, with text of the client's in all of it."""
        message = self.canaries.new("state-message")
        patch = {"Content-Type": "application/json-patch+json"}
        made = [{"op": "add", "path": f"/{message}", "value": message}]
        rest.patch("/api/rooms/lobby/state", content=json.dumps(made), headers=patch).raise_for_status()
        for wrong in ([{"op": "test", "path": f"/{message}", "value": 1}], [{"op": message, "path": message}], message):
            self.refused(rest.patch("/api/rooms/lobby/state", content=json.dumps(wrong), headers=patch))
        stale = {**patch, "If-Match": f'"{message}"'}
        self.refused(rest.patch("/api/rooms/lobby/state", content=json.dumps(made), headers=stale))
        for measure in ("bans", "mutes"):
            self.refused(rest.put(f"/api/rooms/lobby/{measure}/@ada", json={"until": message}))
            rest.put(f"/api/rooms/lobby/{measure}/@ada", json={}).raise_for_status()
        rest.delete("/api/rooms/lobby/bans/@ada").raise_for_status()
        self.refused(rest.post("/api/authorize", json={"user": message, "action": message, "room": message}))
        self.refused(rest.post("/api/broadcast", json={"data": message, message: 1}))
        rest.post("/api/broadcast", json={"data": message}).raise_for_status()
        self.refused(rest.get(f"/api/audit?since={message}&actor={message}&cursor={message}"))

    def come_from_outside(self, rest: httpx.Client) -> None:
        """Use good and bad tokens of an identity provider."""
        good = self.canaries.note("outside-token", self.outside.token())
        by_them = {"Authorization": f"Bearer {good}"}
        rest.get("/auth/me", headers=by_them).raise_for_status()
        bad = (
            self.outside.token("eve", aud="somebody-else"),
            self.outside.token("eve", exp=1),
            self.outside.token("eve", header={"kid": self.canaries.new("kid")}),
            good[:-8] + "AAAAAAAA",
        )
        for number, token in enumerate(bad):
            self.canaries.note(f"bad-outside-token-{number}", token)
            self.refused(rest.get("/auth/me", headers={"Authorization": f"Bearer {token}"}))
            self.knock(f"/ws?token={token}", (), {})
        self.refused(rest.put("/auth/me/password", json={}, headers=by_them))

    def use_a_key(self, rest: httpx.Client) -> None:
        """Make an API key, use it rightly and wrongly, and revoke it."""
        made = rest.post("/api/keys", json={"name": "back end", "scopes": ["users:send"]}).raise_for_status().json()
        key = self.canaries.note("api-key", made["key"])
        by_key = {"Authorization": f"Bearer {key}"}
        rest.post("/api/users/@ada/messages", json={"data": 1}, headers=by_key).raise_for_status()
        with visiting(self.gateway.ws_url, headers=by_key) as visitor:
            visitor.event("welcome")
            self.refused(rest.post("/api/rooms", json={"id": "x"}, headers=by_key))
            rest.delete(f"/api/keys/{made['id']}").raise_for_status()
            self.refusals.append(str(visitor.closed()))
        self.refused(rest.get("/auth/me", headers=by_key))
        for path in (f"/ws?token={key}", f"/ws?ticket={key}", "/ws"):
            self.knock(path, (), {} if "=" in path else by_key)

    def live_a_session_through(self, rest: httpx.Client) -> None:
        """Log in, refresh, take a ticket, look tokens up and end them; each wrongly too."""
        password = self.canaries.known["user-password"]
        form = {"grant_type": "password", "username": "ada", "password": password}
        first = rest.post("/auth/token", data=form).json()
        second = rest.post("/auth/refresh", json={"refresh_token": first["refresh_token"]}).json()
        form = {"grant_type": "refresh_token", "refresh_token": second["refresh_token"]}
        third = rest.post("/auth/token", data=form).json()
        for number, pair in enumerate((first, second, third)):
            for name in ("access_token", "refresh_token"):
                self.canaries.note(f"{name}-{number}", pair[name])
        by_ada = {"Authorization": f"Bearer {third['access_token']}"}
        ticket = rest.post("/auth/tickets", headers=by_ada).raise_for_status().json()["ticket"]
        self.canaries.note("ticket", ticket)
        with visiting(self.gateway.ws_url, f"/ws?ticket={ticket}") as visitor:
            visitor.event("welcome")
            answer = visitor.ask("refresh", token=third["access_token"][:-4] + "AAAA")
            self.refusals.append(json.dumps(answer))
        self.knock(f"/ws?ticket={ticket}", (), {})
        self.knock(f"/ws?ticket={ticket}", (SUBPROTOCOL,), {})
        self.knock(f"/ws?ticket={ticket}&token={third['access_token']}", (), {})
        for token in (third["access_token"], third["refresh_token"], self.canaries.new("unknown-token")):
            rest.post("/auth/introspect", data={"token": token}).raise_for_status()
        self.refused(rest.post("/auth/introspect", data={"token": third["access_token"]}, headers=by_ada))
        rest.get("/auth/sessions", headers=by_ada).raise_for_status()
        new = self.canaries.new("new-password")
        wrong = {"current_password": self.canaries.new("not-the-password"), "new_password": new}
        self.refused(rest.put("/auth/me/password", json=wrong, headers=by_ada))
        right = {"current_password": password, "new_password": new}
        rest.put("/auth/me/password", json=right, headers=by_ada).raise_for_status()
        rest.post("/auth/revoke", data={"token": third["access_token"]}).raise_for_status()
        self.refused(rest.get("/auth/me", headers=by_ada))
        self.refused(rest.post("/auth/refresh", json={"refresh_token": first["refresh_token"]}))  # ends the session
        self.refused(rest.post("/auth/refresh", json={"refresh_token": third["refresh_token"]}))
        with self.gateway.client() as browser:
            login = {"username": "ada", "password": new, "cookie": True}
            csrf = browser.post("/auth/login", json=login).json()["csrf_token"]
            self.canaries.note("second-csrf-token", csrf)
            for name, value in browser.cookies.items():
                self.canaries.note(f"cookie {name}", value)
            browser.headers.update({"X-CSRF-Token": csrf, "Origin": self.gateway.url})
            self.canaries.note("refreshed-csrf-token", browser.post("/auth/refresh").json()["csrf_token"])
            for name, value in browser.cookies.items():
                self.canaries.note(f"refreshed cookie {name}", value)
            browser.post("/auth/logout").raise_for_status()

    def break_the_protocol(self, token: str) -> None:
        message = self.canaries.new("bad-frame")
        for data in (message.encode(), message * 5000):
            with visiting(self.gateway.ws_url, f"/ws/rooms/lobby?token={token}") as visitor:
                with suppress(ConnectionClosed):
                    visitor.send(data)
                self.refusals.append(str(visitor.closed()))
        with RawClient(("127.0.0.1", self.gateway.port)) as raw:
            raw.open(f"/ws?token={token}")
            raw.send(b"\xff" + message.encode())
            self.refusals.append(str(raw.read_close()))

    def refused(self, answer: httpx.Response) -> None:
        assert answer.status_code >= 400, answer.text
        self.refusals.append(f"{answer.headers}{answer.text}")


def test_no_line_of_its_output_has_a_secret(session: Session) -> None:
    said = [line for line in session.gateway.output if MARK in line or session.canaries.found_in(line)]
    assert said == []


def test_it_did_say_something(session: Session) -> None:
    """Or the test above would pass for a server that is mute."""
    said = "".join(session.gateway.output)
    assert len(session.gateway.output) > 20
    assert "/ws" in said


def test_no_refusal_repeats_a_secret(session: Session) -> None:
    assert len(session.refusals) > 50
    assert [refusal for refusal in session.refusals if session.canaries.found_in(refusal)] == []


def test_nothing_that_operators_read_has_a_secret(session: Session) -> None:
    assert len(session.records) == 3
    assert "session" in session.records[1]
    assert [session.canaries.found_in(record) for record in session.records] == [[], [], []]


def test_nothing_went_wrong_inside(session: Session) -> None:
    said = "".join(session.gateway.output)
    assert "Traceback" not in said
    assert "error_id" not in said


def test_every_line_is_one_of_its_form(session: Session) -> None:
    """No line was begun by what somebody sent."""
    lines = [line for line in session.gateway.output if line.startswith("{")]
    assert all(isinstance(json.loads(line), dict) for line in lines)
    assert all(line.isprintable() for line in (each.rstrip("\n") for each in session.gateway.output))


def test_no_password_is_kept_as_it_is(session: Session) -> None:
    """Nor any token: what is in the data directory cannot log in."""
    kept = b"".join(path.read_bytes() for path in session.data_dir.rglob("*") if path.is_file())
    found = [name for name, secret in session.canaries.known.items() if secret.encode() in kept]
    assert [name for name in found if "message" not in name] == []
    assert len(session.canaries.known) > 30
