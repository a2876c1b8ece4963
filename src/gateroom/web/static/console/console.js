// The page as a whole: which view shows, how the connection stands, and why it ended.

import { Account } from "./account.js";
import { beside, byId, el, timeOf, visible } from "./dom.js";
import { Frames } from "./frames.js";
import { explain, HIDDEN_REFUSAL, refusal, UNREACHABLE } from "./reasons.js";
import { Retry } from "./retry.js";
import { Talk } from "./talk.js";
import { Wire } from "./wire.js";

let credential = { how: "cookie" };
let live = false; // welcomed, and not closed since

const frames = new Frames((text) => wire.raw(text));
const wire = new Wire({
  frame: (direction, text) => frames.frame(direction, text),
  note: (text) => frames.note(text),
  event: (event) => heard(event),
  ended: (end) => ended(end),
});
const talk = new Talk(wire);
const account = new Account(
  (chosen) => connect(chosen),
  () => leave(),
);
const retry = new Retry(counted, () => open());

function show(view) {
  document.body.dataset.view = view;
  for (const button of document.querySelectorAll("[data-show]")) {
    if (button.dataset.show === view) button.setAttribute("aria-current", "page");
    else button.removeAttribute("aria-current");
  }
  talk.seen();
}

function status(state, text) {
  document.body.dataset.status = state;
  byId("status-text").textContent = text;
}

/** Connect because the person asked for it. */
function connect(chosen) {
  retry.cancel();
  credential = chosen;
  open();
}

function open() {
  byId("verdict").hidden = true;
  gone();
  status("waiting", "Connecting");
  try {
    wire.connect(credential);
  } catch (error) {
    account.disconnected();
    status("offline", "Not connected");
    throw error;
  }
}

function gone() {
  talk.disconnected();
  frames.connected(false);
}

function heard(event) {
  if (event.type === "welcome") welcomed(event);
  else if (event.type === "expiring") void expiring(event);
  else talk.event(event);
}

/** Carry on by the cookie, or say what the person could do. */
async function expiring(event) {
  if (credential.how === "cookie" && (await account.renew())) return;
  if (live) {
    verdict({
      title: "The token runs out soon",
      meaning: `It ends at ${timeOf(event.expires_at)}; the gateway then closes the connection with token_expired.`,
      advice: "Log in again, or paste a newer token, to carry on.",
      next: "login",
      tone: "warning",
    });
  }
}

function welcomed(event) {
  live = true;
  status("online", "Connected");
  byId("verdict").hidden = true;
  frames.connected(true);
  account.connected(event, credential.how);
  talk.connected(event);
  show("talk");
}

function ended(end) {
  const lived = live;
  live = false;
  gone();
  account.disconnected();
  if (end.asked) {
    status("offline", "Not connected");
    show("connect");
    return;
  }
  status("refused", lived ? "Disconnected" : "Refused");
  if (end.opened) void judgeOrRenew(explain(end), end);
  else void neverOpened(end);
}

/** Where only the access token ran out, as after the computer slept, the cookie may have what gets a new one. */
async function judgeOrRenew(why, end) {
  const mendable = credential.how === "cookie" && ["token_expired", "missing_token"].includes(end.reason);
  if (mendable && (await account.renew()) && wire.idle) open();
  else if (wire.idle) judge(why, end);
}

/** Disconnect, and do not come back. */
function leave() {
  retry.cancel();
  wire.disconnect();
}

/** Say why, and come back if that is for a program to do. */
function judge(why, { code, reason, lived }) {
  verdict({ ...why, code: `${code}${reason ? ` ${reason}` : ""}`, tone: "refused" });
  if (why.next === "retry" || why.next === "spread") retry.schedule(why.next, lived);
  else retry.cancel();
  if (why.next === "login") {
    void account.remember(); // the cookie may be what was refused
    show("connect");
  }
}

/** A handshake that failed: find out whether anybody is there, and do not give up while coming back. */
async function neverOpened(end) {
  const answers = await fetch(beside("console"), { cache: "no-store" }).then(
    () => true,
    () => false,
  );
  const why = answers ? HIDDEN_REFUSAL : UNREACHABLE;
  if (wire.idle) judge(retry.trying ? { ...why, next: "retry" } : why, end);
}

function counted(seconds, attempt) {
  status("waiting", "Reconnecting");
  byId("countdown").textContent = `Reconnecting in ${seconds} s (try ${attempt})`;
}

/** Say what happened, why, and what may be done about it. */
function verdict({ title, meaning, advice, points = [], code = "", next, tone }) {
  byId("verdict").dataset.tone = tone;
  byId("verdict-title").textContent = title;
  byId("verdict-code").replaceChildren(visible(code));
  byId("verdict-code").hidden = !code;
  byId("verdict-meaning").textContent = meaning;
  byId("verdict-points").replaceChildren(...points.map((point) => el("li", {}, point)));
  byId("verdict-advice").textContent = advice;
  const coming = next === "retry" || next === "spread";
  byId("countdown").hidden = !coming;
  byId("reconnect-cancel").hidden = !coming;
  byId("reconnect-now").hidden = next === "login";
  byId("reconnect-now").textContent = coming ? "Reconnect now" : "Try again";
  byId("verdict-close").hidden = coming; // its countdown stays in sight
  byId("verdict-login").hidden = next !== "login";
  byId("verdict").hidden = false;
}

for (const button of document.querySelectorAll("[data-show]")) {
  button.addEventListener("click", () => show(button.dataset.show));
}
byId("reconnect-now").addEventListener("click", () => (retry.trying ? retry.hurry() : connect(credential)));
byId("reconnect-cancel").addEventListener("click", () => {
  retry.cancel();
  byId("countdown").hidden = true;
  byId("reconnect-cancel").hidden = true;
  byId("verdict-close").hidden = false;
  status("offline", "Not connected");
});
byId("verdict-login").addEventListener("click", () => {
  show("connect");
  account.ask();
});
byId("verdict-close").addEventListener("click", () => {
  byId("verdict").hidden = true;
});
byId("disconnect").addEventListener("click", () => wire.disconnect());
byId("ping").addEventListener("click", async () => {
  const started = performance.now();
  try {
    await wire.command("ping");
    byId("round-trip").textContent = `Answered in ${(performance.now() - started).toFixed(1)} ms`;
  } catch (error) {
    byId("round-trip").textContent = refusal(error);
  }
});

show("connect");
void account.remember();
