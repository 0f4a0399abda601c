import Glibc
import Testing
import WasmSystem
import WasmdBroker
import WasmdEventLoop
import WasmdHTTPServer
import WasmdStorage

/// A folder that is removed with its files.
final class TestFolder: Sendable {
    let path: String

    init() throws {
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(base)/broker-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw BrokerError.cancelled }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { Self.removeAll(path) }

    private static func removeAll(_ path: String) {
        if let folder = opendir(path) {
            while let entry = readdir(folder) {
                let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                }
                if name != ".", name != ".." { removeAll(path + "/" + name) }
            }
            closedir(folder)
        }
        remove(path)
    }

    func store() throws -> RecordStore {
        var options = RecordStore.Options()
        options.segmentSize = 64 << 10
        return try RecordStore(folder: Array(path.utf8), options)
    }
}

/// Durable topics, over restarts.
@Suite struct DurableTests {
    /// A client of the port sends more while its messages are being written: they share a wait for
    /// the disk, and do not run together.
    @Test func messagesOfAConnectionShareAWait() throws {
        let folder = try TestFolder()
        let store = try folder.store()
        defer { store.close() }
        var options = Broker.Options()
        options.dynamic?.isDurable = true
        let broker = try Broker(options, store: store)
        try EventLoop().run { loop in
            // Nothing is written before the broker is started.
            let server = WireServer(broker)
            let sockets = try ListeningSockets(.ipv4([127, 0, 0, 1], port: 0), loopCount: 1)
            try await server.serve(sockets, on: [loop])
            let stream = try await ByteStream.connect(to: try #require(sockets.address), on: loop)
            for number in 1...64 {
                try await stream.write(Array("alert \(number)".utf8))
                while broker.totals.unwritten < number {
                    try await loop.sleep(for: .milliseconds(1))
                }
            }
            #expect(broker.totals.published == 0)
            // Waits until they are written.
            try await stream.write(Array("read alert".utf8))
            broker.start(on: loop)
            var buffer = InputBuffer(capacity: 1000)
            for number in 1...64 {
                _ = try await stream.read(into: &buffer)
                #expect(String(decoding: buffer.take(), as: UTF8.self) == "alert \(number)")
                try await stream.write(Array("read alert".utf8))
            }
            #expect(server.statistics.commands >= 128)
            stream.close()
            server.stop()
            try await broker.flush()
        }
    }

    private var options: Broker.Options {
        var options = Broker.Options()
        options.dynamic?.isDurable = true
        return options
    }

    private func named(_ name: String) -> SubscriptionOptions {
        var options = SubscriptionOptions()
        options.name = name
        options.acknowledges = true
        return options
    }

    /// Opens store and broker, runs `body`, and closes them.
    @discardableResult
    private func run<Result: Sendable>(
        _ folder: TestFolder, _ options: Broker.Options? = nil,
        flushes: Bool = true,
        _ body: @escaping @Sendable (Broker, EventLoop) async throws -> Result
    ) throws -> Result {
        let store = try folder.store()
        defer { store.close() }
        let broker = try Broker(options ?? self.options, store: store)
        return try EventLoop().run { loop in
            broker.start(on: loop)
            let result = try await body(broker, loop)
            if flushes { try await broker.flush() }
            return result
        }
    }

    @Test func queuesComeBackInOrder() throws {
        let folder = try TestFolder()
        try run(folder) { broker, _ in
            for number in 0..<20 {
                try await broker.publish(Array("\(number)".utf8), to: .alert)
                try await broker.publish(Array("t\(number)".utf8), to: .telemetry)
            }
            for _ in 0..<5 { _ = try broker.read(.alert) }
        }
        try run(folder) { broker, _ in
            #expect(broker.topic(.alert)?.queued == 15)
            #expect(broker.topic(.telemetry)?.queued == 20)
            for number in 5..<20 { #expect(try broker.readText(.alert) == "\(number)") }
            #expect(try broker.readText(.alert) == nil)
            try await broker.publish(Array("new".utf8), to: .alert)
        }
        try run(folder) { broker, _ in
            let text = try broker.readText(.alert)
            #expect(text == "new")
        }
    }

    @Test func sequencesNeverGoBack() throws {
        let folder = try TestFolder()
        let first = try run(folder) { broker, _ in
            try await broker.publish([1], to: .alert)
            let subscription = try broker.subscribe([.all], SubscriptionOptions())
            try await broker.publish([2], to: .alert)
            return try await subscription.next().message.sequence
        }
        let second = try run(folder) { broker, _ in
            let subscription = try broker.subscribe([.all], SubscriptionOptions())
            try await broker.publish([3], to: .alert)
            return try await subscription.next().message.sequence
        }
        #expect(second > first)
    }

    @Test func lastValuesComeBack() throws {
        let folder = try TestFolder()
        try run(folder) { broker, _ in
            try await broker.publish(Array("old".utf8), to: .alert, .init(isRetained: true))
            try await broker.publish(Array("last".utf8), to: .alert, .init(isRetained: true))
            try await broker.publish(Array("gone".utf8), to: .telemetry, .init(isRetained: true))
            try await broker.publish([], to: .telemetry, .init(isRetained: true))
            while try broker.read(.alert) != nil {}
        }
        try run(folder) { broker, _ in
            #expect(broker.retained(.alert)?.payload == Array("last".utf8))
            #expect(broker.retained(.telemetry) == nil)
            let message = try broker.read(.alert)
            #expect(message == nil)
        }
    }

    /// A crash right after the acknowledgement loses no last value.
    @Test func lastValuesAreWrittenWithTheirMessages() throws {
        let folder = try TestFolder()
        let store = try folder.store()
        defer { store.close() }
        let broker = try Broker(options, store: store)
        let stored = try EventLoop().run { loop in
            broker.start(on: loop)
            var stored: [Int] = []
            for text in ["first", "second", ""] {
                let (stream, continuation) = AsyncStream.makeStream(of: Int.self)
                broker.publish(Array(text.utf8), to: .alert, .init(isRetained: true)) { error in
                    // Called before anything else is written.
                    let keys = store.snapshot().keys(prefix: Array("broker/r/".utf8))
                    #expect(error == nil)
                    continuation.yield(keys.count)
                }
                for await count in stream {
                    stored.append(count)
                    break
                }
            }
            return stored
        }
        #expect(stored == [1, 1, 0])
    }

    @Test func lastValuesOfFormerlyDurableTopicsDoNotComeBack() throws {
        let folder = try TestFolder()
        try run(folder) { broker, _ in
            try await broker.publish(Array("old".utf8), to: .alert, .init(isRetained: true))
        }
        try run(folder, Broker.Options()) { broker, _ in
            #expect(broker.retained(.alert)?.payload == Array("old".utf8))
            try await broker.publish(Array("new".utf8), to: .alert, .init(isRetained: true))
        }
        try run(folder) { broker, _ in
            #expect(broker.retained(.alert) == nil)
        }
    }

    @Test func namedSubscriptionsComeBackWithWhatIsOpen() throws {
        let folder = try TestFolder()
        try run(folder) { [named] broker, _ in
            let subscription = try broker.subscribe([.all], named("sink"))
            for text in ["a", "b", "c", "d"] {
                try await broker.publish(Array(text.utf8), to: .alert)
            }
            let first = try await subscription.next()
            #expect(first.text == "a")
            subscription.acknowledge(first)
            // Taken, not acknowledged.
            #expect(try await subscription.next().text == "b")
            // What the queue has lost, the subscription still has.
            while try broker.read(.alert) != nil {}
        }
        try run(folder) { [named] broker, _ in
            #expect(broker.topic(.alert)?.queued == 0)
            try await broker.publish(Array("e".utf8), to: .alert)
            let subscription = try broker.subscribe([.all], named("sink"))
            for text in ["b", "c", "d", "e"] {
                let delivery = try await subscription.next()
                #expect(delivery.text == text)
                subscription.acknowledge(delivery)
            }
        }
        try run(folder) { [named] broker, _ in
            let subscription = try broker.subscribe([.all], named("sink"))
            #expect(try subscription.nextNow() == nil)
            #expect(broker.topic(.alert)?.queued == 1)
            broker.removeSubscription(named: "sink")
        }
        try run(folder) { broker, _ in #expect(broker.subscriptions.isEmpty) }
    }

    @Test func nothingStaysOnTheDisk() throws {
        let folder = try TestFolder()
        try run(folder) { [named] broker, _ in
            let subscription = try broker.subscribe([.all], named("sink"))
            for number in 0..<50 {
                try await broker.publish(Array("\(number)".utf8), to: .alert)
            }
            while try broker.read(.alert) != nil {}
            while let delivery = try subscription.nextNow() { subscription.acknowledge(delivery) }
            broker.removeSubscription(named: "sink")
        }
        let store = try folder.store()
        defer { store.close() }
        #expect(store.snapshot().keys(prefix: Array("broker/".utf8)).isEmpty)
    }

    /// Messages that nobody waits for are not kept.
    @Test func aTopicWithoutQueueKeepsNothing() throws {
        let folder = try TestFolder()
        var options = options
        options.dynamic?.queue = 0
        try run(folder, options) { broker, _ in
            try await broker.publish([1], to: .alert)
            #expect(broker.totals.messages == 0)
        }
        let store = try folder.store()
        defer { store.close() }
        #expect(store.snapshot().keys(prefix: Array("broker/m/".utf8)).isEmpty)
    }

    @Test func aFullDurableQueueRefusesWhatIsBeingWritten() throws {
        let folder = try TestFolder()
        var options = options
        options.dynamic?.queue = 5
        options.dynamic?.whenFull = .refuse
        let (accepted, refused) = (Latest(0), Latest(0))
        try run(folder, options) { broker, _ in
            for number in 0..<20 {
                broker.publish(Array("\(number)".utf8), to: .alert) { error in
                    if error == nil { accepted.value += 1 }
                    if error == .full(limit: "queue") { refused.value += 1 }
                }
            }
        }
        #expect(accepted.value == 5 && refused.value == 15)
        try run(folder, options) { broker, _ in #expect(broker.topic(.alert)?.queued == 5) }
    }

    @Test func aRefusingSubscriptionLosesNothing() throws {
        let folder = try TestFolder()
        var options = options
        options.dynamic?.queue = 0
        let accepted = Latest<[String]>([])
        let taken = try run(folder, options) { [named] broker, _ in
            var wanted = named("sink")
            wanted.queue = 3
            wanted.whenFull = .refuse
            let subscription = try broker.subscribe([.all], wanted)
            for number in 0..<50 {
                broker.publish(Array("\(number)".utf8), to: .alert) { error in
                    if error == nil { accepted.value.append("\(number)") }
                }
            }
            try await broker.flush()
            var taken: [String] = []
            while let delivery = try subscription.nextNow() {
                #expect(delivery.lost == 0)
                taken.append(delivery.text)
                subscription.acknowledge(delivery)
            }
            return taken
        }
        #expect(taken == accepted.value && !taken.isEmpty)
    }

    @Test func messagesOfDurableTopicsHaveTheStoresLimit() throws {
        let folder = try TestFolder()
        var options = options
        options.limits.messageBytes = 1 << 20
        try run(folder, options) { broker, _ in
            try await broker.publish([UInt8](repeating: 1, count: 65_000), to: .alert)
            await #expect(throws: BrokerError.messageTooLarge(65_001, limit: 65_000)) {
                try await broker.publish([UInt8](repeating: 1, count: 65_001), to: .alert)
            }
        }
        try run(folder, options) { broker, _ in
            let message = try broker.read(.alert)
            #expect(message?.payload.count == 65_000)
        }
    }

    @Test func aStoreThatCannotWriteRefuses() throws {
        let folder = try TestFolder()
        let store = try folder.store()
        let broker = try Broker(options, store: store)
        try EventLoop().run { loop in
            broker.start(on: loop)
            let subscription = try broker.subscribe([.all])
            store.close()
            await #expect(throws: BrokerError.storage(.closed)) {
                try await broker.publish([1], to: .alert)
            }
            #expect(try subscription.nextNow() == nil)
            #expect(broker.totals.messages == 0)
            #expect(broker.topic(.alert)?.refused == 1)
        }
    }

    /// Old values are removed from the log: what is stored is bounded by what is kept.
    @Test func theLogIsCompacted() throws {
        let folder = try TestFolder()
        var options = options
        options.dynamic?.queue = 10
        try run(folder, options) { broker, loop in
            let payload = [UInt8](repeating: 7, count: 4000)
            for _ in 0..<20 {
                await withTaskGroup { group in
                    for _ in 0..<20 {
                        group.addTask { try? await broker.publish(payload, to: .alert) }
                    }
                }
            }
            #expect(broker.topic(.alert)?.queued == 10)
        }
        let store = try folder.store()
        defer { store.close() }
        try store.compact()
        #expect(store.statistics.logBytes < 200_000)
        #expect(store.snapshot().keys(prefix: Array("broker/m/".utf8)).count == 10)
    }

    @Test func damagedRecordsAreLeftOut() throws {
        let folder = try TestFolder()
        let store = try folder.store()
        var transaction = Transaction()
        let sequence: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 9]
        for (key, value) in [
            ("broker/m/alert", [UInt8]()), ("broker/m/alert\u{0}short", [1, 2, 3]),
            ("broker/q/alert", [1]), ("broker/r/alert", [1, 2]), ("broker/s/x", [1]),
            ("broker/s/none", sequence + sequence + sequence + [9]),
            ("broker/m/a b\u{0}12345678", [1]),
            ("broker/r/telemetry", sequence + sequence + [0, 200, 1]),
            ("broker/m/telemetry\u{0}12345678", sequence + sequence + [0, 0] + Array("ok".utf8)),
        ] { transaction.put(Array(key.utf8), value) }
        try store.commitBlocking(transaction)
        let broker = try Broker(options, store: store)
        #expect(try broker.readText(.telemetry) == "ok")
        #expect(broker.topic(.alert) == nil)
        store.close()
    }

    /// After the largest number there is no next one: records that have it are left out.
    @Test func sequencesThatCannotBeCountedOn() throws {
        let folder = try TestFolder()
        let store = try folder.store()
        var transaction = Transaction()
        let last = [UInt8](repeating: 255, count: 8)
        for (key, value) in [
            ("broker/m/alert\u{0}12345678", last + last + [0, 0] + Array("no".utf8)),
            ("broker/r/alert", last + last + [0, 0] + Array("no".utf8)), ("broker/q/alert", last),
            ("broker/s/x", last + last + last + [0] + Array("#\n".utf8)),
        ] { transaction.put(Array(key.utf8), value) }
        try store.commitBlocking(transaction)
        store.close()
        try run(folder) { broker, _ in
            try await broker.publish(Array("yes".utf8), to: .alert)
            let text = try broker.readText(.alert)
            #expect(text == "yes")
        }
    }
}
