import {make, refresh, replace, table, size, seconds, count, harmless} from "./dom.js";
import {json, follow, send} from "./api.js";
import {chart, runTable, command} from "./parts.js";
import {uploader} from "./modules.js";

/** The buckets of all requests to hosts, without those of the console itself. */
function buckets(text) {
  const counts = new Map();
  for (const line of text.split("\n")) {
    const match = line.match(
      /^wasmd_http_request_duration_seconds_bucket\{surface="([^"]*)".*le="([^"]*)"\} (\d+)/);
    if (!match || ["admin", "operation", "console"].includes(match[1])) continue;
    const limit = match[2] === "+Inf" ? Infinity : Number(match[2]);
    counts.set(limit, (counts.get(limit) ?? 0) + Number(match[3]));
  }
  return counts;
}

/** The bound of the bucket in which a part of the new requests ended. */
function quantile(now, before, part) {
  const limits = [...now.keys()].sort((a, b) => a - b);
  const news = limits.map(limit => now.get(limit) - (before.get(limit) ?? 0));
  const all = news.at(-1) ?? 0;
  if (all <= 0) return NaN;
  const index = news.findIndex(value => value >= all * part);
  return limits[index] === Infinity ? limits[index - 1] : limits[index];
}

export async function show({place, signal}) {
  const status = await json("GET", "/admin/status", {signal});
  const charts = {
    load: chart("Runs a second", value => count(Math.round(value))),
    failures: chart("Failed runs a second", value => count(Math.round(value))),
    latency: chart("99 of 100 requests within", seconds, 2),
    queue: chart("Runs that go on or wait", count),
    memory: chart("Memory of the process", size),
    connections: chart("Connections", count),
  };
  const facts = make("div");
  const recent = make("div");
  replace(place, make("h1", {}, "Overview"), facts,
    make("div", {class: "cards charts"}, Object.values(charts).map(one => one.element)),
    make("h2", {}, "Drop a module to store it"), uploader(),
    make("h2", {}, "Last runs"), recent,
    command("GET", "/admin/status?follow=true"));

  let before = null;
  const see = now => {
    const time = performance.now() / 1000;
    if (before) {
      const passed = Math.max(time - before.time, 1e-3);
      charts.load.add((now.runs.ended - before.runs.ended) / passed);
      charts.failures.add((now.runs.failed - before.runs.failed) / passed);
      charts.queue.add(now.runs.running + now.runs.waiting);
      charts.memory.add(now.resident_bytes);
      charts.connections.add(now.listeners.reduce((sum, one) => sum + one.connections, 0));
    }
    before = {time, runs: now.runs};
    refresh(facts, make("p", {},
      make("strong", {class: now.ready ? "good" : "warn"}, now.ready ? "Ready" : "Not ready"),
      now.reasons.length ? ": " + now.reasons.map(harmless).join(", ") : "",
      ` · wasmd ${now.version} · up ${seconds(now.uptime_seconds)} · ${count(now.runs.ended)} runs, `
      + `${count(now.runs.failed)} failed, ${count(now.runs.refused)} refused · `
      + `${count(now.store.records)} records`,
      now.store.writable ? "" : make("strong", {class: "bad"}, " · the store cannot be written")));
  };
  see(status);

  let counts = null;
  const slower = async () => {
    if (signal.aborted) return;
    if (!document.hidden) {
      const [runs, metrics] = await Promise.all([
        json("GET", "/admin/runs?limit=8", {signal}),
        send("GET", "/metrics", {signal}).then(answer => answer.text()),
      ]).catch(() => [null, null]);
      if (signal.aborted) return;
      if (runs) {
        const lines = runTable("Last runs", runs.recent, false);
        refresh(recent, runs.recent.length
          ? table(lines.caption, lines.columns, lines.rows) : make("p", {}, "None yet: store a module, open it and "
            + "call one of its functions."));
        const now = buckets(metrics);
        if (counts) charts.latency.add(quantile(now, counts, 0.99));
        counts = now;
      }
    }
    setTimeout(slower, 2000);
  };
  slower();
  follow("/admin/status?follow=true", signal, (type, now) => {
    if (type === "status") see(now);
  }).catch(() => {});
}
