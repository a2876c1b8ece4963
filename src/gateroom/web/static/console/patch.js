// JSON Patch (RFC 6902) as a client needs it to follow a shared document, whose server has judged every operation.

/** Return what the operations make of `document`, which stays as it is. Throws when they do not fit it. */
export function patched(document, operations) {
  let root = structuredClone(document);
  for (const { op, path, from, value } of operations) {
    const source = op === "move" || op === "copy" ? structuredClone(resolve(root, tokens(from))) : value;
    if (op === "move") root = removed(root, tokens(from));
    if (op === "remove") root = removed(root, tokens(path));
    else if (op === "replace") root = put(root, tokens(path), source, 1);
    else if (op !== "test") root = put(root, tokens(path), source, 0);
  }
  return root;
}

const tokens = (pointer) =>
  pointer
    .split("/")
    .slice(1)
    .map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));

const resolve = (root, path) =>
  path.reduce((at, token) => {
    if (at === null || typeof at !== "object" || !Object.hasOwn(at, token)) throw new RangeError("There is no such place");
    return at[token];
  }, root);

function removed(root, path) {
  if (!path.length) return null; // moved onto itself: it is put back
  const [parent, key] = [resolve(root, path.slice(0, -1)), path.at(-1)];
  resolve(parent, [key]);
  if (Array.isArray(parent)) parent.splice(Number(key), 1);
  else delete parent[key];
  return root;
}

/** Put a value in the place of `instead` elements of an array, or as a member, whatever its name. */
function put(root, path, value, instead) {
  if (!path.length) return value;
  const [parent, key] = [resolve(root, path.slice(0, -1)), path.at(-1)];
  if (Array.isArray(parent)) parent.splice(key === "-" ? parent.length : Number(key), instead, value);
  else Object.defineProperty(parent, key, { value, writable: true, enumerable: true, configurable: true });
  return root;
}
