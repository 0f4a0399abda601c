import Testing
import WasmdDocuments
import WasmdHTTP
import WasmdSupervisor
import WasmdWasmiot

@Suite struct RunTests {
    private static func fibo() throws -> SupervisorHouse.Part {
        .init(
            name: "fiboMod", wasm: try module(fiboText),
            functions: [
                .init(name: "fibo", parameters: ["param0"]),
                .init(name: "subtract", parameters: ["param0", "param1"]),
                .init(name: "fibo_from_pointers", parameters: ["a", "b", "c"]),
                .init(name: "half", parameters: ["x"], output: "float"),
                .init(name: "is_even", parameters: ["x"], output: "boolean"),
                .init(name: "nothing"), .init(name: "spin"),
            ])
    }

    @Test func aFunctionFromDeployingToItsEntry() throws {
        try SupervisorHouse.open { house in
            try await house.deploy("dep1", [try Self.fibo()])
            let answer = try await house.send(.get, "/dep1/modules/fiboMod/fibo?param0=7")
            #expect(answer.status == 200 && answer.json["result"] == "21", "\(answer.text)")
            #expect(
                answer.json["resultUrl"]
                    == .string(
                        "http://127.0.0.1:\(house.port)/request-history/dep1:fiboMod:fibo:1"))
            let entry = try await house.entry(of: answer)
            #expect(entry.status == 200)
            #expect(entry.json["request_args"] == .object([.init("param0", "7")]))
            #expect(entry.json["request_files"] == .object([]))
            #expect(entry.json["method"] == "GET" && entry.json["success"] == true)
            #expect(entry.json["work_queued_at"]?.stringValue?.hasSuffix(" GMT") == true)
            let posted = try await house.run("/dep1/modules/fiboMod/fibo?param0=5", .post)
            #expect(posted.json["result"] == "8" && posted.json["method"] == "POST")
            #expect(posted.json["request_id"] == "dep1:fiboMod:fibo:2")
            // With `error`, the original orchestrator would not ask again.
            let none = try await house.send(.get, "/request-history/dep1:fiboMod:fibo:3")
            #expect(none.status == 404 && none.json["status"] == "error", "\(none.text)")
            #expect(none.json["error"] == nil)
            let list = try await house.send(.get, "/request-history")
            #expect(list.json.arrayValue?.count == 2)
            #expect(list.json[1]?["request_id"] == "dep1:fiboMod:fibo:2")
        }
    }

    /// Query, result, and whether the run succeeds.
    @Test func argumentsAreTakenByNameElseByPosition() throws {
        try SupervisorHouse.open { house in
            try await house.deploy("d", [try Self.fibo()])
            for (target, result, isSuccess) in [
                ("subtract?param0=44&param1=2", "42", true),
                ("subtract?param1=2&param0=44", "42", true),
                ("subtract?b=2&a=44", "-42", true), ("subtract?&a=44&b=2", "42", true),
                ("subtract?param0=44&b=2", "42", true),
                ("subtract?param0=9223372036854775808&param1=1", "9223372036854775807", true),
                ("subtract?a=+7_0%20&b=-1", "71", true),
                ("fibo?param0=7&param1=8", "21", true), ("fibo?iterations=12", "233", true),
                (
                    "subtract?a=44&a=2", "too few parameters provided: given 1, expected 2",
                    false
                ),
                ("fibo", "too few parameters provided: given 0, expected 1", false),
                ("fibo?x=seven", "invalid literal for int() with base 10: 'seven'", false),
                ("fibo?x=7.0", "invalid literal for int() with base 10: '7.0'", false),
                ("fibo?x=7_", "invalid literal for int() with base 10: '7_'", false),
                ("fibo?x=", "invalid literal for int() with base 10: ''", false),
                ("half?x=5", "2.5", true), ("half?x=477576", "238788.0", true),
                ("half?x=1e300", "5e+299", true),
                ("half?x=0x10", "could not convert string to float: '0x10'", false),
                ("half?x=nan", "NaN", true),
                ("is_even?x=4", "true", true), ("is_even?x=3", "false", true),
                ("nothing", "null", true), ("nope?x=1", "'nope'", false),
                ("memory", "'memory'", false),
            ] {
                let entry = try await house.run("/d/modules/fiboMod/\(target)")
                #expect(entry.json["result"] == .string(result), "\(target): \(entry.text)")
                #expect(entry.json["success"] == .boolean(isSuccess), "\(target)")
                #expect(entry.status == (isSuccess ? 200 : 500))
            }
        }
    }

    @Test func aTrapAndAnEndlessLoopAreFailedRunsAndTheInstanceGoesOn() throws {
        var options = Supervisor.Options()
        // It holds for the runs that end as well, on a slow machine too.
        options.limits.time = .seconds(2)
        try SupervisorHouse.open(options) { house in
            try await house.deploy("d", [try Self.fibo()])
            let answer = try await house.send(
                .get, "/d/modules/fiboMod/fibo_from_pointers?a=1&b=2&c=3")
            #expect(answer.status == 200 && answer.json["result"] == nil, "\(answer.text)")
            let trap = try await house.entry(of: answer)
            #expect(trap.status == 500 && trap.json["success"] == false)
            #expect(trap.json["result"]?.stringValue?.contains("unreachable") == true)
            let late = try await house.run("/d/modules/fiboMod/spin")
            #expect(late.status == 500 && late.text.contains("limit reached: time"))
            let entry = try await house.run("/d/modules/fiboMod/fibo?param0=7")
            #expect(entry.json["result"] == "21")
        }
    }

    @Test func anInstanceKeepsItsStateUntilItIsDeployedAgain() throws {
        try SupervisorHouse.open { house in
            let part = SupervisorHouse.Part(
                name: "counter", wasm: try module(statefulText),
                functions: [.init(name: "stateful_fibo")])
            try await house.deploy("dep2", [part])
            for result in ["1", "2", "3", "5", "8"] {
                let entry = try await house.run("/dep2/modules/counter/stateful_fibo")
                #expect(entry.json["result"] == .string(result))
            }
            try await house.deploy("other", [part])
            #expect(
                try await house.run("/other/modules/counter/stateful_fibo").json["result"] == "1")
            try await house.deploy("dep2", [part])
            let entry = try await house.run("/dep2/modules/counter/stateful_fibo")
            #expect(entry.json["result"] == "1")
            // Numbers go on.
            #expect(entry.json["request_id"] == "dep2:counter:stateful_fibo:6")
        }
    }

    @Test func runsOfOneInstanceTakeTurns() throws {
        try SupervisorHouse.open { house in
            try await house.deploy(
                "d",
                [
                    .init(
                        name: "counter", wasm: try module(statefulText),
                        functions: [.init(name: "stateful_fibo")])
                ])
            var answers: [Answer] = []
            for _ in 0..<20 {
                answers.append(
                    try await house.send(.post, "/d/modules/counter/stateful_fibo"))
            }
            var results: [String] = []
            for answer in answers {
                results.append(
                    try await house.entry(of: answer).json["result"]?.stringValue ?? "")
            }
            #expect(results.prefix(6) == ["1", "2", "3", "5", "8", "13"])
            #expect(Set(results).count == 20)
        }
    }

    private static func files() throws -> SupervisorHouse.Part {
        .init(
            name: "files", wasm: try module(fileText),
            functions: [
                .init(
                    name: "convert", output: "image/jpeg",
                    mounts: [
                        ("in", "application/octet-stream", "execution"),
                        ("out", "image/jpeg", "output"),
                    ], method: "post"),
                .init(
                    name: "size",
                    mounts: [("data", "application/octet-stream", "deployment")]),
                .init(name: "print"),
            ],
            files: [("data", Array("12345".utf8))])
    }

    @Test func filesInAndOut() throws {
        try SupervisorHouse.open { house in
            try await house.deploy("d", [try Self.files()])
            #expect(try await house.run("/d/modules/files/size").json["result"] == "5")
            let (body, type) = form([("in", Array("HAL".utf8))])
            let answer = try await house.send(
                .post, "/d/modules/files/convert", body, [("Content-Type", type)])
            let entry = try await house.entry(of: answer)
            let url = "http://127.0.0.1:\(house.port)/module_results/d/files/out"
            #expect(entry.status == 200, "\(entry.text)")
            #expect(entry.json["outputs"] == .array([.string(url)]))
            #expect(entry.json["result"] == .object([.init("outputs", .array([.string(url)]))]))
            #expect(entry.json["request_files"]?["in"] != nil)
            for path in [
                "/module_results/d/files/out", "/module_results/files/out",
                "/d/modules/files/convert/out",
            ] {
                let file = try await house.send(.get, path)
                #expect(file.status == 200 && file.text == "IBM", "\(path)")
                #expect(file.field("content-type") == "image/jpeg")
                #expect(file.field("content-disposition") == "inline; filename=out")
                #expect(file.field("accept-ranges") == "bytes")
                let tag = try #require(file.field("etag"))
                #expect(
                    try await house.send(.get, path, [], [("If-None-Match", tag)]).status == 304)
            }
            let part = try await house.send(
                .get, "/module_results/files/out", [], [("Range", "bytes=1-")])
            #expect(part.status == 206 && part.text == "BM")
            // Inputs and data files are no results.
            for path in ["/module_results/files/in", "/module_results/files/data"] {
                #expect(try await house.send(.get, path).status == 500)
            }
            for path in [
                "/module_results/%2e%2e/%2e%2e", "/module_results/../x",
                "/module_results/files/a%2Fb",
            ] {
                #expect(try await house.send(.get, path).status == 404, "\(path)")
            }
            // The file of a request is there for its own run only.
            let again = try await house.run("/d/modules/files/convert", .post)
            #expect(again.json["result"] == "required input files not found:  {'in'}")
            let (other, otherType) = form([("x", [1, 2, 3])])
            let unexpected = try await house.entry(
                of: try await house.send(
                    .post, "/d/modules/files/size", other, [("Content-Type", otherType)]))
            #expect(unexpected.json["result"] == "Unexpected input file \"x\"")
        }
    }

    @Test func aMissingDataFileAndAMissingOutputMountAreFailedRuns() throws {
        try SupervisorHouse.open { house in
            var part = try Self.files()
            part.files = []
            part.functions[0].mounts = [("in", "application/octet-stream", "execution")]
            try await house.deploy("d", [part])
            #expect(
                try await house.run("/d/modules/files/size").json["result"]
                    == "Missing input file \"data\"")
            let (body, type) = form([("in", [1])])
            let entry = try await house.entry(
                of: try await house.send(
                    .post, "/d/modules/files/convert", body, [("Content-Type", type)]))
            #expect(
                entry.json["result"]
                    == "One and only one output file expected for media type \"image/jpeg\"")
        }
    }

    @Test func resultsGoToTheNextEndpoint() throws {
        try SupervisorHouse.open { house in
            var first = try Self.fibo()
            first.name = "first"
            let fibo = SupervisorHouse.Function(name: "fibo", parameters: ["param0"])
            first.functions[0].to = house.endpoint("d", "fiboMod", fibo)
            // Nobody listens on port 9.
            first.functions[1].to = house.endpoint("d", "fiboMod", fibo, port: 9)
            try await house.deploy("d", [first, try Self.fibo()])
            let entry = try await house.run("/d/modules/first/fibo?param0=5")
            #expect(entry.json["result"] == "34", "\(entry.text)")
            let last = try await house.send(.get, "/request-history/d:fiboMod:fibo:1")
            #expect(last.json["request_args"] == .object([.init("param0", "8")]))
            let failed = try await house.run("/d/modules/first/subtract?a=23&b=2")
            #expect(failed.status == 500)
            #expect(
                failed.json["result"]?.stringValue?.hasPrefix(
                    "HTTPConnectionPool(host='127.0.0.1', port=9): Max retries exceeded with url: "
                        + "/d/modules/fiboMod/fibo?param0=21") == true, "\(failed.text)")
        }
    }

    @Test func theNextEndpointGetsFilesAsAForm() throws {
        try SupervisorHouse.open { house in
            var part = try Self.files()
            part.functions[0].to = house.endpoint(
                "d", "inf",
                .init(
                    name: "classify", mounts: [("out", "image/jpeg", "execution")], method: "post"),
                port: house.filePort)
            try await house.deploy("d", [part])
            for (status, body, result, isSuccess) in [
                (200, #"{"resultUrl":"http://elsewhere/1"}"#, "http://elsewhere/1", true),
                (200, #"{"result":"cat","resultUrl":"http://elsewhere/1"}"#, "cat", true),
                (
                    200, "{}",
                    "the next endpoint returned neither 'result' nor 'resultUrl' (200)", false
                ),
                (
                    404, #"{"status":"error","result":"gone"}"#,
                    "the next endpoint refused (404): gone", false
                ),
            ] {
                house.files.answer.withLock { $0 = (status, body) }
                house.files.requests.withLock { $0 = [] }
                let (form, type) = form([("in", Array("HAL".utf8))])
                let entry = try await house.entry(
                    of: try await house.send(
                        .post, "/d/modules/files/convert", form, [("Content-Type", type)]))
                #expect(entry.json["result"] == .string(result), "\(entry.text)")
                #expect(entry.json["success"] == .boolean(isSuccess))
                let sent = try #require(house.files.requests.withLock { $0.first })
                #expect(sent.method == "POST" && sent.target == "/d/modules/inf/classify")
                let text = String(decoding: sent.body, as: UTF8.self)
                #expect(text.contains("name=\"out\"; filename=\"out\"\r\n\r\nIBM\r\n--"))
                #expect(!text.contains("Content-Type"))
            }
        }
    }

    @Test func whatModulesPrintGoesToTheOrchestrator() throws {
        try SupervisorHouse.open { house in
            try await house.deploy("d", [try Self.files()])
            house.files.answer.withLock { $0 = (200, "{}") }
            let supervisor = house.supervisor
            let loop = house.loop
            let task = loop.spawn {
                try? await supervisor.attend(
                    to: nil, from: DeviceAddress(listener: .ipv4([127, 0, 0, 1], port: 5000)),
                    on: loop)
            }
            let url = "http://127.0.0.1:\(house.filePort)"
            let registered = try await house.send(
                .post, "/register", json: .object([.init("url", .string(url))]))
            #expect(registered.json == .object([.init("status", "success")]))
            _ = try await house.run("/d/modules/files/print")
            var lines: [Document] = []
            for _ in 0..<100 where lines.count < 3 {
                try await house.loop.sleep(for: .milliseconds(20))
                lines = house.files.requests.withLock { requests in
                    requests.filter { $0.target == "/device/logs" }.map { request in
                        let pairs = (try? URLEncodedForm.pairs(request.body)) ?? []
                        return pairs.first.flatMap { try? JSONReader.read($0.value) } ?? .null
                    }
                }
            }
            task.cancel()
            #expect(
                lines.map { $0["message"] ?? .null } == [
                    "a line", "and a part", "Execution result: 0",
                ])
            let line = try #require(lines.first)
            #expect(line["request_id"] == "d:files:print:1" && line["module_name"] == "files")
            #expect(line["deviceIP"] == "127.0.0.1" && line["funcName"] == "print")
            #expect(line["deployment_id"] == "d" && line["loglevel"] == "INFO")
            #expect(line["timestamp"] != nil && line["deviceName"] != nil)
        }
    }
}
