import Testing
import WasmSystem
import WasmdEventLoop

@testable import WasmdStorage

/// Records, transactions, conditions, snapshots and order.
@Suite struct RecordTests {
    func store(_ disk: MemoryDisk = MemoryDisk()) throws -> RecordStore {
        try RecordStore(folder: [], PowerCutTests.options(), disk)
    }

    func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test func putGetDelete() throws {
        let store = try store()
        var transaction = Transaction()
        transaction.put(bytes("a"), bytes("one"))
        transaction.put(bytes("b"), [])
        let version = try store.commitBlocking(transaction)
        #expect(try store.getBlocking(bytes("a")) == .init(value: bytes("one"), version: version))
        #expect(try store.getBlocking(bytes("b"))?.value == [])
        #expect(try store.getBlocking(bytes("c")) == nil)
        var second = Transaction()
        second.delete(bytes("a"))
        second.delete(bytes("not there"))
        #expect(try store.commitBlocking(second) > version)
        #expect(try store.getBlocking(bytes("a")) == nil)
        #expect(store.statistics.records == 1)
    }

    /// Of several changes of a key in a transaction the last one counts.
    @Test func sameKeyTwice() throws {
        let disk = MemoryDisk()
        let store = try store(disk)
        var transaction = Transaction()
        transaction.put(bytes("a"), bytes("one"))
        transaction.delete(bytes("a"))
        transaction.put(bytes("a"), bytes("two"))
        transaction.put(bytes("b"), bytes("three"))
        transaction.delete(bytes("b"))
        try store.commitBlocking(transaction)
        #expect(try store.getBlocking(bytes("a"))?.value == bytes("two"))
        #expect(store.version(bytes("b")) == nil)
        store.close()
        let again = try self.store(MemoryDisk(disk.disk))
        #expect(try again.getBlocking(bytes("a"))?.value == bytes("two"))
        #expect(again.version(bytes("b")) == nil)
    }

