// swift-format-ignore-file
// Made by Scripts/embed-console from the files in Page.

extension ConsoleFile {
    static let all: [ConsoleFile] = [
        ConsoleFile("console.js", "text/javascript; charset=utf-8", tag: "a019c0d44d0ce1b4", consoleJs),
        ConsoleFile("icon.svg", "image/svg+xml", tag: "f6d8cd383e00ee89", iconSvg),
        ConsoleFile("index.html", "text/html; charset=utf-8", tag: "469da5d1221fd23d", indexHtml),
        ConsoleFile("style.css", "text/css; charset=utf-8", tag: "6953c2d4afb17380", styleCss),
    ]
}

private let consoleJs: StaticString = ##"""
// Made by Scripts/embed-console.
const $dom = (() => {
// Elements are made here and nowhere else: children that are strings become text, never markup, so
// that names and output of guests cannot be more than text.

/** make("a", {href: "#/"}, "text", element, …): null, undefined and false are left out. */
function make(name, attributes = {}, ...children) {
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
function fill(element, ...children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

function replace(element, ...children) {
  element.replaceChildren();
  return fill(element, ...children);
}

/**
 * Replaces what is shown again and again. What is the same stays; otherwise the keyboard's focus and
 * what was scrolled aside are where they were, as far as that is still there.
 */
function refresh(element, ...children) {
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
function table(caption, columns, rows) {
  const area = make("div", {class: "scroll"}, make("table", {"aria-label": caption},
    make("thead", {}, make("tr", {}, columns.map(([title, kind]) =>
      make("th", {scope: "col", class: kind}, title)))),
    make("tbody", {}, rows.map(row => make("tr", {}, row.map((cell, index) =>
      make("td", {class: columns[index][1]}, cell)))))));
  return scrollable(area, caption);
}

/** What may be wider than the window can then be moved by keyboard: not each browser lets it. */
function scrollable(area, name) {
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
function ask(question, verb) {
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
async function once(button, work) {
  if (button.getAttribute("aria-disabled")) return;
  button.setAttribute("aria-disabled", "true");
  try { await work(); } finally { button.removeAttribute("aria-disabled"); }
}

/** Tells something at the edge of the page, for some seconds. */
function notify(text, isBad = false) {
  const box = make("div", {class: isBad ? "bad" : null, role: isBad ? "alert" : null}, harmless(text));
  document.getElementById("notice").append(box);
  setTimeout(() => box.remove(), isBad ? 12000 : 5000);
}

/** Controls or marks that reorder text are shown by their numbers. */
function harmless(text) {
  return String(text).replace(
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    mark => "\\u{" + mark.codePointAt(0).toString(16) + "}");
}

const size = bytes => {
  if (bytes === null || bytes === undefined) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let index = 0;
  while (bytes >= 1024 && index < units.length - 1) { bytes /= 1024; index += 1; }
  return (index === 0 ? bytes : bytes.toFixed(1)) + " " + units[index];
};

const seconds = value => {
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
const count = value => {
  const [whole, part] = String(Math.round(Number(value ?? 0) * 1000) / 1000).split(".");
  return whole.replace(/\B(?=(\d{3})+$)/g, ",") + (part ? "." + part : "");
};

const clock = time => {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? String(time) : date.toLocaleTimeString();
};
return {make, fill, replace, refresh, table, scrollable, ask, once, notify, harmless, size, seconds, count, clock};
})();
const $api = (() => {
// Requests to the server that the page came from. The token is kept for this tab only and is never
// part of an address.

const key = "wasmd-token";

const token = {
  get: () => sessionStorage.getItem(key) ?? "",
  set: value => value ? sessionStorage.setItem(key, value) : sessionStorage.removeItem(key),
};

class Failure extends Error {
  constructor(status, message, document) {
    super(message);
    this.status = status;
    this.document = document;
  }
}

let told = () => {};

/** Calls `handler` with true when the server does not answer, and with false when it does. */
const watch = handler => { told = handler; };

/** A response, whatever its status. */
async function send(method, path, {body, type, accept, signal} = {}) {
  const headers = {};
  if (token.get()) headers.Authorization = "Bearer " + token.get();
  if (type) headers["Content-Type"] = type;
  if (accept) headers.Accept = accept;
  try {
    const response = await fetch(
      path, {method, headers, body, signal, cache: "no-store", redirect: "error"});
    told(false);
    return response;
  } catch (error) {
    // What browsers say is "Failed to fetch".
    if (signal?.aborted) throw error;
    told(true);
    throw new Error(`the server at ${location.origin} does not answer; is it running?`);
  }
}

/** The error that a response is. */
async function failure(response) {
  const text = await response.text();
  let document = null;
  try { document = JSON.parse(text); } catch { /* A line of text. */ }
  const error = document?.error;
  const message = error?.message ?? (typeof error === "string" ? error : text.trim());
  return new Failure(response.status, message || `status ${response.status}`, document);
}

/** JSON of a successful response. */
async function json(method, path, options = {}) {
  const response = await send(method, path, {accept: "application/json", ...options});
  if (!response.ok) throw await failure(response);
  const text = await response.text();
  return text ? JSON.parse(text) : null;
}

/**
 * Server-sent events until `signal` is aborted; after a failure it begins again, more slowly each
 * time. They are read by fetch, since an EventSource sends no token. A refusal for good is thrown.
 */
async function follow(path, signal, handle) {
  let pause = 500;
  while (!signal.aborted) {
    try {
      const response = await send("GET", path, {accept: "text/event-stream", signal});
      if ([401, 403, 404, 421].includes(response.status)) throw await failure(response);
      if (response.ok) {
        pause = 500;
        await read(response.body, handle);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Failure) throw error;
    }
    if (signal.aborted) return;
    await new Promise(done => setTimeout(done, pause));
    pause = Math.min(pause * 2, 10000);
  }
}

async function read(body, handle) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const {done, value} = await reader.read();
    if (done) return;
    rest += value;
    let end;
    while ((end = rest.search(/\r?\n\r?\n/)) >= 0) {
      const block = rest.slice(0, end);
      rest = rest.slice(end).replace(/^\r?\n\r?\n/, "");
      let type = "message";
      const data = [];
      for (const line of block.split(/\r?\n/)) {
        if (line.startsWith("event:")) type = line.slice(6).trim();
        if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
      }
      if (data.length) handle(type, JSON.parse(data.join("\n")));
    }
  }
}

/** Whether the server has a path, by its own description: not each host is there. */
const serves = async (path, options) =>
  path in (await json("GET", "/openapi.json", options)).paths;

/** Text as one word of a shell. */
const quoted = text => /^[\w@%+=:,./?&-]+$/.test(text) && !/[?&]/.test(text)
  ? text : "'" + String(text).replaceAll("'", "'\\''") + "'";

/** The curl line that does the same as a request. */
function curl(method, path, {body, file, type, accept} = {}) {
  const words = ["curl"];
  const hasBody = body !== undefined || file !== undefined;
  if (method !== (hasBody ? "POST" : "GET")) words.push("-X", method);
  if (token.get()) words.push("-H", '"Authorization: Bearer $TOKEN"');
  if (accept) words.push("-H", quoted("Accept: " + accept));
  if (type) words.push("-H", quoted("Content-Type: " + type));
  if (file !== undefined) words.push("--data-binary", quoted("@" + file));
  // '@' at the beginning is no file's name here.
  else if (body !== undefined) words.push("--data-raw", quoted(body));
  words.push(quoted(location.origin + path));
  return words.join(" ");
}
return {token, Failure, watch, send, failure, json, follow, serves, quoted, curl};
})();
const $parts = (() => {
// Parts that several views have.

const {make, ask, once, harmless, notify, seconds, size, count, clock} = $dom;
const {curl, json, send, failure} = $api;

/** The curl line of an action, with a button that copies it. */
function command(...request) {
  const text = typeof request[0] === "function" ? request[0] : () => curl(...request);
  const line = make("pre", {class: "mono"}, text());
  // There are several of them in a view: each says which one it is.
  const name = typeof request[0] === "function" ? "curl"
    : `curl: ${request[0]} ${request[1].split("?")[0]}`
      + (request[2]?.accept ? ` as ${request[2].accept}` : "");
  const part = make("details", {class: "curl"},
    make("summary", {}, name), line,
    make("button", {type: "button", onclick: async () => {
      try {
        await navigator.clipboard.writeText(text());
        notify("Copied.");
      } catch { notify("The browser does not let the page copy.", true); }
    }}, "Copy"));
  part.refresh = () => { line.textContent = text(); };
  part.addEventListener("toggle", part.refresh);
  return part;
}

/** A button that sends a request and tells what came of it. */
function action(title, method, path, {body, type, confirmation, isDangerous, isText, done} = {}) {
  const button = make("button", {type: "button", class: isDangerous ? "danger" : null}, title);
  const line = make("p", {class: "faint", role: "status"});
  button.addEventListener("click", () => once(button, async () => {
    if (confirmation && !await ask(confirmation, title)) return;
    line.textContent = "…";
    try {
      const answer = await (isText ? text : json)(method, path, {body, type});
      line.textContent = answer === null ? "Done." : isText ? harmless(answer) : summary(answer);
      await done?.(answer);
    } catch (error) {
      line.textContent = "";
      notify(`${title}: ${error.message}`, true);
    }
  }));
  return make("div", {}, button, line, command(method, path, {body, type}));
}

async function text(method, path, options) {
  const response = await send(method, path, options);
  if (!response.ok) throw await failure(response);
  return response.status === 204 ? "There is nothing." : response.text();
}

const summary = answer => Object.entries(answer)
  .filter(([, value]) => typeof value !== "object" || (Array.isArray(value) && value.length))
  .map(([name, value]) => `${name.replaceAll("_", " ")}: ${harmless(value)}`).join(", ") || "Done.";

const outcome = run => run.state === "running" ? make("span", {}, "running")
  : make("span", {class: run.outcome === "succeeded" || run.outcome === "exited" ? "good" : "bad"},
    harmless(run.reason ?? run.outcome));

/** Updates every two seconds, as long as the view is shown. */
function repeat(signal, update) {
  const again = async () => {
    if (signal.aborted) return;
    if (!document.hidden) await update().catch(() => {});
    if (!signal.aborted) setTimeout(again, 2000);
  };
  setTimeout(again, 2000);
}

/** A label over a field. */
const labelled = (title, field) => make("label", {}, make("span", {}, title), field);

/** Runs in a table. */
function runTable(caption, runs, isActive) {
  const columns = [["Run"], ["Module"], ["Function"], ["Begin"], ["Time", "number"],
    isActive ? ["Memory", "number"] : ["Fuel", "number"], ["Outcome", "wide"]];
  return {columns, caption, rows: runs.map(run => [
    make("a", {href: "#/runs/" + encodeURIComponent(run.id), class: "mono"}, run.id.slice(-12)),
    harmless(run.module), harmless(run.function), clock(run.start), seconds(run.seconds),
    isActive ? size(run.memory_bytes) : count(run.fuel), outcome(run)])};
}

/** A file that the server makes, kept by the browser. */
async function download(path, name) {
  const response = await send("GET", path);
  if (!response.ok) throw await failure(response);
  save(await response.blob(), name);
}

function save(blob, name) {
  const address = URL.createObjectURL(blob);
  const link = make("a", {href: address, download: name});
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

/** A line over time: values from old to new, the last at the right, each `step` seconds after the other. */
function chart(title, format, step = 1) {
  const points = [];
  const value = make("div", {class: "value"}, "–");
  const most = make("p", {class: "faint"}, "since this view is open");
  const space = "http://www.w3.org/2000/svg";
  const image = document.createElementNS(space, "svg");
  image.setAttribute("viewBox", "0 0 119 40");
  image.setAttribute("preserveAspectRatio", "none");
  image.setAttribute("role", "img");
  image.setAttribute("aria-label", title);
  const [area, line] = ["chart-area", "chart-line"].map(kind => {
    const path = document.createElementNS(space, "path");
    path.setAttribute("class", kind);
    image.append(path);
    return path;
  });
  return {
    element: make("section", {class: "card"}, make("h2", {}, title), value, image, most),
    add(number) {
      points.push(Number.isFinite(number) ? number : 0);
      if (points.length > 120) points.shift();
      const top = Math.max(...points, 1e-9);
      const start = 120 - points.length;
      const path = points.map((point, index) =>
        `${index ? "L" : "M"}${start + index} ${(39 - 38 * point / top).toFixed(1)}`).join("");
      line.setAttribute("d", path);
      area.setAttribute("d", `${path}L119 40L${start} 40Z`);
      const text = Number.isFinite(number) ? format(number) : "–";
      value.textContent = text;
      const bound = Math.max(...points);
      const time = points.length * step;
      most.textContent = `at most ${bound ? format(bound) : 0} in the last `
        + (time < 120 ? `${time} s` : `${Math.floor(time / 60)} min`);
      image.setAttribute("aria-label", `${title}: now ${text}, ${most.textContent}`);
    },
  };
}
return {command, action, outcome, repeat, labelled, runTable, download, save, chart};
})();
const $modules = (() => {
const {make, fill, replace, table, size, count, harmless, notify} = $dom;
const {json, token, quoted} = $api;
const {command} = $parts;

/** A place to drop modules on, with progress. */
function uploader(done) {
  const picker = make("input", {type: "file", accept: ".wasm,application/wasm", multiple: true,
    id: "upload", "aria-label": "Modules to store"});
  const list = make("div", {role: "status"});
  const area = make("div", {class: "drop"},
    make("p", {}, "Drop .wasm files here, or choose them:"), picker, list,
    command(() => `curl --data-binary @module.wasm${token.get()
      ? ' -H "Authorization: Bearer $TOKEN"' : ""} ${quoted(location.origin + "/wasm")}`));
  const take = async files => {
    for (const file of files) {
      const bar = make("progress", {max: 1, value: 0, "aria-label": file.name});
      const line = make("p", {}, harmless(file.name), " ", bar);
      list.append(line);
      try {
        const answer = await upload(file, part => { bar.value = part; });
        replace(line, make("span", {class: "good"}, "Stored "),
          make("a", {href: "#/modules/" + answer.id}, harmless(file.name)), ` (${size(file.size)})`);
        if (files.length === 1) {
          // Whoever stores one wants to call it.
          notify(`Stored ${harmless(file.name)}.`);
          location.hash = "#/modules/" + encodeURIComponent(answer.id);
        } else done?.(answer);
      } catch (error) {
        replace(line, make("span", {class: "bad"}, harmless(`${file.name}: ${error.message}`)));
      }
    }
  };
  picker.addEventListener("change", () => { take([...picker.files]); picker.value = ""; });
  target = {area, take};
  return area;
}

/** The place that takes what is dropped: that of the view that was shown last. */
let target = null;

/**
 * Files may be dropped anywhere: a browser would open what is dropped beside the place for it, and
 * leave the page.
 */
function takeDrops() {
  for (const type of ["dragover", "dragleave", "drop"]) {
    addEventListener(type, async event => {
      if (![...event.dataTransfer?.types ?? []].includes("Files")) return;
      event.preventDefault();
      if (target?.area.isConnected) target.area.classList.toggle("over", type === "dragover");
      if (type !== "drop") return;
      const files = [...event.dataTransfer.files];
      if (!target?.area.isConnected) {
        location.hash = "#/modules";
        for (let round = 0; round < 100 && !target?.area.isConnected; round += 1) {
          await new Promise(done => setTimeout(done, 50));
        }
      }
      if (target?.area.isConnected) await target.take(files);
    });
  }
}

/** fetch tells nothing of the progress of a body. */
function upload(file, progress) {
  return new Promise((done, fail) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/wasm");
    if (token.get()) request.setRequestHeader("Authorization", "Bearer " + token.get());
    request.setRequestHeader("Content-Type", "application/wasm");
    request.upload.onprogress = event => progress(event.loaded / Math.max(event.total, 1));
    request.onerror = () => fail(new Error("the connection broke"));
    request.onload = async () => {
      let answer = null;
      try { answer = JSON.parse(request.responseText); } catch { /* A line of text. */ }
      if (request.status >= 200 && request.status < 300 && answer?.id) {
        try {
          await stored(answer);
          done(answer);
        } catch (error) { fail(error); }
      } else fail(new Error(answer?.error?.message ?? `status ${request.status}`));
    };
    request.send(file);
  });
}

/** Waits until a write is done. */
async function stored(answer) {
  for (let round = 0; answer.job && round < 50; round += 1) {
    const job = await json("GET", "/jobs/" + answer.job);
    const state = String(job.state).toUpperCase();
    if (job.error) throw new Error(job.error);
    if (!["PENDING", "RUNNING", "WAITING", "QUEUED"].includes(state)) return;
    await new Promise(next => setTimeout(next, 100));
  }
}

async function show({place, signal, query}) {
  const after = query.get("after");
  const path = "/admin/modules?limit=100" + (after ? "&after=" + encodeURIComponent(after) : "");
  const page = await json("GET", path, {signal});
  const rows = page.items.map(item => [
    make("a", {href: "#/modules/" + encodeURIComponent(item.id), class: "mono"}, item.id),
    harmless(item.name ?? ""), size(item.size), count(item.runs), count(item.failures),
    count(item.running), count(item.fuel)]);
  const again = () => show({place, signal, query}).catch(error => notify(error.message, true));
  replace(place, make("h1", {}, "Modules"), uploader(again),
    rows.length ? table("Modules", [["Id"], ["Name"], ["Size", "number"], ["Runs", "number"],
      ["Failed", "number"], ["Running", "number"], ["Fuel", "number"]], rows)
      : make("p", {}, "No module is stored yet. Drop one above, or store it with curl."));
  fill(place, page.next
    ? make("p", {}, make("a", {href: "#/modules?after=" + encodeURIComponent(page.next)}, "Next page"))
    : null, command("GET", path));
}
return {uploader, takeDrops, show};
})();
const $overview = (() => {
const {make, refresh, replace, table, size, seconds, count, harmless} = $dom;
const {json, follow, send} = $api;
const {chart, runTable, command} = $parts;
const {uploader} = $modules;

/** The buckets of all requests to hosts, without those of the console itself. */
function buckets(text) {
  const counts = new Map();
  for (const line of text.split("\n")) {
    const match = line.match(
      /^wasmd_http_request_duration_seconds_bucket\{surface="([^"]*)".*le="([^"]*)"\} (\d+)/);
    if (!match || ["admin", "operation", "console"].includes(match[1])) continue;
    const limit = match[2] === "+Inf" ? Infinity : Number(match[2]);
    counts.set(limit, (counts.get(limit) ?? 0) + Number(match[3]));
  }
  return counts;
}

/** The bound of the bucket in which a part of the new requests ended. */
function quantile(now, before, part) {
  const limits = [...now.keys()].sort((a, b) => a - b);
  const news = limits.map(limit => now.get(limit) - (before.get(limit) ?? 0));
  const all = news.at(-1) ?? 0;
  if (all <= 0) return NaN;
  const index = news.findIndex(value => value >= all * part);
  return limits[index] === Infinity ? limits[index - 1] : limits[index];
}

async function show({place, signal}) {
  const status = await json("GET", "/admin/status", {signal});
  const charts = {
    load: chart("Runs a second", value => count(Math.round(value))),
    failures: chart("Failed runs a second", value => count(Math.round(value))),
    latency: chart("99 of 100 requests within", seconds, 2),
    queue: chart("Runs that go on or wait", count),
    memory: chart("Memory of the process", size),
    connections: chart("Connections", count),
  };
  const facts = make("div");
  const recent = make("div");
  replace(place, make("h1", {}, "Overview"), facts,
    make("div", {class: "cards charts"}, Object.values(charts).map(one => one.element)),
    make("h2", {}, "Drop a module to store it"), uploader(),
    make("h2", {}, "Last runs"), recent,
    command("GET", "/admin/status?follow=true"));

  let before = null;
  const see = now => {
    const time = performance.now() / 1000;
    if (before) {
      const passed = Math.max(time - before.time, 1e-3);
      charts.load.add((now.runs.ended - before.runs.ended) / passed);
      charts.failures.add((now.runs.failed - before.runs.failed) / passed);
      charts.queue.add(now.runs.running + now.runs.waiting);
      charts.memory.add(now.resident_bytes);
      charts.connections.add(now.listeners.reduce((sum, one) => sum + one.connections, 0));
    }
    before = {time, runs: now.runs};
    refresh(facts, make("p", {},
      make("strong", {class: now.ready ? "good" : "warn"}, now.ready ? "Ready" : "Not ready"),
      now.reasons.length ? ": " + now.reasons.map(harmless).join(", ") : "",
      ` · wasmd ${now.version} · up ${seconds(now.uptime_seconds)} · ${count(now.runs.ended)} runs, `
      + `${count(now.runs.failed)} failed, ${count(now.runs.refused)} refused · `
      + `${count(now.store.records)} records`,
      now.store.writable ? "" : make("strong", {class: "bad"}, " · the store cannot be written")));
  };
  see(status);

  let counts = null;
  const slower = async () => {
    if (signal.aborted) return;
    if (!document.hidden) {
      const [runs, metrics] = await Promise.all([
        json("GET", "/admin/runs?limit=8", {signal}),
        send("GET", "/metrics", {signal}).then(answer => answer.text()),
      ]).catch(() => [null, null]);
      if (signal.aborted) return;
      if (runs) {
        const lines = runTable("Last runs", runs.recent, false);
        refresh(recent, runs.recent.length
          ? table(lines.caption, lines.columns, lines.rows) : make("p", {}, "None yet: store a module, open it and "
            + "call one of its functions."));
        const now = buckets(metrics);
        if (counts) charts.latency.add(quantile(now, counts, 0.99));
        counts = now;
      }
    }
    setTimeout(slower, 2000);
  };
  slower();
  follow("/admin/status?follow=true", signal, (type, now) => {
    if (type === "status") see(now);
  }).catch(() => {});
}
return {show};
})();
const $module = (() => {
const {make, once, fill, refresh, replace, scrollable, table, size, seconds, count, harmless, notify, clock} = $dom;
const {json, send, failure, quoted, token} = $api;
const {action, command, labelled, repeat, runTable, save} = $parts;

/** The types of "(i32, i64) -> (f64)". */
function shape(text) {
  const match = (text ?? "").match(/^\((.*)\) -> \((.*)\)$/);
  const words = part => part ? part.split(",").map(word => word.trim()) : [];
  return match ? {parameters: words(match[1]), results: words(match[2])} : null;
}

/** What a field's text is as JSON: numbers stay as they were typed, since they may be 64 bits. */
function literal(text, type) {
  const word = text.trim();
  if (type === "i32" || type === "i64") {
    if (/^[+-]?\d+$/.test(word)) return word.replace(/^\+/, "").replace(/^(-?)0+(?=\d)/, "$1");
    if (/^-?0x[0-9a-f]+$/i.test(word)) return JSON.stringify(word);
  } else if (type === "f32" || type === "f64") {
    if (/^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(word)) return word;
    if (/^(-?Infinity|NaN)$/.test(word)) return JSON.stringify(word);
  } else if (type === "v128") {
    if (/^0x[0-9a-f]{32}$/i.test(word)) return JSON.stringify(word);
  } else if (isReference(type)) {
    if (word === "null") return word;
  } else return JSON.stringify(text);
  throw new Error(`'${word}' is no ${type}${hints[type] ? `: ${hints[type]}` : ""}`);
}

const hints = {
  i32: "a whole number, or 0x and digits", i64: "a whole number, or 0x and digits",
  f32: "a number, NaN, Infinity or -Infinity", f64: "a number, NaN, Infinity or -Infinity",
  v128: "0x and 32 hexadecimal digits, lowest byte first",
};
const isReference = type => /ref/.test(type);
/** References point to what is in the host or in a module: there is no text for them but null. */
const isNull = type => isReference(type) && !/^\(ref (?!null)/.test(type);
const initial = type => isReference(type) ? "null" : type === "v128" ? "0x" + "0".repeat(32)
  : hints[type] ? "0" : "";

function types(record, name, signature) {
  const declared = record.meta_data.param ?? [];
  const isItsOwn = record.meta_data.run_function === name && declared.length > 0;
  return isItsOwn ? declared.map(one => ({name: one.name, type: typeText(one.param_type)}))
    : signature.parameters.map((type, index) => ({name: `${index}`, type}));
}

const typeText = type => typeof type === "string" ? type.toLowerCase() : JSON.stringify(type);

async function show({place, signal, words: [id]}) {
  const path = "/wasm/" + encodeURIComponent(id);
  const [record, code] = await Promise.all([
    json("GET", path + "?wasm=false", {signal}),
    // Only operators may see code: its name is left out for others.
    json("GET", `/admin/modules/${encodeURIComponent(id)}/functions?limit=1`, {signal})
      .catch(() => null)]);
  const functions = record.exports.filter(one => one.kind === "function");
  const others = record.exports.filter(one => one.kind !== "function");
  const isProgram = functions.some(one => one.name === "_start");
  replace(place,
    make("h1", {}, "Module ", code?.module ? harmless(code.module)
      : make("span", {class: "mono"}, id)),
    make("p", {class: "faint"}, code?.module ? [make("span", {class: "mono"}, id), " · "] : null,
      `${size(record.meta_data.size)} · SHA-256 `,
      make("span", {class: "mono"}, record.sha256.slice(0, 16) + "…"),
      ` · stored ${new Date(record.created).toLocaleString()}`,
      record.changed !== record.created
        ? ` · changed ${new Date(record.changed).toLocaleString()}` : "", " · ",
      make("a", {href: `#/modules/${encodeURIComponent(id)}/functions`},
        code ? `Code of ${count(code.count)} function${code.count === 1 ? "" : "s"}` : "Code")),
    isProgram ? programForm(path, id) : null,
    functions.filter(one => one.name !== "_start").length
      ? [make("h2", {}, "Call a function"), make("div", {class: "cards"},
        functions.filter(one => one.name !== "_start").map(one => callForm(path, record, one)))]
      : null,
    make("h2", {}, "Imports"), record.imports.length
      ? table("Imports", [["Module"], ["Name"], ["Kind"], ["Type", "wide"]], record.imports.map(one =>
        [harmless(one.module), harmless(one.name), one.kind, make("code", {}, harmless(one.type ?? ""))]))
      : make("p", {}, "None."),
    others.length ? [make("h2", {}, "Other exports"), table("Other exports", [["Name"], ["Kind"]],
      others.map(one => [harmless(one.name), one.kind]))] : null,
    make("h2", {}, "Profile what runs now"), profileForm(id));
  const recent = make("div");
  const update = async () => {
    const runs = await json("GET", "/admin/runs?limit=20&module=" + encodeURIComponent(id), {signal});
    const lines = runTable("Last runs", [...runs.active, ...runs.recent], false);
    refresh(recent, make("h2", {}, "Last runs"), lines.rows.length
      ? table(lines.caption, lines.columns, lines.rows)
      : make("p", {}, "None yet: a call from above, or by curl, is one."));
  };
  await update().then(() => repeat(signal, update), () => {});
  fill(place, recent);
  fill(place, make("h2", {}, "Change"), make("div", {class: "row top"},
    make("button", {type: "button", onclick: async () => {
      try {
        const response = await send("GET", path, {accept: "application/wasm"});
        if (!response.ok) throw await failure(response);
        save(await response.blob(), id + ".wasm");
      } catch (error) { notify(error.message, true); }
    }}, "Download"),
    action("Delete", "DELETE", path, {isDangerous: true, confirmation: "Delete this module?",
      done: () => { location.hash = "#/modules"; }})),
  command("GET", path + "?wasm=false"),
  command("GET", path, {accept: "application/wasm"}));
}

/** The form of an exported function. */
function callForm(path, record, one) {
  const signature = shape(one.type);
  const head = [make("h3", {}, harmless(one.name)), make("code", {}, harmless(one.type ?? ""))];
  if (!signature) return make("section", {class: "card"}, head);
  const wanted = types(record, one.name, signature);
  const impossible = wanted.find(({type}) => isReference(type) && !isNull(type));
  if (impossible) {
    return make("section", {class: "card"}, head, make("p", {class: "warn"},
      `It cannot be called from here: no text stands for a value of ${impossible.type}, and it may `
      + "not be null."));
  }
  const fields = wanted.map(({type}) => make("input", {
    type: "text", value: initial(type), readOnly: isReference(type), title: hints[type],
    class: type === "v128" ? "mono" : null, autocomplete: "off", spellcheck: "false"}));
  const observed = observation();
  const target = () => `${path}?function=${encodeURIComponent(one.name)}`
    + (observed.value ? "&profile=" + observed.value : "");
  const body = () => "[" + fields.map((field, index) =>
    literal(field.value, wanted[index].type)).join(", ") + "]";
  const answer = make("div", {role: "status"});
  return make("section", {class: "card"}, head,
    make("form", {onsubmit: async event => {
      event.preventDefault();
      replace(answer, "…");
      try {
        await perform(answer, target(), body(), "application/json");
      } catch (error) { replace(answer, make("p", {class: "bad"}, harmless(error.message))); }
    }},
    wanted.map(({name, type}, index) => make("label", {},
      make("span", {}, harmless(`${name}: ${type}`) + (isReference(type) ? ", of which only null can "
        + "be passed: no text stands for another" : "")), fields[index])),
    labelled("With the result", observed),
    make("button", {class: "main"}, "Call")), answer,
    command(() => {
      let text;
      try { text = body(); } catch (error) { return harmless(error.message); }
      return line(target(), "-d " + quoted(text));
    }));
}

const line = (path, data) => `curl ${data}${token.get()
  ? ' -H "Authorization: Bearer $TOKEN"' : ""} ${quoted(location.origin + path)}`;

/** The form of a program of WASI. */
function programForm(path) {
  const words = make("textarea", {"aria-label": "Arguments, one in a line", rows: 2});
  const input = make("textarea", {"aria-label": "Standard input", rows: 3});
  const observed = observation();
  const target = () => {
    const parts = words.value.split("\n").filter(word => word)
      .map(word => "arg=" + encodeURIComponent(word));
    if (observed.value) parts.push("profile=" + observed.value);
    return path + (parts.length ? "?" + parts.join("&") : "");
  };
  const answer = make("div", {role: "status"});
  return [make("h2", {}, "Run the program"), make("section", {class: "card"},
    make("form", {onsubmit: async event => {
      event.preventDefault();
      replace(answer, "…");
      try {
        await perform(answer, target(), input.value, "text/plain");
      } catch (error) { replace(answer, make("p", {class: "bad"}, harmless(error.message))); }
    }},
    make("label", {}, make("span", {}, "Arguments, one in a line"), words),
    make("label", {}, make("span", {}, "Standard input"), input),
    labelled("With the output", observed),
    make("button", {class: "main"}, "Run")), answer,
    command(() => line(target(), "--data-binary " + quoted(input.value || ""))))];
}

/** Calls, and shows results, output, or the trap with its backtrace. */
async function perform(answer, path, body, type) {
  const start = performance.now();
  const response = await send("POST", path, {body, type});
  const time = seconds((performance.now() - start) / 1000);
  const text = await response.text();
  let result = null;
  // Integers may have 64 bits: what is shown is the text that the server wrote.
  if ((response.headers.get("Content-Type") ?? "").startsWith("application/json")) {
    try { result = JSON.parse(text); } catch { /* Shown as it is. */ }
  }
  if (!response.ok) {
    const error = result?.error ?? {message: text};
    return replace(answer, make("p", {class: "bad"}, harmless(error.message ?? text),
      error.limit ? ` (limit: ${harmless(error.limit)})` : ""),
    error.backtrace ? make("pre", {}, error.backtrace.map(harmless).join("\n")) : null);
  }
  const code = response.headers.get("Wasmd-Exit-Code") ?? result?.exit_code;
  replace(answer,
    make("p", {}, make("strong", {class: "good"}, "Answer "), make("span", {class: "faint"}, time),
      code !== undefined && code !== null ? ` · exit code ${code}` : ""),
    make("pre", {}, harmless(result?.output ?? exact(text, result))),
    result?.note ? make("p", {class: "warn"}, harmless(result.note)) : null,
    result?.run ? make("a", {href: "#/runs/" + result.run}, "The run") : null,
    result?.profile ? (result.profile.startsWith("TN:") ? coverage(result.profile)
      : picture(result.profile)) : null);
}

/** What is brought along: the values are those of `profile` in the query. */
const observation = () => make("select", {}, make("option", {value: ""}, "nothing else"),
  make("option", {value: "flamegraph.svg"}, "a flame graph"),
  make("option", {value: "coverage.info"}, "coverage: what ran how often"));

/** A tracefile of lcov as tables: functions, and lines where the module has debug information. */
function coverage(text) {
  const functions = [];
  const lines = [];
  let file = "";
  const numbers = new Map();
  for (const line of text.split("\n")) {
    const rest = line.slice(line.indexOf(":") + 1);
    const comma = rest.indexOf(",");
    const [first, second] = [rest.slice(0, comma), rest.slice(comma + 1)];
    if (line.startsWith("SF:")) file = rest;
    else if (line.startsWith("FN:")) numbers.set(file + "\n" + second, first);
    else if (line.startsWith("FNDA:")) {
      functions.push({name: second, file, line: numbers.get(file + "\n" + second), times: first});
    } else if (line.startsWith("DA:")) lines.push({file, line: first, times: second});
  }
  // Without debug information each function is one line of its own.
  const hasLines = lines.length > functions.length;
  const ran = list => `${list.filter(one => one.times !== "0").length} of ${list.length}`;
  const times = one => make("span", {class: one.times === "0" ? "bad" : "good"}, count(one.times));
  const short = one => harmless(one.file.split("/").at(-1)) + (hasLines ? ":" + one.line : "");
  const most = 500;
  return make("div", {}, make("p", {}, `${ran(functions)} functions ran`,
    hasLines ? `, ${ran(lines)} lines` : " (without debug information there are no lines)"),
  table("Functions that ran", [["Times", "number"], ["Function", "wide"], ["Place"]],
    functions.slice(0, most).map(one => [times(one), harmless(one.name), short(one)])),
  hasLines ? make("details", {}, make("summary", {}, "Lines"),
    table("Lines that ran", [["Times", "number"], ["Line"]],
      lines.slice(0, most).map(one => [times(one), short(one)]))) : null,
  functions.length > most || lines.length > most
    ? make("p", {class: "faint"}, `The first ${most} are shown.`) : null,
  make("button", {type: "button", onclick: () =>
    save(new Blob([text], {type: "text/plain"}), "coverage.info")}, "Save"));
}

/** The results as the server wrote them. */
function exact(text, result) {
  if (!result || !("results" in result)) return text;
  return text.match(/"results":(\[[^]*?\])(?:,"(?:run|note|profile)"|\}\s*$)/)?.[1] ?? text;
}

/** A picture cannot run anything, whatever its names are. */
function picture(svg) {
  const blob = new Blob([svg], {type: "image/svg+xml"});
  const image = make("img", {class: "flame", alt: "Flame graph: functions by their time",
    src: URL.createObjectURL(blob)});
  return make("div", {}, scrollable(make("div", {class: "scroll"}, image), "Flame graph"),
    make("button", {type: "button", onclick: () => save(blob, "flamegraph.svg")}, "Save"));
}

/** Profiles the runs of the next seconds. */
function profileForm(id) {
  const time = make("input", {type: "number", min: 1, max: 300, value: "5", "aria-label": "Seconds"});
  const answer = make("div", {role: "status"});
  const path = form => `/admin/profile?module=${encodeURIComponent(id)}&seconds=${time.value || 5}`
    + `&form=${form}`;
  const button = make("button", {type: "button", onclick: () => once(button, async () => {
    replace(answer, `Collecting for ${time.value || 5} seconds.`);
    try {
      const response = await send("POST", path("flamegraph.svg"));
      if (!response.ok) throw await failure(response);
      replace(answer, picture(await response.text()), make("p", {class: "faint"}, clock(new Date())));
    } catch (error) { replace(answer, make("p", {class: "bad"}, harmless(error.message))); }
  })}, "Profile");
  return make("section", {class: "card"}, make("div", {class: "row"},
    make("label", {}, make("span", {}, "Seconds"), time), button), answer,
  command(() => line(path("flamegraph.svg"), "-X POST")));
}
return {show, picture, profileForm};
})();
const $code = (() => {
const {make, fill, replace, table, size, harmless} = $dom;
const {json} = $api;
const {command} = $parts;

/** The functions of a module. */
async function showAll({place, signal, words: [id], query}) {
  const after = query.get("after");
  const path = `/admin/modules/${encodeURIComponent(id)}/functions?limit=500`
    + (after ? "&after=" + encodeURIComponent(after) : "");
  const page = await json("GET", path, {signal});
  const here = `#/modules/${encodeURIComponent(id)}/functions`;
  replace(place, make("h1", {}, page.module ? `Functions of ${harmless(page.module)}` : "Functions"),
    make("p", {}, make("a", {href: "#/modules/" + encodeURIComponent(id)}, "The module")),
    table("Functions", [["Index", "number"], ["Name"], ["Type"], ["Size", "number"]],
      page.items.map(one => [
        one.imported ? one.index : make("a", {href: `${here}/${one.index}`}, one.index),
        one.name ? harmless(one.name) : make("span", {class: "faint"}, one.imported ? "imported" : "–"),
        make("code", {}, harmless(one.type)), one.imported ? "" : size(one.size)])),
    page.next === null ? null : make("p", {}, make("a", {href: `${here}?after=${page.next}`}, "Next page")),
    command("GET", path));
}

/** A function as WebAssembly and as register code, side by side. */
async function showOne({place, signal, words: [id, index]}) {
  const path = `/admin/modules/${encodeURIComponent(id)}/functions/${encodeURIComponent(index)}`;
  const one = await json("GET", path, {signal});
  replace(place, make("h1", {}, `Function ${one.index}`, one.name ? " " + harmless(one.name) : ""),
    make("p", {}, make("a", {href: `#/modules/${encodeURIComponent(id)}/functions`}, "All functions"),
      " · ", make("code", {}, harmless(one.type)), one.size ? " · " + size(one.size) : ""));
  if (one.imported) return fill(place, make("p", {}, "It is imported."));
  // Register code keeps its order: each line stands beside the last instruction that begins no
  // later than the one it was made for.
  const rest = [...one.registers];
  const rows = one.wasm.map((line, number) => {
    const end = one.wasm[number + 1]?.offset ?? Infinity;
    const code = [];
    while (rest.length && (rest[0].offset ?? line.offset) < end) code.push(rest.shift());
    return ["0x" + line.offset.toString(16), "  ".repeat(Math.min(line.depth, 12)) + harmless(line.text),
      code.map(part => `${part.word}  ${harmless(part.text)}`).join("\n")];
  });
  fill(place, table("Code", [["Offset", "number mono"], ["WebAssembly", "code mono"],
    ["Register code", "code mono"]], rows), command("GET", path));
}
return {showAll, showOne};
})();
const $runs = (() => {
const {make, refresh, fill, replace, table, size, seconds, count, clock, harmless} = $dom;
const {json} = $api;
const {action, command, repeat, runTable, outcome} = $parts;
const {profileForm} = $module;

async function showAll({place, signal, query}) {
  const word = make("input", {type: "search", value: query.get("module") ?? "",
    "aria-label": "Id, digest or name of a module"});
  const places = {active: make("div"), recent: make("div"), jobs: make("div")};
  const path = "/admin/runs?limit=100" + (query.get("module")
    ? "&module=" + encodeURIComponent(query.get("module")) : "");
  replace(place, make("h1", {}, "Runs"),
    make("form", {class: "row", role: "search", onsubmit: event => {
      event.preventDefault();
      location.hash = "#/runs" + (word.value ? "?module=" + encodeURIComponent(word.value) : "");
    }}, make("label", {}, make("span", {}, "Module"), word), make("button", {}, "Filter")),
    make("h2", {}, "Active"), places.active, make("h2", {}, "Ended"), places.recent,
    command("GET", path), make("h2", {}, "Jobs: what was stored, changed and deleted"), places.jobs,
    command("GET", "/jobs?limit=20"));
  const update = async () => {
    const [runs, jobs] = await Promise.all([
      json("GET", path, {signal}), json("GET", "/jobs?limit=20", {signal})]);
    refresh(places.jobs, jobs.items.length
      ? table("Jobs", [["Job"], ["What"], ["Module"], ["End"], ["State", "wide"]],
        jobs.items.map(job => [make("span", {class: "mono"}, job.id.slice(-12)), verbs[job.job_type],
          make("a", {href: "#/modules/" + job.wasm, class: "mono"}, job.wasm), clock(job.time),
          make("span", {class: job.error ? "bad" : "good"}, harmless(job.error ?? job.state))]))
      : make("p", {}, "None since the server started."));
    for (const [key, isActive] of [["active", true], ["recent", false]]) {
      const lines = runTable(isActive ? "Active runs" : "Ended runs", runs[key], isActive);
      refresh(places[key], lines.rows.length
        ? table(lines.caption, lines.columns, lines.rows) : make("p", {},
          isActive ? "Nothing runs at the moment." : ["None yet: call a function of a ",
            make("a", {href: "#/modules"}, "module"), "."]));
    }
  };
  await update();
  repeat(signal, update);
}

const verbs = {SAVE: "stored", MODIFY: "changed", DELETE: "deleted"};

async function showOne({place, signal, words: [id]}) {
  const path = "/admin/runs/" + encodeURIComponent(id);
  const run = await json("GET", path, {signal});
  const facts = [
    ["Module", make("a", {href: "#/runs?module=" + encodeURIComponent(run.sha256)},
      harmless(run.module))],
    ["Function", harmless(run.function)], ["Caller", harmless(run.caller)],
    ["Begin", new Date(run.start).toLocaleString()], ["Time", seconds(run.seconds)],
    ["Computing", seconds(run.computing_seconds)], ["Waiting for a place", seconds(run.queue_seconds)],
    ["Fuel", run.fuel === undefined ? null : count(run.fuel)],
    ["Memory", size(run.peak_memory_bytes ?? run.memory_bytes)],
    ["Input, output, log", run.input_bytes === undefined ? null
      : [run.input_bytes, run.output_bytes, run.log_bytes].map(size).join(", ")],
    ["Exit code", run.exit_code], ["Limit", run.limit], ["Account", run.account], ["Trace", run.trace],
  ].filter(([, value]) => value !== null && value !== undefined);
  replace(place, make("h1", {}, "Run ", make("span", {class: "mono"}, run.id)),
    make("p", {}, outcome(run)),
    table("Facts of the run", [["What", "label"], ["Value", "wide"]], facts));
  if (run.trap) {
    fill(place, make("h2", {}, "Trap"), make("p", {class: "bad"}, harmless(run.trap.message)),
      make("pre", {}, run.trap.backtrace.map(harmless).join("\n")
        + (run.trap.omitted_frames ? `\n… ${run.trap.omitted_frames} more` : "")));
  }
  if (run.state === "running") {
    fill(place, make("div", {class: "row"}, action("Stop", "DELETE", path, {isDangerous: true})),
      make("h2", {}, "Profile while it runs"), profileForm(run.sha256));
  }
  fill(place, make("h2", {}, "Standard error"),
    make("p", {}, make("a", {href: "#/logs?run=" + encodeURIComponent(run.id)}, "Lines of this run")),
    command("GET", path));
}
return {showAll, showOne};
})();
const $logs = (() => {
const {make, replace, harmless} = $dom;
const {follow, Failure} = $api;
const {command} = $parts;

/** Lines that are shown at most. */
const limit = 2000;

async function show({place, signal, query}) {
  const run = query.get("run");
  const path = "/admin/logs?follow=true&recent=500" + (run ? "&run=" + encodeURIComponent(run) : "");
  const word = make("input", {type: "search", "aria-label": "Text that lines contain"});
  const list = make("div", {class: "log mono", role: "log", tabindex: "0",
    "aria-label": "Lines of standard error"});
  const paused = make("input", {type: "checkbox"});
  const state = make("p", {class: "faint"}, "No lines yet: what modules and services write to standard error is shown here.");
  const matches = line => line.textContent.toLowerCase().includes(word.value.toLowerCase());
  word.addEventListener("input", () => {
    for (const line of list.children) line.hidden = !matches(line);
  });
  replace(place, make("h1", {}, "Logs"),
    make("div", {class: "row"}, make("label", {}, make("span", {}, "Filter"), word),
      make("label", {}, paused, " hold the view")),
    run ? make("p", {}, "Lines of one run. ", make("a", {href: "#/logs"}, "All lines")) : null,
    state, list, command("GET", path));
  let waiting = [];
  const flush = () => {
    if (!waiting.length || paused.checked) return;
    const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    list.append(...waiting.splice(0));
    while (list.children.length > limit) list.firstChild.remove();
    state.textContent = "";
    if (isAtEnd) list.scrollTop = list.scrollHeight;
  };
  const timer = setInterval(flush, 200);
  signal.addEventListener("abort", () => clearInterval(timer));
  follow(path, signal, (type, line) => {
    if (waiting.length > limit) waiting = waiting.slice(-limit);
    const part = type === "lost" ? make("div", {class: "warn"}, `${line.lost} lines were lost`)
      : make("div", {}, make("span", {class: "faint"}, line.time.slice(11, 23) + " "),
        make("a", {href: "#/runs/" + line.run}, harmless(line.module ?? line.run.slice(-6))), " ",
        harmless(line.text));
    part.hidden = !matches(part);
    waiting.push(part);
  }).catch(error => {
    if (error instanceof Failure) state.textContent = error.message;
  });
}
return {show};
})();
const $objects = (() => {
// The objects of an image, and messages to them: only where a server has one.

const {make, once, refresh, replace, table, size, harmless, notify} = $dom;
const {curl, json} = $api;
const {action, command, repeat} = $parts;

async function show({place, signal, query}) {
  const prefix = query.get("prefix") ?? "";
  const after = query.get("after");
  const path = "/admin/othismo/objects?limit=100&prefix=" + encodeURIComponent(prefix)
    + (after ? "&after=" + encodeURIComponent(after) : "");
  const page = await json("GET", path, {signal});
  const messages = make("div", {class: "log mono", role: "log", tabindex: "0",
    "aria-label": "Messages without a receiver"});
  const field = make("input", {id: "prefix", spellcheck: "false", size: "30"});
  field.value = prefix;
  const rows = page.items.map(item => [
    item.kind === "folder" ? make("span", {class: "mono"}, harmless(item.path))
      : make("a", {class: "mono", href: "#/objects/" + encodeURIComponent(item.path)},
        harmless(item.path)),
    item.kind, item.size === undefined ? "" : size(item.size), harmless(item.target ?? "")]);
  replace(place, make("h1", {}, "Objects"),
    make("form", {class: "row", onsubmit: event => {
      event.preventDefault();
      location.hash = "#/objects?prefix=" + encodeURIComponent(field.value);
    }}, make("label", {}, make("span", {}, "Paths begin with"), field), make("button", {}, "Show")),
    rows.length ? table("Objects", [["Path"], ["Kind"], ["Size", "number"], ["Points to"]], rows)
      : make("p", {}, prefix ? "The image has no path that begins so." : "The image is empty: "
        + "'wasmd othismo IMAGE import-module FILE' puts a module into it."),
    page.next ? make("p", {}, make("a", {href: "#/objects?prefix=" + encodeURIComponent(prefix)
      + "&after=" + encodeURIComponent(page.next)}, "Next page")) : null,
    command("GET", path), make("h2", {}, "Messages without a receiver"), messages,
    command("GET", "/admin/othismo/console"));
  const update = async () => {
    const {items} = await json("GET", "/admin/othismo/console", {signal});
    refresh(messages, items.length
      ? items.map(one => make("div", {}, harmless(JSON.stringify(one))))
      : make("p", {}, "None yet: what objects send to '/', or to nobody, is shown here."));
  };
  await update();
  repeat(signal, update);
}

/** One object: a message is typed, and what comes back is shown. */
async function showOne({place, signal, words}) {
  const path = words[0];
  const page = await json("GET", "/admin/othismo/objects?limit=1&prefix="
    + encodeURIComponent(path), {signal});
  const item = page.items.find(one => one.path === path);
  const type = make("input", {id: "type", spellcheck: "false", size: "30"});
  const fields = make("textarea", {id: "fields", rows: 4, cols: 50, spellcheck: "false"});
  fields.value = "{}";
  const answers = make("div", {class: "log mono", role: "log", tabindex: "0",
    "aria-label": "Messages and answers"});
  const body = () => JSON.stringify({
    othismo: {send_to: path}, ...(type.value ? {[type.value]: JSON.parse(fields.value)} : {}),
  });
  const line = (kind, text) => answers.append(make("div", {class: kind}, harmless(text)));
  const sending = make("button", {class: "main"}, "Send");
  const example = command(() => {
    try {
      return curl("POST", "/admin/othismo/messages", {body: body(), type: "application/json"});
    } catch { return "The members are no JSON."; }
  });
  replace(place, make("h1", {class: "mono"}, harmless(path)),
    make("p", {}, item ? `${item.kind}${item.target ? ": " + harmless(item.target) : ""}`
      : "There is nothing at this path.", item?.size === undefined ? "" : `, ${size(item.size)}`),
    make("h2", {}, "Send a message"),
    make("form", {onsubmit: event => {
      event.preventDefault();
      once(sending, async () => {
        try {
          const text = body();
          line("faint", "> " + text);
          const answer = await json("POST", "/admin/othismo/messages",
            {body: text, type: "application/json", signal});
          for (const one of answer.answers) {
            line(one["othismo.error"] ? "bad" : "", JSON.stringify(one));
          }
          if (!answer.answers.length) {
            line("faint", answer.complete ? "No answer." : "No answer yet.");
          }
        } catch (error) { line("bad", error.message); }
      });
    }}, make("label", {}, make("span", {}, "Type, for example counter.add"), type),
    make("label", {}, make("span", {}, "Members, as JSON"), fields),
    make("div", {class: "row"}, sending)),
    answers, example,
    item ? action("Remove", "DELETE", "/admin/othismo/objects?path=" + encodeURIComponent(path), {
      isDangerous: true, confirmation: `Remove ${path} and its state?`,
      done: () => { notify("It is gone."); location.hash = "#/objects"; },
    }) : null);
}
return {show, showOne};
})();
const $server = (() => {
const {make, refresh, replace, table, size, seconds, count, harmless, notify} = $dom;
const {json} = $api;
const {action, command, download, repeat} = $parts;

/** How much of a limit is used: a number, and a bar for the eye. */
function usage(used, limit, format = count) {
  if (used === undefined || used === null) return "";
  const text = limit === null || limit === undefined ? format(used)
    : `${format(used)} of ${format(limit)}`;
  return [text, limit ? make("meter", {min: 0, max: limit, value: used, high: limit * 0.8,
    "aria-label": text}) : null];
}

const formats = {bytes: size, seconds: value => value ? seconds(value) : "0 s"};

/** Limits, and how far they are used where that is known; of those of each run, by the one that uses most. */
const limits = settings => table("Limits", [["Setting"], ["Limit", "number"], ["Used now", "number"],
  ["A change needs"]], settings.limits.map(one => {
  const format = formats[one.unit] ?? count;
  const limit = one.number === undefined
    ? (one.value === "[]" ? "none" : harmless(one.value) || "none") : format(one.number);
  return [make("code", {}, harmless(one.name)),
    one.each && one.number !== undefined ? `${limit} for each ${harmless(one.each)}` : limit,
    usage(one.used, one.number, format), one.reloadable ? "a reload" : "a restart"];
}));

const tenants = settings => settings.tenants.length
  ? table("Tenants", [["Name"], ["Stored", "number"], ["Runs now", "number"],
    ["Fuel of ten seconds that is left", "number"], ["Fuel used", "number"], ["Runs", "number"],
    ["Failed", "number"], ["Refused", "number"]],
  settings.tenants.map(one => [harmless(one.name),
    usage(one.stored_bytes.used, one.stored_bytes.limit, size),
    usage(one.instances.used, one.instances.limit),
    one.fuel.available === null ? "no quota"
      : `${count(one.fuel.available)} of ${count(one.fuel.per_second * 10)}`,
    count(one.fuel.used), count(one.runs.ended), count(one.runs.failed), count(one.runs.refused)]))
  : make("p", {}, "None: all tokens see all modules. A table ", make("code", {}, "[tenants.NAME]"),
    " in the configuration gives some a part and quotas of their own.");

const tokens = settings => settings.tokens.length
  ? table("Tokens", [["Name"], ["Scopes"], ["Tenant"], ["Requests a second", "number"],
    ["Runs now", "number"], ["Runs", "number"], ["Failed", "number"]],
  settings.tokens.map(one => [harmless(one.name), one.scopes.join(", "),
    harmless(one.tenant ?? "–"), one.rate ?? "any", ...["running", "ended", "failed"].map(name =>
      one.runs ? count(one.runs[name]) : "its tenant's")]))
  : make("p", {}, "None: whoever reaches the server may use it. ", make("code", {}, "wasmd token"),
    " makes one.");

async function show({place, signal}) {
  const [status, settings] = await Promise.all([
    json("GET", "/admin/status", {signal}), json("GET", "/admin/settings", {signal})]);
  const store = status.store;
  const used = {limits: make("div"), tenants: make("div"), tokens: make("div")};
  const see = now => {
    refresh(used.limits, limits(now));
    refresh(used.tenants, tenants(now));
    refresh(used.tokens, tokens(now));
  };
  see(settings);
  repeat(signal, async () => see(await json("GET", "/admin/settings", {signal})));
  replace(place, make("h1", {}, "Server"),
    make("p", {}, `wasmd ${status.version}, process ${status.process}`),
    make("h2", {}, "Listeners"), table("Listeners", [["Name"], ["Address"], ["Connections", "number"]],
      status.listeners.map(one => [one.name, harmless(one.address), count(one.connections)])),
    make("h2", {}, "Limits"), used.limits, make("h2", {}, "Tenants"), used.tenants,
    make("h2", {}, "Tokens"), used.tokens, command("GET", "/admin/settings"),
    make("h2", {}, "Compiled modules"),
    make("p", {}, `${count(status.cache.modules)}, ${size(status.cache.bytes)}; `
      + `${count(status.cache.hits)} times found, ${count(status.cache.misses)} times made`),
    make("h2", {}, "Data"),
    make("p", {}, "Folder ", make("code", {}, harmless(store.folder)), `: ${count(store.records)} `
      + `records, ${size(store.live_bytes)} of ${size(store.log_bytes)} in use`,
    store.writable ? "" : make("strong", {class: "bad"}, "; it cannot be written"),
    store.damage ? make("strong", {class: "bad"}, `; ${store.damage} damaged places`) : ""),
    make("div", {class: "cards"},
      make("section", {class: "card"}, make("h3", {}, "Backup"),
        make("button", {type: "button", onclick: () =>
          download("/admin/backup", "wasmd-backup.tar").catch(error => notify(error.message, true))},
        "Download"), command("GET", "/admin/backup")),
      make("section", {class: "card"}, make("h3", {}, "Verify"),
        action("Compare checksums", "POST", "/admin/verify")),
      make("section", {class: "card"}, make("h3", {}, "Compact"),
        action("Remove what is old", "POST", "/admin/compact"))),
    make("h2", {}, "Operation"),
    make("div", {class: "cards"},
      make("section", {class: "card"}, make("h3", {}, "Configuration"),
        action("Reload", "POST", "/admin/reload")),
      make("section", {class: "card"}, make("h3", {}, "Drain"),
        action("Drain", "POST", "/admin/drain"), action("Serve again", "DELETE", "/admin/drain")),
      make("section", {class: "card"}, make("h3", {}, "End"),
        action("Shut down", "POST", "/admin/shutdown",
          {isDangerous: true, confirmation: "End the server?"}))),
    make("h2", {}, "Interface"),
    make("p", {}, make("a", {href: "/openapi.json"}, "/openapi.json"), " describes everything that "
      + "this page does."), command("GET", "/openapi.json"));
}
return {show};
})();
const $transports = (() => {
// Transports and their connections.

const {make, once, notify, refresh, fill, replace, table, size, seconds, count, harmless} = $dom;
const {json, serves} = $api;
const {action, command, repeat} = $parts;

async function showAll({place, signal}) {
  const list = make("div");
  replace(place, make("h1", {}, "Transports"), list, command("GET", "/admin/transports"));
  const isThere = await serves("/admin/transports", {signal});
  const update = async () => {
    const all = isThere ? (await json("GET", "/admin/transports", {signal})).transports : [];
    if (!all.length) {
      refresh(list, make("p", {}, "This server carries none: name one by [transports.NAME] in its "
        + "configuration, or by --transport."));
      return;
    }
    refresh(list, table("Transports", [["Name"], ["Role"], ["Modules", "wide"], ["From"], ["To"],
      ["Open", "number"], ["Accepted", "number"], ["Failed", "number"], ["Refused", "number"],
      ["Bytes there, back", "number"], ["Oldest", "number"]],
    all.map(one => [
      make("a", {href: "#/transports/" + encodeURIComponent(one.name)}, harmless(one.name)),
      one.role, one.modules.map(part => `${harmless(part.file)} (${part.version})`).join(", "),
      one.listen.map(harmless).join(", "), one.remote === null ? "–" : harmless(one.remote),
      count(one.connections), count(one.accepted), count(one.failed), count(one.refused),
      `${size(one.bytes_forth)}, ${size(one.bytes_back)}`, seconds(one.oldest_seconds)])));
  };
  await update();
  repeat(signal, update);
}

async function showOne({place, signal, words: [name]}) {
  const path = "/admin/transports/" + encodeURIComponent(name);
  const facts = make("div");
  const open = make("div");
  let now = await json("GET", path, {signal});
  replace(place, make("h1", {}, "Transport ", harmless(name)), facts,
    make("div", {class: "cards"}, make("section", {class: "card"}, make("h2", {}, "Modules"),
      make("p", {}, "New connections get the files as they are then; old ones go on."),
      action("Read again", "POST", path + "/reload", {done: () => update()}))),
    make("h2", {}, "Open connections"), open, command("GET", path),
    command("DELETE", path + "/connections/NUMBER"));
  const see = () => {
    refresh(facts, table("Facts of the transport", [["What", "label"], ["Value", "wide"]], [
      ["Role", now.role], ["From", now.listen.map(harmless).join(", ")],
      ["To", now.remote === null ? "the guest chooses" : harmless(now.remote)],
      ["Modules", now.modules.map(one => `${harmless(one.file)} (${one.version}, `
        + (one.forked ? "started once" : "started for each connection") + ")").join(", ")],
      ["Open, at most", `${count(now.connections)}, ${count(now.limit)}`],
      ["Accepted, ended, failed, refused",
        [now.accepted, now.ended, now.failed, now.refused].map(count).join(", ")],
      ["Bytes there, back", `${size(now.bytes_forth)}, ${size(now.bytes_back)}`],
      ["Datagrams received, sent, dropped",
        [now.datagrams_received, now.datagrams_sent, now.datagrams_dropped].map(count).join(", ")],
      ["Replaced", count(now.replacements)]]));
    refresh(open, now.open.length
      ? table("Open connections", [["Number", "number"], ["Peer", "wide"], ["Age", "number"],
        ["Start", "number"], ["There", "number"], ["Back", "number"], ["End"]],
      now.open.map(one => [count(one.number), harmless(one.peer), seconds(one.seconds),
        seconds(one.start_seconds), size(one.bytes_forth), size(one.bytes_back),
        make("button", {type: "button", class: "danger", "aria-label": `End ${one.number}`,
          onclick: event => once(event.currentTarget, async () => {
            await json("DELETE", `${path}/connections/${one.number}`)
              .catch(error => notify(error.message, true));
            await update();
          })}, "End")]))
      : make("p", {}, `None: connect to ${now.listen.map(harmless).join(" or ")}.`));
    if (now.connections > now.open.length) {
      fill(open, make("p", {class: "faint"}, `The first ${now.open.length} are shown.`));
    }
  };
  const update = async () => {
    now = await json("GET", path, {signal});
    see();
  };
  see();
  repeat(signal, update);
}
return {showAll, showOne};
})();
const $services = (() => {
// Modules that run as services.

const {make, refresh, replace, table, count, clock, harmless} = $dom;
const {json} = $api;
const {action, command, repeat} = $parts;

const state = one => make("span", {
  class: {ready: "good", running: "good", failed: "bad", pausing: "warn"}[one.state],
}, harmless(one.state));

async function showAll({place, signal}) {
  const list = make("div");
  replace(place, make("h1", {}, "Services"), list, command("GET", "/admin/services"));
  const update = async () => {
    const {services} = await json("GET", "/admin/services", {signal});
    refresh(list, services.length
      ? table("Services", [["Name"], ["State"], ["Starts", "number"], ["Failures", "number"],
        ["Requests", "number"], ["Refused", "number"], ["Last end", "wide"], ["Next start"]],
      services.map(one => [
        make("a", {href: "#/services/" + encodeURIComponent(one.name)}, harmless(one.name)),
        state(one), count(one.starts), count(one.failures), count(one.requests),
        count(one.refused_requests), harmless(one.outcome ?? "–"),
        one.next_start ? clock(one.next_start) : "–"]))
      : make("p", {}, "This server runs none: name one by [service.NAME] in its configuration."));
  };
  await update();
  repeat(signal, update);
}

async function showOne({place, signal, words: [name]}) {
  const path = "/admin/services/" + encodeURIComponent(name);
  const facts = make("p");
  const lines = make("div", {class: "log mono", role: "log", tabindex: "0",
    "aria-label": "Lines of the service"});
  const update = async () => {
    const {services} = await json("GET", "/admin/services", {signal});
    const one = services.find(each => each.name === name);
    refresh(facts, one ? [state(one), `, ${count(one.starts)} starts, ${count(one.failures)} failures`,
      one.started ? `, since ${clock(one.started)}` : "",
      one.outcome ? `; ended before: ${harmless(one.outcome)}` : "",
      one.next_start ? `; starts again at ${clock(one.next_start)}` : ""] : "There is none.");
    const log = await json("GET", path + "/log?recent=500&after=" + last, {signal});
    last = log.last;
    const isAtEnd = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 40;
    lines.append(...log.lines.map(line => make("div", {},
      make("span", {class: "faint"}, clock(line.time) + " "), harmless(line.text))));
    while (lines.children.length > 2000) lines.firstChild.remove();
    if (isAtEnd) lines.scrollTop = lines.scrollHeight;
  };
  let last = 0;
  replace(place, make("h1", {}, "Service ", harmless(name)), facts,
    action("Restart", "POST", path + "/restart", {done: () => update()}),
    make("h2", {}, "Log"), lines, command("GET", path + "/log"));
  await update();
  repeat(signal, update);
}
return {showAll, showOne};
})();
const $topics = (() => {
// Topics of the broker: what waits, the last value, messages as they pass.

const {make, ask, refresh, replace, table, size, count, clock, harmless, notify} = $dom;
const {curl, json, send, failure, follow, Failure} = $api;
const {action, command, labelled, repeat} = $parts;

async function showAll({place, signal}) {
  const list = make("div");
  const totals = make("p");
  const readers = make("div");
  const bridges = make("p");
  const field = make("input", {id: "topic", spellcheck: "false", size: "30", required: true});
  replace(place, make("h1", {}, "Topics"), totals, bridges, list,
    make("form", {class: "row", onsubmit: event => {
      event.preventDefault();
      location.hash = "#/topics/" + encodeURIComponent(field.value);
    }}, labelled("Topic, or a pattern with + and #", field), make("button", {}, "Show")),
    command("GET", "/admin/topics"), make("h2", {}, "Subscriptions"), readers,
    command("GET", "/admin/subscriptions"), command("DELETE", "/admin/subscriptions?name=NAME"));
  const update = async () => {
    const [now, {subscriptions}] = await Promise.all([
      json("GET", "/admin/topics", {signal}), json("GET", "/admin/subscriptions", {signal})]);
    refresh(totals, `${count(now.published)} published, ${count(now.delivered)} delivered, `
      + `${count(now.dropped)} dropped, ${count(now.refused)} refused, ${count(now.cut_off)} cut off; `
      + `${count(now.messages)} kept, ${size(now.bytes)}`);
    replace(bridges, now.bridges.map(one => `Bridge ${harmless(one.name)}: `
      + (one.connected ? "connected" : `not connected: ${harmless(one.problem ?? "not yet")}`))
      .join("; "));
    refresh(list, now.topics.length
      ? table("Topics", [["Name"], ["Kept on disk"], ["Waiting", "number"], ["Bytes", "number"],
        ["Subscribers", "number"], ["Published", "number"], ["Read", "number"],
        ["Dropped", "number"], ["Refused", "number"]],
      now.topics.map(one => [
        make("a", {href: "#/topics/" + encodeURIComponent(one.name)}, harmless(one.name)),
        one.durable ? "yes" : "no", `${count(one.queued)} of ${count(one.queue_limit)}`,
        size(one.queued_bytes), count(one.subscribers), count(one.published), count(one.read),
        count(one.dropped), count(one.refused)]))
      : make("p", {}, "There is no topic yet: the first message makes one."));
    refresh(readers, subscriptions.length
      ? table("Subscriptions", [["Name"], ["Topics", "wide"], ["There"], ["Waiting", "number"],
        ["Not acknowledged", "number"], ["Bytes", "number"], ["End"]],
      subscriptions.map(one => [harmless(one.name ?? "–"), one.topics.map(harmless).join(", "),
        one.attached ? "yes" : "no", count(one.waiting), count(one.unacknowledged),
        size(one.bytes), one.name === undefined ? "" : make("button", {type: "button",
          class: "danger", "aria-label": `End ${one.name}`, onclick: async () => {
            if (!await ask(`End ${one.name}, and drop what it keeps?`, "End")) return;
            await json("DELETE", "/admin/subscriptions?name=" + encodeURIComponent(one.name))
              .catch(error => notify(error.message, true));
            await update();
          }}, "End")]))
      : make("p", {}, "None: clients subscribe over the broker's port, guests by their imports."));
  };
  await update();
  repeat(signal, update);
}

async function showOne({place, signal, words: [name]}) {
  const query = "?topic=" + encodeURIComponent(name);
  const isPattern = /[+#]/.test(name);
  const value = make("pre", {class: "mono"}, "…");
  const body = make("textarea", {id: "message", rows: 3, spellcheck: "false"});
  const keeps = make("input", {type: "checkbox"});
  const path = () => "/admin/topics/publish" + query + (keeps.checked ? "&retain=true" : "");
  const type = "application/octet-stream";
  const messages = make("div", {class: "log mono", role: "log", tabindex: "0",
    "aria-label": "Messages"});
  const see = async () => {
    const answer = await send("GET", "/admin/topics/value" + query, {signal});
    value.textContent = answer.ok ? harmless(await answer.text()) : "None is kept.";
  };
  const line = command(() => curl("POST", path(), {body: body.value, type}));
  replace(place, make("h1", {class: "mono"}, harmless(name)),
    isPattern ? null : [
      make("h2", {}, "Last value"), value, command("GET", "/admin/topics/value" + query),
      make("h2", {}, "Publish"),
      make("form", {onsubmit: async event => {
        event.preventDefault();
        try {
          const answer = await send("POST", path(), {body: body.value, type, signal});
          if (!answer.ok) throw await failure(answer);
          notify("Published.");
          await see();
        } catch (error) { notify(error.message, true); }
      }}, labelled("Message", body), make("label", {}, keeps, " keep it as the last value"),
      make("div", {class: "row"}, make("button", {class: "main"}, "Publish"))), line,
      make("h2", {}, "Queue"),
      action("Take the oldest message away", "POST", "/admin/topics/read" + query, {isText: true}),
    ],
    make("h2", {}, "Messages from now on"), messages, command("GET", "/admin/topics/follow" + query));
  follow("/admin/topics/follow" + query, signal, (kind, one) => {
    const isAtEnd = messages.scrollHeight - messages.scrollTop - messages.clientHeight < 40;
    messages.append(kind === "lost" ? make("div", {class: "warn"}, `${one.lost} messages were lost`)
      : make("div", {}, make("span", {class: "faint"}, clock(one.time * 1000) + " "),
        isPattern ? make("strong", {}, harmless(one.topic), " ") : null,
        one.text === undefined ? `${one.base64} (Base64)` : harmless(one.text)));
    while (messages.children.length > 2000) messages.firstChild.remove();
    if (isAtEnd) messages.scrollTop = messages.scrollHeight;
  }).catch(error => {
    if (error instanceof Failure) notify(error.message, true);
  });
  if (!isPattern) await see();
}
return {showAll, showOne};
})();
const $devices = (() => {
// What an orchestrator has: devices, deployments with their chains, executions.

const {make, once, refresh, replace, scrollable, table, clock, harmless, notify} = $dom;
const {curl, json} = $api;
const {action, command, labelled, repeat} = $parts;

const nameOf = (devices, id) => devices.find(one => one._id === id)?.name ?? id;
const isWell = device => device?.status === "active" && !device.blacklisted;

/** The steps of a deployment from left to right, each on its device. */
function chain(deployment, devices) {
  const space = "http://www.w3.org/2000/svg";
  const steps = deployment.sequence ?? [];
  const [width, gap] = [170, 40];
  const part = (name, attributes, text) => {
    const element = document.createElementNS(space, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const whole = steps.length * (width + gap) - gap + 4;
  const image = part("svg", {class: "chain", role: "img", viewBox: `0 0 ${whole} 100`,
    width: whole, height: 100});
  const modules = Object.values(deployment.fullManifest ?? {}).flatMap(one => one.modules ?? []);
  const short = text => text.length > 22 ? text.slice(0, 21) + "…" : text;
  const words = steps.map((step, index) => {
    const device = devices.find(one => one._id === step.device);
    const module = modules.find(one => one.id === step.module)?.name ?? step.module;
    const x = 2 + index * (width + gap);
    image.append(part("rect", {x, y: 8, width, height: 84, rx: 8,
      class: isWell(device) ? "well" : "ill"}));
    [[step.func, 36, ""], [module, 56, "faint"], [device?.name ?? step.device, 78, "faint"]]
      .forEach(([text, y, kind]) => image.append(
        part("text", {x: x + 12, y, class: kind}, harmless(short(String(text))))));
    if (index) {
      const from = x - gap;
      image.append(part("path", {d: `M${from + 4} 50H${x - 6}M${x - 12} 44L${x - 6} 50L${x - 12} 56`}));
    }
    return `${step.func} of ${module} on ${device?.name ?? step.device}`
      + (isWell(device) ? "" : ", which is not active");
  });
  image.setAttribute("aria-label", "Chain: " + words.join(", then "));
  return scrollable(make("div", {class: "scroll"}, image), "Chain");
}

const statusOf = device => make("span", {class: isWell(device) ? "good" : "bad"},
  device.blacklisted ? "blocked" : device.status);

async function showAll({place, signal}) {
  const list = make("div");
  const drawings = make("div");
  const update = async () => {
    const [devices, deployments] = await Promise.all([
      json("GET", "/file/device", {signal}), json("GET", "/file/manifest", {signal})]);
    refresh(list, table("Devices", [["Name"], ["State"], ["Address"], ["Checks that failed", "number"],
      ["Last change"], ["Use"]],
    devices.map(one => [harmless(one.name), statusOf(one),
      harmless(`${one.communication?.addresses?.[0] ?? "?"}:${one.communication?.port ?? "?"}`),
      one.failedHealthCheckCount ?? 0,
      one.statusLog?.[0]?.time ? clock(one.statusLog[0].time) : "–",
      one.name === "orchestrator" ? "" : make("button", {type: "button",
        "aria-label": `${one.blacklisted ? "Use" : "Block"} ${one.name}`, onclick: async () => {
          const verb = one.blacklisted ? "unblacklist" : "blacklist";
          await json("POST", `/file/device/${one._id}/${verb}`)
            .catch(error => notify(error.message, true));
          await update();
        }}, one.blacklisted ? "Use again" : "Block")])));
    refresh(drawings, deployments.length ? deployments.map(one => [
      make("h3", {}, make("a", {href: "#/deployments/" + one._id}, harmless(one.name)), " ",
        make("span", {class: one.active ? "good" : "faint"},
          one.isInFailover ? "on other devices" : one.active ? "active" : "not sent")),
      chain(one, devices)])
      : make("p", {}, "None yet. A deployment is a list of functions on devices: send one with curl to "
        + "/file/manifest, as docs/wasmiot.md shows, or use the orchestrator's own page."));
  };
  replace(place, make("h1", {}, "Devices"), list,
    action("Look for devices", "POST", "/file/device/discovery/reset"),
    command("GET", "/file/device"), command("POST", "/file/device/ID/blacklist"), make("h2", {}, "Deployments"), drawings,
    command("GET", "/file/manifest"));
  await update();
  repeat(signal, update);
}

/** One deployment: its chain, a form that executes it, and what came of executions. */
async function showOne({place, signal, words: [id]}) {
  const path = "/file/manifest/" + encodeURIComponent(id);
  const drawing = make("div");
  const ended = make("div");
  const result = make("div", {role: "status"});
  const [deployment, devices] = await Promise.all([
    json("GET", path, {signal}), json("GET", "/file/device", {signal})]);
  const one = Array.isArray(deployment) ? deployment[0] : deployment;
  const first = one.sequence?.[0];
  const module = Object.values(one.fullManifest ?? {}).flatMap(each => each.modules ?? [])
    .find(each => each.id === first?.module)?.name;
  const parameters = (one.fullManifest?.[first?.device]?.endpoints?.[module]?.[first?.func]
    ?.request?.parameters ?? []).map(each => each.name);
  const fields = parameters.map(name => make("input", {type: "text", name, spellcheck: "false"}));
  const body = () => JSON.stringify(
    Object.fromEntries(fields.map(field => [field.name, field.value])));
  const target = "/execute/" + encodeURIComponent(id);
  const button = make("button", {class: "main"}, "Execute");
  const update = async () => {
    const now = await json("GET", "/file/device", {signal});
    refresh(drawing, chain(one, now));
    const executions = await json("GET",
      "/executions?limit=20&deployment=" + encodeURIComponent(id), {signal});
    refresh(ended, executions.length
      ? table("Executions", [["Begin"], ["Outcome"], ["Steps", "number"], ["Last device"],
        ["Result", "wide"], ["Cancel"]],
      executions.map(each => [clock(each.startedAt),
        make("span", {class: each.status === "succeeded" ? "good"
          : each.status === "running" ? null : "bad"}, harmless(each.status)),
        each.steps?.length ?? each.stepCount,
        harmless(nameOf(now, each.steps?.at(-1)?.device ?? "–")),
        harmless(JSON.stringify(each.result ?? each.error ?? "")),
        each.status === "running" ? make("button", {type: "button", class: "danger",
          "aria-label": "Cancel the execution", onclick: () =>
            json("DELETE", "/executions/" + each._id)
              .catch(error => notify(error.message, true)).then(update)}, "Cancel") : ""]))
      : make("p", {}, "None yet."));
  };
  replace(place, make("h1", {}, "Deployment ", harmless(one.name)),
    one.validationError ? make("p", {class: "warn"},
      "Cards do not allow this placement; it is sent all the same: " + harmless(one.validationError)) : null, drawing,
    make("div", {class: "cards"}, make("section", {class: "card"}, make("h2", {}, "Send"),
      action("Send each device its part", "POST", path)),
    make("section", {class: "card"}, make("h2", {}, "Delete"),
      action("Delete", "DELETE", path, {isDangerous: true, confirmation: `Delete ${one.name}?`,
        done: () => { location.hash = "#/devices"; }}))),
    make("h2", {}, "Execute"),
    make("form", {onsubmit: event => {
      event.preventDefault();
      once(button, async () => {
        replace(result, "…");
        try {
          const answer = await json("POST", target,
            {body: body(), type: "application/json", signal});
          replace(result, make("pre", {}, harmless(JSON.stringify(answer, null, 1))));
        } catch (error) { replace(result, make("p", {class: "bad"}, harmless(error.message))); }
        await update().catch(() => {});
      });
    }}, fields.map((field, index) => labelled(harmless(parameters[index]), field)),
    make("div", {class: "row"}, button)),
    result, command(() => curl("POST", target, {body: body(), type: "application/json"})),
    make("h2", {}, "Executions"), ended, command("GET", "/executions?deployment=" + id),
    command("DELETE", "/executions/ID"));
  refresh(drawing, chain(one, devices));
  await update();
  repeat(signal, update);
}
return {showAll, showOne};
})();
const $main = (() => {
// The views and the way between them: the address after '#' says which one is shown.

const {make, replace, notify, clock} = $dom;
const {token, watch, Failure, json} = $api;
const overview = $overview;
const modules = $modules;
const module = $module;
const code = $code;
const runs = $runs;
const logs = $logs;
const objects = $objects;
const server = $server;
const transports = $transports;
const services = $services;
const topics = $topics;
const devices = $devices;

const routes = [
  [/^\/$/, overview.show], [/^\/modules$/, modules.show], [/^\/modules\/([^/]+)$/, module.show],
  [/^\/modules\/([^/]+)\/functions$/, code.showAll],
  [/^\/modules\/([^/]+)\/functions\/(\d+)$/, code.showOne],
  [/^\/runs$/, runs.showAll], [/^\/runs\/([^/]+)$/, runs.showOne], [/^\/logs$/, logs.show],
  [/^\/transports$/, transports.showAll], [/^\/transports\/([^/]+)$/, transports.showOne],
  [/^\/server$/, server.show], [/^\/objects$/, objects.show],
  [/^\/objects\/([^/]+)$/, objects.showOne],
  [/^\/services$/, services.showAll], [/^\/services\/([^/]+)$/, services.showOne],
  [/^\/topics$/, topics.showAll], [/^\/topics\/([^/]+)$/, topics.showOne],
  [/^\/token$/, showToken],
  [/^\/devices$/, devices.showAll], [/^\/deployments\/([^/]+)$/, devices.showOne],
];

const main = document.getElementById("main");
let current = new AbortController();

/** Shows the view of the address; what the view before was doing ends. */
async function show({isFirst = false} = {}) {
  current.abort();
  current = new AbortController();
  document.querySelector("dialog")?.close();
  const {signal} = current;
  const [path, query] = (location.hash.slice(1) || "/").split("?");
  for (const link of document.querySelectorAll("nav a, #sign-in")) {
    const target = link.getAttribute("href").slice(1);
    const isHere = target === "/" ? path === "/" : path.startsWith(target)
      || (target === "/devices" && path.startsWith("/deployments"));
    if (isHere) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  for (const [pattern, view] of routes) {
    const match = path.match(pattern);
    if (!match) continue;
    const place = make("div");
    replace(main, place);
    // At once: when the view is there, the keyboard may be somewhere in it already.
    if (!isFirst) main.focus({preventScroll: true});
    try {
      const words = match.slice(1).map(decodeURIComponent);
      await view({place, signal, words, query: new URLSearchParams(query ?? "")});
    } catch (error) {
      if (signal.aborted) return;
      refuse(place, error);
    }
    const heading = place.querySelector("h1")?.textContent;
    if (isFirst) performance.mark("wasmd-view");
    document.title = heading ? `${heading} – wasmd` : "wasmd";
    // Readers of screens are told that another view is there.
    if (!isFirst && heading) document.getElementById("view").textContent = heading;
    return;
  }
  replace(main, make("h1", {}, "There is nothing here"), make("p", {}, make("a", {href: "#/"}, "Overview")));
  document.title = "Nothing – wasmd";
}

/** Shows the ways to hosts that this server has, by its own description. */
async function announce() {
  try {
    const {paths} = await json("GET", "/openapi.json");
    for (const link of document.querySelectorAll("nav a[data-needs]")) {
      link.hidden = !(link.dataset.needs in paths);
    }
  } catch { /* The overview says what is wrong. */ }
}

/** What stands in place of a view that the server refuses. */
function refuse(place, error) {
  const needsToken = error instanceof Failure && (error.status === 401 || error.status === 403);
  replace(place, make("h1", {}, needsToken ? "A token is needed" : "That did not work"),
    make("p", {class: "bad"}, error.message),
    needsToken ? signIn() : make("button", {type: "button", onclick: () => show()}, "Try again"));
}

function signIn() {
  const field = make("input", {
    type: "password", id: "token", autocomplete: "off", spellcheck: "false", size: "40",
  });
  field.value = token.get();
  return make("form", {onsubmit: event => {
    event.preventDefault();
    token.set(field.value.trim());
    notify(token.get() ? "The token is used in this tab." : "No token is used any more.");
    // After a refusal, the view that was wanted is shown.
    if (location.hash === "#/token") location.hash = "#/";
    else show();
  }},
  make("label", {}, make("span", {}, "Token ('wasmd token' makes one). It is kept until this tab "
    + "is closed."), field),
  make("div", {class: "row"}, make("button", {class: "main"}, "Use"),
    make("button", {type: "button", onclick: () => {
      token.set("");
      field.value = "";
      notify("No token is used any more.");
    }}, "Forget")));
}

function showToken({place}) {
  replace(place, make("h1", {}, "Token"), signIn());
}

// The address after '#' is that of the view, so the link cannot be a plain one.
document.querySelector(".skip").addEventListener("click", event => {
  event.preventDefault();
  main.focus();
});
watch(isLost => {
  const line = document.getElementById("lost");
  if (isLost === Boolean(line.textContent)) return;
  line.textContent = isLost ? `The server has not answered since ${clock(new Date())}: what is shown `
    + "may be old. It is asked again and again." : "";
});
addEventListener("hashchange", () => show());
modules.takeDrops();
// The view first: its document is smaller than that of the interface.
show({isFirst: true}).finally(announce);
return {};
})();

"""##

private let iconSvg: StaticString = ##"""
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="3" fill="#5b4bd6"/><path d="M2 4l2.5 8L8 5l3.5 7L14 4" fill="none" stroke="#fff" stroke-width="1.6" stroke-linejoin="round" stroke-linecap="round"/></svg>

"""##

private let indexHtml: StaticString = ##"""
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>wasmd</title>
<link rel="icon" href="/console/icon.svg">
<link rel="stylesheet" href="/console/style.css">
<script type="module" src="/console/console.js"></script>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header>
<a class="brand" href="#/">wasmd</a>
<nav aria-label="Views">
<a href="#/">Overview</a>
<a href="#/modules">Modules</a>
<a href="#/runs">Runs</a>
<a href="#/logs">Logs</a>
<a href="#/transports">Transports</a>
<a href="#/services" data-needs="/admin/services" hidden>Services</a>
<a href="#/topics" data-needs="/admin/topics" hidden>Topics</a>
<a href="#/devices" data-needs="/file/device" hidden>Devices</a>
<a href="#/objects" id="objects" data-needs="/admin/othismo/objects" hidden>Objects</a>
<a href="#/server">Server</a>
</nav>
<a id="sign-in" href="#/token">Token</a>
</header>
<p id="view" role="status"></p>
<div id="lost" role="status"></div>
<main id="main" tabindex="-1"><p>Loading.</p></main>
<div id="notice" role="status" aria-live="polite"></div>
<noscript><p>The console needs JavaScript. The same is to be had with <code>wasmd ctl</code> and
<code>curl</code>; the interface is described at <a href="/openapi.json">/openapi.json</a>.</p></noscript>
</body>
</html>

"""##

private let styleCss: StaticString = ##"""
:root {
  color-scheme: light dark;
  --ground: #fbfbfc; --card: #ffffff; --line: #d9dae0; --text: #1c1d22; --faint: #5c5f6b;
  --accent: #4a3cc4; --accent-text: #ffffff; --good: #146c2e; --bad: #b3261e; --warn: #7a4d00;
  --code: #f1f1f5; --edge: #868996;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #15161a; --card: #1d1f25; --line: #353842; --text: #e8e9ee; --faint: #a3a7b5;
    --accent: #a99fff; --accent-text: #15161a; --good: #7fd998; --bad: #ff9a91; --warn: #f1c27a;
    --code: #24262e; --edge: #737889;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--text);
  font: 15px/1.5 system-ui, sans-serif;
}
header {
  display: flex; flex-wrap: wrap; align-items: center; gap: .5rem 1rem;
  padding: .6rem 1rem; background: var(--card); border-bottom: 1px solid var(--line);
}
.brand { font-weight: 700; font-size: 1.1rem; color: var(--accent); text-decoration: none; }
#sign-in { border: 1px solid var(--edge); border-radius: .4rem; padding: .35rem .8rem; color: var(--text); text-decoration: none; }
#sign-in[aria-current] { background: var(--accent); color: var(--accent-text); }
nav { display: flex; flex-wrap: wrap; gap: .25rem; flex: 1; }
nav a { padding: .35rem .7rem; border-radius: .4rem; color: var(--text); text-decoration: none; }
nav a[aria-current] { background: var(--accent); color: var(--accent-text); }
#lost { background: var(--warn); color: var(--card); padding: .4rem 1rem; }
#lost:empty { background: none; padding: 0; }
main { max-width: 72rem; margin: 0 auto; padding: 1rem; outline: none; }
.skip, #view { position: absolute; left: -99rem; }
.skip:focus { left: 1rem; top: .5rem; background: var(--card); padding: .5rem; z-index: 2; }
h1 { font-size: 1.4rem; margin: .3rem 0 1rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 1.4rem 0 .5rem; }
a { color: var(--accent); }
.cards { display: grid; align-items: start; grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr)); gap: .8rem; margin: .8rem 0; }
.charts { grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); }
.card {
  background: var(--card); border: 1px solid var(--line); border-radius: .6rem;
  padding: .8rem 1rem; min-width: 0;
}
/* Flame graphs and tables need the whole width. */
.card:has(.flame, table) { grid-column: 1 / -1; }
h3 { font-size: 1rem; margin: 1rem 0 .4rem; }
.card h2, .card h3 { margin: 0 0 .2rem; font-size: .9rem; font-weight: 600; color: var(--faint); overflow-wrap: anywhere; }
.card .value { font-size: 1.6rem; font-variant-numeric: tabular-nums; }
.card svg { display: block; width: 100%; height: 3rem; margin-top: .3rem; }
.card svg + p { margin: .2rem 0 0; font-size: .8rem; }
.chart-line { fill: none; stroke: var(--accent); stroke-width: 1.5; vector-effect: non-scaling-stroke; }
.chart-area { fill: var(--accent); opacity: .15; }
.scroll { overflow-x: auto; margin: .6rem 0; }
.chain { display: block; height: 6.4rem; }
.chain rect { fill: var(--card); stroke: var(--line); stroke-width: 1.5; }
.chain .well { stroke: var(--good); } .chain .ill { stroke: var(--bad); stroke-dasharray: 5 3; }
.chain path { fill: none; stroke: var(--faint); stroke-width: 1.5; }
.chain text { fill: var(--text); font: 13px system-ui, sans-serif; }
.chain text.faint { fill: var(--faint); font-size: 12px; }
table { border-collapse: collapse; width: 100%; background: var(--card); }
th, td {
  text-align: left; padding: .4rem .7rem; border-bottom: 1px solid var(--line);
  vertical-align: baseline; white-space: nowrap;
}
th { color: var(--faint); font-weight: 600; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
td.code { white-space: pre; vertical-align: top; }
p > a:only-child, h3 > a { display: inline-block; padding: .15rem 0; }
td a { display: inline-block; min-width: 1.6rem; padding: .15rem 0; }
td.number a { text-align: right; }
th.mono { font: inherit; font-weight: 600; }
td button { min-height: 1.8rem; padding: .1rem .6rem; }
h1.mono { font-size: 1.3rem; }
td.wide { white-space: normal; overflow-wrap: anywhere; min-width: 11rem; }
td.label { white-space: normal; min-width: 7rem; }
code, pre, .mono { font-family: ui-monospace, monospace; font-size: .88em; }
pre {
  background: var(--code); border-radius: .4rem; padding: .6rem .8rem; overflow-x: auto;
  margin: .4rem 0; white-space: pre-wrap; overflow-wrap: anywhere;
}
button, input, select, textarea { font: inherit; color: inherit; }
button {
  border: 1px solid var(--edge); background: var(--card); border-radius: .4rem;
  padding: .35rem .8rem; cursor: pointer; min-height: 2.2rem;
}
button.main { background: var(--accent); border-color: var(--accent); color: var(--accent-text); }
button.danger { color: var(--bad); border-color: var(--bad); }
button[aria-disabled] { opacity: .6; cursor: progress; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
input, select, textarea {
  background: var(--card); border: 1px solid var(--edge); border-radius: .4rem;
  padding: .35rem .5rem; min-height: 2.2rem; max-width: 100%;
}
input[type=checkbox] { min-height: 0; width: 1.1em; height: 1.1em; vertical-align: -.15em; }
input[type=text] { width: 100%; }
textarea { width: 100%; min-height: 4rem; font-family: ui-monospace, monospace; }
label { display: block; margin: .3rem 0; }
label > span { display: block; color: var(--faint); font-size: .88rem; }
.row { display: flex; flex-wrap: wrap; gap: .6rem; align-items: end; margin: .5rem 0; }
.row > label { margin: 0; }
.row.top { align-items: start; }
input[readonly] { background: var(--code); }
.drop {
  border: 2px dashed var(--edge); border-radius: .6rem; padding: 1.4rem; text-align: center;
}
.drop.over { border-color: var(--accent); background: var(--code); }
meter { width: 5rem; margin-left: .5rem; vertical-align: middle; }
progress { width: 100%; accent-color: var(--accent); }
.good { color: var(--good); } .bad { color: var(--bad); } .warn { color: var(--warn); }
.faint { color: var(--faint); }
details { margin: .3rem 0; } summary { cursor: pointer; color: var(--faint); padding: .15rem 0; width: fit-content; max-width: 100%; min-width: 3.5rem; overflow-wrap: anywhere; }
.drop summary { margin: 0 auto; }
.flame { display: block; max-width: 100%; min-width: 40rem; border-radius: .4rem; }
#notice {
  position: fixed; right: 1rem; bottom: 1rem; max-width: min(30rem, 90vw); z-index: 2;
}
#notice > div {
  background: var(--card); border: 1px solid var(--line); border-left: .3rem solid var(--accent);
  border-radius: .4rem; padding: .6rem .9rem; margin-top: .5rem; overflow-wrap: anywhere;
}
#notice > .bad { border-left-color: var(--bad); }
.log { max-height: 65vh; min-height: 2rem; overflow-y: auto; }
dialog { background: var(--card); color: var(--text); border: 1px solid var(--edge); border-radius: .6rem; max-width: min(30rem, 90vw); overflow-wrap: anywhere; }
dialog::backdrop { background: #0008; }
dialog .row { justify-content: end; }
.log div { white-space: pre-wrap; overflow-wrap: anywhere; }
/* 128 bits have 34 digits. */
@media (min-width: 40rem) { .card:has(input.mono) { grid-column: span 2; } }
@media (max-width: 40rem) {
  body { font-size: 16px; } main { padding: .7rem; } th, td { padding: .4rem; }
  header { justify-content: space-between; }
  nav { order: 3; flex-basis: 100%; } nav a { padding: .45rem .55rem; }
  .cards { grid-template-columns: 1fr; } .charts { grid-template-columns: 1fr 1fr; }
}
@media (prefers-reduced-motion: no-preference) { nav a, button { transition: background .15s; } }

"""##
