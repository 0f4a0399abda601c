import {make, once, fill, refresh, replace, scrollable, table, size, seconds, count, harmless, notify, clock} from "./dom.js";
import {json, send, failure, quoted, token} from "./api.js";
import {action, command, labelled, repeat, runTable, save} from "./parts.js";

/** The types of "(i32, i64) -> (f64)". */
function shape(text) {
  const match = (text ?? "").match(/^\((.*)\) -> \((.*)\)$/);
  const words = part => part ? part.split(",").map(word => word.trim()) : [];
  return match ? {parameters: words(match[1]), results: words(match[2])} : null;
}

/** What a field's text is as JSON: numbers stay as they were typed, since they may be 64 bits. */
function literal(text, type) {
  const word = text.trim();
  if (type === "i32" || type === "i64") {
    if (/^[+-]?\d+$/.test(word)) return word.replace(/^\+/, "").replace(/^(-?)0+(?=\d)/, "$1");
    if (/^-?0x[0-9a-f]+$/i.test(word)) return JSON.stringify(word);
  } else if (type === "f32" || type === "f64") {
    if (/^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(word)) return word;
    if (/^(-?Infinity|NaN)$/.test(word)) return JSON.stringify(word);
  } else if (type === "v128") {
    if (/^0x[0-9a-f]{32}$/i.test(word)) return JSON.stringify(word);
  } else if (isReference(type)) {
    if (word === "null") return word;
  } else return JSON.stringify(text);
  throw new Error(`'${word}' is no ${type}${hints[type] ? `: ${hints[type]}` : ""}`);
}

