import WasmSystem
import WasmdDocuments
import WasmdGuests
import WasmdHTTP

/// `wasmd ctl`: sees and changes a server from outside, through its admin interface.
struct ControlCommand {
    let options: ControlOptions

    init(_ arguments: ParsedArguments) throws(UsageError) {
        options = try ControlOptions(arguments)
    }

    /// Does it, and returns the exit code.
    func perform(_ console: Console) -> Int32 {
        do throws(Refusal) {
            let client = try ControlClient(options.server, tokenFile: options.tokenFile)
            return try perform(client, console)
        } catch {
            if options.printsJSON {
                console.output.writeLine(JSON.object(("error", error.json)).text)
            } else {
                console.complain(error.text)
            }
            return ExitCode.refused
        }
    }

    private func perform(_ client: ControlClient, _ console: Console) throws(Refusal) -> Int32 {
        let first = options.words.first
        switch options.verb {
        case .status:
            print(try client.json(.get, "/admin/status"), console, ControlReport.status)
        case .list: print(try list(client), console, ControlReport.modules)
        case .put: try put(client, console)
        case .show:
            print(
                try client.json(.get, "/wasm/\(path(first))?wasm=false"), console,
                ControlReport.module)
        case .get: try get(client)
        case .delete:
            print(try client.json(.delete, "/wasm/\(path(first))"), console) { _ in
                ["deleted \(printable(first?.text ?? ""))"]
            }
        case .run: return try run(client, console)
        case .runs:
            if first == nil {
                print(
                    try client.json(.get, "/admin/runs" + query([("module", options.module)])),
                    console, ControlReport.runs)
            } else {
                print(
                    try client.json(.get, "/admin/runs/\(path(first))"), console,
                    ControlReport.run)
            }
        case .logs: try logs(client, console)
        case .stop:
            print(try client.json(.delete, "/admin/runs/\(path(first))"), console) { _ in
                ["stopped \(printable(first?.text ?? ""))"]
            }
        case .profile: try profile(client, console)
        case .reload:
            print(try client.json(.post, "/admin/reload"), console, ControlReport.reload)
        case .drain:
            let method: Method = options.undoes ? .delete : .post
            print(try client.json(method, "/admin/drain"), console) { answer in
                [
                    answer["draining"] == true
                        ? "draining: /readyz is 503 until 'wasmd ctl drain --undo'"
                        : "not draining"
                ]
            }
        case .shutdown:
            print(try client.json(.post, "/admin/shutdown"), console) { _ in ["stopping"] }
        case .backup: return try backUp(client, console)
        case .compact:
            print(try client.json(.post, "/admin/compact"), console, ControlReport.compaction)
        case .verify:
            let answer = try client.json(.post, "/admin/verify")
            print(answer, console, ControlReport.verification)
            return answer["sound"] == true ? ExitCode.success : ExitCode.refused
        }
        return ExitCode.success
    }

    // MARK: Parts

    /// Prints a document, or what a report says of it.
    func print(
        _ document: Document, _ console: Console, _ report: (Document) -> [String]
    ) {
        if options.printsJSON {
            console.output.writeLine(document.text)
        } else {
            for line in report(document) { console.output.writeLine(line) }
        }
    }

    /// A word as a segment of a path.
    func path(_ word: Word?) -> String {
        String(decoding: PercentCoding.encode(word?.bytes ?? []), as: UTF8.self)
    }

    /// `?a=b&c=d`, without what is nil.
    func query(_ pairs: [(name: String, value: String?)]) -> String {
        let parts = pairs.compactMap { name, value in
            value.map {
                name + "=" + String(decoding: PercentCoding.encode(Array($0.utf8)), as: UTF8.self)
            }
        }
        return parts.isEmpty ? "" : "?" + parts.joined(separator: "&")
    }

    /// All pages of the list of modules, as one.
    private func list(_ client: ControlClient) throws(Refusal) -> Document {
        var items: [Document] = []
        var after: String?
        repeat {
            let page = try client.json(
                .get, "/admin/modules" + query([("limit", "1000"), ("after", after)]))
            let more = page["items"]?.arrayValue ?? []
            items += more
            after = more.isEmpty ? nil : page["next"]?.stringValue
        } while after != nil
        return .object([.init("items", .array(items))])
    }

