// The views and the way between them: the address after '#' says which one is shown.

import {make, replace, notify, clock} from "./dom.js";
import {token, watch, Failure, json} from "./api.js";
import * as overview from "./overview.js";
import * as modules from "./modules.js";
import * as module from "./module.js";
import * as code from "./code.js";
import * as runs from "./runs.js";
import * as logs from "./logs.js";
import * as objects from "./objects.js";
import * as server from "./server.js";
import * as transports from "./transports.js";
import * as services from "./services.js";
import * as topics from "./topics.js";
import * as devices from "./devices.js";

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
