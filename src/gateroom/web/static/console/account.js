// Who connects: the log-in by cookie, or a token that was pasted; and what is known about the connection that came of it.

import { beside, byId, el, nameOf, timeOf, visible } from "./dom.js";

export class Account {
  #connect;
  #user = null; // whoever the cookie stands for

  /** `connect(credential)` is called when the person asks for a connection. */
  constructor(connect) {
    this.#connect = connect;
    for (const radio of document.getElementsByName("way")) radio.addEventListener("change", () => this.#show());
    byId("login-form").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#login();
    });
    byId("token-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#useToken();
    });
    byId("cookie-connect").addEventListener("click", () => connect({ how: "cookie" }));
    byId("bare-connect").addEventListener("click", () => connect({ how: "cookie" }));
    byId("other-login").addEventListener("click", () => {
      this.#user = null;
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
    try {
      const response = await fetch(beside("auth/me"), { headers: { Accept: "application/json" } });
      this.#user = response.ok ? loggedIn(await response.json()) : null;
    } catch {
      this.#user = null; // not reachable: connecting will say so
    }
    this.#show();
  }

  /** Open the log-in, after the gateway asked for one. */
  ask() {
    byId("way-cookie").checked = true;
    byId("credentials").hidden = false; // also beside a connection that still lives
    this.#user = null;
    this.#show();
    byId("username").focus();
  }

  /** Show who is connected, from the welcome event. */
  connected(welcome, how) {
    const facts = [
      ["User", nameOf(`${welcome.user?.name}`)],
      ["User id", visible(`${welcome.user?.id}`)],
      ["Credential", { cookie: "Cookie", subprotocol: "Token, as subprotocol", query: "Token, in the query" }[how]],
      ["Token ends", timeOf(welcome.expires_at)],
      ["Session", visible(`${welcome.session}`)],
      ["Connection", visible(`${welcome.connection}`)],
      ...Object.entries(welcome.limits ?? {}).map(([name, limit]) => [name.replaceAll("_", " "), `${limit || "no limit"}`]),
    ];
    byId("facts").replaceChildren(...facts.flatMap(([name, fact]) => [el("dt", {}, visible(name)), el("dd", {}, fact)]));
    byId("connected").hidden = false;
    byId("credentials").hidden = true;
    byId("round-trip").textContent = "";
  }

  disconnected() {
    byId("connected").hidden = true;
    byId("credentials").hidden = false;
    this.#show();
  }

  #show() {
    const cookie = byId("way-cookie").checked;
    byId("token-form").hidden = cookie;
    byId("logged-in").hidden = !cookie || !this.#user;
    byId("login-form").hidden = !cookie || Boolean(this.#user);
    if (this.#user) {
      const until = timeOf(this.#user.until);
      byId("who").replaceChildren("Logged in as ", nameOf(this.#user.name), until ? ` until ${until}` : "");
    }
  }

  async #login() {
    const [username, password] = [byId("username"), byId("password")];
    const button = byId("login-button");
    say("login-problem", "");
    button.disabled = true;
    try {
      const response = await fetch(beside("auth/login"), {
        method: "POST",
        headers: { "Content-Type": "application/json", Accept: "application/json" },
        body: JSON.stringify({ username: username.value, password: password.value, cookie: true }),
      });
      if (!response.ok) {
        say("login-problem", await whyNot(response));
        return;
      }
      const body = await response.json();
      password.value = "";
      this.#user = loggedIn({ ...body.user, expires_at: Date.now() + body.expires_in * 1000 });
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
    const how = byId("how-query").checked ? "query" : "subprotocol";
    say("token-problem", token ? "" : "Paste a token first.");
    if (!token) {
      byId("token").focus();
      return;
    }
    try {
      this.#connect({ how, token });
    } catch (error) {
      say("token-problem", `${error.message} Send it as ?token= to see what the gateway says.`);
    }
  }
}

const loggedIn = ({ username, name, expires_at: until }) => ({ name: username ?? name, until });

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
