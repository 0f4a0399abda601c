import Testing
import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdModules

@Suite struct OrchestrationTests {
    static var options: Orchestrator.Options {
        var options = Orchestrator.Options()
        options.healthInterval = .seconds(3600)
        options.healthThreshold = 2
        options.retryDelay = .milliseconds(1)
        options.publicURL = "http://orchestrator.test:1/"
        return options
    }

    static let description = Document.object([
        .init("platform", .object([])),
        .init("supervisorInterfaces", .array(["log", "fd_write"])),
    ])

    @Test func aDeviceThatFailsIsReplacedAndRestored() throws {
        try ModulesHouse.openWithDevices(["a", "b"]) { house, supervisors, ids in
            let id = try await house.deploy(
                #"{"device":"\#(ids[0])","module":"m","func":"fibo","failovers":["\#(ids[1])"]}"#)
            func device() async throws -> Document? {
                let document = try await house.send(.get, "/file/manifest/\(id)").json
                return document["sequence"]?[0]?["device"]
            }
            #expect(
                supervisors[0].state.withLock { $0.registered.first }
                    == "http://orchestrator.test:1")
            #expect(supervisors[0].state.withLock { $0.forwardedFor.first } == "orchestrator.test")
            supervisors[0].state.withLock { $0.isIll = true }
            await house.orchestrator.checkAll(on: house.loop)
            #expect(try await device() == .string(ids[0]))
            await house.orchestrator.checkAll(on: house.loop)
            #expect(try await device() == .string(ids[1]))
            #expect(supervisors[1].state.withLock { $0.nodes[id] } != nil)
            let moved = try await house.send(.post, "/execute/d", json: #"{"param0":7}"#)
            #expect(moved.json["result"]?[0] == "21", "\(moved.text)")
            #expect(moved.json["isInFailover"] == .boolean(true))
            let list = try await house.send(.get, "/file/device/a").json
            #expect(list["status"] == "inactive")
            #expect(list["statusLog"]?[0]?["status"] == "inactive")
            supervisors[0].state.withLock { $0.isIll = false }
            for _ in 0..<2 { await house.orchestrator.checkAll(on: house.loop) }
            #expect(try await device() == .string(ids[0]))
            let back = try await house.send(.post, "/execute/d", json: #"{"param0":7}"#)
            #expect(back.json["isInFailover"] == .boolean(false))
        }
    }

    @Test func aBlacklistedDeviceGetsNothing() throws {
        try ModulesHouse.openWithDevices(["a", "b"]) { house, _, ids in
            #expect(try await house.send(.post, "/file/device/\(ids[0])/blacklist").status == 200)
            let named = try await house.send(
                .post, "/file/manifest",
                json:
                    #"{"name":"d","sequence":[{"device":"\#(ids[0])","module":"m","func":"fibo"}]}"#
            )
            #expect(named.status == 500)
            #expect(named.json["error"]?.stringValue?.hasSuffix("is blacklisted") == true)
            let id = try await house.deploy(#"{"device":null,"module":"m","func":"fibo"}"#)
            let document = try await house.send(.get, "/file/manifest/\(id)").json
            #expect(document["goalDeployment"] == .array([.string(ids[1])]))
            await house.orchestrator.checkAll(on: house.loop)
            let device = try await house.send(.get, "/file/device/a").json
            #expect(device["status"] == "inactive" && device["blacklisted"] == .boolean(true))
            #expect(device["statusLog"]?[0]?["reason"] == "blacklisted")
            #expect(try await house.send(.post, "/file/device/x/blacklist").status == 400)
        }
    }

    @Test func solutionsThatAreRefused() throws {
        try ModulesHouse.openWithDevices(["a"]) { house, _, ids in
            _ = try await house.create(
                "needy",
                try module(
                    """
                    (module (import "wasi_snapshot_preview1" "poll_oneoff" (func))
                      (func (export "f")))
                    """))
            let path = "/file/module/needy/upload"
            _ = try await house.send(
                .post, path, json: #"{"f":{"method":"get","output":"integer"}}"#)
            for (step, reason) in [
                (#"{"module":"none","func":"f"}"#, "is not known"),
                (#"{"module":"m","func":"nofunc"}"#, "requested module"),
                (#"{"module":"m","func":"subtract"}"#, "is not described"),
                (#"{"module":"m","func":"fibo","device":"x"}"#, "is not known"),
                (#"{"module":"needy","func":"f"}"#, "poll_oneoff"),
                (#"{"module":"needy","func":"f","device":"\#(ids[0])"}"#, "poll_oneoff"),
            ] {
                let answer = try await house.send(
                    .post, "/file/manifest", json: #"{"name":"d","sequence":[\#(step)]}"#)
                #expect(answer.status == 500, "\(step)")
                #expect(
                    answer.json["errorText"] == "Failed constructing solution for manifest")
                #expect(
                    answer.json["error"]?.stringValue?.contains(reason) == true, "\(answer.text)")
            }
            #expect(try await house.send(.get, "/file/manifest").json == .array([]))
        }
    }

    @Test func devicesThatFailWhenSomethingIsDeployed() throws {
        try ModulesHouse.openWithDevices(["a"]) { house, supervisors, _ in
            supervisors[0].state.withLock { $0.failsDeploying = true }
            let made = try await house.send(
                .post, "/file/manifest",
                json: #"{"name":"d","sequence":[{"module":"m","func":"fibo"}]}"#)
            let id = try #require(made.json.stringValue)
            let answer = try await house.send(.post, "/file/manifest/\(id)")
            #expect(answer.status == 500 && answer.json["errorText"] == "deployment failed")
            let document = try await house.send(.get, "/file/manifest/\(id)").json
            #expect(document["active"] == .boolean(false))
            supervisors[0].state.withLock { $0.failsDeploying = false }
            let again = try await house.send(.post, "/file/manifest/\(id)")
            #expect(again.status == 200)
            #expect(
                try await house.send(.delete, "/file/device").json["deletedCount"] == .integer(1))
            #expect(try await house.send(.post, "/file/manifest/\(id)").status == 404)
        }
    }

    @Test func devicesAreToldOfChangedModules() throws {
        try ModulesHouse.openWithDevices(["a"]) { house, supervisors, _ in
            _ = try await house.deploy(#"{"module":"m","func":"fibo"}"#)
            #expect(supervisors[0].state.withLock { $0.deployCount } == 1)
            let described = try await house.send(
                .post, "/file/module/m/upload",
                json: #"{"fibo":{"method":"get","param0":"integer","output":"integer"}}"#)
            #expect(described.status == 200)
            for _ in 0..<500 where supervisors[0].state.withLock({ $0.deployCount }) < 2 {
                try await house.loop.sleep(for: .milliseconds(5))
            }
            #expect(supervisors[0].state.withLock { $0.deployCount } == 2)
        }
    }

    @Test func resultsThatAreLate() throws {
        try ModulesHouse.openWithDevices(["a"]) { house, supervisors, _ in
            _ = try await house.deploy(#"{"module":"m","func":"fibo"}"#)
            supervisors[0].state.withLock { $0.delays = 5 }
            let late = try await house.send(.post, "/execute/d", json: #"{"param0":"7"}"#)
            #expect(late.status == 200 && late.json["result"]?[0] == "21", "\(late.text)")
            supervisors[0].state.withLock { $0.delays = 6 }
            let never = try await house.send(.post, "/execute/d", json: #"{"param0":7}"#)
            #expect(never.status == 500)
            #expect(never.json["errorText"] == "fetching result failed: Not Found")
            let missing = try await house.send(.post, "/execute/d", json: "{}")
            #expect(missing.status == 500)
            #expect(missing.json["error"]?["name"] == "ParameterMissing")
            #expect(missing.json["error"]?["param"]?["name"] == "param0")
        }
    }

    /// Requests with bytes changed, cut or doubled: each gets an answer, and nothing crashes.
    @Test func damagedRequests() throws {
        try ModulesHouse.openWithDevices(["a"]) { house, _, _ in
            let functions =
                #"{"fibo":{"method":"get","param0":"integer","output":"integer","mounts":[]}}"#
            let targets: [(String, [UInt8], String)] = [
                (
                    "/file/module",
                    form([
                        .text("name", "x"), .text("functions", functions),
                        .file("w", try module(fibo), "f.wasm", "application/wasm"),
                    ]), "multipart/form-data; boundary=border"
                ),
                ("/file/module/m/upload", Array(functions.utf8), "application/json"),
                (
                    "/file/module/m/upload",
                    Array("fibo[method]=GET&fibo[param0]=integer&fibo[output]=integer".utf8),
                    "application/x-www-form-urlencoded"
                ),
                (
                    "/file/manifest",
                    Array(#"{"name":"d","sequence":[{"module":"m","func":"fibo"}]}"#.utf8),
                    "application/json"
                ),
                (
                    "/file/device/discovery/register",
                    Array(#"{"name":"z","port":9,"addresses":["127.0.0.1"]}"#.utf8),
                    "application/json"
                ),
                ("/execute/d", Array(#"{"param0":7}"#.utf8), "application/json"),
                (
                    "/device/logs", Array("logData=%7B%22a%22%3A1%7D".utf8),
                    "application/x-www-form-urlencoded"
                ),
                (
                    "/moduleCards", Array(#"{"permission":[{"target":"t"}]}"#.utf8),
                    "application/json"
                ),
            ]
            var generator = SystemRandomNumberGenerator()
            for (path, whole, type) in targets {
                for _ in 0..<25 {
                    var bytes = whole
                    let place = Int.random(in: 0..<bytes.count, using: &generator)
                    switch Int.random(in: 0..<3, using: &generator) {
                    case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
                    case 1: bytes.removeSubrange(place...)
                    default: bytes.insert(contentsOf: bytes[place...], at: place)
                    }
                    let answer = try await house.send(.post, path, bytes, [("Content-Type", type)])
                    #expect((200..<600).contains(answer.status))
                    if answer.status >= 400 { #expect(!answer.bytes.isEmpty, "\(path)") }
                }
            }
            #expect(try await house.send(.get, "/health").json["status"] == "ok")
        }
    }
}
