import WasmdHTTP
import WasmdOperation

/// The pages for browsers: what there is, and the routes.
enum WebPage {
    static let page = """
        <!DOCTYPE html>
        <html lang="en"><head><meta charset="utf-8"><title>wasmd orchestrator</title>
        <style>body{font:15px/1.5 sans-serif;max-width:70em;margin:2em auto;padding:0 1em}
        table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.2em .6em;
        border-bottom:1px solid #ccc;vertical-align:top}pre{white-space:pre-wrap}</style></head>
        <body><h1>wasmd orchestrator</h1>
        <p><a href="/docs">routes</a>, <a href="/export">export everything</a></p>
        <h2>Modules</h2><table id="modules"></table>
        <form id="create"><input name="name" placeholder="name" required>
        <input type="file" name="wasm" required><button>create</button></form>
        <h2>Devices</h2><table id="devices"></table>
        <h2>Deployments</h2><table id="deployments"></table>
        <h2>Executions</h2><table id="executions"></table>
        <h2>Answer</h2><pre id="answer"></pre>
        <script src="/utils.js"></script></body></html>

        """

    /// Lists what there is, and sends forms. Texts of documents become text nodes only.
    static let script = """
        "use strict";
        const show = (value) => {
          document.getElementById("answer").textContent =
            typeof value === "string" ? value : JSON.stringify(value, null, 2);
        };
        const request = async (method, path, body) => {
          const answer = await fetch(path, { method, body });
          const text = await answer.text();
          if (!answer.ok) throw new Error(answer.status + " " + text);
          return text === "" ? null : JSON.parse(text);
        };
        const table = (id, rows) => {
          const place = document.getElementById(id);
          place.replaceChildren();
          for (const row of rows) {
            const line = place.insertRow();
            for (const cell of row) {
              const where = line.insertCell();
              if (cell instanceof Node) where.append(cell);
              else where.textContent = cell === undefined || cell === null ? "" : String(cell);
            }
          }
        };
        const button = (text, action) => {
          const made = document.createElement("button");
          made.textContent = text;
          made.onclick = () => action().then(show, (error) => show(error.message)).then(refresh);
          return made;
        };
        const refresh = async () => {
          const modules = await request("GET", "/file/module");
          table("modules", modules.map((one) => [
            one.name, one._id, (one.exports || []).map((each) => each.name).join(", "),
            button("delete", () => request("DELETE", "/file/module/" + one._id)),
          ]));
          const devices = await request("GET", "/file/device");
          table("devices", devices.map((one) => [
            one.name, one._id, one.status, (one.communication.addresses || []).join(", "),
            one.communication.port,
          ]));
          const deployments = await request("GET", "/file/manifest");
          table("deployments", deployments.map((one) => [
            one.name, one._id, one.active ? "active" : "",
            button("deploy", () => request("POST", "/file/manifest/" + one._id)),
            button("execute", () => {
              const words = prompt("Arguments as JSON", "{\\"param0\\": 7}");
              const body = new URLSearchParams(JSON.parse(words || "{}"));
              return request("POST", "/execute/" + one._id, body);
            }),
            button("delete", () => request("DELETE", "/file/manifest/" + one._id)),
          ]));
          const executions = await request("GET", "/executions?limit=20");
          table("executions", executions.map((one) => [
            one._id, one.name, one.status, one.startedAt, JSON.stringify(one.result),
            one.status === "running"
              ? button("cancel", () => request("DELETE", "/executions/" + one._id)) : "",
          ]));
        };
        document.getElementById("create").onsubmit = (event) => {
          event.preventDefault();
          const form = new FormData(event.target);
          request("POST", "/file/module", form)
            .then(show, (error) => show(error.message)).then(refresh);
        };
        refresh().catch((error) => show(error.message));

        """

    /// The operations of a table as a page.
    static func documentation(_ table: APITable) -> String {
        var page = """
            <!DOCTYPE html>
            <html lang="en"><head><meta charset="utf-8"><title>wasmd orchestrator: routes</title>
            <style>body{font:15px/1.5 sans-serif;max-width:70em;margin:2em auto;padding:0 1em}
            table{border-collapse:collapse}td{padding:.2em .6em;border-bottom:1px solid #ccc;
            vertical-align:top}</style></head><body><h1>Routes</h1>
            <p><a href="/openapi.json">OpenAPI document</a></p><table>

            """
        for operation in table.operations {
            let scope = operation.scope.map { $0.names.joined(separator: ", ") } ?? ""
            page += "<tr><td>\(operation.method.name)</td><td><code>\(escaped(operation.path))"
            page += "</code></td><td>\(escaped(operation.summary))</td><td>\(scope)</td></tr>\n"
        }
        return page + "</table></body></html>\n"
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
