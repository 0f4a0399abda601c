import Synchronization
import Testing
import WasmInterpreter
import WasmSystem
import WasmText
import WasmWASI
import WasmdBroker
import WasmdEventLoop
import WasmdGuests
import WasmdStorage

@testable import WasmdServices

/// What services said and what happened to them.
final class ServiceNotes: Sendable {
    private let state = Mutex<(lines: [String], events: [String])>(([], []))

    var lines: [String] { state.withLock { $0.lines } }
    var events: [String] { state.withLock { $0.events } }

    func add(line: [UInt8]) {
        let text = String(decoding: line.prefix(200), as: UTF8.self)
        // Without the time.
        let rest = text.split(separator: " ", maxSplits: 1).last.map(String.init) ?? ""
        state.withLock { $0.lines.append(rest) }
    }

    func add(_ name: String, _ event: ServiceEvent) {
        let text =
            switch event {
            case .started: "started"
            case .ready: "ready"
            case .ended: "ended"
            case .requestFailed(let text): text
            case .failed(let reason, let pause):
                "failed, next in \(pause.map { "\($0)" } ?? "never"): \(reason)"
            }
        state.withLock { $0.events.append("\(name) \(text)") }
    }
}

/// A module in text beside a service that behaves well, in this process.
///
/// The neighbour takes each message of `beat` and answers it on `echo`; the test sends beats and
/// waits for the echoes, so it sees what the neighbour sees, without a measured time.
final class ServiceTrial: Sendable {
    let loop: EventLoop
    let host: ServiceHost
    let broker: Broker
    let notes: ServiceNotes
    private let guests: GuestLoop
    private let beat: TopicName
    private let echoes: Subscription
    private let count = Mutex(0)

