// Elements are made here and nowhere else: children that are strings become text, never markup, so
// that names and output of guests cannot be more than text.

/** make("a", {href: "#/"}, "text", element, …): null, undefined and false are left out. */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key in element && key !== "list" && typeof value !== "string") element[key] = value;
    else element.setAttribute(key, value);
  }
  fill(element, ...children);
  return element;
}

/** Appends children; arrays are appended one by one. */
export function fill(element, ...children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

export function replace(element, ...children) {
  element.replaceChildren();
  return fill(element, ...children);
}

/**
 * Replaces what is shown again and again. What is the same stays; otherwise the keyboard's focus and
 * what was scrolled aside are where they were, as far as that is still there.
 */
export function refresh(element, ...children) {
  const next = fill(element.cloneNode(), ...children);
  const areas = [...next.querySelectorAll(".scroll")];
  const before = [...element.querySelectorAll(".scroll")];
  areas.forEach((area, number) => {
    for (const {name, value} of before[number]?.attributes ?? []) area.setAttribute(name, value);
  });
  if (element.isEqualNode(next)) return;
  const focused = element.contains(document.activeElement) ? document.activeElement : null;
  const index = focused ? reachable(element).indexOf(focused) : -1;
  const scrolled = before.map(one => one.scrollLeft);
  element.replaceChildren(...next.childNodes);
  areas.forEach((area, number) => { if (scrolled[number]) area.scrollLeft = scrolled[number]; });
  if (!focused) return;
  const now = reachable(element);
  const target = now.find(one => word(one) === word(focused)) ?? now[Math.min(index, now.length - 1)];
  (target ?? document.getElementById("main")).focus({preventScroll: true});
}

const reachable = element => [...element.querySelectorAll("a, button, input, select, [tabindex]")];
const word = element => element.localName + (element.getAttribute("href")
  ?? element.getAttribute("aria-label") ?? element.textContent);

/** A table; columns are [title, class]. Rows are arrays of children. */
export function table(caption, columns, rows) {
  const area = make("div", {class: "scroll"}, make("table", {"aria-label": caption},
    make("thead", {}, make("tr", {}, columns.map(([title, kind]) =>
      make("th", {scope: "col", class: kind}, title)))),
    make("tbody", {}, rows.map(row => make("tr", {}, row.map((cell, index) =>
      make("td", {class: columns[index][1]}, cell)))))));
  return scrollable(area, caption);
}

/** What may be wider than the window can then be moved by keyboard: not each browser lets it. */
export function scrollable(area, name) {
  widths.observe(area);
  names.set(area, name);
  return area;
}

const names = new WeakMap();
const widths = new ResizeObserver(entries => {
  for (const {target} of entries) {
    if (target.scrollWidth > target.clientWidth) {
      target.setAttribute("tabindex", "0");
      target.setAttribute("role", "region");
      target.setAttribute("aria-label", names.get(target));
    } else for (const name of ["tabindex", "role", "aria-label"]) target.removeAttribute(name);
  }
});

/** Asks before something that cannot be undone; the promise is true for yes. */
export function ask(question, verb) {
  const before = document.activeElement;
  return new Promise(done => {
    const button = (title, kind, answer) => make("button",
      {type: "button", class: kind, onclick: () => box.close(answer)}, title);
    const box = make("dialog", {"aria-labelledby": "question"},
      make("p", {id: "question"}, harmless(question)),
      make("div", {class: "row"}, button("Cancel", null, ""), button(verb, "danger", "yes")));
    box.addEventListener("close", () => {
      box.remove();
      before?.focus();
      done(box.returnValue === "yes");
    });
    document.body.append(box);
    box.showModal();
  });
}

/** Does something once at a time. A disabled button would lose the keyboard's focus. */
export async function once(button, work) {
  if (button.getAttribute("aria-disabled")) return;
  button.setAttribute("aria-disabled", "true");
  try { await work(); } finally { button.removeAttribute("aria-disabled"); }
}

/** Tells something at the edge of the page, for some seconds. */
export function notify(text, isBad = false) {
  const box = make("div", {class: isBad ? "bad" : null, role: isBad ? "alert" : null}, harmless(text));
  document.getElementById("notice").append(box);
  setTimeout(() => box.remove(), isBad ? 12000 : 5000);
}

/** Controls or marks that reorder text are shown by their numbers. */
export function harmless(text) {
  return String(text).replace(
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    mark => "\\u{" + mark.codePointAt(0).toString(16) + "}");
}

export const size = bytes => {
  if (bytes === null || bytes === undefined) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let index = 0;
  while (bytes >= 1024 && index < units.length - 1) { bytes /= 1024; index += 1; }
  return (index === 0 ? bytes : bytes.toFixed(1)) + " " + units[index];
};

export const seconds = value => {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (value >= 120) {
    const minutes = Math.floor(value / 60);
    return minutes >= 120 ? Math.floor(minutes / 60) + " h " + minutes % 60 + " min"
      : minutes + " min";
  }
  if (value >= 1) return value.toFixed(1) + " s";
  if (value >= 1e-3) return (value * 1e3).toFixed(1) + " ms";
  return Math.round(value * 1e6) + " µs";
};

/** A number with commas. toLocaleString loads tables first: 8 ms of the first view. */
export const count = value => {
  const [whole, part] = String(Math.round(Number(value ?? 0) * 1000) / 1000).split(".");
  return whole.replace(/\B(?=(\d{3})+$)/g, ",") + (part ? "." + part : "");
};

export const clock = time => {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? String(time) : date.toLocaleTimeString();
};
