"""What the console must not do, whatever others send: run it, rearrange itself, or keep a secret (AD-2, MH-4)."""

from collections.abc import Callable
from typing import Any

from playwright.sync_api import expect

from support.browser import Console
from support.gateway import RunningGateway

OpenConsole = Callable[..., Console]
Connected = Callable[[str], Console]

MARKUP = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
TURNED = "harmless\u202egpj.exe"


def test_messages_are_text_whatever_they_look_like(connected: Connected, room: str) -> None:
    alice = connected("alice")
    alice.join(room)
    alice.say(MARKUP)
    alice.say(f'{{"{MARKUP.replace(chr(34), "")}": "javascript:alert(1)"}}', as_json=True)
    alice.say(TURNED)
    texts = alice.message_list(room).locator(".text")
    expect(texts).to_have_count(3)
    expect(texts.first).to_have_text(MARKUP)
    expect(texts.last).to_have_text("harmlessU+202Egpj.exe")
    expect(alice.page.locator("main img, main script, main a")).to_have_count(0)
    expect(alice.page).to_have_title("Gateroom console")
    alice.frames("in").last.get_by_role("button").click()
    assert "\u202e" not in alice.page.locator("body").inner_text()
    assert alice.violations() == []


def test_names_are_text_whatever_they_look_like(connected: Connected, room: str) -> None:
    alice = connected("alice")
    alice.join(room)
    alice.ask_to_join(MARKUP)
    expect(alice.page.locator("#join-problem")).to_contain_text("invalid_command")
    # No account can be called like this, so that the page is asked directly how it would show one.
    script = """async (name) => {
      const shown = (await import('/console/dom.js')).nameOf(name);
      document.querySelector('main').append(shown);
      return [shown.tagName, shown.textContent, shown.querySelectorAll('img, script').length];
    }"""
    assert alice.page.evaluate(script, MARKUP) == ["BDI", MARKUP, 0]
    assert alice.page.evaluate(script, TURNED) == ["BDI", "harmlessU+202Egpj.exe", 0]
    expect(alice.page).to_have_title("Gateroom console")
    assert alice.violations() == []


def test_using_everything_violates_no_policy_and_a_violation_would_be_seen(connected: Connected, room: str) -> None:
    alice = connected("alice")
    alice.join(room)
    alice.say("hello")
    expect(alice.message_list(room).locator(".text")).to_have_text("hello")
    alice.press("Connection")
    alice.press("Disconnect")
    alice.sees_status("Not connected")
    assert alice.violations() == []
    alice.page.evaluate("document.body.append(Object.assign(new Image(), {src: 'http://127.0.0.1:9/picture'}))")
    alice.page.wait_for_function("window.violations.length === 1")
    assert alice.violations() == ["img-src http://127.0.0.1:9/picture"]


def kept(console: Console) -> dict[str, Any]:
    script = """async () => ({
      local: {...localStorage}, session: {...sessionStorage}, cookies: document.cookie,
      databases: (await indexedDB.databases()).length, caches: (await caches.keys()).length,
      url: location.href, state: history.state, entries: history.length, name: window.name,
    })"""
    found: dict[str, Any] = console.page.evaluate(script)
    return found


def test_no_secret_is_kept_or_put_into_an_address(
    gateway: RunningGateway, open_console: OpenConsole, token: Callable[[str], str]
) -> None:
    secret = token("bob")
    console = open_console(gateway.url)
    untouched = kept(console)
    nothing = {"local": {}, "session": {}, "cookies": "", "databases": 0, "caches": 0, "state": None, "name": ""}
    assert untouched == {**nothing, "url": f"{gateway.url}/console", "entries": untouched["entries"]}
    opened: list[str] = []
    console.page.on("websocket", lambda socket: opened.append(socket.url))
    for by_ticket in (False, True):
        console.offer_token(secret, by_ticket=by_ticket)
        console.sees_status("Connected")
        console.press("Connection")
        console.press("Disconnect")
        console.sees_status("Not connected")
    console.page.get_by_label("A log-in").check()
    console.log_in("alice", gateway.passwords["alice"])
    assert kept(console) == untouched
    assert [url.partition("?")[2][:11] for url in opened] == ["", "ticket=grt_", ""]
    assert secret not in str(opened)
    assert secret not in console.page.content()
    console.page.reload()
    console.page.get_by_label("An access token").check()
    expect(console.page.get_by_label("Access token", exact=True)).to_be_empty()


def test_the_frame_log_covers_credentials(connected: Connected, room: str) -> None:
    alice = connected("alice")
    alice.join(room)
    token = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"
    alice.page.get_by_text("Send a raw frame").click()
    alice.fill("Raw frame", f'{{"type":"refresh","id":"r","token":"{token}"}}')
    alice.press("Send as it is")
    expect(alice.frames("out").last).to_contain_text('"token":"\u2022\u2022\u2022"')
    alice.say(f"my token is {token}")
    expect(alice.frames("out").last).to_contain_text("my token is \u2022\u2022\u2022")
    assert token not in alice.page.locator("#frame-list").inner_text()
