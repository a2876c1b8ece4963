// Why a socket ended, in plain words, and what may be done about it: the contract's table of close codes and reasons.

const NEW_TOKEN = "Get a new token (log in again, or paste another one), then connect.";
const LOG_IN = "Log in again, then connect.";
const STOP = "Connecting again will not help. Ask whoever runs this gateway if you think it should.";
const PERSON = "This waits for a person: connect again when you are welcome to.";
const FIX = "Connecting again will not help: what was sent has to be mended first.";
const BACK_OFF = "Wait a little, then connect again.";

// `next`: "login" offers the log-in; "retry" reconnects with growing delays; "spread" after a random delay, so that not
// everybody comes back at once; "stop" leaves it to the person.
const REASONS = {
  missing_token: ["No credential was sent", "This browser is not logged in (any more), and no token was given.", NEW_TOKEN, "login"],
  invalid_token: [
    "The token is not valid",
    "It is not one that this gateway issued: cut off, changed, of another kind, or signed with another key.",
    NEW_TOKEN,
    "login",
  ],
  token_expired: ["The token has expired", "Access tokens live for some minutes only.", NEW_TOKEN, "login"],
  token_revoked: ["The token was revoked", "Somebody ended it before its time.", NEW_TOKEN, "login"],
  invalid_ticket: ["The ticket is not valid", "A ticket works once, and for half a minute.", NEW_TOKEN, "login"],
  ambiguous_credentials: [
    "More than one credential was sent",
    "Two that differ, or one of them twice: the gateway does not choose between them.",
    NEW_TOKEN,
    "login",
  ],
  session_revoked: ["The session has ended", "It was logged out, or the password was changed.", LOG_IN, "login"],
  user_disabled: ["The account is disabled", "It was switched off, or is gone.", LOG_IN, "login"],
  origin_not_allowed: [
    "Pages from here may not connect",
    "This page's origin is not among the gateway's allowed origins (setting auth.allowed_origins).",
    STOP,
    "stop",
  ],
  forbidden: ["Not allowed", "Your account may not do this, or what you asked for does not exist.", STOP, "stop"],
  banned: ["Banned", "You are banned from this room.", STOP, "stop"],
  room_full: ["The room is full", "It has as many members connected as it may have.", STOP, "stop"],
  kicked: ["Removed from the room", "Somebody who may do so took you out.", PERSON, "stop"],
  disconnected: ["Disconnected by an administrator", "Somebody who may do so ended this connection.", PERSON, "stop"],
  room_closed: ["The room was closed", "It no longer exists.", PERSON, "stop"],
  rate_limited: ["Too much at once", "More was sent than the limits allow.", BACK_OFF, "retry"],
  connection_limit: ["Too many connections", "The limit on open connections is reached.", BACK_OFF, "retry"],
  protocol_violation: [
    "The protocol was broken",
    "Too many frames within a minute were not commands of gateroom.v1.",
    FIX,
    "stop",
  ],
  slow_consumer: ["Too slow", "This page took in less than was sent to it.", "It may reconnect at once.", "retry"],
  restarting: ["The gateway is restarting", "It closes its sockets in good order.", "It should be back shortly.", "spread"],
  overloaded: ["The gateway has too much to do", "It takes no more work at the moment.", BACK_OFF, "spread"],
  ping_timeout: ["No answer to a ping", "The gateway heard nothing from here any more.", BACK_OFF, "retry"],
  internal_error: [
    "Something went wrong in the gateway",
    "The number after the reason, if there is one, stands in its log too.",
    BACK_OFF,
    "retry",
  ],
};

const CODES = {
  1000: ["Closed", "The connection ended in good order.", "Connect again when you like.", "stop"],
  1001: ["The other side went away", "The gateway, or a proxy before it, is stopping.", BACK_OFF, "stop"],
  1002: ["The frames were not WebSocket", "Something on the way does not speak the protocol.", FIX, "stop"],
  1003: ["Binary is not taken", "The protocol has text frames only.", FIX, "stop"],
  1005: ["Closed", "The other side gave no reason.", "Connect again when you like.", "stop"],
  1006: [
    "The connection was lost",
    "It broke off without a goodbye: the network, the gateway, or this page having read too slowly.",
    "It may reconnect.",
    "retry",
  ],
  1007: ["The text was not UTF-8", "A frame could not be read as text.", FIX, "stop"],
  1008: ["Refused by a rule", "The gateway did not say which one.", STOP, "stop"],
  1009: ["The message was too big", "It is over the gateway's limit for one message.", FIX, "stop"],
  1011: REASONS.internal_error,
  1012: REASONS.restarting,
  1013: REASONS.overloaded,
};

/** What to say when the handshake failed without a close frame: the browser keeps the reason to itself. */
export const HIDDEN_REFUSAL = {
  title: "The gateway did not open a socket",
  meaning: "It answers, so it refused the handshake by an HTTP status, which browsers do not show to a page:",
  points: [
    "403: this page's origin is not allowed (setting auth.allowed_origins), or refusals are told by HTTP only.",
    "429: too many connections or attempts. Wait a little before the next.",
    "503: the gateway is restarting or overloaded. Try again in some seconds.",
    "400 or 431: the handshake was changed on the way, for example by a proxy that does not pass WebSockets on.",
  ],
  advice: "The browser's network tools show the status of the request to /ws. Then try again.",
  next: "stop",
};

/** What to say when nothing answers at all. */
export const UNREACHABLE = {
  title: "The gateway does not answer",
  meaning: "Neither a socket nor a page can be had from it: it is stopped, or the network is down.",
  advice: "See that it runs, then try again.",
  next: "stop",
};

/** Explain the close event of a socket that was accepted. */
export function explain({ code, reason }) {
  const word = reason.split(/[^a-z_]/, 1)[0];
  const known = Object.hasOwn(REASONS, word) ? REASONS[word] : CODES[code];
  const [title, meaning, advice, next] = known ?? ["Closed", "This code is not one of the gateway's.", BACK_OFF, "stop"];
  return { title, meaning, advice, next };
}

const REFUSED = {
  invalid_command: "the gateway does not understand this",
  forbidden: "you may not do this, or there is no such room or user",
  banned: "you are banned from this room",
  muted: "you are muted in this room",
  not_joined: "join the room first",
  conflict: "it has changed meanwhile",
  room_full: "the room is full",
  limit_reached: "a limit on how many you may have is reached",
  too_large: "this is larger than the gateway takes",
  rate_limited: "too much at once, slow down",
  unavailable: "this cannot be done at the moment, try again",
  connection_lost: "the connection ended before it was answered",
};

/** Say why a command failed: its code, and the sentence for it (ours, or else the gateway's). */
export const refusal = ({ code, message }) => `${code}: ${Object.hasOwn(REFUSED, code) ? REFUSED[code] : message}`;
