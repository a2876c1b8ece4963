// One conversation: a room or the inbox. Its entries, its unread mark, and who is in it.

import { byId, el, nameOf, timeOf, visible } from "./dom.js";
import { indent } from "./json.js";
import { Log } from "./log.js";

const KEPT = 500;
const ONE_LINE = 60; // characters of JSON that are not broken into lines
const SAME_BREATH = 120_000; // milliseconds in which one sender's messages share a heading

export class Channel {
  title;
  room; // null for the inbox
  state = "new"; // new, joining, joined, offline, ended
  role = "";
  count = 0;
  position = null;
  people = new Map(); // user id -> {name, connections}
  shared = null; // the room's document and its version
  unread = 0;
  draft = ""; // what was begun to be written here
  #log;

  /** `choose()` is called when its tab is pressed, `answer(name)` when a sender's name is. */
  constructor(title, room, { choose, answer }) {
    [this.title, this.room] = [title, room];
    this.badge = el("span", { className: "badge", hidden: true });
    this.tab = el("button", { type: "button", className: "channel" }, nameOf(title), this.badge);
    this.tab.addEventListener("click", choose);
    const empty = room ? "Nothing was said here since you came." : "What others send to you alone shows here.";
    const list = el("ol", { className: "entries", data: { empty } });
    this.view = el("div", { className: "messages", tabIndex: 0, hidden: true, aria: { live: "polite" } }, list);
    this.view.setAttribute("role", "log");
    this.view.setAttribute("aria-label", room ? `Messages in ${room}` : "Messages to you");
    this.#log = new Log(this.view, list, KEPT, (entry, before) => draw(entry, before, answer));
    byId("message-views").append(this.view);
    byId("channels").append(el("li", {}, this.tab));
  }

  get active() {
    return !this.view.hidden;
  }

  set active(active) {
    this.view.hidden = !active;
    if (active) {
      this.tab.setAttribute("aria-current", "true");
      this.tab.scrollIntoView({ block: "nearest", inline: "nearest" });
      this.read();
      this.#log.toEnd();
    } else {
      this.tab.removeAttribute("aria-current");
    }
  }

  /** Add a message: `{from, data, at, seq?, own, to?, status?}`. */
  message(entry) {
    this.#log.add({ kind: "message", ...entry });
    if (!entry.own && (!this.active || document.hidden || document.body.dataset.view !== "talk")) this.#mark();
  }

  /** Add a line about the conversation itself, from strings and nodes. */
  note(...parts) {
    this.#log.add({ kind: "note", parts, at: new Date() });
  }

  read() {
    this.unread = 0;
    this.badge.hidden = true;
  }

  remove() {
    this.tab.parentElement.remove();
    this.view.remove();
  }

  #mark() {
    this.unread += 1;
    this.badge.hidden = false;
    this.badge.replaceChildren(`${this.unread}`, el("span", { className: "unseen" }, " unread"));
  }
}

function draw(entry, before, answer) {
  return entry.kind === "note" ? drawNote(entry) : drawMessage(entry, before, answer);
}

function drawNote({ parts, at }) {
  return el("li", { className: "note" }, el("span", {}, ...parts), " ", moment(at));
}

function drawMessage({ from, data, at, seq, own, to, status }, before, answer) {
  const sender = `${from.id} ${to ?? ""}`;
  const time = new Date(at).getTime();
  const follows = before?.dataset.sender === sender && time - Number(before.dataset.time) < SAME_BREATH;
  const who = el("button", { type: "button", className: "sender", title: "Write to this user" }, nameOf(from.name));
  who.addEventListener("click", () => answer(from.name));
  const head = el("p", { className: follows ? "head unseen" : "head" }, who);
  if (own) head.append(el("span", { className: "you" }, "you"));
  if (to) head.append(" to ", nameOf(to));
  const place = seq === undefined ? "" : `#${seq}`;
  const foot = el("p", { className: "foot" }, status ?? place, " ", moment(at));
  const row = el("li", { className: "message", data: { sender, time: String(time) } });
  row.classList.toggle("own", own);
  row.classList.toggle("follows", follows);
  row.append(head, content(data), foot);
  return row;
}

function content(data) {
  if (typeof data === "string") return el("p", { className: "text", dir: "auto" }, visible(data));
  const text = JSON.stringify(data);
  return el("pre", { className: "text json", tabIndex: 0 }, visible(text.length > ONE_LINE ? indent(text) : text));
}

function moment(at) {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return "";
  return el("time", { dateTime: date.toISOString(), title: date.toLocaleString() }, timeOf(date));
}
