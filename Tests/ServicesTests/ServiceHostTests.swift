import Synchronization
import Testing
import WasmInterpreter
import WasmSystem
import WasmText
import WasmWASI
import WasmdBroker
import WasmdEventLoop
import WasmdGuests
import WasmdOperation
import WasmdStorage

@testable import WasmdServices

/// Services that run in this process.
@Suite struct ServiceHostTests {
    /// What services said and what happened to them.
    final class Log: Sendable {
        private let state = Mutex<(lines: [String], events: [String])>(([], []))

        var lines: [String] { state.withLock { $0.lines } }
        var events: [String] { state.withLock { $0.events } }

        func add(line: [UInt8]) {
            let text = String(decoding: line, as: UTF8.self)
            // Without the time.
            let rest = text.split(separator: " ", maxSplits: 1).last.map(String.init) ?? ""
            state.withLock { $0.lines.append(String(rest.dropLast())) }
        }

        func add(_ name: String, _ event: ServiceEvent) {
            let text =
                switch event {
                case .started: "started"
                case .ready: "ready"
                case .ended: "ended"
                case .requestFailed(let text): text
                case .failed(let reason, let pause):
                    "failed\(pause == nil ? " for good" : ""): \(reason)"
                }
            state.withLock { $0.events.append("\(name) \(text)") }
        }
    }

    /// The interfaces, an allocator that only goes forward, and text at 1000.
    private static func guest(_ text: String, _ body: String, allocate: String? = nil) -> String {
        """
        (module
          (import "hostobservability" "loginfo" (func $log (param i32 i32 i32 i32)))
          (import "hostobservability" "publish" (func $publish (param i32 i32 i32 i32)))
          (import "hostobservability" "read" (func $read (param i32 i32 i32)))
          (import "hostobservability" "subscribe" (func $subscribe (param i32 i32 i32)))
          (import "wasi_snapshot_preview1" "sock_accept"
            (func $accept (param i32 i32 i32) (result i32)))
          (memory (export "memory") 2)
          (global $next (mut i32) (i32.const 4096))
          (data (i32.const 1000) "\(text)")
          (func (export "canonical_abi_realloc") (param i32 i32 i32 i32) (result i32)
            \(allocate ?? """
              (global.get $next)
              (global.set $next (i32.add (global.get $next) (local.get 3)))
              """))
          (func $say (param i32 i32)
            (call $log (i32.const 1000) (i32.const 1) (local.get 0) (local.get 1)))
          (func $sayPair (param i32)
            (call $say (i32.load (local.get 0)) (i32.load offset=4 (local.get 0))))
          (func (export "init") (param $path i32) (param $size i32)
            \(body))
          (func (export "serve") (param $path i32) (param $size i32) (param $socket i32)
            \(body)))
        """
    }

    private func definition(
        _ name: String, _ text: String, _ change: (inout ServiceDefinition) -> Void = { _ in }
    ) throws -> ServiceDefinition {
        let bytes = try assembleModule(Array(text.utf8)).bytes
        var definition = ServiceDefinition(
            name, .initialise(configuration: "./\(name).toml", passesSocket: false)
        ) { ModuleBytes(bytes) }
        definition.topics = .all
        definition.restart.limit = 0
        definition.world.standardOutput = .null
        change(&definition)
        return definition
    }

    /// Runs services until all have ended for good, or `isOver`.
    private func run(
        _ definitions: [ServiceDefinition], patience: Duration = .seconds(5),
        store: RecordStore? = nil,
        during body: @escaping @Sendable (ServiceHost, EventLoop) async throws -> Void = {
            _ = await $0.ended(on: $1)
        }
    ) throws -> (log: Log, host: ServiceHost) {
        let log = Log()
        let broker = Broker()
        var options = ServiceHost.Options(messaging: BrokerMessaging(broker)) {
            log.add(line: $0)
        }
        options.report = { log.add($0, $1) }
        options.patience = patience
        options.store = store
        let host = ServiceHost(GuestRuns(), options)
        let settings = definitions
        try EventLoop().run { loop in
            broker.start(on: loop)
            let guests = try GuestLoop(loop)
            await host.start(settings, on: [guests])
            try await loop.withDeadline(.after(.seconds(60))) {
                try await body(host, loop)
            }
        }
        return (log, host)
    }

