"""What a person does with the console, in a real Chromium against a real server."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from websockets.sync.client import connect

from support.browser import Console
from support.gateway import RunningGateway

OpenConsole = Callable[..., Console]
Connected = Callable[[str], Console]

# Whether neither the page nor what scrolls up and down in it can be pushed sideways.
FITS = """
[document.documentElement, ...document.querySelectorAll('#connect, #verdict, .messages, #frame-scroller')]
  .every((area) => area.scrollWidth <= area.clientWidth)
"""


def test_a_person_logs_in_joins_the_lobby_and_sees_their_own_message(
    gateway: RunningGateway, open_console: OpenConsole
) -> None:
    alice = open_console(gateway.url)
    alice.log_in("alice", gateway.passwords["alice"])
    alice.join("lobby")
    alice.say("Good morning")
    expect(alice.message_list("lobby").get_by_role("listitem").last).to_contain_text("Good morning")
    expect(alice.message_list("lobby").get_by_role("button", name="alice")).to_be_visible()
    expect(alice.page.get_by_text(re.compile(r"Taken as #\d+ in \d+ ms"))).to_be_visible()
    expect(alice.page.get_by_label("Message", exact=True)).to_be_empty()


def test_a_cookie_a_pasted_token_and_a_plain_socket_talk_to_each_other(
    gateway: RunningGateway, open_console: OpenConsole, token: Callable[[str], str]
) -> None:
    alice = open_console(gateway.url)
    alice.log_in("alice", gateway.passwords["alice"])
    bob = open_console(gateway.url)
    bob.offer_token(token("bob"))
    bob.sees_status("Connected")
    alice.join("lobby")
    bob.join("lobby")
    plain_url = f"{gateway.ws_url}/ws/rooms/lobby?token={token('carol')}"
    with connect(plain_url, open_timeout=10, close_timeout=10) as carol:
        alice.say("from a cookie")
        assert carol.recv(timeout=10) == "from a cookie"
        bob.say('{"from": ["a", "token"]}', as_json=True)
        assert carol.recv(timeout=10) == '{"from": ["a", "token"]}'
        carol.send("from a plain socket")
        assert carol.recv(timeout=10) == "from a plain socket"
        for console in (alice, bob):
            messages = console.message_list("lobby")
            expect(messages.locator(".text")).to_have_text(
                ["from a cookie", '{"from":["a","token"]}', "from a plain socket"]
            )
            expect(messages.locator(".sender")).to_have_text(["alice", "bob", "carol"])


def test_who_is_here_follows_those_who_come_and_go(connected: Connected, room: str) -> None:
    alice = connected("alice")
    alice.join(room)
    expect(alice.people()).to_have_text(["aliceyou"])
    bob = connected("bob")
    bob.join(room)
    expect(bob.people()).to_have_count(2)
    expect(alice.people()).to_have_text(["aliceyou", "bob"])
    expect(alice.page.get_by_text("2 here")).to_be_visible()
    expect(alice.message_list(room).get_by_text("bob joined")).to_be_visible()
    bob.press("Leave")
    expect(alice.people()).to_have_text(["aliceyou"])
    expect(alice.message_list(room).get_by_text("bob left")).to_be_visible()


def test_a_message_to_a_user_reaches_that_users_inbox_alone(connected: Connected, room: str) -> None:
    alice = connected("alice")
    bob = connected("bob")
    alice.join(room)
    bob.join(room)
    alice.people().filter(has_text="bob").click()
    expect(alice.page.get_by_label("To", exact=True)).to_have_value("@bob")
    alice.say("between us")
    expect(alice.message_list().get_by_text("on 1 connection now")).to_be_visible()
    expect(bob.conversation("Inbox").get_by_text("1 unread")).to_be_attached()
    bob.conversation("Inbox").click()
    expect(bob.message_list().locator(".text")).to_have_text(["between us"])
    expect(bob.message_list().locator(".sender")).to_have_text(["alice"])
    expect(bob.message_list(room).get_by_text("between us")).to_have_count(0)


def test_a_message_to_somebody_who_is_away_is_said_to_wait(connected: Connected) -> None:
    alice = connected("alice")
    alice.fill("To", "@admin")
    alice.say("for later")
    expect(alice.message_list().get_by_text("not connected now, it waits there")).to_be_visible()


def test_a_room_out_of_view_counts_what_was_not_read(connected: Connected, room: str) -> None:
    alice = connected("alice")
    bob = connected("bob")
    alice.join(room)
    bob.join(room)
    alice.conversation("Inbox").click()
    bob.say("one")
    bob.say("two")
    expect(alice.conversation(room).get_by_text("2 unread")).to_be_attached()
    expect(alice.page).to_have_title("(2) Gateroom console")
    alice.conversation(room).click()
    expect(alice.conversation(room).locator(".badge")).to_be_hidden()
    expect(alice.page).to_have_title("Gateroom console")


def test_what_was_begun_in_one_conversation_is_not_sent_to_another(connected: Connected, room: str) -> None:
    alice = connected("alice")
    alice.join(room)
    alice.fill("Message", "half a sentence for the lobby")
    alice.conversation("Inbox").click()
    expect(alice.page.get_by_label("Message", exact=True)).to_be_empty()
    alice.conversation(room).click()
    expect(alice.page.get_by_label("Message", exact=True)).to_have_value("half a sentence for the lobby")


def test_broken_json_is_explained_and_not_sent(connected: Connected, room: str) -> None:
    alice = connected("alice")
    alice.join(room)
    expect(alice.frames("in").filter(has_text='"users"')).to_have_count(1)
    alice.say('{"a": 1,}', as_json=True)
    expect(alice.page.locator("#composer-state")).to_contain_text("This is not JSON")
    alice.page.get_by_label("Message", exact=True).fill('{"a": 12345678901234567890}')
    alice.press("Send")
    # As it was written: a number that JavaScript cannot hold is not rounded on the way out.
    expect(alice.frames("out").last).to_contain_text('"data":{"a": 12345678901234567890}}')
    expect(alice.frames("out")).to_have_count(3)  # join, presence, publish


def test_a_command_that_is_refused_says_why(connected: Connected, room: str) -> None:
    alice = connected("alice")
    alice.ask_to_join("no-such-room")
    expect(alice.page.locator("#join-problem")).to_have_text(
        "forbidden: you may not do this, or there is no such room or user"
    )
    expect(alice.conversation("no-such-room")).to_have_count(0)
    alice.fill("To", "@nobody-of-that-name")
    alice.say("hello?")
    expect(alice.page.locator("#composer-state")).to_contain_text("Not sent: forbidden")
    expect(alice.page.get_by_label("Message", exact=True)).to_have_value("hello?")


def test_the_frame_log_shows_what_went_over_the_wire(connected: Connected, room: str) -> None:
    alice = connected("alice")
    alice.join(room)
    expect(alice.frames("in").first).to_contain_text('"type":"welcome"')
    joined = alice.frames("out").first
    expect(joined).to_contain_text(f'{{"type":"join","id":1,"room":"{room}"}}')
    expect(joined).to_contain_text(f"{32 + len(room)} B")
    joined.get_by_role("button").click()
    expect(joined.locator("pre")).to_have_text(f'{{\n  "type": "join",\n  "id": 1,\n  "room": "{room}"\n}}')
    alice.fill("Filter frames by text", '"type":"JOIN"')
    expect(joined).to_be_visible()
    expect(alice.frames("in").first).to_be_hidden()
    alice.fill("Filter frames by text", "")
    alice.page.get_by_label("Show direction").select_option("In")
    expect(joined).to_be_hidden()
    expect(alice.frames("in").first).to_be_visible()


def test_the_frame_log_waits_while_it_is_paused(connected: Connected, room: str) -> None:
    alice = connected("alice")
    alice.join(room)
    expect(alice.frames("in").filter(has_text='"users"')).to_have_count(1)
    alice.press("Pause")
    alice.press("Clear")
    alice.say("unseen for now")
    expect(alice.page.get_by_text("Paused, 3 waiting")).to_be_visible()  # the command, its answer, the message
    expect(alice.page.locator("#frame-list > li")).to_have_count(0)
    alice.press("Pause")
    expect(alice.page.locator("#frame-list > li")).to_have_count(3)


def test_a_log_keeps_only_its_newest_entries(gateway: RunningGateway, open_console: OpenConsole) -> None:
    script = """async () => {
      const { Log } = await import('/console/log.js');
      const list = document.createElement('ol');
      const log = new Log(document.createElement('div'), list, 500, (text) => {
        return Object.assign(document.createElement('li'), { textContent: text });
      });
      const drawn = () => new Promise(requestAnimationFrame);
      for (let n = 0; n < 700; n += 1) log.add(n);
      await drawn();
      for (let n = 700; n < 1000; n += 1) log.add(n);
      await drawn();
      return [list.children.length, list.firstChild.textContent, list.lastChild.textContent];
    }"""
    assert open_console(gateway.url).page.evaluate(script) == [500, "500", "999"]


def test_a_frame_can_be_sent_as_it_is(connected: Connected) -> None:
    alice = connected("alice")
    alice.page.get_by_text("Send a raw frame").click()
    alice.fill("Raw frame", '{"type": "dance", "id": "by-hand"}')
    alice.press("Send as it is")
    expect(alice.frames("in").last).to_contain_text('"code":"invalid_command"')
    expect(alice.frames("in").last).to_contain_text('"id":"by-hand"')


def test_a_ping_shows_how_long_it_took_and_disconnecting_ends_in_good_order(connected: Connected) -> None:
    alice = connected("alice")
    alice.press("Connection")
    expect(alice.page.locator("#facts")).to_contain_text("alice")
    alice.press("Ping")
    expect(alice.page.get_by_text("Answered in")).to_be_visible()
    alice.press("Disconnect")
    alice.sees_status("Not connected")
    expect(alice.frames("note").last).to_contain_text("Closed 1000")
    expect(alice.page.locator("#verdict")).to_be_hidden()


def test_a_reload_remembers_the_log_in_and_connects_when_asked(
    gateway: RunningGateway, open_console: OpenConsole
) -> None:
    alice = open_console(gateway.url)
    alice.log_in("alice", gateway.passwords["alice"])
    alice.page.reload()
    expect(alice.page.locator("#who")).to_contain_text("Logged in as alice")
    alice.sees_status("Not connected")
    alice.press("Connect")
    alice.sees_status("Connected")


def test_the_keyboard_is_enough(gateway: RunningGateway, open_console: OpenConsole) -> None:
    page = open_console(gateway.url).page
    page.get_by_label("Username").focus()
    page.keyboard.type("alice")
    page.keyboard.press("Tab")
    page.keyboard.type(gateway.passwords["alice"])
    page.keyboard.press("Enter")
    expect(page.locator("#status-text")).to_have_text("Connected")
    page.locator("#join-room").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Message", exact=True)).to_be_focused()
    page.keyboard.type("typed only")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("on two lines")
    page.keyboard.press("Enter")
    expect(page.get_by_role("log", name="Messages in lobby").locator(".text")).to_have_text("typed only\non two lines")


@pytest.mark.parametrize("width", [360, 390, 820])
def test_nothing_is_wider_than_a_small_screen(gateway: RunningGateway, open_console: OpenConsole, width: int) -> None:
    bob = open_console(gateway.url, width=width, height=740)

    def fits() -> bool:
        fitting: bool = bob.page.evaluate(FITS)
        return fitting

    assert fits()
    bob.offer_token("x" * 300)
    bob.verdict()
    assert fits()
    bob.page.get_by_label("A log-in").check()
    bob.log_in("bob", gateway.passwords["bob"])
    bob.join("lobby")
    bob.say("w" * 500)
    bob.say(f'{{"{"k" * 300}": "{"v" * 300}"}}', as_json=True)
    expect(bob.message_list("lobby").locator(".text")).to_have_count(2)
    assert fits()
    bob.press("Frames")
    bob.frames("in").last.get_by_role("button").click()
    assert fits()
    bob.press("Connection")
    expect(bob.page.get_by_role("button", name="Disconnect")).to_be_visible()
    assert fits()
