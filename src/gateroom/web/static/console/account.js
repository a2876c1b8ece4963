// Who connects: the log-in by cookie, or a token that was pasted; and what is known about the connection that came of it.

import { beside, byId, el, nameOf, timeOf, visible } from "./dom.js";
import { Login } from "./login.js";

export class Account {
  #connect;
  #login = new Login(() => this.#renewed());
  #how = ""; // the credential of the connection there is
  #another = false; // whether the person wants to log in as somebody else

  /** `connect(credential)` is called when the person asks for a connection, `leave()` before they are logged out. */
  constructor(connect, leave) {
    this.#connect = connect;
    for (const radio of document.getElementsByName("way")) radio.addEventListener("change", () => this.#show());
    byId("login-form").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#logIn();
    });
    for (const id of ["log-out", "log-out-connected"]) {
      byId(id).addEventListener("click", () => {
        leave();
        void this.#login.end();
      });
    }
    byId("token-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#useToken();
    });
    byId("cookie-connect").addEventListener("click", () => connect({ how: "cookie" }));
    byId("bare-connect").addEventListener("click", () => connect({ how: "cookie" }));
    byId("other-login").addEventListener("click", () => {
      this.#another = true;
      this.#show();
      byId("username").focus();
    });
    byId("token-show").addEventListener("click", ({ currentTarget }) => {
      const shown = byId("token").classList.toggle("masked") === false;
      currentTarget.setAttribute("aria-pressed", String(shown));
    });
    byId("curl").textContent = `curl -d grant_type=password -d username=alice -d password=\u2026 ${beside("auth/token")}`;
  }

  /** Ask whether the cookie still holds. */
  async remember() {
    await this.#login.remember();
  }

  /** Renew the log-in by cookie. Resolves to whether there is one now. */
  renew() {
    return this.#login.renew();
  }

  /** Open the log-in, after the gateway asked for one. */
  ask() {
    byId("way-cookie").checked = true;
    byId("credentials").hidden = false; // also beside a connection that still lives
    this.#another = true;
    this.#show();
    byId("username").focus();
  }

  /** Show who is connected, from the welcome event. */
  connected(welcome, how) {
    const facts = [
      ["User", nameOf(`${welcome.user?.name}`)],
      ["User id", visible(`${welcome.user?.id}`)],
      ["Credential", { cookie: "Cookie", subprotocol: "Token, as subprotocol", ticket: "Token, for a ticket" }[how]],
      ["Token ends", el("span", { id: "token-ends" }, timeOf(welcome.expires_at))],
      ["Session", visible(`${welcome.session}`)],
      ["Connection", visible(`${welcome.connection}`)],
      ...Object.entries(welcome.limits ?? {}).map(([name, limit]) => [name.replaceAll("_", " "), `${limit || "no limit"}`]),
    ];
    byId("facts").replaceChildren(...facts.flatMap(([name, fact]) => [el("dt", {}, visible(name)), el("dd", {}, fact)]));
    this.#how = how;
    byId("log-out-connected").hidden = how !== "cookie";
    byId("connected").hidden = false;
    byId("credentials").hidden = true;
    byId("round-trip").textContent = "";
  }

  disconnected() {
    byId("connected").hidden = true;
    byId("credentials").hidden = false;
    this.#show();
  }

  /** Show a log-in that is another, or lasts longer: with it the sockets that came by the cookie do too. */
  #renewed() {
    const ends = byId("token-ends");
    if (ends && this.#how === "cookie" && this.#login.user) ends.textContent = timeOf(this.#login.user.until);
    this.#show();
  }

  #show() {
    const cookie = byId("way-cookie").checked;
    const user = this.#another ? null : this.#login.user;
    byId("token-form").hidden = cookie;
    byId("logged-in").hidden = !cookie || !user;
    byId("login-form").hidden = !cookie || Boolean(user);
    if (user) {
      byId("who").replaceChildren("Logged in as ", nameOf(user.name), `, renewed before ${timeOf(user.until)}`);
    }
  }

  async #logIn() {
    const [username, password] = [byId("username"), byId("password")];
    const button = byId("login-button");
    say("login-problem", "");
    button.disabled = true;
    try {
      const refused = await this.#login.begin(username.value, password.value);
      if (refused) {
        say("login-problem", await whyNot(refused));
        return;
      }
      password.value = "";
      this.#another = false;
      this.#show();
      this.#connect({ how: "cookie" });
    } catch {
      say("login-problem", "The gateway did not answer. Is it running, and is this computer online?");
    } finally {
      button.disabled = false;
    }
  }

  #useToken() {
    const token = byId("token").value.trim();
    const how = byId("how-ticket").checked ? "ticket" : "subprotocol";
    say("token-problem", token ? "" : "Paste a token first.");
    if (!token) {
      byId("token").focus();
      return;
    }
    try {
      this.#connect({ how, token });
    } catch (error) {
      say("token-problem", `${error.message} Send it for a ticket to see what the gateway says.`);
    }
  }
}

function say(id, text) {
  byId(id).textContent = text;
}

async function whyNot(response) {
  const problem = await response.json().catch(() => ({}));
  const wait = Number(response.headers.get("Retry-After"));
  if (problem.code === "invalid_credentials") return "The username or the password is wrong.";
  if (response.status === 429) {
    return `Too many tries to log in. ${wait > 0 ? `Try again in ${wait} seconds.` : "Try again in a minute."}`;
  }
  return `The gateway answered ${response.status}${problem.code ? ` ${problem.code}` : ""}: ${
    problem.detail ?? "it gave no reason."
  }`;
}
