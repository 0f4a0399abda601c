import Glibc
import Testing
import WasmdDocuments
import WasmdHTTP
import WasmdSupervisor

/// Exchanges that were recorded on the Python supervisor, sent to this one: status, fields and bodies
/// are compared member by member. Guests of the same exports stand in for the published ones.
@Suite struct ReplayTests {
    /// Differences that are wanted: the exchange (nil for all), the place, and the reason.
    private static let wanted: [(exchange: String?, place: String, reason: String)] = [
        (nil, "error", "superset: the member that clients of the Rust supervisor read"),
        (nil, "deploymentId", "superset: as the Rust supervisor returns it"),
        (nil, "outputs", "superset: as the Rust supervisor returns it"),
        (nil, "html", "a refusal is JSON, never a page"),
        (
            nil, "result pair",
            "values are texts: a pair with null stops clients that test for null, 0 or false"
        ),
        (nil, "run result", "the result comes with the answer to a run that has ended"),
        ("description", "platform", "the machine's real data"),
        ("description", "supervisorInterfaces", "all functions of WASI, configured skills only"),
        ("description", "supervisorFunctions", "superset: types of the functions"),
        ("deploy not wasm", "warnings", "superset: why its runs will fail"),
        ("deploy energy without file", "warnings", "superset: why its runs will fail"),
        ("health", "memoryUsage", "measured"),
        ("health after register", "cpuUsage", "measured"),
        ("health after register", "memoryUsage", "measured"),
        ("history not wasm", "result", "the text of this engine"),
        ("run subtract reversed names / result", "result", "known names are taken by name"),
        ("run fibo_from_pointers / result", "result", "the text of this engine"),
        ("run trap / result", "result", "the text of this engine"),
        ("module_results traversal", "status", "what leads out is not found, without a look"),
        ("run file chain / result", "outputs", "superset"),
        ("run chain to dead device / result", "result", "the client's own reason at its end"),
        ("run unexpected file", "resultUrl", "compared as the others"),
    ]

