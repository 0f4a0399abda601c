import Synchronization
import Testing
import WasmSystem
import WasmdDigests

@testable import WasmdStorage

/// Every state that a power cut allows opens with what was acknowledged.
@Suite struct PowerCutTests {
    typealias Content = [[UInt8]: [UInt8]]

    /// How many states are tried; more by hand.
    static let stateLimit =
        CurrentProcess.variable("WASMD_POWER_CUTS").flatMap {
            Int(String(decoding: $0, as: UTF8.self))
        } ?? 1500

    /// What a store had after each transaction, by version.
    struct History: Sendable {
        var transactions: [(version: UInt64, transaction: Transaction)] = []

        /// The contents after each transaction; first that before all.
        func contents(from start: Content = [:]) -> [(version: UInt64, content: Content)] {
            var content = start
            var result: [(version: UInt64, content: Content)] = [(0, content)]
            for (version, transaction) in transactions.sorted(by: { $0.version < $1.version }) {
                for change in transaction.changes { content[change.key] = change.value }
                result.append((version, content))
            }
            return result
        }
    }

    /// What a store has.
    static func content(_ store: RecordStore) throws -> Content {
        let snapshot = store.snapshot()
        var content: Content = [:]
        for key in snapshot.keys() { content[key.key] = try snapshot.getBlocking(key.key)?.value }
        return content
    }

    /// - Parameter marks: whether marks are written soon, as they are elsewhere.
    static func options(segment: Int = 64 << 10, marks: Bool = false) -> RecordStore.Options {
        var options = RecordStore.Options()
        if !marks { options.idleTime = 3_600_000_000_000 }
        options.segmentSize = segment
        options.compactsAutomatically = false
        // It is filled by another thread, at a moment that nobody knows.
        options.reserveSize = 0
        return options
    }