    @Test func conditions() throws {
        let store = try store()
        func put(_ value: String, _ condition: Transaction.Condition) throws -> UInt64 {
            var transaction = Transaction()
            transaction.put(bytes("k"), bytes(value), if: condition)
            transaction.put(bytes("other"), bytes(value))
            return try store.commitBlocking(transaction)
        }
        #expect(throws: StorageError.conflict(key: bytes("k"), found: nil)) {
            try put("0", .present)
        }
        let first = try put("1", .absent)
        #expect(throws: StorageError.conflict(key: bytes("k"), found: first)) {
            try put("2", .absent)
        }
        #expect(throws: StorageError.conflict(key: bytes("k"), found: first)) {
            try put("2", .version(first + 1))
        }
        // A refused transaction changes nothing.
        #expect(try store.getBlocking(bytes("other"))?.value == bytes("1"))
        let second = try put("2", .version(first))
        #expect(store.version(bytes("k")) == second)
        var guarded = Transaction()
        guarded.require(bytes("k"), .version(first))
        guarded.delete(bytes("other"))
        #expect(throws: StorageError.self) { try store.commitBlocking(guarded) }
    }

    /// Of threads that increment a number by its version none loses an increment.
    @Test func comparesAndSets() throws {
        let store = try store()
        let key = bytes("counter")
        runOnThreads(8) {
            var done = 0
            while done < 20 {
                let now = try? store.getBlocking(key)
                var transaction = Transaction()
                let value = (now?.value.first ?? 0) + 1
                transaction.put(key, [value], if: now.map { .version($0.version) } ?? .absent)
                do throws(StorageError) {
                    try store.commitBlocking(transaction)
                    done += 1
                } catch {
                    guard case .conflict = error else {
                        Issue.record(error)
                        return
                    }
                }
            }
        }
        #expect(try store.getBlocking(key)?.value == [160])
    }

    @Test func refusesWhatIsTooLarge() throws {
        let store = try store()
        func commit(_ body: (inout Transaction) -> Void) throws {
            var transaction = Transaction()
            body(&transaction)
            try store.commitBlocking(transaction)
        }
        #expect(throws: StorageError.keySize(0)) { try commit { $0.put([], []) } }
        #expect(throws: StorageError.keySize(513)) {
            try commit { $0.delete([UInt8](repeating: 1, count: 513)) }
        }
        #expect(throws: StorageError.valueTooLarge(65537)) {
            try commit { $0.put([1], [UInt8](repeating: 0, count: 65537)) }
        }
        #expect(throws: StorageError.transactionTooLarge) {
            try commit { transaction in
                for index in 0..<257 {
                    transaction.put(
                        [1, UInt8(index & 255), UInt8(index >> 8)],
                        [UInt8](repeating: 0, count: 65536))
                }
            }
        }
        try commit {
            $0.put([UInt8](repeating: 1, count: 512), [UInt8](repeating: 9, count: 65536))
        }
        #expect(
            try store.getBlocking([UInt8](repeating: 1, count: 512))?.value
                == [UInt8](repeating: 9, count: 65536))
    }

    @Test func listsInPages() throws {
        let store = try store()
        var transaction = Transaction()
        for index in 0..<300 {
            transaction.put(bytes("m/" + String(1000 + index)), [UInt8](repeating: 0, count: index))
        }
        for other in ["l", "m", "m.", "m0", "n/1", "m/"] { transaction.put(bytes(other), []) }
        try store.commitBlocking(transaction)
        let snapshot = store.snapshot()
        var after: [UInt8]?
        var found: [[UInt8]] = []
        while true {
            let page = snapshot.keys(prefix: bytes("m/"), after: after, limit: 7)
            if page.isEmpty { break }
            found += page.map(\.key)
            after = page.last?.key
        }
        #expect(found.first == bytes("m/"))
        #expect(found.count == 301)
        #expect(
            found.dropFirst().map { String(decoding: $0, as: UTF8.self) }
                == (0..<300).map { "m/\(1000 + $0)" })
        #expect(snapshot.count(prefix: bytes("m/")) == 301)
        #expect(snapshot.count(prefix: []) == 306)
        #expect(snapshot.count(prefix: [255]) == 0 && snapshot.count(prefix: bytes("m/12")) == 100)
        #expect(snapshot.keys(prefix: bytes("m/1299")).first?.valueSize == 299)
        #expect(snapshot.keys(prefix: bytes("m/"), after: bytes("z")).isEmpty)
        #expect(snapshot.keys(prefix: bytes("m/"), after: bytes("a")).count == 301)
    }

    /// A snapshot does not change, also while its files are compacted away.
    @Test func snapshotsStay() throws {
        let store = try store()
        for index in 0..<200 {
            var transaction = Transaction()
            transaction.put(bytes("k\(index % 50)"), [UInt8](repeating: UInt8(index), count: 2000))
            try store.commitBlocking(transaction)
        }
        let snapshot = store.snapshot()
        for index in 0..<50 {
            var transaction = Transaction()
            index % 2 == 0
                ? transaction.delete(bytes("k\(index)"))
                : transaction.put(bytes("k\(index)"), [1])
            try store.commitBlocking(transaction)
        }
        try store.compact()
        #expect(store.snapshot().count == 25)
        #expect(snapshot.count == 50)
        for index in 0..<50 {
            let record = try snapshot.getBlocking(bytes("k\(index)"))
            #expect(record?.value == [UInt8](repeating: UInt8(150 + index), count: 2000))
        }
    }

    @Test func compactsAndKeepsVersions() throws {
        let disk = MemoryDisk()
        let store = try store(disk)
        var versions: [UInt64] = []
        for index in 0..<400 {
            var transaction = Transaction()
            transaction.put(
                bytes("k\(index % 20)"), [UInt8](repeating: UInt8(index & 255), count: 1500))
            versions.append(try store.commitBlocking(transaction))
        }
        let before = store.statistics
        let saved = try store.compact()
        #expect(saved > before.logBytes / 2)
        #expect(store.statistics.logBytes == before.logBytes - saved)
        func check(_ store: RecordStore) throws {
            for index in 380..<400 {
                let record = try store.getBlocking(bytes("k\(index % 20)"))
                #expect(record?.version == versions[index])
                #expect(record?.value == [UInt8](repeating: UInt8(index & 255), count: 1500))
            }
        }
        try check(store)
        store.close()
        let again = try self.store(MemoryDisk(disk.disk))
        #expect(again.report.isComplete)
        #expect(again.report.tail == nil)
        try check(again)
        // The bytes that statistics report are those on the disk.
        let sizes = disk.disk.folders[1].values.reduce(0) { $0 + (disk.disk.files[$1]?.count ?? 0) }
        #expect(again.statistics.logBytes == sizes)
    }

    /// Old values are removed without being asked.
    @Test func compactsByItself() throws {
        let disk = MemoryDisk()
        var options = PowerCutTests.options()
        options.compactsAutomatically = true
        let store = try RecordStore(folder: [], options, disk)
        for index in 0..<1500 {
            var transaction = Transaction()
            transaction.put(bytes("k\(index % 10)"), [UInt8](repeating: 1, count: 1500))
            try store.commitBlocking(transaction)
        }
        store.compactor.wait()
        #expect(store.statistics.logBytes < 500_000)
        #expect(store.statistics.records == 10)
        store.close()
    }

    /// Tasks of a loop write and read without holding it, also what is not in memory.
    @Test(arguments: [false, true]) func tasks(_ isCold: Bool) throws {
        let disk = MemoryDisk()
        disk.set { $0.isCold = isCold }
        let store = try store(disk)
        let loop = try EventLoop()
        let sum = try loop.run { loop in
            var tasks: [LoopTask<Int>] = []
            for task in 0..<20 {
                tasks.append(
                    loop.spawn {
                        var sum = 0
                        for index in 0..<10 {
                            let key = Array("\(task)/\(index)".utf8)
                            var transaction = Transaction()
                            transaction.put(key, [UInt8(index)])
                            _ = try? await store.commit(transaction)
                            let record = try? await store.get(key, on: loop)
                            sum += Int(record?.value.first ?? 100)
                            let same = try? await store.snapshot().get(key, on: loop)
                            if same?.value != [UInt8(index)] { sum += 1000 }
                        }
                        return sum
                    })
            }
            var sum = 0
            for task in tasks { sum += await task.value }
            return sum
        }
        #expect(sum == 20 * 45)
        store.close()
    }

    @Test func closedStores() throws {
        let store = try store()
        var transaction = Transaction()
        transaction.put([1], [2])
        try store.commitBlocking(transaction)
        store.close()
        #expect(throws: StorageError.closed) { try store.commitBlocking(transaction) }
        #expect(try store.getBlocking([1])?.value == [2])
        store.close()
    }

    /// Jobs share syncs: fewer than a sync for each.
    @Test func writersShareSyncs() throws {
        let disk = MemoryDisk()
        let store = try store(disk)
        runOnThreads(16) {
            for index in 0..<20 {
                var transaction = Transaction()
                transaction.put([UInt8(index)], [1])
                _ = try? store.commitBlocking(transaction)
            }
        }
        store.close()
        let syncs = disk.events.count { if case .datasync = $0 { true } else { false } }
        #expect(syncs < 320)
        #expect(store.snapshot().version >= 320)
    }
}