    private static func read(_ name: String) -> [UInt8] {
        let folder = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(1)
        guard let file = fopen(folder.joined(separator: "/") + "/" + name, "r") else { return [] }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = fread(&piece, 1, piece.count, file)
            guard count > 0 else { return bytes }
            bytes += piece.prefix(count)
        }
    }

    /// Texts that differ from run to run.
    private static func text(_ document: Document, _ house: SupervisorHouse) -> Document {
        switch document {
        case .string(var text):
            for (name, port) in [
                ("{supervisor}", house.port), ("{supervisor2}", house.port),
                ("{files}", house.filePort), ("{next}", house.filePort),
            ] {
                text = replaced(text, name, "127.0.0.1:\(port)")
            }
            return .string(text)
        case .array(let elements): return .array(elements.map { Self.text($0, house) })
        case .object(let members):
            return .object(members.map { .init($0.name, Self.text($0.value, house)) })
        default: return document
        }
    }

    private static func replaced(_ text: String, _ old: String, _ new: String) -> String {
        let (bytes, old) = (Array(text.utf8), Array(old.utf8))
        var result: [UInt8] = []
        var at = 0
        while at < bytes.count {
            if bytes[at...].starts(with: old) {
                result += Array(new.utf8)
                at += old.count
            } else {
                result.append(bytes[at])
                at += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// Members that differ, and those of one side only.
    private static func differences(_ recorded: Document, _ own: Document) -> [String] {
        guard let old = recorded.objectValue, let new = own.objectValue else {
            return recorded == own ? [] : ["body"]
        }
        var places: [String] = []
        for member in old {
            guard let value = own[member.name] else {
                places.append(member.name)
                continue
            }
            if ordered(member.value) == ordered(value) || member.value == "{date}" { continue }
            // ["21", null]
            let pair = member.value.arrayValue
            if member.name == "result", pair?.count == 2, pair?[1] == .null, pair?[0] == value {
                places.append("result pair")
            } else {
                places.append(member.name)
            }
        }
        for member in new where recorded[member.name] == nil {
            let isRun = member.name == "result" && recorded["resultUrl"] != nil
            places.append(isRun ? "run result" : member.name)
        }
        return places
    }

    /// The members of objects in the order of their names.
    private static func ordered(_ document: Document) -> Document {
        guard let members = document.objectValue else { return document }
        return .object(members.sorted { $0.name < $1.name })
    }

    /// The query of a run, as it was sent, where that is not its entry's `request_args`.
    private static let queries = [
        "run subtract reversed names / result": "param1=2&param0=44",
        "run fibo same key twice / result": "a=44&a=2",
        "run fibo empty item / result": "&a=44&b=2",
    ]

    private static func guests(_ house: SupervisorHouse) throws {
        let gray = """
            (module (memory (export "memory") 1)
              (func (export "convert2Grayscale"))
              (func (export "get_img_ptr") (result i32) (i32.const 1048578))
              (func (export "add") (param i32 i32) (result i32)
                (i32.add (local.get 0) (local.get 1))))
            """
        let energy = """
            (module (memory (export "memory") 1)
              (func (export "consumed_energy") (param i64 i64) (result f64)
                (f64.const 20296.979999990555)))
            """
        try house.files.contents.withLock { contents in
            contents["/file/module/1/wasm"] = try module(fiboText)
            contents["/file/module/2/wasm"] = try module(statefulText)
            contents["/file/module/3/wasm"] = try module(gray)
            contents["/file/module/4/wasm"] = try module(cameraText)
            contents["/file/module/5/wasm"] = try module(energy)
            contents["/file/module/5/data"] = Array("year;month;day\n".utf8)
        }
        house.files.answer.withLock {
            $0 = (200, #"{"resultUrl":"http://elsewhere/request-history/1"}"#)
        }
    }

    /// Makes what the exchange is about: deployments and runs that have no exchange of their own.
    private static func prepare(
        _ name: String, _ request: Document, _ response: Document, _ all: [Document],
        _ house: SupervisorHouse
    ) async throws {
        func node(_ name: String) -> Document {
            text(all.first { $0["name"] == .string(name) }?["request"]?["body"] ?? .null, house)
        }
        func changed(_ node: Document, _ changes: [(String, String)]) -> Document {
            var text = String(decoding: JSONWriter.write(node), as: UTF8.self)
            for (old, new) in changes { text = replaced(text, old, new) }
            return (try? JSONReader.read(Array(text.utf8))) ?? .null
        }
        func deploy(_ node: Document) async throws {
            let answer = try await house.send(.post, "/deploy", json: node)
            #expect(answer.json["status"] == "success", "\(answer.text)")
        }
        switch name {
        case "run stateful after redeploy": try await deploy(node("deploy stateful"))
        case "run camera":
            let camera = changed(node("deploy file chain"), [("dep8", "dep4")])
            guard case .object(let members) = camera else { return }
            try await deploy(.object(members.filter { $0.name != "instructions" }))
        case "run camera no output mount":
            let camera = changed(node("deploy file chain"), [("dep8", "dep4b")])
            guard case .object(let members) = camera else { return }
            try await deploy(
                .object(members.filter { $0.name != "instructions" && $0.name != "mounts" }))
        case "run chain":
            let end = node("deploy chain end")
            let start = changed(end, [("fiboB", "fiboA")])
            let to = end["endpoints"]?["fiboB"]?["fibo"] ?? .null
            func merged(_ name: String) -> Document {
                .object((end[name]?.objectValue ?? []) + (start[name]?.objectValue ?? []))
            }
            let instructions: Document = .object([
                .init(
                    "fiboA",
                    .object([
                        .init(
                            "fibo",
                            .object([
                                .init("from", start["endpoints"]?["fiboA"]?["fibo"] ?? .null),
                                .init("to", to),
                            ]))
                    ]))
            ])
            try await deploy(
                .object([
                    .init("deploymentId", "dep7"),
                    .init(
                        "modules",
                        .array(
                            (end["modules"]?.arrayValue ?? [])
                                + (start["modules"]?.arrayValue ?? []))),
                    .init("endpoints", merged("endpoints")), .init("mounts", merged("mounts")),
                    .init("instructions", .object([.init("modules", instructions)])),
                ]))
        case "delete deployment again":
            #expect(try await house.send(.delete, "/deploy/dep1").status == 200)
        case "run chain / end": break
        case _ where name.hasSuffix(" / result") || name == "history not wasm":
            let entry = response["body"]?["text"]?.stringValue.flatMap {
                try? JSONReader.read(Array($0.utf8))
            }
            func part(_ name: String) -> String { entry?[name]?.stringValue ?? "" }
            let arguments = (entry?["request_args"]?.objectValue ?? []).map {
                "\($0.name)=\($0.value.stringValue ?? "")"
            }
            let query = queries[name] ?? arguments.joined(separator: "&")
            let path =
                "/\(part("deployment_id"))/modules/\(part("module_name"))/"
                + part("function_name")
            _ = try await house.run("\(path)?\(query)", part("method") == "POST" ? .post : .get)
        default: break
        }
    }

    @Test func recordedExchanges() throws {
        let fixture = try JSONReader.read(Self.read("Fixtures/wasmiot_supervisor.json"))
        let all = try #require(fixture.arrayValue)
        #expect(all.count == 71)
        var options = Supervisor.Options()
        options.skills.image = [0xff, 0xd8, 0xff, 0xd9]
        try SupervisorHouse.open(options) { house in
            try Self.guests(house)
            // The recorded supervisor was started with the URL of an orchestrator.
            let url = try #require(URL(Array("http://127.0.0.1:\(house.filePort)".utf8)))
            try await house.supervisor.setOrchestrator(url)
            var used: Set<String> = []
            for exchange in all {
                let name = exchange["name"]?.stringValue ?? ""
                let request = exchange["request"] ?? .null
                let response = exchange["response"] ?? .null
                try await Self.prepare(name, request, response, all, house)
                let places = try await Self.compare(request, response, house)
                for place in places {
                    let known = Self.wanted.contains {
                        ($0.exchange == nil || $0.exchange == name) && $0.place == place
                    }
                    #expect(known, "\(name): \(place)")
                    used.insert("\(name): \(place)")
                }
            }
            // Wanted differences that are none any more are to be removed.
            for difference in Self.wanted {
                guard let exchange = difference.exchange,
                    exchange != "run unexpected file", difference.place != "outputs",
                    // Which may be the recorded one.
                    difference.place != "cpuUsage"
                else { continue }
                let isUsed = used.contains("\(exchange): \(difference.place)")
                #expect(isUsed, "\(exchange): \(difference.place)")
            }
        }
    }

    /// Sends a request and returns where the answer differs from the recorded one.
    private static func compare(
        _ request: Document, _ response: Document, _ house: SupervisorHouse
    ) async throws -> [String] {
        var fields = (request["headers"]?.objectValue ?? []).map {
            ($0.name, $0.value.stringValue ?? "")
        }
        var bytes: [UInt8] = []
        let body = text(request["body"] ?? .null, house)
        if let text = body["text"]?.stringValue {
            bytes = Array(text.utf8)
        } else if body["form"] != nil {
            let (form, type) = form([("x", [1, 2, 3])])
            bytes = form
            fields = [("Content-Type", type)]
        } else if body != .null {
            bytes = JSONWriter.write(body)
        }
        let name = request["method"]?.stringValue ?? ""
        let known = WasmdHTTP.Method(Array(name.utf8))
        let method = try #require(known)
        let path = request["path"]?.stringValue ?? ""
        let answer = try await house.send(method, path, bytes, fields)
        var places: [String] = []
        if response["status"]?.integerValue != Int64(answer.status) { places.append("status") }
        let recorded = response["body"] ?? .null
        for header in response["headers"]?.arrayValue ?? [] {
            let value = header[1]?.stringValue ?? ""
            switch header[0]?.stringValue ?? "" {
            case "Content-Type" where recorded["html_error_page"] == nil:
                let isPage = value.hasPrefix("text/html")
                if answer.field("content-type") != value {
                    places.append(isPage ? "html" : "Content-Type")
                }
            case "Custom-Orchestrator-Set":
                if answer.field("custom-orchestrator-set") != value { places.append("header") }
            case "Allow":
                func methods(_ text: String) -> Set<String> {
                    Set(text.split(separator: ",").map { $0.filter { $0 != " " } })
                }
                if methods(answer.field("allow") ?? "") != methods(value) {
                    places.append("Allow")
                }
            case "Content-Disposition":
                if answer.field("content-disposition") != value { places.append("disposition") }
            case "Accept-Ranges":
                if answer.field("accept-ranges") != value { places.append("ranges") }
            default: break
            }
        }
        if recorded["html_error_page"] != nil {
            #expect(answer.json["status"] == "error", "\(answer.text)")
            return places + ["html"]
        }
        if let length = recorded["length"]?.integerValue {
            if Int64(answer.bytes.count) != length { places.append("length") }
            return places
        }
        let old = recorded["text"]?.stringValue ?? ""
        guard let document = try? JSONReader.read(Array(old.utf8)) else { return places }
        let expected = text(document, house)
        if let entries = expected.arrayValue {
            // The same runs in the same order; that of the second supervisor is here as well.
            let own = (answer.json.arrayValue ?? []).map { $0["request_id"] }
                .filter { $0 != "dep7:fiboB:fibo:1" }
            let ids = entries.map { $0["request_id"] }
            if ids != own { places.append("history") }
            return places
        }
        return places + differences(expected, answer.json)
    }
}
