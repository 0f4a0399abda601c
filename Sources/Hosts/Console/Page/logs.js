import {make, replace, harmless} from "./dom.js";
import {follow, Failure} from "./api.js";
import {command} from "./parts.js";

/** Lines that are shown at most. */
const limit = 2000;

export async function show({place, signal, query}) {
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
