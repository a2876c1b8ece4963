// Makes elements, and text that cannot pretend to be anything else. Nothing here or elsewhere parses HTML.

export const byId = (id) => document.getElementById(id);

/** Make an element; `props` are properties, except `data` (dataset) and `aria` (aria-*); strings become text. */
export function el(tag, props = {}, ...children) {
  const { data = {}, aria = {}, ...rest } = props;
  const node = Object.assign(document.createElement(tag), rest);
  Object.assign(node.dataset, data);
  for (const [name, value] of Object.entries(aria)) node.setAttribute(`aria-${name}`, value);
  node.append(...children);
  return node;
}

// Controls, and characters that are invisible or turn the reading direction (UAX 9, UTR 36 section 2.10.4). The joiners
// U+200C and U+200D stay: scripts and emoji need them.
const HIDDEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/** Text as nodes, with every hidden character shown by its number, so that it cannot rearrange what stands around it. */
export function visible(text) {
  const fragment = document.createDocumentFragment();
  let from = 0;
  for (const match of text.matchAll(HIDDEN)) {
    const number = match[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, "0");
    const mark = el("span", { className: "hidden-character", title: "A hidden character" }, `U+${number}`);
    fragment.append(text.slice(from, match.index), mark);
    from = match.index + match[0].length;
  }
  fragment.append(text.slice(from));
  return fragment;
}

/** A name as text that keeps its own direction to itself. */
export const nameOf = (text) => el("bdi", {}, visible(String(text)));

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });

/** A moment as local hours, minutes and seconds; "" for what is no moment. */
export function timeOf(moment) {
  const date = new Date(moment);
  return Number.isNaN(date.getTime()) ? "" : clock.format(date);
}

/** A number of bytes for people. */
export function sizeOf(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1024 * 1024 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

/** "1 message", "2 messages". */
export const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** The address of something beside this page, wherever the gateway is mounted. */
export const beside = (path) => new URL(path, document.baseURI);
