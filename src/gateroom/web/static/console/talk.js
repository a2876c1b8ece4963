// The conversations: joining and leaving rooms, what arrives in them, who is there, and direct messages.

import { Channel } from "./channel.js";
import { Composer } from "./composer.js";
import { byId, el, nameOf, plural, visible } from "./dom.js";
import { indent } from "./json.js";
import { patched } from "./patch.js";
import { refusal } from "./reasons.js";

const NAMED = 200; // people shown by name

export class Talk {
  #wire;
  #me = null; // {id, name}
  #rooms = new Map();
  #inbox;
  #current;
  #composer;
  #wide = matchMedia("(min-width: 45rem)");

  constructor(wire) {
    this.#wire = wire;
    this.#composer = new Composer({
      publish: (room, data) => wire.command("publish", { room }, data),
      send: (user, data) => this.#send(user, data),
    });
    this.#inbox = this.#channel("Inbox", null);
    this.#choose(this.#inbox);
    byId("join-form").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#joinTyped();
    });
    byId("join-toggle").addEventListener("click", () => this.#unfold(byId("rooms").dataset.unfolded !== "yes"));
    byId("leave").addEventListener("click", () => void this.#leave(this.#current));
    byId("rejoin").addEventListener("click", () => void this.#join(this.#current).catch(() => {}));
    byId("people-refresh").addEventListener("click", () => void this.#askWho(this.#current));
    document.addEventListener("visibilitychange", () => this.seen());
  }

  /** The connection is there: join again what was joined when the last one broke. */
  connected(welcome) {
    this.#me = welcome.user;
    const again = [...this.#rooms.values()].filter(({ state }) => state === "offline");
    for (const channel of again) void this.#join(channel).catch(() => {});
    this.#refresh();
  }

  disconnected() {
    for (const channel of this.#rooms.values()) {
      if (channel.state === "joined" || channel.state === "joining") {
        channel.state = "offline";
        channel.note("The connection ended");
      }
      channel.people.clear();
    }
    this.#refresh();
  }

  /** Take one event; those of no interest here are in the frame log anyway. */
  event(event) {
    const channel = this.#rooms.get(event.room);
    if (event.type === "direct") this.#arrived(this.#inbox, event);
    else if (event.type === "broadcast") this.#arrived(this.#inbox, { ...event, from: { id: "", name: "Broadcast" } });
    else if (channel && event.type === "message") this.#arrived(channel, event);
    else if (channel) this.#changed(channel, event);
  }

  /** The conversation in view has been read. */
  seen() {
    if (!document.hidden && document.body.dataset.view === "talk") this.#current.read();
    this.#title();
  }

  #channel(title, room) {
    const channel = new Channel(title, room, {
      choose: () => this.#choose(channel),
      answer: (name) => this.#write(name),
    });
    return channel;
  }

  #choose(channel) {
    if (this.#current) this.#current.active = false;
    this.#current = channel;
    channel.active = true;
    this.#refresh();
  }

  /** Prepare a direct message to a user. */
  #write(name) {
    this.#choose(this.#inbox);
    this.#composer.to(`@${name}`);
  }

  async #joinTyped() {
    const field = byId("join-room");
    const room = field.value.trim();
    byId("join-problem").textContent = "";
    const known = this.#rooms.get(room);
    if (!room) field.focus();
    else if (known?.state === "joined") this.#choose(known);
    else if (known?.state !== "joining") await this.#enter(known ?? this.#channel(room, room), field);
  }

  /** Join a room that was named in `field`, and turn to it. */
  async #enter(channel, field) {
    const known = this.#rooms.has(channel.room);
    this.#rooms.set(channel.room, channel);
    try {
      await this.#join(channel);
      field.value = "";
      this.#unfold(false);
      this.#choose(channel);
      if (this.#wide.matches) byId("message").focus();
    } catch (error) {
      byId("join-problem").textContent = refusal(error);
      if (!known) this.#forget(channel);
    }
  }

  async #join(channel) {
    channel.state = "joining";
    this.#refresh();
    try {
      const { role, members, position, ...rest } = await this.#wire.command("join", { room: channel.room });
      share(channel, rest);
      channel.state = "joined";
      Object.assign(channel, { role: role ?? "", count: members ?? 0 });
      channel.note(`You joined${role ? ` as ${role}` : ""}`, missed(channel.position, position));
      channel.position = position ?? null;
    } catch (error) {
      channel.state = error.code === "connection_lost" ? "offline" : "ended";
      channel.note(`Not joined: ${refusal(error)}`);
      throw error;
    } finally {
      this.#refresh();
    }
    void this.#askWho(channel);
  }

  async #leave(channel) {
    try {
      if (channel.state === "joined") await this.#wire.command("leave", { room: channel.room });
      this.#forget(channel);
    } catch (error) {
      channel.note(`Not left: ${refusal(error)}`);
    }
  }

  #forget(channel) {
    this.#rooms.delete(channel.room);
    if (this.#current === channel) this.#choose([...this.#rooms.values()].at(-1) ?? this.#inbox);
    channel.remove();
    this.#refresh();
  }

  async #askWho(channel) {
    try {
      const { users } = await this.#wire.command("presence", { room: channel.room });
      channel.people = new Map(users.map(({ id, name, connections }) => [id, { name, connections }]));
      channel.count = users.length;
    } catch (error) {
      channel.note(`Who is here is not known: ${refusal(error)}`);
    }
    this.#refresh();
  }

  async #send(user, data) {
    const reply = await this.#wire.command("send", { user }, data);
    const reached = reply.connections
      ? `on ${plural(reply.connections, "connection")} now`
      : "not connected now, it waits there";
    const sent = { from: this.#me, to: user, data: JSON.parse(data), at: new Date(), own: true, status: reached };
    this.#inbox.message(sent);
    return reply;
  }

  #arrived(channel, { from, data, at, seq, epoch }) {
    if (seq !== undefined) channel.position = { epoch, seq };
    channel.message({ from, data, at, seq, own: from.id === this.#me?.id });
    this.#title();
  }

  #changed(channel, event) {
    if (event.type === "joined" || event.type === "left") this.#cameOrWent(channel, event);
    else if (event.type === "members") channel.count = event.count;
    else if (event.type === "removed") this.#removed(channel, event);
    else if (event.type === "state") this.#follow(channel, event);
    this.#refresh();
  }

  #cameOrWent(channel, { type, user }) {
    if (type === "joined") channel.people.set(user.id, { name: user.name, connections: 1 });
    else channel.people.delete(user.id);
    channel.count = channel.people.size;
    channel.note(nameOf(user.name), type === "joined" ? " joined" : " left");
  }

  #follow(channel, { state_version: version, patch, by }) {
    channel.note(nameOf(by.name), ` changed the shared state to version ${version}`);
    try {
      channel.shared = { document: patched(channel.shared.document, patch), version };
    } catch {
      void this.#askState(channel);
    }
  }

  async #askState(channel) {
    try {
      share(channel, await this.#wire.command("join", { room: channel.room }));
    } catch (error) {
      channel.shared = null;
      channel.note(`The shared state is not known: ${refusal(error)}`);
    }
    this.#refresh();
  }

  #removed(channel, { reason }) {
    channel.state = "ended";
    channel.people.clear();
    channel.note("You are out of this room: ", visible(String(reason)));
  }

  #unfold(open) {
    byId("rooms").dataset.unfolded = open ? "yes" : "no";
    byId("join-toggle").setAttribute("aria-expanded", String(open));
    if (open) byId("join-room").focus();
  }

  #refresh() {
    const channel = this.#current;
    const { room, state, role } = channel;
    byId("join-button").disabled = !this.#wire.open;
    byId("channel-title").replaceChildren(nameOf(channel.title));
    byId("channel-role").textContent = room ? { joined: role, joining: "joining", offline: "offline", ended: "not in it" }[state] : "";
    byId("leave").hidden = !room;
    byId("leave").textContent = state === "joined" ? "Leave" : "Close";
    byId("rejoin").hidden = !room || state !== "ended";
    byId("rejoin").disabled = !this.#wire.open;
    for (const each of this.#rooms.values()) each.tab.dataset.state = each.state;
    this.#composer.address(channel, this.#wire.open && (!room || state === "joined"));
    this.#people(channel);
    this.#shared(channel);
    this.#title();
  }

  #shared({ state, shared }) {
    byId("shared").hidden = state !== "joined" || !shared;
    byId("shared-version").textContent = shared ? (shared.version ? `version ${shared.version}` : "nothing yet") : "";
    byId("shared-text").replaceChildren(visible(shared ? indent(JSON.stringify(shared.document)) : ""));
  }

  #people({ room, state, people, count }) {
    byId("people").hidden = !room || state !== "joined";
    byId("people-count").textContent = `${count} here`;
    byId("people-list").replaceChildren(
      ...[...people].slice(0, NAMED).map(([id, person]) => el("li", {}, this.#person(id, person))),
      ...(people.size > NAMED ? [el("li", {}, `and ${people.size - NAMED} more`)] : []),
    );
  }

  #person(id, { name, connections }) {
    const button = el("button", { type: "button", className: "person", title: "Write to this user" }, nameOf(name));
    if (id === this.#me?.id) button.append(el("span", { className: "you" }, "you"));
    if (connections > 1) button.append(` \u00d7${connections}`);
    button.addEventListener("click", () => this.#write(name));
    return button;
  }

  #title() {
    const unread = [this.#inbox, ...this.#rooms.values()].reduce((sum, channel) => sum + channel.unread, 0);
    document.title = unread ? `(${unread}) Gateroom console` : "Gateroom console";
  }
}

function share(channel, { state: document, state_version: version }) {
  channel.shared = { document, version };
}

/** Say how many messages passed between two positions, as far as one can tell. */
function missed(before, now) {
  if (!before || !now) return "";
  if (before.epoch !== now.epoch) return ", the numbering began anew";
  const count = now.seq - before.seq;
  return count > 0 ? `, ${plural(count, "message")} passed meanwhile` : "";
}
