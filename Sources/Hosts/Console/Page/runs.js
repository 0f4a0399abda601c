import {make, refresh, fill, replace, table, size, seconds, count, clock, harmless} from "./dom.js";
import {json} from "./api.js";
import {action, command, repeat, runTable, outcome} from "./parts.js";
import {profileForm} from "./module.js";

export async function showAll({place, signal, query}) {
  const word = make("input", {type: "search", value: query.get("module") ?? "",
    "aria-label": "Id, digest or name of a module"});
  const places = {active: make("div"), recent: make("div"), jobs: make("div")};
  const path = "/admin/runs?limit=100" + (query.get("module")
    ? "&module=" + encodeURIComponent(query.get("module")) : "");
  replace(place, make("h1", {}, "Runs"),
    make("form", {class: "row", role: "search", onsubmit: event => {
      event.preventDefault();
      location.hash = "#/runs" + (word.value ? "?module=" + encodeURIComponent(word.value) : "");
    }}, make("label", {}, make("span", {}, "Module"), word), make("button", {}, "Filter")),
    make("h2", {}, "Active"), places.active, make("h2", {}, "Ended"), places.recent,
    command("GET", path), make("h2", {}, "Jobs: what was stored, changed and deleted"), places.jobs,
    command("GET", "/jobs?limit=20"));
  const update = async () => {
    const [runs, jobs] = await Promise.all([
      json("GET", path, {signal}), json("GET", "/jobs?limit=20", {signal})]);
    refresh(places.jobs, jobs.items.length
      ? table("Jobs", [["Job"], ["What"], ["Module"], ["End"], ["State", "wide"]],
        jobs.items.map(job => [make("span", {class: "mono"}, job.id.slice(-12)), verbs[job.job_type],
          make("a", {href: "#/modules/" + job.wasm, class: "mono"}, job.wasm), clock(job.time),
          make("span", {class: job.error ? "bad" : "good"}, harmless(job.error ?? job.state))]))
      : make("p", {}, "None since the server started."));
    for (const [key, isActive] of [["active", true], ["recent", false]]) {
      const lines = runTable(isActive ? "Active runs" : "Ended runs", runs[key], isActive);
      refresh(places[key], lines.rows.length
        ? table(lines.caption, lines.columns, lines.rows) : make("p", {},
          isActive ? "Nothing runs at the moment." : ["None yet: call a function of a ",
            make("a", {href: "#/modules"}, "module"), "."]));
    }
  };
  await update();
  repeat(signal, update);
}

const verbs = {SAVE: "stored", MODIFY: "changed", DELETE: "deleted"};

export async function showOne({place, signal, words: [id]}) {
  const path = "/admin/runs/" + encodeURIComponent(id);
  const run = await json("GET", path, {signal});
  const facts = [
    ["Module", make("a", {href: "#/runs?module=" + encodeURIComponent(run.sha256)},
      harmless(run.module))],
    ["Function", harmless(run.function)], ["Caller", harmless(run.caller)],
    ["Begin", new Date(run.start).toLocaleString()], ["Time", seconds(run.seconds)],
    ["Computing", seconds(run.computing_seconds)], ["Waiting for a place", seconds(run.queue_seconds)],
    ["Fuel", run.fuel === undefined ? null : count(run.fuel)],
    ["Memory", size(run.peak_memory_bytes ?? run.memory_bytes)],
    ["Input, output, log", run.input_bytes === undefined ? null
      : [run.input_bytes, run.output_bytes, run.log_bytes].map(size).join(", ")],
    ["Exit code", run.exit_code], ["Limit", run.limit], ["Account", run.account], ["Trace", run.trace],
  ].filter(([, value]) => value !== null && value !== undefined);
  replace(place, make("h1", {}, "Run ", make("span", {class: "mono"}, run.id)),
    make("p", {}, outcome(run)),
    table("Facts of the run", [["What", "label"], ["Value", "wide"]], facts));
  if (run.trap) {
    fill(place, make("h2", {}, "Trap"), make("p", {class: "bad"}, harmless(run.trap.message)),
      make("pre", {}, run.trap.backtrace.map(harmless).join("\n")
        + (run.trap.omitted_frames ? `\n… ${run.trap.omitted_frames} more` : "")));
  }
  if (run.state === "running") {
    fill(place, make("div", {class: "row"}, action("Stop", "DELETE", path, {isDangerous: true})),
      make("h2", {}, "Profile while it runs"), profileForm(run.sha256));
  }
  fill(place, make("h2", {}, "Standard error"),
    make("p", {}, make("a", {href: "#/logs?run=" + encodeURIComponent(run.id)}, "Lines of this run")),
    command("GET", path));
}
