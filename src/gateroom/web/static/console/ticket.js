// One ticket for one socket, in exchange for an access token that travels in a header only.

import { beside } from "./dom.js";

const SENDABLE = /^[\x20-\x7e]*$/; // what a header may carry

/** Resolve to `{ticket}`, or to `{refused: {code, reason, opened}}`, which reads like the end of a socket. */
export async function ticketFor(token) {
  if (!SENDABLE.test(token)) return { refused: { code: 401, reason: "invalid_token", opened: true } };
  try {
    const response = await fetch(beside("auth/tickets"), {
      method: "POST",
      headers: { Authorization: `Bearer ${token}`, Accept: "application/json" },
      credentials: "omit", // the token alone says who asks
      cache: "no-store",
    });
    const body = await response.json().catch(() => ({}));
    if (response.ok) return { ticket: body.ticket };
    return { refused: { code: response.status, reason: String(body.code ?? ""), opened: true } };
  } catch {
    return { refused: { code: 1006, reason: "", opened: false } }; // not reachable
  }
}
