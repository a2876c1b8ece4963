// One socket speaking gateroom.v1: opens it with a credential, pairs commands with answers, tells of every frame.

import { beside } from "./dom.js";
import { ticketFor } from "./ticket.js";

const PROTOCOL = "gateroom.v1";

export class CommandError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** A credential that the browser could not even send. */
export class Unsendable extends Error {}

export class Wire {
  #listener;
  #socket = null;
  #commands = new Map(); // id -> {resolve, reject}
  #lastId = 0;
  #attempt = 0; // to ask for a ticket
  #leaving = false;

  /** `listener` has frame(direction, text), note(text), event(object) and ended({code, reason, asked, opened, lived}). */
  constructor(listener) {
    this.#listener = listener;
  }

  get open() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  get idle() {
    return this.#socket === null;
  }

  /** Connect with `{how: "cookie"}`, `{how: "subprotocol", token}` or `{how: "ticket", token}`. Throws `Unsendable`. */
  connect({ how, token }) {
    this.#drop();
    const url = beside("ws");
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    if (how === "ticket") {
      void this.#byTicket(url, token);
      return;
    }
    const protocols = how === "subprotocol" ? [PROTOCOL, `bearer.${token}`] : [PROTOCOL];
    try {
      this.#socket = new WebSocket(url, protocols);
    } catch {
      throw new Unsendable("A subprotocol cannot carry these characters; the browser refuses to send it.");
    }
    const offered = how === "subprotocol" ? `${PROTOCOL}, bearer.<token>` : PROTOCOL;
    this.#listener.note(`Opening ${url.href} offering ${offered}`);
    this.#listen(this.#socket);
  }

  /** Exchange the token for a ticket, which is good once: no token comes into an address. */
  async #byTicket(url, token) {
    const attempt = ++this.#attempt;
    this.#listener.note("Asking auth/tickets for a ticket");
    const answer = await ticketFor(token);
    if (attempt !== this.#attempt) return; // meanwhile the person tried something else
    if (answer.refused) {
      this.#listener.note(`Refused ${answer.refused.code} ${answer.refused.reason}`);
      this.#listener.ended({ asked: false, lived: 0, ...answer.refused });
      return;
    }
    this.#listener.note(`Opening ${url.href}?ticket=<ticket> offering ${PROTOCOL}`);
    this.#socket = new WebSocket(`${url}?ticket=${answer.ticket}`, [PROTOCOL]);
    this.#listen(this.#socket);
  }

  /** End the connection in good order; `ended` follows when the gateway has agreed. */
  disconnect() {
    this.#leaving = true;
    this.#socket?.close(1000);
  }

  /** Send a command; `data`, if given, is JSON text that goes out as it is. Resolves to the reply's fields. */
  command(type, fields = {}, data = undefined) {
    if (!this.open) return Promise.reject(new CommandError("connection_lost", "There is no connection."));
    const id = ++this.#lastId;
    const head = JSON.stringify({ type, id, ...fields });
    const answered = new Promise((resolve, reject) => this.#commands.set(id, { resolve, reject }));
    this.raw(data === undefined ? head : `${head.slice(0, -1)},"data":${data}}`);
    return answered;
  }

  /** Send any text as one frame. */
  raw(text) {
    this.#socket.send(text);
    this.#listener.frame("out", text);
  }

  #listen(socket) {
    let opened = 0;
    this.#leaving = false;
    socket.onopen = () => {
      opened = performance.now();
      this.#listener.note(`Open, subprotocol ${socket.protocol || "none"}`);
    };
    socket.onmessage = ({ data }) => this.#receive(String(data));
    socket.onclose = ({ code, reason }) => {
      this.#socket = null;
      this.#listener.note(`Closed ${code}${reason ? ` ${reason}` : ""}`);
      this.#abandon();
      const lived = opened ? performance.now() - opened : 0; // milliseconds
      this.#listener.ended({ code, reason, asked: this.#leaving, opened: opened > 0, lived });
    };
  }

  #receive(text) {
    this.#listener.frame("in", text);
    let event;
    try {
      event = JSON.parse(text);
    } catch {
      return; // the log shows it
    }
    if (event?.type === "reply" || event?.type === "error") this.#answer(event);
    else if (typeof event?.type === "string") this.#listener.event(event);
  }

  #answer(event) {
    const command = this.#commands.get(event.id);
    this.#commands.delete(event.id);
    if (event.type === "reply") command?.resolve(event);
    else command?.reject(new CommandError(String(event.code), String(event.message)));
  }

  #abandon() {
    for (const { reject } of this.#commands.values()) {
      reject(new CommandError("connection_lost", "The connection ended first."));
    }
    this.#commands.clear();
  }

  #drop() {
    this.#attempt += 1;
    if (!this.#socket) return;
    const socket = this.#socket;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(1000);
    this.#socket = null;
    this.#listener.note("Closed here, for another connection");
    this.#abandon();
  }
}