    private init(
        _ guests: GuestLoop, _ host: ServiceHost, _ broker: Broker, _ notes: ServiceNotes
    ) throws {
        self.guests = guests
        loop = guests.loop
        self.host = host
        self.broker = broker
        self.notes = notes
        beat = try #require(TopicName("beat"))
        var options = SubscriptionOptions()
        options.whenFull = .drop
        echoes = try broker.subscribe([try #require(TopicPattern("echo"))], options)
    }

    private static let neighbour = guest(
        "Nbeatecho",
        """
        (loop $again
          (call $subscribe (i32.const 1001) (i32.const 4) (i32.const 16))
          (call $publish (i32.const 1005) (i32.const 4)
            (i32.load (i32.const 16)) (i32.load (i32.const 20)))
          (global.set $next (i32.const 4096))
          (br $again))
        """)

    /// The interfaces, an allocator that only goes forward, and text at 1000.
    static func guest(_ text: String, _ body: String, more: String = "") -> String {
        """
        (module
          (import "hostobservability" "loginfo" (func $log (param i32 i32 i32 i32)))
          (import "hostobservability" "publish" (func $publish (param i32 i32 i32 i32)))
          (import "hostobservability" "read" (func $read (param i32 i32 i32)))
          (import "hostobservability" "subscribe" (func $subscribe (param i32 i32 i32)))
          (import "wasi_experimental_http" "req" (func $req
            (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
          (import "wasmd:kv" "set" (func $set (param i32 i32 i32 i32 i32 i32) (result i32)))
          (import "wasmd:kv" "delete" (func $delete (param i32 i32 i32 i32) (result i32)))
          (import "wasmd:config" "get" (func $config (param i32 i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "sock_accept"
            (func $accept (param i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "path_open"
            (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_write"
            (func $write (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
          (import "wasi_snapshot_preview1" "random_get"
            (func $random (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "clock_time_get"
            (func $clock (param i32 i64 i32) (result i32)))
          (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
          (memory (export "memory") 2)
          (global $next (mut i32) (i32.const 4096))
          (data (i32.const 1000) "\(text)")
          (func (export "canonical_abi_realloc") (param i32 i32 i32 i32) (result i32)
            (global.get $next)
            (global.set $next (i32.add (global.get $next) (local.get 3))))
          (func $say (param i32 i32)
            (call $log (i32.const 1000) (i32.const 1) (local.get 0) (local.get 1)))
          (func $number (param i32)
            (i32.store8 (i32.const 900) (i32.add (i32.const 48)
              (i32.div_u (local.get 0) (i32.const 10))))
            (i32.store8 (i32.const 901) (i32.add (i32.const 48)
              (i32.rem_u (local.get 0) (i32.const 10))))
            (call $say (i32.const 900) (i32.const 2)))
          \(more)
          (func (export "init") (param $path i32) (param $size i32) (local $i i32)
            \(body)))
        """
    }

    static func definition(
        _ name: String, _ text: String, _ change: (inout ServiceDefinition) -> Void = { _ in }
    ) throws -> ServiceDefinition {
        let bytes = try assembleModule(Array(text.utf8)).bytes
        var definition = ServiceDefinition(
            name, .initialise(configuration: "x", passesSocket: false)
        ) { ModuleBytes(bytes) }
        definition.topics = .all
        definition.restart.limit = 0
        definition.limits.memory = 16 << 20
        definition.world.standardInput = .null
        definition.world.standardOutput = .null
        definition.world.standardError = .null
        change(&definition)
        return definition
    }

    /// Runs the neighbour and these services; then `body`, between rounds of beats.
    ///
    /// - Returns: what was noted, after all services were stopped.
    @discardableResult
    static func run(
        _ definitions: [ServiceDefinition], _ change: (inout Broker.Options) -> Void = { _ in },
        store: RecordStore? = nil,
        _ body: @escaping @Sendable (ServiceTrial) async throws -> Void
    ) throws -> ServiceNotes {
        let notes = ServiceNotes()
        var brokerOptions = Broker.Options()
        change(&brokerOptions)
        let broker = Broker(brokerOptions)
        var options = ServiceHost.Options(messaging: BrokerMessaging(broker)) {
            notes.add(line: $0)
        }
        options.report = { notes.add($0, $1) }
        options.store = store
        // Standard error goes where the definition says.
        options.logsErrors = false
        options.patience = .seconds(60)
        let host = ServiceHost(GuestRuns(), options)
        let all = [try definition("neighbour", neighbour)] + definitions
        try EventLoop().run { loop in
            broker.start(on: loop)
            let guests = try GuestLoop(loop)
            let trial = try ServiceTrial(guests, host, broker, notes)
            // Nothing here takes so long; a test that hangs is to end.
            try await loop.withDeadline(.after(.seconds(300))) {
                await trial.start(all)
                try await trial.waitUntil { host.service("neighbour")?.status.state == .ready }
                // The test's own, and that of the neighbour.
                try await trial.waitUntil { broker.subscriptions.count >= 2 }
                try await trial.beats()
                try await body(trial)
                try await trial.beats()
            }
            let neighbour = host.service("neighbour")?.status
            #expect(neighbour?.starts == 1)
            #expect(neighbour?.failures == 0)
            #expect(neighbour?.state == .ready)
        }
        // The loop has ended all services, those that compute too.
        return notes
    }

    /// Starts more services.
    func start(_ definitions: [ServiceDefinition]) async {
        await host.start(definitions, on: [guests])
    }

    /// Sends beats, and waits for each echo.
    func beats(_ rounds: Int = 15) async throws {
        for _ in 0..<rounds {
            let number = count.withLock { count in
                count += 1
                return count
            }
            try await broker.publish(Array("\(number)".utf8), to: beat)
            let delivery = try await echoes.next()
            #expect(
                String(decoding: delivery.message.payload, as: UTF8.self) == "beat \(number)")
            #expect(delivery.lost == 0)
        }
    }

    func waitUntil(_ condition: () -> Bool) async throws {
        while !condition() { try await loop.sleep(for: .milliseconds(2)) }
    }

    func status(_ name: String) -> ServiceStatus? { host.service(name)?.status }

    /// Waits until a service has failed for good.
    func waitForFailure(_ name: String) async throws {
        try await waitUntil { status(name)?.state == .failed }
    }
}
