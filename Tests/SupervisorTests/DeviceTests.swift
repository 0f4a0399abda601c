import Synchronization
import Testing
import WasmSystem
import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdSupervisor
import WasmdWasmiot

@Suite struct DeviceTests {
    @Test func theDescriptionNamesAllFunctionsOfWASIAndConfiguredSkillsOnly() throws {
        let wasi = [
            "args_get", "clock_time_get", "poll_oneoff", "sock_accept", "path_open", "random_get",
        ]
        try SupervisorHouse.open { house in
            let answer = try await house.send(.get, "/.well-known/wasmiot-device-description")
            let names = answer.json["supervisorInterfaces"]?.arrayValue?.compactMap(\.stringValue)
            let interfaces = try #require(names)
            #expect(wasi.allSatisfy { interfaces.contains($0) })
            #expect(interfaces.count == 46 + 5, "\(interfaces)")
            #expect(!interfaces.contains("takeImage") && !interfaces.contains("rpcCall"))
            let platform = try #require(answer.json["platform"])
            #expect((platform["memory"]?["bytes"]?.integerValue ?? 0) > 0)
            #expect(platform["cpu"]?["humanReadableName"]?.stringValue?.isEmpty == false)
            #expect(platform["cpu"]?["clockSpeed"]?["Hz"]?.doubleValue != nil)
        }
        var options = Supervisor.Options()
        options.skills.image = [1]
        options.skills.temperature = 21.5
        options.skills.humidity = 40
        options.skills.remoteFunctions = [("f", try #require(URL(Array("http://h/f".utf8))))]
        options.description = .object([.init("platform", .object([.init("x", .integer(1))]))])
        try SupervisorHouse.open(options) { house in
            let answer = try await house.send(.get, "/.well-known/wasmiot-device-description")
            let names = answer.json["supervisorInterfaces"]?.arrayValue?.compactMap(\.stringValue)
            for name in [
                "takeImage", "takeImageDynamicSize", "takeImageStaticSize", "getTemperature",
                "getHumidity", "rpcCall",
            ] {
                #expect(names?.contains(name) == true)
            }
            #expect(answer.json["platform"] == .object([.init("x", .integer(1))]))
        }
    }

    @Test func healthAndRoutes() throws {
        try SupervisorHouse.open { house in
            for path in ["/health", "//health"] {
                let answer = try await house.send(.get, path)
                #expect(answer.status == 200)
                #expect(answer.field("custom-orchestrator-set") == "false")
                let memory = try #require(answer.json["memoryUsage"]?.doubleValue)
                #expect(memory > 0 && memory <= 1)
                #expect(answer.json["cpuUsage"]?.doubleValue != nil)
            }
            #expect(try await house.send(.head, "/health").bytes.isEmpty)
            for (method, path, status) in [
                (.get, "/health/", 404), (.get, "/", 404), (.get, "/x", 404),
                (.post, "/health", 405), (.put, "/deploy", 405), (.get, "/deploy/x", 405),
                (.get, "/register", 405), (.put, "/d/modules/m/f", 405),
                (.get, "/d/modules/m/f", 404), (.get, "/request-history/none", 404),
                (.delete, "/deploy/none", 404), (.get, "/d/modules/m/f/g/h", 404),
                (.get, "/%ff", 404), (.get, "/%zz", 404), (.get, "/a%00b", 404),
            ] as [(WasmdHTTP.Method, String, UInt16)] {
                let answer = try await house.send(method, path)
                #expect(answer.status == status, "\(method) \(path)")
                #expect(answer.json["status"] == "error")
                // Where there is no entry yet, the original orchestrator waits only without `error`.
                let hasEntry = path != "/request-history/none"
                #expect(answer.json["error"] == (hasEntry ? answer.json["result"] : nil))
                if status == 405 { #expect(answer.field("allow") != nil) }
            }
            let options = try await house.send(.options, "/health")
            #expect(options.status == 200 && options.field("allow") == "GET, HEAD, OPTIONS")
        }
    }

    @Test func theThingDescriptionHasFormsForDeployedFunctions() throws {
        try SupervisorHouse.open { house in
            try await house.deploy(
                "d 1",
                [
                    .init(
                        name: "m", wasm: try module(fiboText),
                        functions: [.init(name: "fibo", parameters: ["param0"])])
                ])
            let answer = try await house.send(.get, "/.well-known/wot-thing-description")
            #expect(answer.status == 200)
            #expect(answer.json["@context"] == "https://www.w3.org/2022/wot/td/v1.1")
            #expect(answer.json["base"] == .string("http://127.0.0.1:\(house.port)/"))
            #expect(answer.json["security"] == "nosec_sc")
            let action = answer.json["actions"]?["d 1/m/fibo"]
            #expect(
                action?["forms"]?[0]?["href"] == "/d%201/modules/m/fibo{?param0}",
                "\(answer.text)")
            #expect(action?["uriVariables"]?["param0"]?["type"] == "integer")
        }
    }

    @Test func skills() throws {
        let text = """
            (module
              (import "sys" "millis" (func $millis (result i32)))
              (import "sys" "delay" (func $delay (param i32)))
              (import "sys" "print" (func $print (param i32 i32)))
              (import "sys" "println" (func $println (param i32)))
              (import "sys" "printInt" (func $printInt (param i32)))
              (import "dht" "getTemperature" (func $temperature (result f32)))
              (import "communication" "rpcCall" (func $call (param i32 i32 i32 i32)))
              (memory (export "memory") 1)
              (data (i32.const 8) "hello\\00rest")
              (data (i32.const 32) "classify")
              (func (export "wait") (result i32) (local i32)
                (local.set 0 (call $millis))
                (call $delay (i32.const 30))
                (i32.ge_s (i32.sub (call $millis) (local.get 0)) (i32.const 29)))
              (func (export "say")
                (call $print (i32.const 8) (i32.const 2))
                (call $printInt (i32.const -7))
                (call $println (i32.const 8)))
              (func (export "temperature") (result f32) (call $temperature))
              (func (export "call") (param i32)
                (call $call (i32.const 32) (local.get 0) (i32.const 8) (i32.const 5))))
            """
        var options = Supervisor.Options()
        options.skills.temperature = 21.5
        // Nobody listens on port 9.
        options.skills.remoteFunctions = [
            ("classify", try #require(URL(Array("http://127.0.0.1:9/f".utf8))))
        ]
        try SupervisorHouse.open(options) { house in
            try await house.deploy(
                "d",
                [
                    .init(
                        name: "m", wasm: try module(text),
                        functions: [
                            .init(name: "wait"), .init(name: "say"), .init(name: "temperature"),
                            .init(name: "call", parameters: ["n"]),
                        ])
                ])
            #expect(try await house.run("/d/modules/m/wait").json["result"] == "1")
            #expect(try await house.run("/d/modules/m/temperature").json["result"] == "21.5")
            _ = try await house.run("/d/modules/m/say")
            let lines = house.supervisor.lines.last().filter { $0.level == .info }
            #expect(lines.map { String(decoding: $0.bytes, as: UTF8.self) } == ["he-7hello"])
            let refused = try await house.run("/d/modules/m/call?n=8")
            #expect(refused.json["success"] == false)
            #expect(refused.text.contains("cannot connect"), "\(refused.text)")
            let unknown = try await house.run("/d/modules/m/call?n=3")
            #expect(unknown.text.contains("no function 'cla' is configured"), "\(unknown.text)")
        }
    }

    /// Where the system does not allow echo requests, the answer is -1, as without one.
    @Test func pingMeasuresTheTimeToLoopback() throws {
        let text = """
            (module
              (import "network" "ping" (func $ping (param i32 i32 i32 i32) (result f32)))
              (func (export "local") (result f32)
                (call $ping (i32.const 127) (i32.const 0) (i32.const 0) (i32.const 1))))
            """
        let part = SupervisorHouse.Part(
            name: "m", wasm: try module(text), functions: [.init(name: "local")])
        try SupervisorHouse.open { house in
            try await house.deploy("d", [part])
            let entry = try await house.run("/d/modules/m/local")
            #expect(entry.json["success"] == false && entry.text.contains("ping"))
        }
        var options = Supervisor.Options()
        options.skills.pings = true
        try SupervisorHouse.open(options) { house in
            let description = try await house.send(
                .get, "/.well-known/wasmiot-device-description")
            #expect(description.text.contains("\"ping\""))
            try await house.deploy("d", [part])
            let entry = try await house.run("/d/modules/m/local")
            let time = try #require(entry.json["result"]?.stringValue.flatMap { Double($0) })
            #expect(Supervisor.canPing ? time >= 0 && time < 2000 : time == -1)
        }
    }

    @Test func theCameraGivesItsImageInBothWays() throws {
        var options = Supervisor.Options()
        options.skills.image = [200, 2, 3]
        try SupervisorHouse.open(options) { house in
            let part = SupervisorHouse.Part(
                name: "cam", wasm: try module(cameraText), functions: [.init(name: "dynamic")])
            try await house.deploy("d", [part])
            #expect(try await house.run("/d/modules/cam/dynamic").json["result"] == "3200")
        }
        // Without an image there is no camera: the module cannot be linked.
        try SupervisorHouse.open { house in
            let part = SupervisorHouse.Part(
                name: "cam", wasm: try module(cameraText), functions: [.init(name: "dynamic")])
            try await house.deploy("d", [part])
            let entry = try await house.run("/d/modules/cam/dynamic")
            #expect(entry.status == 500 && entry.text.contains("takeImage"), "\(entry.text)")
        }
    }

    @Test func aSupervisorRegistersAndRenews() throws {
        var options = Supervisor.Options()
        options.name = "device-1"
        try SupervisorHouse.open(options) { house in
            let url = try #require(URL(Array("http://127.0.0.1:\(house.filePort)/".utf8)))
            let (supervisor, loop, port) = (house.supervisor, house.loop, house.port)
            let reports = Reports()
            let task = loop.spawn {
                try? await supervisor.attend(
                    to: url, from: DeviceAddress(listener: .ipv4([0, 0, 0, 0], port: port)),
                    renewal: .milliseconds(50), on: loop
                ) { reports.add($0) }
            }
            func posted() -> [SupervisorHouse.Files.Request] {
                house.files.requests.withLock { requests in
                    requests.filter { $0.target == "/file/device/discovery/register" }
                }
            }
            // Refused at first (404), then accepted.
            for _ in 0..<100 where posted().isEmpty {
                try await loop.sleep(for: .milliseconds(10))
            }
            house.files.answer.withLock { $0 = (200, "{}") }
            for _ in 0..<300 where posted().count < 4 {
                try await loop.sleep(for: .milliseconds(10))
            }
            task.cancel()
            let requests = posted()
            #expect(requests.count >= 4)
            let document = try JSONReader.read(try #require(requests.last).body)
            #expect(document["name"] == "device-1")
            #expect(document["type"] == "_webthing._tcp.local.")
            #expect(document["port"] == .integer(Int64(port)))
            #expect(document["addresses"] == .array(["127.0.0.1"]))
            #expect(document["properties"]?["address"] == "127.0.0.1")
            #expect(document["properties"]?["path"] == "/")
            #expect(requests.last?.type == "application/json")
            #expect(
                try await house.send(.get, "/health").field("custom-orchestrator-set") == "true")
            let all = reports.all
            #expect(all.first??.contains("404") == true && all.contains { $0 == nil })
        }
    }

    private final class Reports: Sendable {
        private let list = Mutex<[String?]>([])
        func add(_ text: String?) { list.withLock { $0.append(text) } }
        var all: [String?] { list.withLock { $0 } }
    }
}
