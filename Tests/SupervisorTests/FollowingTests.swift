import Testing
import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPClient
import WasmdSupervisor

/// Events, cancelling, limits of a run, and statuses as HTTP has them.
@Suite struct FollowingTests {
    private static func part() throws -> SupervisorHouse.Part {
        .init(
            name: "m", wasm: try module(fiboText),
            functions: [
                .init(name: "fibo", parameters: ["param0"]), .init(name: "spin"),
                .init(name: "fibo_from_pointers", parameters: ["a", "b", "c"]),
            ])
    }

    /// The types and data of events.
    private static func events(_ answer: Answer) -> [(type: String, data: Document)] {
        answer.text.split(separator: "\n\n").compactMap { block in
            var (type, data) = ("message", "")
            for line in block.split(separator: "\n") {
                if line.hasPrefix("event: ") { type = String(line.dropFirst(7)) }
                if line.hasPrefix("data: ") { data += line.dropFirst(6) }
            }
            return data.isEmpty ? nil : (type, (try? JSONReader.read(Array(data.utf8))) ?? .null)
        }
    }

    private static let accept = [("Accept", "text/event-stream")]

    @Test func aRunIsFollowedByItsEvents() throws {
        try SupervisorHouse.open { house in
            try await house.deploy("d", [try Self.part()])
            let answer = try await house.send(
                .post, "/d/modules/m/fibo?param0=7", [], Self.accept)
            #expect(answer.status == 200 && answer.field("content-type") == "text/event-stream")
            let events = Self.events(answer)
            #expect(events.map(\.type) == ["run", "end"], "\(answer.text)")
            #expect(events.first?.data["request_id"] == "d:m:fibo:1")
            #expect(events.last?.data["result"] == "21")
            // One that has ended is its entry.
            let old = Self.events(
                try await house.send(.get, "/request-history/d:m:fibo:1", [], Self.accept))
            #expect(old.map(\.type) == ["end"] && old.first?.data["success"] == true)
            let none = try await house.send(.get, "/request-history/none", [], Self.accept)
            #expect(none.status == 404)
        }
    }

    @Test func whatAModulePrintsIsAmongTheEvents() throws {
        try SupervisorHouse.open { house in
            try await house.deploy(
                "d",
                [
                    .init(
                        name: "m", wasm: try module(fileText), functions: [.init(name: "print")])
                ])
            let events = Self.events(
                try await house.send(.get, "/d/modules/m/print", [], Self.accept))
            #expect(events.map(\.type) == ["run", "line", "line", "end"])
            #expect(events.dropFirst().first?.data["message"] == "a line")
        }
    }

    /// Prints a line, and waits for a minute.
    private static let slow = """
        (module
          (import "sys" "println" (func $println (param i32)))
          (import "sys" "delay" (func $delay (param i32)))
          (memory (export "memory") 1)
          (data (i32.const 100) "at once\\00")
          (func (export "slow") (call $println (i32.const 100)) (call $delay (i32.const 60000))))
        """

