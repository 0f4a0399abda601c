// Parts that several views have.

import {make, ask, once, harmless, notify, seconds, size, count, clock} from "./dom.js";
import {curl, json, send, failure} from "./api.js";

/** The curl line of an action, with a button that copies it. */
export function command(...request) {
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
export function action(title, method, path, {body, type, confirmation, isDangerous, isText, done} = {}) {
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

export const outcome = run => run.state === "running" ? make("span", {}, "running")
  : make("span", {class: run.outcome === "succeeded" || run.outcome === "exited" ? "good" : "bad"},
    harmless(run.reason ?? run.outcome));

/** Updates every two seconds, as long as the view is shown. */
export function repeat(signal, update) {
  const again = async () => {
    if (signal.aborted) return;
    if (!document.hidden) await update().catch(() => {});
    if (!signal.aborted) setTimeout(again, 2000);
  };
  setTimeout(again, 2000);
}

/** A label over a field. */
export const labelled = (title, field) => make("label", {}, make("span", {}, title), field);

/** Runs in a table. */
export function runTable(caption, runs, isActive) {
  const columns = [["Run"], ["Module"], ["Function"], ["Begin"], ["Time", "number"],
    isActive ? ["Memory", "number"] : ["Fuel", "number"], ["Outcome", "wide"]];
  return {columns, caption, rows: runs.map(run => [
    make("a", {href: "#/runs/" + encodeURIComponent(run.id), class: "mono"}, run.id.slice(-12)),
    harmless(run.module), harmless(run.function), clock(run.start), seconds(run.seconds),
    isActive ? size(run.memory_bytes) : count(run.fuel), outcome(run)])};
}

/** A file that the server makes, kept by the browser. */
export async function download(path, name) {
  const response = await send("GET", path);
  if (!response.ok) throw await failure(response);
  save(await response.blob(), name);
}

export function save(blob, name) {
  const address = URL.createObjectURL(blob);
  const link = make("a", {href: address, download: name});
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

/** A line over time: values from old to new, the last at the right, each `step` seconds after the other. */
export function chart(title, format, step = 1) {
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
