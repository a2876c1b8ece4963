// JSON as text: checked before it is sent, indented for reading, never re-encoded, so that no number changes.

/** Return what is wrong with `text` as JSON, in words; null when it is right. */
export function problemOf(text) {
  if (!text.trim()) return "There is nothing to send yet.";
  try {
    JSON.parse(text);
    return null;
  } catch (error) {
    return `This is not JSON: ${error.message}`;
  }
}

/** Indent valid JSON text by two spaces a level; anything else comes back as it is. */
export function indent(text) {
  if (problemOf(text) !== null) return text;
  const breakAt = (depth) => `\n${"  ".repeat(depth)}`;
  let out = "";
  let depth = 0;
  // Strings, empty brackets, single marks, and runs of anything else (numbers, words).
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|\{\s*\}|\[\s*\]|[{}[\],:]|[^\s{}[\],:"]+/g)) {
    if (token === "{" || token === "[") out += token + breakAt(++depth);
    else if (token === "}" || token === "]") out += breakAt(--depth) + token;
    else if (token === ",") out += token + breakAt(depth);
    else if (token === ":") out += ": ";
    else out += token.length > 1 && (token[0] === "{" || token[0] === "[") ? token[0] + token.at(-1) : token;
  }
  return out;
}

// A JWT anywhere, and the value of a field that holds a secret.
const JWT = /\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*/g;
const SECRET = /("(?:token|access_token|refresh_token|ticket|password)"\s*:\s*")(?:[^"\\]|\\.)*(?=")/g;

/** Cover the credentials in a frame, for showing it. */
export const masked = (text) => text.replace(SECRET, "$1\u2022\u2022\u2022").replace(JWT, "\u2022\u2022\u2022");
