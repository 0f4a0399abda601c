// Transports and their connections.

import {make, once, notify, refresh, fill, replace, table, size, seconds, count, harmless} from "./dom.js";
import {json, serves} from "./api.js";
import {action, command, repeat} from "./parts.js";

export async function showAll({place, signal}) {
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

export async function showOne({place, signal, words: [name]}) {
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
