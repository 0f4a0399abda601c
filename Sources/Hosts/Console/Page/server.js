import {make, refresh, replace, table, size, seconds, count, harmless, notify} from "./dom.js";
import {json} from "./api.js";
import {action, command, download, repeat} from "./parts.js";

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

export async function show({place, signal}) {
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
