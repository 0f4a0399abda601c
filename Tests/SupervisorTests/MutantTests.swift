import Testing
import WasmdDocuments
import WasmdHTTP
import WasmdSupervisor

/// Damaged requests: each gets a status that says so, or one that clients know, and the server goes on.
@Suite struct MutantTests {
    private struct Random: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ state >> 29
        }
    }

    @Test func nodesWithWrongPartsAreRefusedWithTheirPlace() throws {
        try SupervisorHouse.open { house in
            let good = house.node(
                "d",
                [
                    .init(
                        name: "m", wasm: try module(fiboText),
                        functions: [.init(name: "fibo", parameters: ["param0"])])
                ])
            func replacing(_ path: [String], _ value: Document?, _ document: Document) -> Document {
                guard let first = path.first else { return value ?? .null }
                if let elements = document.arrayValue, let index = Int(first) {
                    var elements = elements
                    elements[index] = replacing(Array(path.dropFirst()), value, elements[index])
                    return .array(elements)
                }
                guard var members = document.objectValue,
                    let index = members.firstIndex(where: { $0.name == first })
                else { return document }
                if path.count == 1, value == nil {
                    members.remove(at: index)
                } else {
                    members[index].value = replacing(
                        Array(path.dropFirst()), value, members[index].value)
                }
                return .object(members)
            }
            for (path, value, status, place) in [
                (["deploymentId"], .integer(1), 400, "deploymentId"),
                (["deploymentId"], nil, 500, "deploymentId"),
                (["deploymentId"], "a/b", 400, "deploymentId"),
                (["deploymentId"], "..", 400, "deploymentId"),
                (["modules"], nil, 500, "modules"),
                (["modules"], "x", 400, "modules"),
                (["modules", "0"], .integer(7), 400, "modules[0]"),
                (["modules", "0", "name"], "", 400, "modules[0].name"),
                (["modules", "0", "urls"], nil, 400, "modules[0].urls"),
                (["modules", "0", "urls", "binary"], .null, 400, "modules[0].urls.binary"),
                (["modules", "0", "urls", "binary"], "nonsense", 500, "no URL"),
                (
                    ["modules", "0", "urls", "other"],
                    .object([.init("../x", "http://h/")]), 400, "modules[0].urls.other"
                ),
                (["endpoints"], .integer(3), 400, "endpoints"),
                (["endpoints", "m", "fibo", "response"], nil, 400, "response"),
                (["instructions", "modules"], "x", 400, "instructions.modules"),
                (
                    ["mounts", "m", "fibo", "output"],
                    .array([.object([.init("path", "a"), .init("stage", "never")])]), 400, "stage"
                ),
                (
                    ["mounts", "m", "fibo", "output"],
                    .array([.object([.init("path", "a/b"), .init("stage", "output")])]), 400,
                    "mounts.m.fibo"
                ),
            ] as [([String], Document?, UInt16, String)] {
                let answer = try await house.send(
                    .post, "/deploy", json: replacing(path, value, good))
                #expect(answer.status == status, "\(path): \(answer.text)")
                #expect(answer.json["status"] == "error")
                let reason = answer.json["result"]?.stringValue ?? ""
                #expect(reason.contains(place), "\(path): \(reason)")
            }
            #expect(try await house.send(.post, "/deploy", json: good).status == 200)
        }
    }

    @Test func damagedBytesOfRequests() throws {
        try SupervisorHouse.open { house in
            let part = SupervisorHouse.Part(
                name: "files", wasm: try module(fileText),
                functions: [
                    .init(
                        name: "convert", output: "image/jpeg",
                        mounts: [("in", "a/b", "execution"), ("out", "image/jpeg", "output")],
                        method: "post")
                ])
            let node = JSONWriter.write(house.node("d", [part]))
            try await house.deploy("d", [part])
            let (form, type) = form([("in", Array("HAL".utf8))])
            var random = Random(state: 16)
            func damaged(_ bytes: [UInt8]) -> [UInt8] {
                var bytes = bytes
                for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
                    let at = Int.random(in: 0..<bytes.count, using: &random)
                    switch Int.random(in: 0..<4, using: &random) {
                    case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
                    case 1: bytes.remove(at: at)
                    case 2: bytes.insert(UInt8.random(in: 0...255, using: &random), at: at)
                    default: bytes.removeSubrange(at...)
                    }
                }
                return bytes
            }
            let json = [("Content-Type", "application/json")]
            for _ in 0..<300 {
                let deployed = try await house.send(.post, "/deploy", damaged(node), json)
                // What is no JSON, and what cannot be fetched, have statuses that clients know.
                #expect([200, 400, 500].contains(deployed.status), "\(deployed.text)")
                if deployed.status != 200 {
                    #expect(deployed.json["result"]?.stringValue?.isEmpty == false)
                }
                let run = try await house.send(
                    .post, "/d/modules/files/convert", damaged(form), [("Content-Type", type)])
                #expect([200, 400, 404, 500].contains(run.status), "\(run.text)")
                let registered = try await house.send(
                    .post, "/register", damaged(Array(#"{"url":"http://127.0.0.1:9"}"#.utf8)), json)
                #expect([200, 404].contains(registered.status), "\(registered.text)")
            }
            #expect(try await house.send(.get, "/health").status == 200)
        }
    }

    @Test func rightStatusesBehindASetting() throws {
        var options = Supervisor.Options()
        options.usesRightStatuses = true
        try SupervisorHouse.open(options) { house in
            for (method, path, body, status) in [
                (.post, "/deploy", "", 400), (.post, "/deploy", #"{"modules":[]}"#, 400),
                (
                    .post, "/deploy",
                    #"{"deploymentId":"d","modules":[{"name":"m","urls":{"binary":"x"}}]}"#, 502
                ),
                (.post, "/deploy", #"{"deploymentId":"d"}"#, 400),
                (.post, "/register", "{}", 400), (.get, "/module_results/m/f", "", 404),
            ] as [(WasmdHTTP.Method, String, String, UInt16)] {
                let answer = try await house.send(
                    method, path, Array(body.utf8), [("Content-Type", "application/json")])
                #expect(answer.status == status, "\(path) \(body): \(answer.text)")
            }
        }
    }
}
