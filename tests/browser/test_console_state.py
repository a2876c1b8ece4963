"""The shared state of a room in the console: followed patch by patch, and shown as what it is."""

import json
import re
from collections.abc import Callable

from playwright.sync_api import expect

from support.browser import Console
from support.gateway import RunningGateway

Connected = Callable[[str], Console]
Token = Callable[[str], str]


def patch(gateway: RunningGateway, token: str, room: str, *operations: dict[str, object]) -> int:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json-patch+json"}
    with gateway.client() as client:
        answer = client.patch(f"/api/rooms/{room}/state", content=json.dumps(operations), headers=headers)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["state_version"])


def state_of(gateway: RunningGateway, token: str, room: str) -> object:
    with gateway.client() as client:
        return client.get(f"/api/rooms/{room}/state", headers={"Authorization": f"Bearer {token}"}).json()


def add(path: str, value: object) -> dict[str, object]:
    return {"op": "add", "path": path, "value": value}


CHANGES: list[list[dict[str, object]]] = [
    [add("/list", [1, 2, 3]), add("/list/-", 4), add("/list/0", 0)],
    [{"op": "test", "path": "/list/0", "value": 0}, {"op": "remove", "path": "/list/1"}],
    [{"op": "replace", "path": "/list/0", "value": {"a": None}}, add("/list/0/~0x~1y", [[]])],
    [{"op": "copy", "from": "/list", "path": "/list/-"}, add("/list/0/b", True)],
    [{"op": "move", "from": "/list/0", "path": "/first"}, {"op": "move", "from": "/first", "path": "/first"}],
    [add("/__proto__", {"polluted": 1}), add("/constructor", "x"), {"op": "copy", "from": "/__proto__", "path": "/p"}],
    [{"op": "move", "from": "", "path": ""}, {"op": "copy", "from": "", "path": "/all"}, add("", [{"whole": "new"}])],
    [add("/0/whole", "again"), {"op": "copy", "from": "/0", "path": "/0"}],
]


def test_the_console_follows_every_patch_as_the_server_applies_it(
    gateway: RunningGateway, connected: Connected, token: Token, room: str
) -> None:
    admin = token("admin")
    patch(gateway, admin, room, add("/before", 1))
    alice = connected("alice")
    alice.join(room)
    expect(alice.page.locator("#shared-version")).to_have_text("version 1")
    alice.page.get_by_text("Shared state").click()
    shown = alice.page.get_by_label("Shared state", exact=True)
    for operations in CHANGES:
        version = patch(gateway, admin, room, *operations)
        expect(alice.page.locator("#shared-version")).to_have_text(f"version {version}")
        assert json.loads(shown.inner_text()) == state_of(gateway, admin, room), operations
    expect(alice.message_list(room).get_by_text("admin changed the shared state to version 2")).to_be_visible()
    assert alice.page.evaluate("({}).polluted") is None
    assert alice.frames("out").get_by_text('"join"').count() == 1  # nothing had to be asked for again


def test_a_room_s_state_is_shown_with_the_room_only_and_never_as_markup(
    gateway: RunningGateway, connected: Connected, token: Token, room: str
) -> None:
    alice = connected("alice")
    expect(alice.page.locator("#shared")).to_be_hidden()
    alice.join(room)
    expect(alice.page.locator("#shared-version")).to_have_text("nothing yet")
    alice.page.get_by_text("Shared state").click()
    patch(gateway, token("admin"), room, add("/<img src=x onerror=alert(1)>", "\u202egnp.exe"))
    shown = alice.page.get_by_label("Shared state", exact=True)
    expect(shown).to_have_text(re.compile("<img src=x onerror=alert.1.>.*U\\+202E"))
    expect(shown.locator("img")).to_have_count(0)
    alice.conversation("Inbox").click()
    expect(alice.page.locator("#shared")).to_be_hidden()
    assert alice.violations() == []