    @Test func linesComeWhileARunGoesOn() throws {
        var options = Supervisor.Options()
        options.limits.time = .seconds(90)
        try SupervisorHouse.open(options) { house in
            try await house.deploy(
                "d",
                [.init(name: "m", wasm: try module(Self.slow), functions: [.init(name: "slow")])])
            let url = "http://127.0.0.1:\(house.port)/d/modules/m/slow"
            var request = ClientRequest(.post, try #require(URL(Array(url.utf8))))
            try request.fields.append("Accept", "text/event-stream")
            let response = try await house.client.send(request)
            var text: [UInt8] = []
            func has(_ word: String) -> Bool {
                String(decoding: text, as: UTF8.self).contains(word)
            }
            while !has("at once"), let piece = try await response.next() { text += piece }
            #expect(has("event: line") && !has("event: end"))
            // The run has not ended: it can be cancelled.
            let cancelled = try await house.send(.delete, "/request-history/d:m:slow:1")
            #expect(cancelled.status == 200)
            while let piece = try await response.next() { text += piece }
            #expect(has("event: end") && has("the run was cancelled"))
            // Once only.
            let all = String(decoding: text, as: UTF8.self)
            #expect(all.split(separator: "\n").filter { $0.contains("at once") }.count == 1)
        }
    }

    @Test func aRunIsCancelled() throws {
        try SupervisorHouse.open { house in
            try await house.deploy("d", [try Self.part()])
            let begun = try await house.send(.post, "/d/modules/m/spin")
            #expect(begun.json["result"] == nil)
            // This one waits for its turn.
            let waiting = try await house.send(.post, "/d/modules/m/fibo?param0=7")
            #expect(
                try await house.send(.delete, "/request-history/d:m:fibo:1").status == 200)
            let answer = try await house.send(.delete, "/request-history/d:m:spin:1")
            #expect(answer.status == 200 && answer.json["status"] == "success")
            for begun in [begun, waiting] {
                let entry = try await house.entry(of: begun)
                #expect(entry.status == 500, "\(entry.text)")
                #expect(entry.json["result"] == "the run was cancelled", "\(entry.text)")
            }
            #expect(try await house.send(.delete, "/request-history/d:m:spin:1").status == 409)
            #expect(try await house.send(.delete, "/request-history/d:m:spin:9").status == 404)
            // The instance goes on.
            let next = try await house.run("/d/modules/m/fibo?param0=7")
            #expect(next.json["result"] == "21")
            #expect(house.supervisor.statistics.pending == 0)
        }
    }

