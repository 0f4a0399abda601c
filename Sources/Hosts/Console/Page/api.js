// Requests to the server that the page came from. The token is kept for this tab only and is never
// part of an address.

const key = "wasmd-token";

export const token = {
  get: () => sessionStorage.getItem(key) ?? "",
  set: value => value ? sessionStorage.setItem(key, value) : sessionStorage.removeItem(key),
};

export class Failure extends Error {
  constructor(status, message, document) {
    super(message);
    this.status = status;
    this.document = document;
  }
}

let told = () => {};

/** Calls `handler` with true when the server does not answer, and with false when it does. */
export const watch = handler => { told = handler; };

/** A response, whatever its status. */
export async function send(method, path, {body, type, accept, signal} = {}) {
  const headers = {};
  if (token.get()) headers.Authorization = "Bearer " + token.get();
  if (type) headers["Content-Type"] = type;
  if (accept) headers.Accept = accept;
  try {
    const response = await fetch(
      path, {method, headers, body, signal, cache: "no-store", redirect: "error"});
    told(false);
    return response;
  } catch (error) {
    // What browsers say is "Failed to fetch".
    if (signal?.aborted) throw error;
    told(true);
    throw new Error(`the server at ${location.origin} does not answer; is it running?`);
  }
}

/** The error that a response is. */
export async function failure(response) {
  const text = await response.text();
  let document = null;
  try { document = JSON.parse(text); } catch { /* A line of text. */ }
  const error = document?.error;
  const message = error?.message ?? (typeof error === "string" ? error : text.trim());
  return new Failure(response.status, message || `status ${response.status}`, document);
}

/** JSON of a successful response. */
export async function json(method, path, options = {}) {
  const response = await send(method, path, {accept: "application/json", ...options});
  if (!response.ok) throw await failure(response);
  const text = await response.text();
  return text ? JSON.parse(text) : null;
}

/**
 * Server-sent events until `signal` is aborted; after a failure it begins again, more slowly each
 * time. They are read by fetch, since an EventSource sends no token. A refusal for good is thrown.
 */
export async function follow(path, signal, handle) {
  let pause = 500;
  while (!signal.aborted) {
    try {
      const response = await send("GET", path, {accept: "text/event-stream", signal});
      if ([401, 403, 404, 421].includes(response.status)) throw await failure(response);
      if (response.ok) {
        pause = 500;
        await read(response.body, handle);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Failure) throw error;
    }
    if (signal.aborted) return;
    await new Promise(done => setTimeout(done, pause));
    pause = Math.min(pause * 2, 10000);
  }
}

async function read(body, handle) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const {done, value} = await reader.read();
    if (done) return;
    rest += value;
    let end;
    while ((end = rest.search(/\r?\n\r?\n/)) >= 0) {
      const block = rest.slice(0, end);
      rest = rest.slice(end).replace(/^\r?\n\r?\n/, "");
      let type = "message";
      const data = [];
      for (const line of block.split(/\r?\n/)) {
        if (line.startsWith("event:")) type = line.slice(6).trim();
        if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
      }
      if (data.length) handle(type, JSON.parse(data.join("\n")));
    }
  }
}

/** Whether the server has a path, by its own description: not each host is there. */
export const serves = async (path, options) =>
  path in (await json("GET", "/openapi.json", options)).paths;

/** Text as one word of a shell. */
export const quoted = text => /^[\w@%+=:,./?&-]+$/.test(text) && !/[?&]/.test(text)
  ? text : "'" + String(text).replaceAll("'", "'\\''") + "'";

/** The curl line that does the same as a request. */
export function curl(method, path, {body, file, type, accept} = {}) {
  const words = ["curl"];
  const hasBody = body !== undefined || file !== undefined;
  if (method !== (hasBody ? "POST" : "GET")) words.push("-X", method);
  if (token.get()) words.push("-H", '"Authorization: Bearer $TOKEN"');
  if (accept) words.push("-H", quoted("Accept: " + accept));
  if (type) words.push("-H", quoted("Content-Type: " + type));
  if (file !== undefined) words.push("--data-binary", quoted("@" + file));
  // '@' at the beginning is no file's name here.
  else if (body !== undefined) words.push("--data-raw", quoted(body));
  words.push(quoted(location.origin + path));
  return words.join(" ");
}