const hints = {
  i32: "a whole number, or 0x and digits", i64: "a whole number, or 0x and digits",
  f32: "a number, NaN, Infinity or -Infinity", f64: "a number, NaN, Infinity or -Infinity",
  v128: "0x and 32 hexadecimal digits, lowest byte first",
};
const isReference = type => /ref/.test(type);
/** References point to what is in the host or in a module: there is no text for them but null. */
const isNull = type => isReference(type) && !/^\(ref (?!null)/.test(type);
const initial = type => isReference(type) ? "null" : type === "v128" ? "0x" + "0".repeat(32)
  : hints[type] ? "0" : "";

function types(record, name, signature) {
  const declared = record.meta_data.param ?? [];
  const isItsOwn = record.meta_data.run_function === name && declared.length > 0;
  return isItsOwn ? declared.map(one => ({name: one.name, type: typeText(one.param_type)}))
    : signature.parameters.map((type, index) => ({name: `${index}`, type}));
}

const typeText = type => typeof type === "string" ? type.toLowerCase() : JSON.stringify(type);

export async function show({place, signal, words: [id]}) {
  const path = "/wasm/" + encodeURIComponent(id);
  const [record, code] = await Promise.all([
    json("GET", path + "?wasm=false", {signal}),
    // Only operators may see code: its name is left out for others.
    json("GET", `/admin/modules/${encodeURIComponent(id)}/functions?limit=1`, {signal})
      .catch(() => null)]);
  const functions = record.exports.filter(one => one.kind === "function");
  const others = record.exports.filter(one => one.kind !== "function");
  const isProgram = functions.some(one => one.name === "_start");
  replace(place,
    make("h1", {}, "Module ", code?.module ? harmless(code.module)
      : make("span", {class: "mono"}, id)),
    make("p", {class: "faint"}, code?.module ? [make("span", {class: "mono"}, id), " · "] : null,
      `${size(record.meta_data.size)} · SHA-256 `,
      make("span", {class: "mono"}, record.sha256.slice(0, 16) + "…"),
      ` · stored ${new Date(record.created).toLocaleString()}`,
      record.changed !== record.created
        ? ` · changed ${new Date(record.changed).toLocaleString()}` : "", " · ",
      make("a", {href: `#/modules/${encodeURIComponent(id)}/functions`},
        code ? `Code of ${count(code.count)} function${code.count === 1 ? "" : "s"}` : "Code")),
    isProgram ? programForm(path, id) : null,
    functions.filter(one => one.name !== "_start").length
      ? [make("h2", {}, "Call a function"), make("div", {class: "cards"},
        functions.filter(one => one.name !== "_start").map(one => callForm(path, record, one)))]
      : null,
    make("h2", {}, "Imports"), record.imports.length
      ? table("Imports", [["Module"], ["Name"], ["Kind"], ["Type", "wide"]], record.imports.map(one =>
        [harmless(one.module), harmless(one.name), one.kind, make("code", {}, harmless(one.type ?? ""))]))
      : make("p", {}, "None."),
    others.length ? [make("h2", {}, "Other exports"), table("Other exports", [["Name"], ["Kind"]],
      others.map(one => [harmless(one.name), one.kind]))] : null,
    make("h2", {}, "Profile what runs now"), profileForm(id));
  const recent = make("div");
  const update = async () => {
    const runs = await json("GET", "/admin/runs?limit=20&module=" + encodeURIComponent(id), {signal});
    const lines = runTable("Last runs", [...runs.active, ...runs.recent], false);
    refresh(recent, make("h2", {}, "Last runs"), lines.rows.length
      ? table(lines.caption, lines.columns, lines.rows)
      : make("p", {}, "None yet: a call from above, or by curl, is one."));
  };
  await update().then(() => repeat(signal, update), () => {});
  fill(place, recent);
  fill(place, make("h2", {}, "Change"), make("div", {class: "row top"},
    make("button", {type: "button", onclick: async () => {
      try {
        const response = await send("GET", path, {accept: "application/wasm"});
        if (!response.ok) throw await failure(response);
        save(await response.blob(), id + ".wasm");
      } catch (error) { notify(error.message, true); }
    }}, "Download"),
    action("Delete", "DELETE", path, {isDangerous: true, confirmation: "Delete this module?",
      done: () => { location.hash = "#/modules"; }})),
  command("GET", path + "?wasm=false"),
  command("GET", path, {accept: "application/wasm"}));
}

/** The form of an exported function. */
function callForm(path, record, one) {
  const signature = shape(one.type);
  const head = [make("h3", {}, harmless(one.name)), make("code", {}, harmless(one.type ?? ""))];
  if (!signature) return make("section", {class: "card"}, head);
  const wanted = types(record, one.name, signature);
  const impossible = wanted.find(({type}) => isReference(type) && !isNull(type));
  if (impossible) {
    return make("section", {class: "card"}, head, make("p", {class: "warn"},
      `It cannot be called from here: no text stands for a value of ${impossible.type}, and it may `
      + "not be null."));
  }
  const fields = wanted.map(({type}) => make("input", {
    type: "text", value: initial(type), readOnly: isReference(type), title: hints[type],
    class: type === "v128" ? "mono" : null, autocomplete: "off", spellcheck: "false"}));
  const observed = observation();
  const target = () => `${path}?function=${encodeURIComponent(one.name)}`
    + (observed.value ? "&profile=" + observed.value : "");
  const body = () => "[" + fields.map((field, index) =>
    literal(field.value, wanted[index].type)).join(", ") + "]";
  const answer = make("div", {role: "status"});
  return make("section", {class: "card"}, head,
    make("form", {onsubmit: async event => {
      event.preventDefault();
      replace(answer, "…");
      try {
        await perform(answer, target(), body(), "application/json");
      } catch (error) { replace(answer, make("p", {class: "bad"}, harmless(error.message))); }
    }},
    wanted.map(({name, type}, index) => make("label", {},
      make("span", {}, harmless(`${name}: ${type}`) + (isReference(type) ? ", of which only null can "
        + "be passed: no text stands for another" : "")), fields[index])),
    labelled("With the result", observed),
    make("button", {class: "main"}, "Call")), answer,
    command(() => {
      let text;
      try { text = body(); } catch (error) { return harmless(error.message); }
      return line(target(), "-d " + quoted(text));
    }));
}

const line = (path, data) => `curl ${data}${token.get()
  ? ' -H "Authorization: Bearer $TOKEN"' : ""} ${quoted(location.origin + path)}`;

/** The form of a program of WASI. */
function programForm(path) {
  const words = make("textarea", {"aria-label": "Arguments, one in a line", rows: 2});
  const input = make("textarea", {"aria-label": "Standard input", rows: 3});
  const observed = observation();
  const target = () => {
    const parts = words.value.split("\n").filter(word => word)
      .map(word => "arg=" + encodeURIComponent(word));
    if (observed.value) parts.push("profile=" + observed.value);
    return path + (parts.length ? "?" + parts.join("&") : "");
  };
  const answer = make("div", {role: "status"});
  return [make("h2", {}, "Run the program"), make("section", {class: "card"},
    make("form", {onsubmit: async event => {
      event.preventDefault();
      replace(answer, "…");
      try {
        await perform(answer, target(), input.value, "text/plain");
      } catch (error) { replace(answer, make("p", {class: "bad"}, harmless(error.message))); }
    }},
    make("label", {}, make("span", {}, "Arguments, one in a line"), words),
    make("label", {}, make("span", {}, "Standard input"), input),
    labelled("With the output", observed),
    make("button", {class: "main"}, "Run")), answer,
    command(() => line(target(), "--data-binary " + quoted(input.value || ""))))];
}

/** Calls, and shows results, output, or the trap with its backtrace. */
async function perform(answer, path, body, type) {
  const start = performance.now();
  const response = await send("POST", path, {body, type});
  const time = seconds((performance.now() - start) / 1000);
  const text = await response.text();
  let result = null;
  // Integers may have 64 bits: what is shown is the text that the server wrote.
  if ((response.headers.get("Content-Type") ?? "").startsWith("application/json")) {
    try { result = JSON.parse(text); } catch { /* Shown as it is. */ }
  }
  if (!response.ok) {
    const error = result?.error ?? {message: text};
    return replace(answer, make("p", {class: "bad"}, harmless(error.message ?? text),
      error.limit ? ` (limit: ${harmless(error.limit)})` : ""),
    error.backtrace ? make("pre", {}, error.backtrace.map(harmless).join("\n")) : null);
  }
  const code = response.headers.get("Wasmd-Exit-Code") ?? result?.exit_code;
  replace(answer,
    make("p", {}, make("strong", {class: "good"}, "Answer "), make("span", {class: "faint"}, time),
      code !== undefined && code !== null ? ` · exit code ${code}` : ""),
    make("pre", {}, harmless(result?.output ?? exact(text, result))),
    result?.note ? make("p", {class: "warn"}, harmless(result.note)) : null,
    result?.run ? make("a", {href: "#/runs/" + result.run}, "The run") : null,
    result?.profile ? (result.profile.startsWith("TN:") ? coverage(result.profile)
      : picture(result.profile)) : null);
}

/** What is brought along: the values are those of `profile` in the query. */
const observation = () => make("select", {}, make("option", {value: ""}, "nothing else"),
  make("option", {value: "flamegraph.svg"}, "a flame graph"),
  make("option", {value: "coverage.info"}, "coverage: what ran how often"));

/** A tracefile of lcov as tables: functions, and lines where the module has debug information. */
function coverage(text) {
  const functions = [];
  const lines = [];
  let file = "";
  const numbers = new Map();
  for (const line of text.split("\n")) {
    const rest = line.slice(line.indexOf(":") + 1);
    const comma = rest.indexOf(",");
    const [first, second] = [rest.slice(0, comma), rest.slice(comma + 1)];
    if (line.startsWith("SF:")) file = rest;
    else if (line.startsWith("FN:")) numbers.set(file + "\n" + second, first);
    else if (line.startsWith("FNDA:")) {
      functions.push({name: second, file, line: numbers.get(file + "\n" + second), times: first});
    } else if (line.startsWith("DA:")) lines.push({file, line: first, times: second});
  }
  // Without debug information each function is one line of its own.
  const hasLines = lines.length > functions.length;
  const ran = list => `${list.filter(one => one.times !== "0").length} of ${list.length}`;
  const times = one => make("span", {class: one.times === "0" ? "bad" : "good"}, count(one.times));
  const short = one => harmless(one.file.split("/").at(-1)) + (hasLines ? ":" + one.line : "");
  const most = 500;
  return make("div", {}, make("p", {}, `${ran(functions)} functions ran`,
    hasLines ? `, ${ran(lines)} lines` : " (without debug information there are no lines)"),
  table("Functions that ran", [["Times", "number"], ["Function", "wide"], ["Place"]],
    functions.slice(0, most).map(one => [times(one), harmless(one.name), short(one)])),
  hasLines ? make("details", {}, make("summary", {}, "Lines"),
    table("Lines that ran", [["Times", "number"], ["Line"]],
      lines.slice(0, most).map(one => [times(one), short(one)]))) : null,
  functions.length > most || lines.length > most
    ? make("p", {class: "faint"}, `The first ${most} are shown.`) : null,
  make("button", {type: "button", onclick: () =>
    save(new Blob([text], {type: "text/plain"}), "coverage.info")}, "Save"));
}

/** The results as the server wrote them. */
function exact(text, result) {
  if (!result || !("results" in result)) return text;
  return text.match(/"results":(\[[^]*?\])(?:,"(?:run|note|profile)"|\}\s*$)/)?.[1] ?? text;
}

