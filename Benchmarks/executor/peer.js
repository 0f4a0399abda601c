// The peer of Benchmarks/executor/measure: a server that runs a function of a compiled module in a
// fresh instance for each request, and a fixed answer.
//
//     node peer.js PORT MODULE.wasm
//
// POST /wasm/ID with a JSON array of arguments calls the function "add"; GET is a fixed answer.

const { readFileSync } = require("fs");
const { createServer } = require("http");

const [port, path] = process.argv.slice(2);
const module_ = new WebAssembly.Module(readFileSync(path));

createServer((request, response) => {
  if (request.method === "GET") {
    response.setHeader("Content-Type", "text/plain");
    response.end("ok\n");
    return;
  }
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", async () => {
    const values = JSON.parse(Buffer.concat(pieces).toString());
    const instance = await WebAssembly.instantiate(module_);
    const result = instance.exports.add(...values);
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify({ result, results: [result] }));
  });
}).listen(Number(port), "127.0.0.1");
