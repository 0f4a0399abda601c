// The objects of an image, and messages to them: only where a server has one.

import {make, once, refresh, replace, table, size, harmless, notify} from "./dom.js";
import {curl, json} from "./api.js";
import {action, command, repeat} from "./parts.js";

export async function show({place, signal, query}) {
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
export async function showOne({place, signal, words}) {
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