    /// A transaction of one to four changes of a few keys.
    static func transaction(_ random: inout Randomness, size: Int) -> Transaction {
        var transaction = Transaction()
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let key = Array("key/\(Int.random(in: 0..<24, using: &random))".utf8)
            if Int.random(in: 0..<5, using: &random) == 0 {
                transaction.delete(key)
            } else {
                let count = Int.random(in: 0...size, using: &random)
                transaction.put(
                    key,
                    (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &random) })
            }
        }
        return transaction
    }

    /// Several threads write; meanwhile the store is compacted.
    static func workload(
        _ disk: MemoryDisk, seed: UInt64, threads: Int, count: Int, size: Int
    ) throws -> History {
        let store = try RecordStore(folder: [], options(marks: true), disk)
        let history = Mutex(History())
        let highest = Mutex<UInt64>(0)
        let next = Atomic(0)
        runOnThreads(threads) {
            while true {
                let index = next.add(1, ordering: .relaxed).oldValue
                guard index < count else { return }
                var random = Randomness(seed &* 1_000_003 &+ UInt64(index))
                let transaction = transaction(&random, size: size)
                guard let version = try? store.commitBlocking(transaction) else {
                    Issue.record("a commit failed")
                    return
                }
                history.withLock { $0.transactions.append((version, transaction)) }
                highest.withLock { highest in
                    highest = max(highest, version)
                    disk.note(.acknowledged(highest))
                }
                if index == count / 2 { _ = try? store.compact() }
            }
        }
        store.close()
        return history.withLock { $0 }
    }

    /// Opens a state. Returns what is wrong with it, nil if nothing is.
    static func fault(
        of state: DiskState, _ contents: [(version: UInt64, content: Content)],
        acknowledged: UInt64
    ) throws -> String? {
        let store = try RecordStore(folder: [], options(), MemoryDisk(state))
        defer { store.close() }
        if !store.report.isComplete { return "\(store.report)" }
        let found = try content(store)
        let first = contents.lastIndex { $0.version <= acknowledged } ?? 0
        if contents[first...].contains(where: { $0.content == found }) { return nil }
        return "a content that the store has never had, or an old one; \(store.report)"
    }

    /// Tries states after each event, as many as `limit` allows.
    static func tryStates(
        _ events: [DiskEvent], from start: DiskState = DiskState(),
        _ contents: [(version: UInt64, content: Content)], seed: UInt64, limit: Int,
        acknowledgedBefore: UInt64 = 0,
        _ body: (DiskState, UInt64, String) throws -> Void
    ) throws {
        var random = Randomness(seed)
        var cut = PowerCut(start)
        var acknowledged = acknowledgedBefore
        let perEvent = max(Double(limit) / Double(max(events.count, 1)), 0.001)
        var due = 0.0
        for (index, event) in events.enumerated() {
            cut.add(event)
            if case .acknowledged(let version) = event { acknowledged = version }
            due += perEvent
            guard due >= 1 else { continue }
            let choices = cut.choices
            if choices <= 4, (1 << choices) <= Int(due) + 1 {
                // All of them.
                for mask in 0..<(1 << choices) {
                    try body(cut.state { mask >> $0 & 1 == 1 }, acknowledged, "\(index)/\(mask)")
                    due -= 1
                }
                due = max(due, 0)
                continue
            }
            while due >= 1 {
                due -= 1
                let share = [0.0, 0.1, 0.5, 0.9, 1.0].randomElement(using: &random) ?? 0.5
                let end = Int.random(in: 0...choices, using: &random)
                let isPrefix = Bool.random(using: &random)
                var dice = random
                random = Randomness(random.next())
                let state = cut.state { position in
                    isPrefix ? position < end : Double.random(in: 0..<1, using: &dice) < share
                }
                try body(state, acknowledged, "\(index)/random")
            }
        }
    }

    @Test(arguments: [(1, 60, 300), (4, 120, 700), (16, 200, 1500), (3, 90, 9000)])
    func statesHoldWhatWasAcknowledged(_ threads: Int, _ count: Int, _ size: Int) throws {
        let disk = MemoryDisk()
        let history = try Self.workload(
            disk, seed: UInt64(threads), threads: threads, count: count, size: size)
        let contents = history.contents()
        try Self.tryStates(disk.events, contents, seed: 7, limit: Self.stateLimit / 4) {
            state, acknowledged, place in
            let fault = try Self.fault(of: state, contents, acknowledged: acknowledged)
            #expect(fault == nil, "\(place)")
        }
    }

    /// The test above can fail: it does on a disk that does not do what a sync asks for.
    @Test(arguments: [true, false]) func noticesADiskThatLies(_ aboutFolders: Bool) throws {
        let disk = MemoryDisk()
        let history = try Self.workload(disk, seed: 1, threads: 4, count: 120, size: 1500)
        let contents = history.contents()
        let events = disk.events.filter { event in
            switch event {
            case .datasync: aboutFolders
            case .syncFolder: !aboutFolders
            default: true
            }
        }
        var faults = 0
        try Self.tryStates(events, contents, seed: 7, limit: 150) { state, acknowledged, _ in
            if try Self.fault(of: state, contents, acknowledged: acknowledged) != nil {
                faults += 1
            }
        }
        #expect(faults > 10)
    }

    /// A second power cut, while the store is repaired or written after the first one.
    @Test func secondCut() throws {
        let disk = MemoryDisk()
        let history = try Self.workload(disk, seed: 99, threads: 8, count: 60, size: 800)
        let contents = history.contents()
        var turn: UInt64 = 0
        try Self.tryStates(disk.events, contents, seed: 3, limit: Self.stateLimit / 30) {
            state, acknowledged, place in
            turn += 1
            let second = MemoryDisk(state)
            let store = try RecordStore(folder: [], Self.options(), second)
            let start = try Self.content(store)
            let opened = store.snapshot().version
            second.note(.acknowledged(opened))
            var later = History()
            for index in 0..<6 {
                var random = Randomness(turn &* 31 &+ UInt64(index))
                let transaction = Self.transaction(&random, size: 900)
                let version = try store.commitBlocking(transaction)
                later.transactions.append((version, transaction))
                second.note(.acknowledged(version))
            }
            store.close()
            // Before the first mark of the second run, what was acknowledged in the first counts.
            let all =
                contents.filter { $0.version <= opened } + later.contents(from: start).dropFirst()
            try Self.tryStates(
                second.events, from: state, all, seed: turn, limit: 20,
                acknowledgedBefore: acknowledged
            ) { state, acknowledged, inner in
                let fault = try Self.fault(of: state, all, acknowledged: acknowledged)
                #expect(fault == nil, "\(place), then \(inner)")
            }
        }
    }

    /// Blobs of records that are there are there, whole.
    @Test func blobsOfRecords() throws {
        let disk = MemoryDisk()
        let store = try RecordStore(folder: [], Self.options(), disk)
        for index in 0..<12 {
            let bytes = [UInt8](repeating: UInt8(index), count: 700 + index)
            let pin = try store.blobs.put(bytes)
            var transaction = Transaction()
            transaction.put(Array("b\(index % 5)".utf8), [UInt8(index)], blobs: [pin.digest])
            disk.note(.acknowledged(try store.commitBlocking(transaction)))
            if index % 4 == 3 { try store.blobs.collectGarbage() }
        }
        store.close()
        var tried = 0
        try Self.tryStates(disk.events, [], seed: 5, limit: Self.stateLimit / 4) {
            state, _, place in
            let store = try RecordStore(folder: [], Self.options(), MemoryDisk(state))
            tried += 1
            for key in store.snapshot().keys() {
                let value = try #require(try store.getBlocking(key.key)).value
                let index = value[0]
                let bytes = [UInt8](repeating: index, count: 700 + Int(index))
                #expect(try store.blobs.get(SHA256.hash(bytes)) == bytes, "\(place)")
            }
            store.close()
        }
        #expect(tried > Self.stateLimit / 8)
    }
}
