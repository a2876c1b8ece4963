// The field messages are written in: to a room or to a user, as plain text or as JSON.

import { byId } from "./dom.js";
import { problemOf } from "./json.js";
import { refusal } from "./reasons.js";

export class Composer {
  #channel = null;
  #publish;
  #send;
  #field = byId("message");

  /** `publish(room, data)` and `send(user, data)` take JSON text and resolve to the reply. */
  constructor({ publish, send }) {
    [this.#publish, this.#send] = [publish, send];
    byId("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#submit();
    });
    this.#field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      void this.#submit();
    });
    for (const radio of document.getElementsByName("form")) radio.addEventListener("change", () => this.#form());
    this.#field.addEventListener("input", () => say(""));
  }

  /** Write into `channel` from now on, if it is `open` for that. */
  address(channel, open) {
    if (this.#channel !== channel) this.#turnTo(channel);
    byId("to-row").hidden = Boolean(channel.room);
    byId("send-button").disabled = !open;
  }

  /** Address a direct message to `user` and be ready for its text. */
  to(user) {
    byId("to").value = user;
    this.#field.focus();
  }

  #turnTo(channel) {
    if (this.#channel) this.#channel.draft = this.#field.value;
    this.#field.value = channel.draft;
    this.#channel = channel;
    say("");
  }

  #form() {
    const json = byId("form-json").checked;
    this.#field.classList.toggle("code", json);
    this.#field.placeholder = json ? '{"any": "JSON"}' : "Write a message";
    this.#field.spellcheck = !json;
    say("");
  }

  async #submit() {
    if (byId("send-button").disabled) return;
    const text = this.#field.value;
    const json = byId("form-json").checked;
    const problem = json ? problemOf(text) : text ? null : "There is nothing to send yet.";
    if (problem) {
      this.#stop(problem, this.#field);
      return;
    }
    const channel = this.#channel;
    const { room } = channel;
    const user = byId("to").value.trim();
    if (!room && !user) {
      this.#stop("Say to whom: @username, or a user id.", byId("to"));
      return;
    }
    const data = json ? text : JSON.stringify(text);
    this.#field.value = "";
    const started = performance.now();
    try {
      const { position } = await (room ? this.#publish(room, data) : this.#send(user, data));
      const place = position ? ` as #${position.seq}` : "";
      say(`Taken${place} in ${Math.max(1, Math.round(performance.now() - started))} ms`, "fine");
    } catch (error) {
      this.#giveBack(channel, text);
      say(`${error.code === "connection_lost" ? "Not confirmed" : "Not sent"}: ${refusal(error)}`, "problem");
    }
  }

  /** Return a text that was not taken to where it was written, unless something else stands there by now. */
  #giveBack(channel, text) {
    if (this.#channel === channel) this.#field.value ||= text;
    else channel.draft ||= text;
  }

  #stop(problem, field) {
    say(problem, "problem");
    field.focus();
  }
}

function say(text, tone = "") {
  const line = byId("composer-state");
  line.textContent = text;
  line.dataset.tone = tone;
}
