// What an orchestrator has: devices, deployments with their chains, executions.

import {make, once, refresh, replace, scrollable, table, clock, harmless, notify} from "./dom.js";
import {curl, json} from "./api.js";
import {action, command, labelled, repeat} from "./parts.js";

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

export async function showAll({place, signal}) {
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
export async function showOne({place, signal, words: [id]}) {
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