    // MARK: Messages

    @Test func theConfigurationIsAStringOfTheGuest() throws {
        let text = Self.guest("M", "(call $say (local.get $path) (local.get $size))")
        let (log, host) = try run([try definition("one", text)])
        #expect(log.lines == ["Module: M, Message: ./one.toml"])
        #expect(log.events == ["one started", "one ready", "one ended"])
        #expect(host.services.map(\.status.state.name) == ["ended"])
    }

    @Test func readTakesTheOldest() throws {
        let read =
            "(call $read (i32.const 1001) (i32.const 5) (i32.const 16)) (call $sayPair (i32.const 16))"
        let text = Self.guest(
            "Malerttwo words",
            """
            (call $publish (i32.const 1001) (i32.const 5) (i32.const 1000) (i32.const 1))
            (call $publish (i32.const 1001) (i32.const 5) (i32.const 1006) (i32.const 9))
            (call $publish (i32.const 1001) (i32.const 5) (i32.const 1006) (i32.const 0))
            \(read) \(read) \(read) \(read)
            """)
        let (log, _) = try run([try definition("one", text)])
        #expect(
            log.lines == [
                "Module: M, Message: alert M", "Module: M, Message: alert two words",
                "Module: M, Message: alert ", "Module: M, Message: alert empty",
            ])
    }

    @Test func subscribeWaitsForTheNextMessage() throws {
        let subscriber = Self.guest(
            "Sfeed",
            """
            (call $say (i32.const 1000) (i32.const 1))
            (loop $again
              (call $subscribe (i32.const 1001) (i32.const 4) (i32.const 16))
              (call $sayPair (i32.const 16))
              (i32.store (i32.const 24) (i32.add (i32.load (i32.const 24)) (i32.const 1)))
              (br_if $again (i32.lt_u (i32.load (i32.const 24)) (i32.const 3))))
            """)
        let (log, host) = try run([try definition("sub", subscriber)]) { host, loop in
            let messaging = host.messaging
            let broker = try #require(messaging as? BrokerMessaging).broker
            while broker.subscriptions.isEmpty {
                try await loop.sleep(for: .milliseconds(1))
            }
            try await messaging.publish(topic: "other", message: [0x78], nil, on: loop)
            for number in 1...3 {
                try await messaging.publish(
                    topic: "feed", message: Array("value \(number)".utf8), nil, on: loop)
            }
            _ = await host.ended(on: loop)
        }
        #expect(
            log.lines == [
                "Module: S, Message: S", "Module: S, Message: feed value 1",
                "Module: S, Message: feed value 2", "Module: S, Message: feed value 3",
            ])
        #expect(host.services.count == 1)
    }

    @Test func topicsThatAreNotNamedAreRefused() throws {
        let text = Self.guest(
            "Malert",
            "(call $publish (i32.const 1001) (i32.const 5) (i32.const 1000) (i32.const 1))")
        let (log, _) = try run([
            try definition("one", text) { $0.topics = .none },
            try definition("two", text) {
                $0.topics = TopicPermissions(
                    publishing: [TopicPattern("alert")].compactMap(\.self), subscribing: [])
            },
        ])
        #expect(log.events.contains { $0.contains("may not use the topic 'alert'") })
        #expect(log.events.contains("two ended"))
    }

    // MARK: Malformed calls

    @Test(arguments: [
        (
            "(call $log (i32.const 0) (i32.const 0x7fffffff) (i32.const 0) (i32.const 0))",
            "bytes, of"
        ),
        ("(call $log (i32.const 131071) (i32.const 2) (i32.const 0) (i32.const 0))", "memory"),
        ("(call $log (i32.const -1) (i32.const 1) (i32.const 0) (i32.const 0))", "memory"),
        (
            "(i32.store8 (i32.const 0) (i32.const 255)) (call $say (i32.const 0) (i32.const 1))",
            "UTF-8"
        ),
        (
            "(call $publish (i32.const 1000) (i32.const 1) (i32.const 1000) (i32.const 1))"
                + "(call $read (i32.const 1000) (i32.const 1) (i32.const 131070))", "memory"
        ),
        (
            "(call $publish (i32.const 1000) (i32.const 1) (i32.const 1000) (i32.const 1))"
                + "(call $read (i32.const 1000) (i32.const 1) (i32.const -4))", "memory"
        ),
        ("(call $subscribe (i32.const 1000) (i32.const 0) (i32.const 16))", "no topic"),
    ])
    func malformedStringsTrap(body: String, reason: String) throws {
        let (log, _) = try run([try definition("bad", Self.guest("M", body))])
        #expect(
            log.events.contains { $0.hasPrefix("bad failed for good: ") && $0.contains(reason) },
            "\(log.events)")
    }

    @Test(arguments: ["(loop $l (br $l)) (i32.const 0)", "(i32.const -1)", "(unreachable)"])
    func allocatorsThatMisbehave(allocate: String) throws {
        // The first string is the configuration; a flag lets the second one misbehave.
        let text = Self.guest(
            "Mtopic",
            """
            (i32.store (i32.const 0) (i32.const 1))
            (call $publish (i32.const 1001) (i32.const 5) (i32.const 1000) (i32.const 1))
            (call $read (i32.const 1001) (i32.const 5) (i32.const 16))
            """,
            allocate: """
                (if (i32.load (i32.const 0)) (then (return (block (result i32) \(allocate)))))
                (i32.const 8192)
                """)
        let (log, _) = try run([try definition("bad", text)])
        #expect(log.events.contains { $0.hasPrefix("bad failed for good: ") })
    }

    @Test func whatIsMissingIsNamed() throws {
        let none = "(module (memory (export \"memory\") 1))"
        let noAllocator = "(module (memory (export \"memory\") 1) (func (export \"init\")))"
        let import_ = "(module (import \"nowhere\" \"f\" (func)))"
        let (log, _) = try run([
            try definition("a", none), try definition("b", noAllocator),
            try definition("c", import_),
        ])
        #expect(log.events.contains { $0.hasPrefix("a failed") && $0.contains("\"init\"") })
        #expect(
            log.events.contains { $0.hasPrefix("b failed") && $0.contains("canonical_abi_realloc") }
        )
        #expect(log.events.contains { $0.hasPrefix("c failed") && $0.contains("nowhere") })
    }

    // MARK: Life

    @Test func aModuleThatFailsIsStartedAgainAndOthersGoOn() throws {
        let bad = Self.guest("B", "(call $say (i32.const 1000) (i32.const 1)) (unreachable)")
        let good = Self.guest("G", "(call $say (i32.const 1000) (i32.const 1))")
        let (log, host) = try run([
            try definition("bad", bad) {
                $0.restart.limit = 3
                $0.restart.firstPause = .milliseconds(1)
            },
            try definition("good", good) { $0.after = ["bad"] },
        ])
        #expect(log.lines.filter { $0.hasPrefix("Module: B") }.count == 4)
        #expect(log.lines.filter { $0.hasPrefix("Module: G") }.count == 1)
        #expect(host.service("bad")?.status.state == .failed)
        #expect(host.service("bad")?.status.starts == 4)
        #expect(host.service("bad")?.status.failures == 4)
        #expect(host.service("good")?.status.state == .ended)
    }

    @Test func othersStartWhenTheListenerAccepts() throws {
        let server = Self.guest(
            "S",
            """
            (call $say (i32.const 1000) (i32.const 1))
            (drop (call $accept (local.get $socket) (i32.const 0) (i32.const 32)))
            """
        ).replacing(
            "(func (export \"init\") (param $path i32) (param $size i32)",
            with: "(func $unused (param $path i32) (param $size i32) (local $socket i32)"
        )
        .replacing("(export \"serve\")", with: "(export \"init\")")
        let client = Self.guest("C", "(call $say (i32.const 1000) (i32.const 1))")
        let socket = try ServiceSocket(.ipv4([127, 0, 0, 1], port: 0))
        let address = try #require(socket.address)
        let (log, _) = try run([
            try definition("server", server) {
                $0.entry = .initialise(configuration: "x", passesSocket: true)
                $0.sockets = [socket]
            },
            try definition("client", client) { $0.after = ["server"] },
        ]) { host, loop in
            while host.service("client")?.status.state != .ended {
                try await loop.sleep(for: .milliseconds(1))
            }
            #expect(host.service("server")?.status.state == .ready)
            // The server ends when it has accepted one connection.
            let stream = try await ByteStream.connect(to: address, on: loop)
            _ = await host.ended(on: loop)
            stream.close()
        }
        #expect(log.lines == ["Module: S, Message: S", "Module: C, Message: C"])
        let ready = log.events.firstIndex(of: "server ready")
        let started = log.events.firstIndex(of: "client started")
        #expect(ready != nil && started != nil)
        #expect((ready ?? 9) < (started ?? 0))
    }

    @Test func aListenerThatNeverAcceptsIsNotWaitedForForEver() throws {
        let server = Self.guest("S", "(loop $l (br $l))")
        let client = Self.guest("C", "(call $say (i32.const 1000) (i32.const 1))")
        let socket = try ServiceSocket(.ipv4([127, 0, 0, 1], port: 0))
        let (log, _) = try run(
            [
                try definition("server", server) { $0.sockets = [socket] },
                try definition("client", client) { $0.after = ["server"] },
            ], patience: .milliseconds(50)
        ) { host, loop in
            while host.service("client")?.status.state != .ended {
                try await loop.sleep(for: .milliseconds(1))
            }
        }
        #expect(log.lines == ["Module: C, Message: C"])
    }

    @Test func restartingOnRequest() throws {
        let text = Self.guest(
            "Rfeed",
            """
            (call $say (i32.const 1000) (i32.const 1))
            (call $subscribe (i32.const 1001) (i32.const 4) (i32.const 16))
            """)
        let (log, host) = try run([try definition("one", text)]) { host, loop in
            func wait(_ count: Int) async throws {
                while host.services[0].status.starts < count
                    || host.services[0].status.state != .ready
                {
                    try await loop.sleep(for: .milliseconds(1))
                }
            }
            try await wait(1)
            host.services[0].restart()
            try await wait(2)
            host.services[0].restart()
            try await wait(3)
            try await loop.sleep(for: .milliseconds(50))
        }
        #expect(log.lines.count == 3)
        #expect(host.services[0].status.failures <= 2)
    }

    // MARK: Limits

    @Test func greedyModulesAreHeldToTheirLimits() throws {
        let looping = Self.guest("L", "(loop $l (br $l))")
        let leaking = Self.guest(
            "M",
            "(loop $l (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (unreachable)"
        )
        let flooding = Self.guest(
            "F",
            """
            (loop $l (call $log (i32.const 1000) (i32.const 1) (i32.const 2048) (i32.const 65536))
              (br $l))
            """)
        let publishing = Self.guest(
            "Pflood",
            """
            (loop $l
              (call $publish (i32.const 1001) (i32.const 5) (i32.const 2048) (i32.const 60000))
              (br $l))
            """)
        let good = Self.guest(
            "Gfeed",
            """
            (local $i i32)
            (loop $l
              (call $publish (i32.const 1001) (i32.const 4) (i32.const 1000) (i32.const 1))
              (call $read (i32.const 1001) (i32.const 4) (i32.const 16))
              (local.set $i (i32.add (local.get $i) (i32.const 1)))
              (br_if $l (i32.lt_u (local.get $i) (i32.const 20))))
            (call $sayPair (i32.const 16))
            """)
        let (log, host) = try run([
            try definition("looping", looping),
            try definition("leaking", leaking) { $0.limits.memory = 8 << 20 },
            try definition("flooding", flooding), try definition("publishing", publishing),
            try definition("good", good),
        ]) { host, loop in
            while host.service("good")?.status.state != .ended
                || host.service("leaking")?.status.state != .failed
            {
                try await loop.sleep(for: .milliseconds(5))
            }
        }
        #expect(log.lines.contains("Module: G, Message: feed G"))
        #expect(host.service("looping")?.status.state == .ready)
        let flood = log.lines.filter { $0.hasPrefix("Module: F") }.count
        // Its burst, and 2 MiB in a second.
        #expect(flood <= 8 + 32 * 60)
    }

    // MARK: Stores

    /// Writes, reads, and lists keys of the store at 1001; reports numbers as letters.
    private static let storing = """
        (module
          (import "hostobservability" "loginfo" (func $log (param i32 i32 i32 i32)))
          (import "wasmd:kv" "get" (func $get (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
          (import "wasmd:kv" "set" (func $set (param i32 i32 i32 i32 i32 i32) (result i32)))
          (import "wasmd:kv" "delete" (func $delete (param i32 i32 i32 i32) (result i32)))
          (import "wasmd:kv" "next" (func $next (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
          (import "wasmd:config" "get" (func $config (param i32 i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 1)
          (global $at (mut i32) (i32.const 3000))
          (data (i32.const 1000) "Mstorekey1key2valueother")
          (func $note (param i32)
            (i32.store8 (global.get $at) (i32.add (i32.const 48) (local.get 0)))
            (global.set $at (i32.add (global.get $at) (i32.const 1))))
          (func (export "run")
            (call $note (call $get (i32.const 1001) (i32.const 5) (i32.const 1006) (i32.const 4)
              (i32.const 2000) (i32.const 100) (i32.const 0)))
            (call $note (call $set (i32.const 1001) (i32.const 5) (i32.const 1006) (i32.const 4)
              (i32.const 1014) (i32.const 5)))
            (call $note (call $set (i32.const 1001) (i32.const 5) (i32.const 1010) (i32.const 4)
              (i32.const 1014) (i32.const 0)))
            (call $note (call $get (i32.const 1001) (i32.const 5) (i32.const 1006) (i32.const 4)
              (i32.const 2000) (i32.const 100) (i32.const 0)))
            (call $note (i32.load (i32.const 0)))
            (call $note (call $get (i32.const 1001) (i32.const 5) (i32.const 1006) (i32.const 4)
              (i32.const 2000) (i32.const 4) (i32.const 0)))
            (call $note (call $next (i32.const 1001) (i32.const 5) (i32.const 0) (i32.const 0)
              (i32.const 2000) (i32.const 100) (i32.const 0)))
            (call $note (call $next (i32.const 1001) (i32.const 5) (i32.const 1010) (i32.const 4)
              (i32.const 2000) (i32.const 100) (i32.const 0)))
            (call $note (call $delete (i32.const 1001) (i32.const 5) (i32.const 1006) (i32.const 4)))
            (call $note (call $delete (i32.const 1001) (i32.const 5) (i32.const 1006) (i32.const 4)))
            (call $note (call $set (i32.const 1019) (i32.const 5) (i32.const 1006) (i32.const 4)
              (i32.const 1014) (i32.const 5)))
            (call $note (call $set (i32.const 1001) (i32.const 5) (i32.const 1006) (i32.const 0)
              (i32.const 1014) (i32.const 5)))
            (call $note (call $set (i32.const 1001) (i32.const 5) (i32.const -1) (i32.const 4)
              (i32.const 1014) (i32.const 5)))
            (call $note (call $config (i32.const 1006) (i32.const 4) (i32.const 2000) (i32.const 9)
              (i32.const 0)))
            (call $note (call $config (i32.const 1010) (i32.const 4) (i32.const 2000) (i32.const 9)
              (i32.const 0)))
            (call $log (i32.const 1000) (i32.const 1) (i32.const 3000)
              (i32.sub (global.get $at) (i32.const 3000)))))
        """

    @Test func storesByName() throws {
        let folder = "/tmp/wasmd-services-\(SystemClock.monotonic.now)"
        let path = Array(folder.utf8)
        try RecordStore.makeFolder(path)
        let store = try RecordStore(folder: path)
        defer { store.close() }
        let text = Self.storing
        let (log, _) = try run(
            [
                try definition("one", text) {
                    $0.entry = .function("run")
                    $0.stores = ["store"]
                    $0.values = ["key1": [0x78]]
                },
                try definition("two", text) { $0.entry = .function("run") },
            ], store: store)
        let expected: Set = [
            "Module: M, Message: 100052010134401", "Module: M, Message: 333303333333411",
        ]
        #expect(Set(log.lines) == expected)
    }
}
