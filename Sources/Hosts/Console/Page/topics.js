// Topics of the broker: what waits, the last value, messages as they pass.

import {make, ask, refresh, replace, table, size, count, clock, harmless, notify} from "./dom.js";
import {curl, json, send, failure, follow, Failure} from "./api.js";
import {action, command, labelled, repeat} from "./parts.js";

export async function showAll({place, signal}) {
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

export async function showOne({place, signal, words: [name]}) {
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
