import {make, fill, replace, table, size, harmless} from "./dom.js";
import {json} from "./api.js";
import {command} from "./parts.js";

/** The functions of a module. */
export async function showAll({place, signal, words: [id], query}) {
  const after = query.get("after");
  const path = `/admin/modules/${encodeURIComponent(id)}/functions?limit=500`
    + (after ? "&after=" + encodeURIComponent(after) : "");
  const page = await json("GET", path, {signal});
  const here = `#/modules/${encodeURIComponent(id)}/functions`;
  replace(place, make("h1", {}, page.module ? `Functions of ${harmless(page.module)}` : "Functions"),
    make("p", {}, make("a", {href: "#/modules/" + encodeURIComponent(id)}, "The module")),
    table("Functions", [["Index", "number"], ["Name"], ["Type"], ["Size", "number"]],
      page.items.map(one => [
        one.imported ? one.index : make("a", {href: `${here}/${one.index}`}, one.index),
        one.name ? harmless(one.name) : make("span", {class: "faint"}, one.imported ? "imported" : "–"),
        make("code", {}, harmless(one.type)), one.imported ? "" : size(one.size)])),
    page.next === null ? null : make("p", {}, make("a", {href: `${here}?after=${page.next}`}, "Next page")),
    command("GET", path));
}

/** A function as WebAssembly and as register code, side by side. */
export async function showOne({place, signal, words: [id, index]}) {
  const path = `/admin/modules/${encodeURIComponent(id)}/functions/${encodeURIComponent(index)}`;
  const one = await json("GET", path, {signal});
  replace(place, make("h1", {}, `Function ${one.index}`, one.name ? " " + harmless(one.name) : ""),
    make("p", {}, make("a", {href: `#/modules/${encodeURIComponent(id)}/functions`}, "All functions"),
      " · ", make("code", {}, harmless(one.type)), one.size ? " · " + size(one.size) : ""));
  if (one.imported) return fill(place, make("p", {}, "It is imported."));
  // Register code keeps its order: each line stands beside the last instruction that begins no
  // later than the one it was made for.
  const rest = [...one.registers];
  const rows = one.wasm.map((line, number) => {
    const end = one.wasm[number + 1]?.offset ?? Infinity;
    const code = [];
    while (rest.length && (rest[0].offset ?? line.offset) < end) code.push(rest.shift());
    return ["0x" + line.offset.toString(16), "  ".repeat(Math.min(line.depth, 12)) + harmless(line.text),
      code.map(part => `${part.word}  ${harmless(part.text)}`).join("\n")];
  });
  fill(place, table("Code", [["Offset", "number mono"], ["WebAssembly", "code mono"],
    ["Register code", "code mono"]], rows), command("GET", path));
}
