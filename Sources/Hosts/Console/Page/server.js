import {make, replace, table, size, count, harmless, notify} from "./dom.js";
import {json} from "./api.js";
import {action, command, download} from "./parts.js";

/** Limits, and how far they are used where that is known. */
function limits(settings, status) {
  const used = {
    "limits.runs": status.runs.running, "limits.waiting": status.runs.waiting,
    "limits.connections": Math.max(0, ...status.listeners.map(one => one.connections)),
  };
  return table("Limits", [["Setting"], ["Value", "number"], ["Now", "number"], ["Changes by"]],
    settings.limits.map(one => [make("code", {}, harmless(one.name)), harmless(one.value) || "none",
      one.name in used ? count(used[one.name]) : "", one.reloadable ? "reload" : "restart"]));
}

const tokens = settings => settings.tokens.length
  ? table("Tokens", [["Name"], ["Scopes"], ["Tenant"], ["Requests a second", "number"]],
    settings.tokens.map(one => [harmless(one.name), one.scopes.join(", "),
      harmless(one.tenant ?? "–"), one.rate ?? "any"]))
  : make("p", {}, "None: whoever reaches the server may use it. ", make("code", {}, "wasmd token"),
    " makes one.");

export async function show({place, signal}) {
  const [status, settings] = await Promise.all([
    json("GET", "/admin/status", {signal}), json("GET", "/admin/settings", {signal})]);
  const store = status.store;
  replace(place, make("h1", {}, "Server"),
    make("p", {}, `wasmd ${status.version}, process ${status.process}`),
    make("h2", {}, "Listeners"), table("Listeners", [["Name"], ["Address"], ["Connections", "number"]],
      status.listeners.map(one => [one.name, harmless(one.address), count(one.connections)])),
    make("h2", {}, "Limits"), limits(settings, status),
    make("h2", {}, "Tokens"), tokens(settings), command("GET", "/admin/settings"),
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
