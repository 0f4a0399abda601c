import {make, fill, replace, table, size, count, harmless, notify} from "./dom.js";
import {json, token, quoted} from "./api.js";
import {command} from "./parts.js";

/** A place to drop modules on, with progress. */
export function uploader(done) {
  const picker = make("input", {type: "file", accept: ".wasm,application/wasm", multiple: true,
    id: "upload", "aria-label": "Modules to store"});
  const list = make("div", {role: "status"});
  const area = make("div", {class: "drop"},
    make("p", {}, "Drop .wasm files here, or choose them:"), picker, list,
    command(() => `curl --data-binary @module.wasm${token.get()
      ? ' -H "Authorization: Bearer $TOKEN"' : ""} ${quoted(location.origin + "/wasm")}`));
  const take = async files => {
    for (const file of files) {
      const bar = make("progress", {max: 1, value: 0, "aria-label": file.name});
      const line = make("p", {}, harmless(file.name), " ", bar);
      list.append(line);
      try {
        const answer = await upload(file, part => { bar.value = part; });
        replace(line, make("span", {class: "good"}, "Stored "),
          make("a", {href: "#/modules/" + answer.id}, harmless(file.name)), ` (${size(file.size)})`);
        if (files.length === 1) {
          // Whoever stores one wants to call it.
          notify(`Stored ${harmless(file.name)}.`);
          location.hash = "#/modules/" + encodeURIComponent(answer.id);
        } else done?.(answer);
      } catch (error) {
        replace(line, make("span", {class: "bad"}, harmless(`${file.name}: ${error.message}`)));
      }
    }
  };
  picker.addEventListener("change", () => { take([...picker.files]); picker.value = ""; });
  target = {area, take};
  return area;
}

/** The place that takes what is dropped: that of the view that was shown last. */
let target = null;

/**
 * Files may be dropped anywhere: a browser would open what is dropped beside the place for it, and
 * leave the page.
 */
export function takeDrops() {
  for (const type of ["dragover", "dragleave", "drop"]) {
    addEventListener(type, async event => {
      if (![...event.dataTransfer?.types ?? []].includes("Files")) return;
      event.preventDefault();
      if (target?.area.isConnected) target.area.classList.toggle("over", type === "dragover");
      if (type !== "drop") return;
      const files = [...event.dataTransfer.files];
      if (!target?.area.isConnected) {
        location.hash = "#/modules";
        for (let round = 0; round < 100 && !target?.area.isConnected; round += 1) {
          await new Promise(done => setTimeout(done, 50));
        }
      }
      if (target?.area.isConnected) await target.take(files);
    });
  }
}

/** fetch tells nothing of the progress of a body. */
function upload(file, progress) {
  return new Promise((done, fail) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/wasm");
    if (token.get()) request.setRequestHeader("Authorization", "Bearer " + token.get());
    request.setRequestHeader("Content-Type", "application/wasm");
    request.upload.onprogress = event => progress(event.loaded / Math.max(event.total, 1));
    request.onerror = () => fail(new Error("the connection broke"));
    request.onload = async () => {
      let answer = null;
      try { answer = JSON.parse(request.responseText); } catch { /* A line of text. */ }
      if (request.status >= 200 && request.status < 300 && answer?.id) {
        try {
          await stored(answer);
          done(answer);
        } catch (error) { fail(error); }
      } else fail(new Error(answer?.error?.message ?? `status ${request.status}`));
    };
    request.send(file);
  });
}

/** Waits until a write is done. */
async function stored(answer) {
  for (let round = 0; answer.job && round < 50; round += 1) {
    const job = await json("GET", "/jobs/" + answer.job);
    const state = String(job.state).toUpperCase();
    if (job.error) throw new Error(job.error);
    if (!["PENDING", "RUNNING", "WAITING", "QUEUED"].includes(state)) return;
    await new Promise(next => setTimeout(next, 100));
  }
}

export async function show({place, signal, query}) {
  const after = query.get("after");
  const path = "/admin/modules?limit=100" + (after ? "&after=" + encodeURIComponent(after) : "");
  const page = await json("GET", path, {signal});
  const rows = page.items.map(item => [
    make("a", {href: "#/modules/" + encodeURIComponent(item.id), class: "mono"}, item.id),
    harmless(item.name ?? ""), size(item.size), count(item.runs), count(item.failures),
    count(item.running), count(item.fuel)]);
  const again = () => show({place, signal, query}).catch(error => notify(error.message, true));
  replace(place, make("h1", {}, "Modules"), uploader(again),
    rows.length ? table("Modules", [["Id"], ["Name"], ["Size", "number"], ["Runs", "number"],
      ["Failed", "number"], ["Running", "number"], ["Fuel", "number"]], rows)
      : make("p", {}, "No module is stored yet. Drop one above, or store it with curl."));
  fill(place, page.next
    ? make("p", {}, make("a", {href: "#/modules?after=" + encodeURIComponent(page.next)}, "Next page"))
    : null, command("GET", path));
}
