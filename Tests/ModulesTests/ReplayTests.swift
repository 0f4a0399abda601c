import Glibc
import Testing
import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdModules

/// Sends the requests that were recorded at the real orchestrator, in their order, and compares the
/// answers: status, media type and every member of the bodies. Members that are only ours must be in
/// `additions`, and answers that differ in `differences`.
@Suite struct ReplayTests {
    struct Difference {
        let reason: String
        let status: UInt16
        var comparesBody = false
    }

    /// What is wanted to be otherwise, and why.
    static let differences: [String: Difference] = [
        "root gui": Difference(reason: "the page is our own", status: 200),
        "core": Difference(reason: "the original crashes", status: 200),
        "get data file unknown": Difference(
            reason: "the original crashes before the first description", status: 400),
        "describe json": Difference(
            reason: "only forms work there, though JSON is documented", status: 200),
        "describe urlencoded": Difference(
            reason: "only forms with parts work there, though all are documented", status: 200),
        "after describing unknown": Difference(
            reason: "failed requests leave documents behind there", status: 200),
        "create module with memory import": Difference(
            reason: "imports are read from the sections and need not be faked", status: 201),
        "manifest get by name": Difference(reason: "the original crashes", status: 200),
        "execute unknown": Difference(reason: "the original crashes", status: 404),
        "manifest update bad id": Difference(reason: "the original crashes", status: 404),
        "datalist execute with value": Difference(
            reason: "the original reads the file of a request that has none", status: 200),
        "datalist execute with file only": Difference(
            reason: "the published example does this", status: 200),
        "datalist execute with both": Difference(
            reason: "the two runs before have added entries", status: 200),
        "datalist get": Difference(
            reason: "the two runs before have added entries", status: 200),
        "deploy broken": Difference(reason: "the original crashes", status: 400),
    ]

    /// Members that only our answers have.
    static let additions = [
        "imports", "warnings", "params", "results", "resultUrl", "fetched_from_device",
        "blacklisted",
    ]

