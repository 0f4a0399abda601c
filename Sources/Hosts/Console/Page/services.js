// Modules that run as services.

import {make, refresh, replace, table, count, clock, harmless} from "./dom.js";
import {json} from "./api.js";
import {action, command, repeat} from "./parts.js";

const state = one => make("span", {
  class: {ready: "good", running: "good", failed: "bad", pausing: "warn"}[one.state],
}, harmless(one.state));

export async function showAll({place, signal}) {
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

export async function showOne({place, signal, words: [name]}) {
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
