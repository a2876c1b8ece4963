"""`GET /api/audit`: who did what to whom, from where and with what outcome; refusals too."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from support.in_process import HOST, Account, InProcess, running_in_process
from support.operations import guarded
from support.pairs import log_in, refresh, renewed

Entry = dict[str, Any]


@pytest.fixture(autouse=True)
def fresh_browser(gateway: InProcess) -> Iterator[None]:
    yield
    gateway.client.cookies.clear()


def entries(gateway: InProcess, **query: str) -> list[Entry]:
    """Return what is in the log by now, newest first; failures get there within a second, so they are asked for."""
    app: Any = gateway.client.app
    assert gateway.client.portal
    gateway.client.portal.call(app.state.gateroom.audit.flush)
    answer = gateway.client.get("/api/audit", params={"limit": "200", **query}, headers=gateway.admin.headers)
    assert answer.status_code == 200, answer.text
    found: list[Entry] = answer.json()["items"]
    return found


def newest(gateway: InProcess, **query: str) -> Entry:
    return entries(gateway, **query)[0]


def seen(entry: Mapping[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(entry[name] for name in names)


def actor(account: Account) -> dict[str, str]:
    return {"id": account.id, "name": account.name}


def test_an_admins_deed_is_recorded_with_everything_about_it(gateway: InProcess) -> None:
    user = gateway.user()
    session = gateway.get("/auth/me", gateway.admin).json()["session"]
    made = newest(gateway, action="users.create")
    assert made.pop("at").endswith("Z")
    assert made == {
        "action": "users.create",
        "outcome": "ok",
        "actor": actor(gateway.admin),
        "session": session,
        "target": f"user:{user.id}",
        "room": None,
        "address": HOST,
        "repeats": 0,
    }


def test_a_name_in_the_path_becomes_the_id_even_of_who_is_deleted(gateway: InProcess) -> None:
    user = gateway.user()
    assert gateway.patch(f"/api/users/@{user.name}", gateway.admin, {"roles": ["staff"]}).status_code == 200
    assert gateway.delete(f"/api/users/@{user.name}", gateway.admin).status_code == 204
    assert [entry["action"] for entry in entries(gateway, target=f"user:{user.id}")] == [
        "users.delete",
        "users.change",
        "users.create",
    ]


def test_what_moderators_do_is_found_by_room_and_by_whom_it_hit(
    gateway: InProcess, ada: Account, ben: Account, room: str
) -> None:
    for method, what in (("PUT", "bans"), ("DELETE", "bans"), ("PUT", "mutes"), ("DELETE", "connections")):
        path = f"/api/rooms/{room}/{what}/{ben.id}"
        assert gateway.client.request(method, path, headers=ada.headers).status_code in (200, 204)
    found = entries(gateway, target=f"room:{room}", actor=ada.id)
    assert [entry["action"] for entry in found] == [
        "moderation.kick",
        "moderation.mute",
        "moderation.lift_ban",
        "moderation.ban",
    ]
    assert {seen(entry, "target", "room", "outcome") for entry in found} == {(f"user:{ben.id}", room, "ok")}


def test_a_login_and_a_failed_one(gateway: InProcess) -> None:
    user = gateway.user()
    for path, known in (("/auth/login", True), ("/auth/login", False)):
        body = {"username": user.name if known else "no-such-user", "password": "wrong"}
        assert gateway.client.post(path, json=body).status_code == 401
    nobody, wrong, right = entries(gateway, action="auth.login")[:3]
    assert seen(right, "outcome", "actor", "target") == ("ok", actor(user), None)
    assert seen(wrong, "outcome", "actor", "target") == ("invalid_credentials", None, f"user:{user.id}")
    assert seen(nobody, "outcome", "actor", "target") == ("invalid_credentials", None, None)


def test_a_login_by_form_is_one_too(gateway: InProcess) -> None:
    form = {"grant_type": "password", "username": "admin", "password": "wrong"}
    assert gateway.client.post("/auth/token", data=form).status_code == 400
    assert seen(newest(gateway), "action", "outcome", "target") == (
        "auth.login",
        "invalid_credentials",
        f"user:{gateway.admin.id}",
    )


def test_what_is_denied_is_recorded_with_who_tried(gateway: InProcess, ada: Account) -> None:
    assert gateway.delete(f"/api/users/{gateway.admin.id}", ada).status_code == 403
    denied = newest(gateway, actor=ada.id)
    assert seen(denied, "action", "outcome", "target") == ("users.delete", "forbidden", f"user:{gateway.admin.id}")


def test_a_body_that_is_refused_is_recorded_without_what_was_in_it(gateway: InProcess) -> None:
    assert gateway.post("/api/users", gateway.admin, {"username": "canary", "extra": "canary"}).status_code == 422
    assert seen(newest(gateway), "action", "outcome", "target") == ("users.create", "invalid_command", None)
    assert gateway.delete("/api/users/%0d%0acanary", gateway.admin).status_code == 422
    assert seen(newest(gateway), "action", "outcome", "target") == ("users.delete", "invalid_command", None)
    assert "canary" not in str(entries(gateway))


@pytest.mark.parametrize("operation", [each for each in guarded() if each.method != "GET"], ids=str)
def test_every_change_that_nobody_is_allowed_is_recorded(gateway: InProcess, operation: Any) -> None:
    gateway.client.request(operation.method, operation.concrete)
    assert newest(gateway)["action"] == operation.document["operationId"].replace("_", ".", 1)
    assert seen(newest(gateway), "outcome", "actor", "address") == ("missing_token", None, HOST)


def test_a_refresh_token_that_was_used_twice_is_recorded_with_its_session(gateway: InProcess, ada: Account) -> None:
    pair = log_in(gateway, ada)
    renewed(gateway, pair.refresh)
    assert refresh(gateway, pair.refresh).status_code == 401
    entry = newest(gateway)
    assert seen(entry, "action", "outcome", "session") == ("auth.refresh", "session_revoked", pair.session)
    assert entry["actor"]["id"] == ada.id


def test_messages_are_their_own_record_but_a_refused_one_is_recorded(
    gateway: InProcess, ada: Account, room: str
) -> None:
    before = newest(gateway)
    assert gateway.post(f"/api/rooms/{room}/messages", ada, {"data": 1}).status_code == 201
    assert newest(gateway) == before
    stranger = gateway.user()
    assert gateway.post(f"/api/rooms/{room}/messages", stranger, {"data": 1}).status_code == 404
    assert seen(newest(gateway), "action", "outcome", "room") == ("rooms.publish", "not_found", room)


def test_pages_and_moments(gateway: InProcess) -> None:
    for _ in range(3):
        gateway.room(gateway.admin)
    everything = entries(gateway)
    walked: list[Entry] = []
    cursor: str | None = ""
    while cursor is not None:
        query = {"limit": "50"} | ({"cursor": cursor} if cursor else {})
        page = gateway.client.get("/api/audit", params=query, headers=gateway.admin.headers).json()
        walked += page["items"]
        cursor = page["next"] if len(walked) < len(everything) else None
    assert walked[: len(everything)] == everything
    since = everything[2]["at"]
    assert {entry["at"] >= since for entry in entries(gateway, since=since)} == {True}
    assert entries(gateway, since="2999-01-01T00:00:00Z") == []


@pytest.mark.parametrize(
    "query", ["since=yesterday", "since=2026-11-20T12:00:00", "cursor=eA==", "cursor=x", "limit=0"]
)
def test_a_query_that_makes_no_sense_is_refused(gateway: InProcess, query: str) -> None:
    answer = gateway.get(f"/api/audit?{query}", gateway.admin)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_command")


def test_only_who_may_read_it_does(gateway: InProcess, ada: Account) -> None:
    assert gateway.get("/api/audit", ada).status_code == 403
    auditor = gateway.user(scopes=["audit:read"])
    assert gateway.get("/api/audit", auditor).status_code == 200


def test_no_secret_is_in_it(gateway: InProcess) -> None:
    password = "correct horse battery staple"
    with capture_logs() as lines:
        made = gateway.post("/api/users", gateway.admin, {"username": "keeper", "password": password})
        token = gateway.log_in("keeper", password).token
    change = {"current_password": password, "new_password": f"{password} 2"}
    headers = {"Authorization": f"Bearer {token}"}
    assert gateway.client.put("/auth/me/password", json=change, headers=headers).status_code == 204
    told = [line for line in lines if line["event"] == "audit"]
    assert [(line["action"], line["outcome"]) for line in told] == [("users.create", "ok"), ("auth.login", "ok")]
    assert told[1]["user"] == made.json()["id"]
    for text in (str(entries(gateway)), str(lines)):
        assert password not in text
        assert token not in text


def test_a_flood_of_failures_does_not_fill_the_table(tmp_path: Path) -> None:
    with running_in_process(tmp_path) as gateway:
        for _ in range(300):
            gateway.client.post("/api/rooms", json={"id": "x"})
            gateway.delete("/api/rooms/nowhere", gateway.admin)
    with closing(sqlite3.connect(tmp_path / "gateroom.db")) as database:
        rows = database.execute("SELECT action, outcome, count(*), sum(repeats) FROM audit GROUP BY 1, 2").fetchall()
    kept = {(action, outcome): (count, repeats) for action, outcome, count, repeats in rows}
    for key in (("rooms.create", "missing_token"), ("rooms.delete", "not_found")):
        count, repeats = kept[key]
        assert count <= 20
        assert count - 1 + repeats == 300


@pytest.mark.parametrize(("ttl", "left"), [("0", 1), ("1h", 0)])
def test_what_is_older_than_it_is_to_be_kept_is_trimmed(tmp_path: Path, ttl: str, left: int) -> None:
    with running_in_process(tmp_path):
        pass  # the administrator logs in
    with closing(sqlite3.connect(tmp_path / "gateroom.db")) as database:
        database.execute("UPDATE audit SET at = at - 7200")
        database.commit()
    with running_in_process(tmp_path, observability={"audit_ttl": ttl}) as gateway:
        assert len(entries(gateway, action="auth.login")) >= 1
    with closing(sqlite3.connect(tmp_path / "gateroom.db")) as database:
        assert database.execute("SELECT count(*) FROM audit WHERE at < unixepoch() - 3600").fetchone() == (left,)