    private static func recorded(_ name: String) throws -> [Document] {
        let folder = #filePath.prefix(upTo: #filePath.lastIndex(of: "/") ?? #filePath.endIndex)
        let file = try #require(fopen("\(folder)/Recorded/\(name).json", "r"))
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = fread(&piece, 1, piece.count, file)
            if count == 0 { break }
            bytes += piece.prefix(count)
        }
        return try #require(try JSONReader.read(bytes).arrayValue)
    }

    // MARK: Comparing

    /// Whether a value is what was recorded; names in braces stand for anything.
    private static func differs(
        _ actual: Document?, _ expected: Document, _ place: String = ""
    ) -> String? {
        guard let actual else { return "\(place) is missing" }
        if actual == expected { return nil }
        switch (actual, expected) {
        case (.object(let members), .object(let wanted)):
            for member in wanted {
                let value =
                    actual[member.name]
                    ?? members.first { matches($0.name, member.name) }?.value
                if let text = differs(value, member.value, "\(place).\(member.name)") {
                    return text
                }
            }
            let names = wanted.map(\.name)
            let extra = members.first { member in
                !names.contains { matches(member.name, $0) } && !additions.contains(member.name)
            }
            return extra.map { "\(place).\($0.name) is not known" }
        case (.array(let elements), .array(let wanted)):
            guard elements.count == wanted.count else { return "\(place) has \(elements.count)" }
            for (index, element) in elements.enumerated() {
                if let text = differs(element, wanted[index], "\(place)[\(index)]") {
                    return text
                }
            }
            return nil
        case (.string(let text), .string(let wanted)) where matches(text, wanted): return nil
        // Reasons are named here.
        case (.string, .string("error")) where place == ".error": return nil
        case (.string, .object([])) where place == ".error": return nil
        case (.integer, .integer) where place.hasSuffix(".okHealthCheckCount"): return nil
        case (.string, "3000") where place.hasSuffix(".communication.port"): return nil
        case (.integer, .integer) where place.hasSuffix(".communication.port"): return nil
        default: return "\(place): \(actual) for \(expected)"
        }
    }

    private static func matches(_ text: String, _ pattern: String) -> Bool {
        if text == pattern { return true }
        var rest = text[...]
        var parts: [Substring] = []
        var pattern = withoutIDs(pattern)[...]
        while let open = pattern.firstIndex(of: "{"),
            let close = pattern[open...].firstIndex(of: "}")
        {
            parts.append(pattern[..<open])
            pattern = pattern[pattern.index(after: close)...]
        }
        guard !parts.isEmpty else { return false }
        for (index, part) in parts.enumerated() where !part.isEmpty {
            guard
                let found = index == 0
                    ? (rest.hasPrefix(part) ? rest.startIndex : nil)
                    : rest.indices.first(where: { rest[$0...].hasPrefix(part) })
            else { return false }
            rest = rest[rest.index(found, offsetBy: part.count)...]
        }
        return rest.hasSuffix(pattern)
    }

    /// Ids that the recording has as they were.
    private static func withoutIDs(_ pattern: String) -> String {
        var result = ""
        var rest = pattern[...]
        while let found = rest.indices.first(where: { rest[$0...].hasPrefix("65000000aaaaaaaa") }) {
            result += rest[..<found] + "{id}"
            rest = rest[found...].dropFirst(24)
        }
        return result + rest
    }

    // MARK: Sending

    private static func bytes(_ size: String, _ file: String) throws -> [UInt8] {
        switch (size, file) {
        case ("<9 bytes>", "b.wasm"): Array("\0asmbroke".utf8)
        case ("<22 bytes>", _): try module(#"(module (import "m" "m" (memory 1)))"#)
        case (_, "fibo.wasm"), (_, "f.wasm"), (_, "x.wasm"):
            try module(
                fibo.split(separator: "\n").filter { !$0.contains("import") }
                    .joined(separator: "\n"))
        case (_, "energy-query.wasm"):
            try module(
                """
                (module (func (export "consumed_energy") (param i64 i64) (result f64)
                  (f64.const 1)))
                """)
        case (_, "freezer.csv"): Array("time,power\n".utf8)
        case (_, "entry.txt"): Array("2. kissa\n".utf8)
        default: Array("file entry".utf8)
        }
    }

    private static func send(
        _ entry: Document, _ names: [String: String], _ house: ModulesHouse
    ) async throws -> Answer {
        func filled(_ text: String) -> String {
            var text = text
            for (name, value) in names {
                text = text.replacingOccurrences(of: "{\(name)}", with: value)
            }
            return text
        }
        let request = entry["request"]
        let path = filled(request?["path"]?.stringValue ?? "")
        let method = try #require(Method(Array((request?["method"]?.stringValue ?? "").utf8)))
        var fields = [("Origin", "http://localhost:1")]
        if let parts = request?["body"]?["form"]?.arrayValue {
            let list = try parts.map { part -> Part in
                let words = part.arrayValue?.compactMap(\.stringValue) ?? []
                guard words.count == 4 else { return .text(words[0], words[1]) }
                return .file(words[0], try bytes(words[1], words[2]), words[2], words[3])
            }
            fields.append(("Content-Type", "multipart/form-data; boundary=border"))
            return try await house.send(method, path, form(list), fields)
        }
        var body: [UInt8] = []
        if let type = request?["headers"]?["Content-Type"]?.stringValue {
            fields.append(("Content-Type", type))
        }
        if let text = request?["body"]?.stringValue {
            body = Array(text.utf8)
        } else if let document = request?["body"], document != .null {
            body = Array(filled(String(decoding: JSONWriter.write(document), as: UTF8.self)).utf8)
        }
        return try await house.send(method, path, body, fields)
    }

    private static func compare(
        _ entry: Document, _ answer: Answer, _ names: [String: String]
    ) {
        let name = entry["name"]?.stringValue ?? ""
        let response = entry["response"]
        let difference = differences[name]
        let status = difference.map { Int64($0.status) } ?? response?["status"]?.integerValue
        #expect(status == Int64(answer.status), "\(name): \(answer.text)")
        #expect(answer.field("access-control-allow-origin") == "http://localhost:1")
        if difference != nil { return }
        let type = response?["headers"]?.arrayValue?.first { $0[0] == "Content-Type" }?[1]
        #expect(type?.stringValue == answer.field("content-type"), "\(name)")
        // Members that are devices' ids can only be found by them.
        let text = (response?["body"]?["text"]?.stringValue).map { text in
            names.filter { $0.key.hasPrefix("device-") }.reduce(text) {
                $0.replacingOccurrences(of: "{\($1.key)}", with: $1.value)
            }
        }
        guard let text, !text.isEmpty else {
            #expect(answer.bytes.isEmpty, "\(name): \(answer.text)")
            return
        }
        guard let expected = try? JSONReader.read(Array(text.utf8)) else {
            Issue.record("\(name): what was recorded is no JSON")
            return
        }
        let fault = differs(answer.json, expected)
        #expect(fault == nil, "\(name): \(fault ?? "")")
    }

    /// The recorded descriptions of the two supervisors.
    private static func devices(_ entries: [Document]) throws -> [Document] {
        let text = entries.first { $0["name"] == "devices" }?["response"]?["body"]?["text"]
        let list = try JSONReader.read(Array((text?.stringValue ?? "").utf8)).arrayValue
        return (list ?? []).filter { $0["name"] != "orchestrator" }
    }

    @Test func theOrchestratorsExchanges() throws {
        let entries = try Self.recorded("wasmiot_orchestrator")
        let known = try Self.devices(entries)
        try ModulesHouse.open { house in
            try await house.orchestrator.start(
                port: house.port, address: "127.0.0.1", on: house.loop)
            // The recording began after all modules were deleted.
            var names: [String: String] = ["time": "2020-01-01T00:00:00.000Z"]
            for device in known {
                let name = device["name"]?.stringValue ?? ""
                let fake = try await FakeSupervisor.start(
                    on: house.loop, description: device["description"] ?? .null,
                    health: device["health"]?["report"] ?? .null,
                    results: [
                        "take_image_predefined_path": .array([.null, .array(["image.jpeg"])])
                    ])
                names["device-\(name)"] = try await house.register(name, fake)
            }
            func run(_ path: String, _ json: String) async throws -> Answer {
                try await house.send(.post, path, json: json)
            }
            for entry in entries {
                let name = entry["name"]?.stringValue ?? ""
                // What was done between the exchanges that were recorded.
                switch name {
                case "describe camera":
                    names["camera"] = try await house.create(
                        "cam",
                        try module(#"(module (func (export "take_image_predefined_path")))"#))
                case "delete by ambiguous name":
                    _ = try await house.create("twin", try module("(module)"))
                case "deploy energy":
                    let device = names["device-sup2"] ?? ""
                    let made = try await run(
                        "/file/manifest",
                        """
                        {"name":"en","sequence":[{"device":"\(device)","module":"energy",
                         "func":"consumed_energy"}]}
                        """)
                    #expect(made.status == 201)
                case "execute camera":
                    #expect(try await run("/file/manifest/cam", "{}").status == 200)
                case "manifest chain doc":
                    let made = try await run(
                        "/file/manifest",
                        """
                        {"name":"chain","sequence":[
                         {"device":"\(names["device-sup1"] ?? "")","module":"fiboMod","func":"fibo"},
                         {"device":"\(names["device-sup2"] ?? "")","module":"fiboMod","func":"fibo"}
                        ]}
                        """)
                    names["chain"] = made.json.stringValue
                case "execute chain":
                    #expect(try await run("/file/manifest/chain", "{}").status == 200)
                default: break
                }
                let answer = try await Self.send(entry, names, house)
                switch name {
                case "create fibo": names["module"] = answer.json["id"]?.stringValue
                case "create energy": names["energy"] = answer.json["id"]?.stringValue
                case "manifest create": names["deployment"] = answer.json.stringValue
                case "after describing unknown": Self.compareDescribed(entry, answer)
                default: break
                }
                Self.compare(entry, answer, names)
            }
        }
    }

    /// The module that was described, among those that only the original has.
    private static func compareDescribed(_ entry: Document, _ answer: Answer) {
        let text = entry["response"]?["body"]?["text"]?.stringValue ?? ""
        let list = (try? JSONReader.read(Array(text.utf8)))?.arrayValue ?? []
        guard let module = list.first(where: { $0["name"] == "fiboMod" }) else {
            Issue.record("the described module is not in the recording")
            return
        }
        let ours = answer.json.arrayValue?.first { $0["name"] == "fiboMod" }
        // The last description here is that of one function.
        #expect(ours?["mounts"] == .object([.init("fibo", .object([]))]))
        let expected = module["description"]?["paths"]?["/{deployment}/modules/fiboMod/fibo"]
        #expect(
            ours?["description"]?["paths"]?["/{deployment}/modules/fiboMod/fibo"] == expected)
        #expect(answer.json.arrayValue?.map { $0["name"] } == ["core:Datalist", "fiboMod"])
    }

    @Test func theDatalistsExchanges() throws {
        let entries = try Self.recorded("wasmiot_datalist")
        try ModulesHouse.open { house in
            try await house.orchestrator.start(
                port: house.port, address: "127.0.0.1", on: house.loop)
            var names: [String: String] = [:]
            for entry in entries {
                let answer = try await Self.send(entry, names, house)
                switch entry["name"] {
                case "datalist manifest": names["deployment"] = answer.json.stringValue
                case "datalist execute with both":
                    #expect(
                        answer.json["result"] == .array(["1", "2. kissa\n", "2. kissa\n"]))
                case "datalist get":
                    #expect(
                        answer.json["result"]
                            == .array(["1", "2. kissa\n", "2. kissa\n", "99", "file entry"]))
                default: break
                }
                Self.compare(entry, answer, names)
            }
        }
    }
}

extension String {
    /// Each occurrence of a text replaced.
    fileprivate func replacingOccurrences(of text: String, with other: String) -> String {
        var result = ""
        var rest = self[...]
        while let found = rest.indices.first(where: { rest[$0...].hasPrefix(text) }) {
            result += rest[..<found] + other
            rest = rest[rest.index(found, offsetBy: text.count)...]
        }
        return result + rest
    }
}
