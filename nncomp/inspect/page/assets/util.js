// Small helpers: elements, numbers, and texts of strangers.

const SVG = "http://www.w3.org/2000/svg";
const byId = (id) => document.getElementById(id);

/** An element with properties, attributes (`aria-…`, `data-…`, `role`) and children. */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role" || name === "for") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

/** An SVG element; text goes in as text, whatever is in it. */
function draw(tag, attributes = {}, text) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

const HIDDEN_CHARACTERS = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/** A name as it may be shown: control characters as pictures of themselves, long ones cut. */
function shown(text, most = 300) {
  const cut = text.length > most ? `${text.slice(0, most - 1)}…` : text;
  return cut.replace(HIDDEN_CHARACTERS, (c) => {
    const code = c.charCodeAt(0);
    return code < 32 ? String.fromCharCode(0x2400 + code) : "\u2423";
  });
}

function scaled(number, step, units) {
  let value = number;
  let unit = 0;
  while (Math.abs(value) >= step - 0.5 && unit < units.length - 1) {
    value /= step;
    unit += 1;
  }
  const before = String(Math.trunc(Math.abs(value))).length;
  const digits = unit || !Number.isInteger(value) ? Math.max(0, 3 - before) : 0;
  return value.toFixed(digits) + units[unit];
}

const count = (number) => scaled(number, 1000, ["", " k", " M", " G", " T", " P", " E"]);
const bytes = (number) => scaled(number, 1024, [" B", " KiB", " MiB", " GiB", " TiB", " PiB"]);
const seconds = (number) => scaled(number * 1e6, 1000, [" µs", " ms", " s"]);

/** `f32[N, 64, 56, 56]` as `N×64×56×56`; the dtype only where it is not f32. */
function shortType(type) {
  const found = /^(\w+)\[(.*)\]$/.exec(type);
  if (!found) return type;
  const dims = found[2].split(", ").map((d) => (d.includes(" ") ? `(${d})` : d)).join("×");
  if (found[1] === "f32") return dims || "scalar";
  return `${found[1]} ${dims}`.trim();
}

const measuring = document.createElement("canvas").getContext("2d");
const widths = new Map();
const FONT = "system-ui, 'Segoe UI', 'Helvetica Neue', Helvetica, Arial, 'DejaVu Sans', sans-serif";

/** The width of a text in pixels. */
function textWidth(text, size, weight = 400) {
  const key = `${size}/${weight}/${text}`;
  let width = widths.get(key);
  if (width === undefined) {
    measuring.font = `${weight} ${size}px ${FONT}`;
    width = measuring.measureText(text).width;
    widths.set(key, width);
  }
  return width;
}

/** The text, cut with `…` where it is wider than `room`. */
function fit(text, size, room, weight = 400) {
  if (text.length > 400) text = `${text.slice(0, 399)}…`;
  if (textWidth(text, size, weight) <= room) return text;
  let low = 0;
  let high = text.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (textWidth(`${text.slice(0, middle)}…`, size, weight) <= room) low = middle;
    else high = middle - 1;
  }
  return `${text.slice(0, low).trimEnd()}…`;
}

const plural = (number, word) => `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;

/** What a screen reader says next. */
function announce(text) {
  byId("announcer").textContent = text;
}

/** A list of buttons that is one stop for Tab; arrows go from button to button. */
function roving(list) {
  const buttons = () => [...list.querySelectorAll("button")];
  const settle = (chosen) => buttons().forEach((button) => { button.tabIndex = button === chosen ? 0 : -1; });
  list.addEventListener("focusin", (event) => settle(event.target));
  list.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const all = buttons();
    const next = { Home: all[0], End: all.at(-1) }[event.key] ?? (step && all[all.indexOf(event.target) + step]);
    if (!next) return;
    event.preventDefault();
    event.stopPropagation();
    next.focus();
  });
  new MutationObserver(() => settle(list.querySelector("button[tabindex='0']") ?? buttons()[0]))
    .observe(list, { childList: true });
  return list;
}