/** A picture cannot run anything, whatever its names are. */
export function picture(svg) {
  const blob = new Blob([svg], {type: "image/svg+xml"});
  const image = make("img", {class: "flame", alt: "Flame graph: functions by their time",
    src: URL.createObjectURL(blob)});
  return make("div", {}, scrollable(make("div", {class: "scroll"}, image), "Flame graph"),
    make("button", {type: "button", onclick: () => save(blob, "flamegraph.svg")}, "Save"));
}

/** Profiles the runs of the next seconds. */
export function profileForm(id) {
  const time = make("input", {type: "number", min: 1, max: 300, value: "5", "aria-label": "Seconds"});
  const answer = make("div", {role: "status"});
  const path = form => `/admin/profile?module=${encodeURIComponent(id)}&seconds=${time.value || 5}`
    + `&form=${form}`;
  const button = make("button", {type: "button", onclick: () => once(button, async () => {
    replace(answer, `Collecting for ${time.value || 5} seconds.`);
    try {
      const response = await send("POST", path("flamegraph.svg"));
      if (!response.ok) throw await failure(response);
      replace(answer, picture(await response.text()), make("p", {class: "faint"}, clock(new Date())));
    } catch (error) { replace(answer, make("p", {class: "bad"}, harmless(error.message))); }
  })}, "Profile");
  return make("section", {class: "card"}, make("div", {class: "row"},
    make("label", {}, make("span", {}, "Seconds"), time), button), answer,
  command(() => line(path("flamegraph.svg"), "-X POST")));
}
