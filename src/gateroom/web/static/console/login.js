// The log-in by cookie, which no script can read: remembered by the gateway, renewed before it runs out, and ended.

import { beside } from "./dom.js";

const AHEAD = 75_000; // milliseconds before the end; the gateway itself warns a minute before
const NEVER_LATER = 2 ** 31 - 1; // milliseconds that a timer can count

export class Login {
  user = null; // {name, until} of whoever the cookie stands for; `until` in milliseconds since 1970
  #proof = ""; // the CSRF token: of no use without the cookie
  #timer = 0;
  #changed;

  /** `changed()` is called whenever `user` is another, or the log-in lasts longer. */
  constructor(changed) {
    this.#changed = changed;
  }

  /** Ask whether the cookie still holds; where only its refresh token does, renew. Resolves to whether it holds. */
  async remember() {
    const response = await this.#whoAmI();
    if (response?.ok) this.#take(await response.json());
    else if (response?.headers.has("X-CSRF-Token")) return this.renew();
    else this.#forget();
    return this.user !== null;
  }

  /** Log in. Resolves to the response when that failed, else to null. */
  async begin(username, password) {
    const response = await this.#post("auth/login", { username, password, cookie: true });
    if (!response.ok) return response;
    this.#takeAnswer(await response.json());
    return null;
  }

  /** Get new cookies for the next while. Resolves to whether there is a log-in now. */
  async renew() {
    const once = () => this.#renewOnce();
    try {
      // One tab at a time: a refresh token that is used twice ends the session.
      return await (navigator.locks ? navigator.locks.request("gateroom-refresh", once) : once());
    } catch {
      this.#again(AHEAD); // not reachable now
      return false;
    }
  }

  /** Log out: the session ends, in every tab. */
  async end() {
    await this.#post("auth/logout").catch(() => {});
    this.#forget();
  }

  async #renewOnce() {
    const response = await this.#whoAmI();
    if (response?.ok) {
      const before = this.user?.until ?? 0;
      this.#take(await response.json());
      if (this.user.until > before && before) return true; // another tab was quicker
    } else if (response) {
      this.#proof = response.headers.get("X-CSRF-Token") ?? this.#proof;
    }
    const renewed = await this.#post("auth/refresh");
    if (renewed.ok) this.#takeAnswer(await renewed.json());
    else if (renewed.status < 500 && renewed.status !== 429) this.#forget();
    return renewed.ok;
  }

  #whoAmI() {
    return fetch(beside("auth/me"), { headers: { Accept: "application/json" } }).catch(() => null);
  }

  #post(path, body = undefined) {
    const headers = { Accept: "application/json", "X-CSRF-Token": this.#proof };
    if (body) headers["Content-Type"] = "application/json";
    return fetch(beside(path), { method: "POST", headers, body: body && JSON.stringify(body) });
  }

  #take({ username, expires_at: until, csrf_token: proof }) {
    this.#proof = proof ?? this.#proof;
    this.#know(username, new Date(until).getTime());
  }

  #takeAnswer({ user, expires_in: seconds, csrf_token: proof }) {
    this.#proof = proof;
    this.#know(user.username, Date.now() + seconds * 1000);
  }

  #know(name, until) {
    this.user = { name, until };
    const left = until - Date.now();
    this.#again(Math.max(left - AHEAD, left / 2));
    this.#changed();
  }

  #forget() {
    clearTimeout(this.#timer);
    this.user = null;
    this.#proof = "";
    this.#changed();
  }

  #again(after) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.renew(), Math.min(Math.max(after, 1000), NEVER_LATER));
  }
}