    private func put(_ client: ControlClient, _ console: Console) throws(Refusal) {
        guard let file = options.words.first else { return }
        let module = try ModuleFile(file)
        let bytes = module.bytes[module.bytes.range]
        let id = options.words.dropFirst().first
        var answer = try client.json(
            id == nil ? .post : .put, id == nil ? "/wasm" : "/wasm/\(path(id))", bytes,
            type: "application/wasm")
        if let function = options.function, let stored = answer["id"]?.stringValue {
            let change = JSONWriter.write(
                .object([.init("run_function", .string(function))]))
            let changed = try client.json(
                .put, "/wasm/\(path(Word(stored)))", change, type: "application/json")
            answer = changed
        }
        print(answer, console) { answer in
            [HarmlessText.text((answer["id"]?.stringValue ?? "").utf8)]
        }
    }

    private func get(_ client: ControlClient) throws(Refusal) {
        guard let output = options.output else {
            throw Refusal(
                file: "wasmd ctl get", reason: "a module is binary",
                hint: "Name a file with --output FILE; - is standard output.")
        }
        let answer = try client.checked(
            client.send(
                .get, "/wasm/\(path(options.words.first))", accept: "application/wasm"))
        try write(answer.bytes, to: output)
    }

    func write(_ bytes: [UInt8], to output: Word) throws(Refusal) {
        if output == "-" {
            if let error = writeAll(bytes, to: Kernel.standardOutput), error != .pipe {
                throw Refusal(file: "standard output", reason: error.text)
            }
            return
        }
        let file: Int32
        do throws(SystemError) {
            file = try Kernel.open(output.cString, [.writeOnly, .create, .truncate])
        } catch {
            throw Refusal(file: output.text, reason: error.text)
        }
        defer { try? Kernel.close(file) }
        if let error = writeAll(bytes, to: file) {
            throw Refusal(file: output.text, reason: error.text)
        }
    }

    private func profile(_ client: ControlClient, _ console: Console) throws(Refusal) {
        let form = options.form ?? "flamegraph.svg"
        let query = query([
            ("module", options.words.first?.text), ("seconds", "\(options.seconds)"),
            ("form", form),
        ])
        let answer = try client.checked(client.send(.post, "/admin/profile" + query))
        let output = options.output ?? Word("wasmd-\(form)")
        try write(answer.bytes, to: output)
        let runs = Int64(answer.field("wasmd-profiled-runs") ?? "") ?? 0
        let samples = Int64(answer.field("wasmd-samples") ?? "") ?? 0
        if options.printsJSON {
            console.output.writeLine(
                JSON.object(
                    ("file", .string(output.text)), ("form", .string(form)),
                    ("runs", .integer(runs)),
                    ("samples", .integer(samples))
                ).text)
        } else if output != "-" {
            console.output.writeLine(
                "\(printable(output.text)): \(counted(samples, "sample")) of \(counted(runs, "run"))"
            )
            if runs == 0 {
                console.output.writeLine(
                    "  Nothing ran in \(counted(options.seconds, "second")); see 'wasmd ctl runs'.")
            } else {
                console.output.writeLine(
                    form == "flamegraph.svg"
                        ? "  Open it in a browser." : "  Open it at profiler.firefox.com.")
            }
        }
    }

    private func logs(_ client: ControlClient, _ console: Console) throws(Refusal) {
        let pairs = [("run", options.run), ("recent", options.recent.map { "\($0)" })]
        guard options.follows else {
            return print(
                try client.json(.get, "/admin/logs" + query(pairs)), console
            ) { ($0["lines"]?.arrayValue ?? []).map(ControlReport.line) }
        }
        let printer = LogFollower(printsJSON: options.printsJSON)
        let answer = try client.stream(
            .get, "/admin/logs" + query(pairs + [("follow", "true")]), accept: "text/event-stream",
            printer.take)
        _ = try client.checked(answer)
        // It has no end of its own.
        throw Refusal(
            file: client.server.text, reason: "the server has ended the log: it stops",
            hint: "Follow it again when it is back.")
    }
}