    @Test func aRequestLowersTheLimitsOfItsRun() throws {
        var options = Supervisor.Options()
        options.limits.time = .seconds(60)
        try SupervisorHouse.open(options) { house in
            try await house.deploy("d", [try Self.part()])
            for (name, value, reason) in [
                ("Run-Timeout", "50ms", "time"), ("Run-Fuel", "1000", "fuel"),
            ] {
                let entry = try await house.entry(
                    of: try await house.send(.get, "/d/modules/m/spin", [], [(name, value)]))
                #expect(
                    entry.json["result"]?.stringValue?.contains("limit reached: \(reason)") == true,
                    "\(entry.text)")
            }
            for (name, value) in [("Run-Timeout", "soon"), ("Run-Fuel", "-1")] {
                let answer = try await house.send(.get, "/d/modules/m/spin", [], [(name, value)])
                #expect(answer.status == 400, "\(answer.text)")
            }
        }
    }

    @Test func statusesAreRightIfThatIsWanted() throws {
        var options = Supervisor.Options()
        options.usesRightStatuses = true
        options.callTime = .seconds(2)
        try SupervisorHouse.open(options) { house in
            var part = try Self.part()
            let fibo = SupervisorHouse.Function(name: "fibo", parameters: ["param0"])
            part.functions.append(.init(name: "subtract", parameters: ["a", "b"]))
            // Nobody listens on port 9.
            part.functions[3].to = house.endpoint("d", "m", fibo, port: 9)
            try await house.deploy("d", [part])
            for (path, status) in [
                ("/d/modules/m/fibo?param0=7", 200), ("/d/modules/m/fibo?param0=x", 400),
                ("/d/modules/m/fibo", 400), ("/d/modules/m/none", 404),
                ("/d/modules/none/fibo", 404), ("/e/modules/m/fibo", 404),
                ("/d/modules/m/fibo_from_pointers?a=1&b=2&c=3", 500),
                ("/d/modules/m/subtract?a=3&b=1", 502),
                ("/module_results/m/none", 404),
            ] as [(String, UInt16)] {
                let answer = try await house.send(.get, path)
                #expect(answer.status == status, "\(path): \(answer.text)")
                if status != 200 { #expect(answer.json["status"] == "error") }
            }
            let slow = try await house.send(
                .get, "/d/modules/m/spin", [], [("Run-Timeout", "50ms")])
            #expect(slow.status == 504, "\(slow.text)")
            // An entry is found, whatever became of its run.
            let entry = try await house.send(.get, "/request-history/d:m:spin:1")
            #expect(entry.status == 200 && entry.json["success"] == false)
            let begun = try await house.send(
                .post, "/d/modules/m/spin", [], [("Run-Timeout", "300ms")])
            #expect(begun.status == 202 && begun.field("location") != nil, "\(begun.text)")
            #expect(try await house.send(.post, "/register", []).status == 400)
            #expect(try await house.send(.post, "/deploy", []).status == 400)
        }
    }

    @Test func textsAndSeveralValues() throws {
        let text = """
            (module
              (memory (export "memory") 1)
              (global $top (mut i32) (i32.const 1024))
              (data (i32.const 8) "h\\c3\\a9llo\\00")
              (func (export "alloc") (param i32) (result i32)
                (global.get $top)
                (global.set $top (i32.add (global.get $top) (local.get 0))))
              (func (export "greet") (result i32) (i32.const 8))
              (func (export "echo") (param i32 i32) (result i32 i32)
                (local.get 0) (local.get 1))
              (func (export "divide") (param i32 i32) (result i32 i32)
                (i32.div_u (local.get 0) (local.get 1)) (i32.rem_u (local.get 0) (local.get 1)))
              (func (export "outside") (result i32 i32) (i32.const -4) (i32.const 100))
              (func (export "subtract") (param i64 i64) (result i64)
                (i64.sub (local.get 0) (local.get 1))))
            """
        try SupervisorHouse.open { house in
            var divide = SupervisorHouse.Function(name: "divide", parameters: ["a", "b"])
            divide.to = house.endpoint(
                "d", "m", .init(name: "subtract", parameters: ["left", "right"]))
            var echo = SupervisorHouse.Function(name: "echo", parameters: ["text"])
            (echo.output, echo.isText) = ("text", true)
            var greet = SupervisorHouse.Function(name: "greet")
            greet.isText = true
            var outside = SupervisorHouse.Function(name: "outside")
            outside.isText = true
            try await house.deploy(
                "d",
                [
                    .init(
                        name: "m", wasm: try module(text),
                        functions: [
                            divide, echo, greet, outside,
                            .init(name: "subtract", parameters: ["left", "right"]),
                        ])
                ])
            #expect(try await house.run("/d/modules/m/greet").json["result"] == "héllo")
            let echoed = try await house.run("/d/modules/m/echo?text=a%20%C3%A9%26")
            #expect(echoed.json["result"] == "a é&", "\(echoed.text)")
            #expect(try await house.run("/d/modules/m/outside").json["success"] == false)
            // 17 / 5 is 3, and 2 is left: both go to the next function.
            let chained = try await house.run("/d/modules/m/divide?a=17&b=5")
            #expect(chained.json["result"] == "1", "\(chained.text)")
        }
    }

    @Test func theInterfaceIsDescribed() throws {
        try SupervisorHouse.open { house in
            let answer = try await house.send(.get, "/openapi.json")
            #expect(answer.status == 200 && answer.json["openapi"] == "3.1.0")
            let paths = try #require(answer.json["paths"]?.objectValue)
            for path in paths {
                // Each path of the document is a route, which takes what the document says.
                let name = path.name.replacing("{", with: "").replacing("}", with: "")
                for method in path.value.objectValue ?? [] {
                    let bytes = Array(method.name.uppercased().utf8)
                    let sent = try await house.send(
                        try #require(WasmdHTTP.Method(bytes)), name)
                    #expect(sent.status != 405, "\(method.name) \(name)")
                    #expect(!sent.text.contains("nothing at this path"), "\(name)")
                }
            }
            #expect(paths.count == 15, "\(paths.map(\.name))")
        }
    }
}
