// The frame log: every frame as it went over the wire, newest last, with filter, pause and a readable form on demand.

import { byId, el, sizeOf, timeOf, visible } from "./dom.js";
import { indent, masked } from "./json.js";
import { Log } from "./log.js";

const KEPT = 500;
const PREVIEW = 240; // characters of a frame that its row shows

const utf8 = new TextEncoder();
const WORDS = { in: "in", out: "out", note: "note" };

export class Frames {
  #log;
  #list = byId("frame-list");
  #needle = "";
  #direction = "all";
  #paused = false;

  /** `send(text)` sends a raw frame; it is only offered while there is a connection. */
  constructor(send) {
    this.#log = new Log(byId("frame-scroller"), this.#list, KEPT, (record) => this.#row(record));
    byId("frame-filter").addEventListener("input", ({ target }) => {
      this.#needle = target.value.toLowerCase();
      this.#refilter();
    });
    byId("frame-direction").addEventListener("change", ({ target }) => {
      this.#direction = target.value;
      this.#refilter();
    });
    byId("frame-pause").addEventListener("click", () => this.#pause(!this.#paused));
    byId("frame-clear").addEventListener("click", () => {
      this.#log.clear();
      this.#tell();
    });
    byId("raw-form").addEventListener("submit", (event) => {
      event.preventDefault();
      send(byId("raw-text").value);
    });
  }

  frame(direction, text) {
    this.#add({ direction, text: masked(text), size: utf8.encode(text).length });
  }

  note(text) {
    this.#add({ direction: "note", text, size: null });
  }

  connected(yes) {
    byId("raw-send").disabled = !yes;
  }

  #add(record) {
    this.#log.add({ ...record, at: new Date() });
    if (this.#paused) this.#tell();
  }

  #pause(paused) {
    this.#paused = paused;
    byId("frame-pause").setAttribute("aria-pressed", String(paused));
    this.#log.pause(paused);
    this.#tell();
  }

  #tell() {
    const waiting = this.#log.waiting;
    byId("frame-state").textContent = this.#paused ? `Paused, ${waiting} waiting` : `Last ${KEPT}`;
  }

  #row(record) {
    const { direction, text, size, at } = record;
    const cells = [
      el("span", { className: "frame-time" }, timeOf(at)),
      el("span", { className: "frame-direction" }, WORDS[direction]),
      el("span", { className: "frame-size" }, size === null ? "" : sizeOf(size)),
      el("code", { className: "frame-text" }, visible(text.slice(0, PREVIEW)), text.length > PREVIEW ? "\u2026" : ""),
    ];
    const row = el("li", { className: "frame", data: { direction } });
    row.hidden = !this.#matches(direction, text);
    row.text = text; // what the filter looks at
    if (direction === "note") {
      row.append(el("div", { className: "frame-row" }, ...cells));
    } else {
      const button = el("button", { type: "button", className: "frame-row", aria: { expanded: "false" } }, ...cells);
      button.addEventListener("click", () => this.#toggle(row, button));
      row.append(button);
    }
    return row;
  }

  #toggle(row, button) {
    const shown = row.querySelector("pre");
    if (shown) shown.remove();
    else row.append(el("pre", { className: "frame-whole", tabIndex: 0 }, visible(indent(row.text))));
    button.setAttribute("aria-expanded", String(!shown));
    row.scrollIntoView({ block: "nearest" });
  }

  #matches(direction, text) {
    return (
      (this.#direction === "all" || this.#direction === direction) &&
      (!this.#needle || text.toLowerCase().includes(this.#needle))
    );
  }

  #refilter() {
    for (const row of this.#list.children) row.hidden = !this.#matches(row.dataset.direction, row.text);
  }
}
