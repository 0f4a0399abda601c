import Testing
import WasmSystem
import WasmdDigests

@testable import WasmdStorage

/// Logs that are cut, or whose bits flipped: they open, say what is lost, serve nothing damaged, and
/// go on.
@Suite struct DamageTests {
    static func count(_ variable: String, _ standard: Int) -> Int {
        unsafe CurrentProcess.variable(variable).flatMap {
            Int(String(decoding: $0, as: UTF8.self))
        } ?? standard
    }

    /// A store with records that tell whether they are right: key `n` has the value of `n` at its
    /// version.
    struct Fixture {
        let disk: DiskState
        /// The values that each key has had, the last one last.
        var values: [[UInt8]: [[UInt8]]] = [:]
        let numbers: [UInt32]

        init(count: Int, valueSize: Int, closes: Bool = true) throws {
            let disk = MemoryDisk()
            let store = try RecordStore(folder: [], PowerCutTests.options(), disk)
            var random = Randomness(UInt64(count))
            for index in 0..<count {
                var transaction = Transaction()
                for _ in 0..<(1 + index % 3) {
                    let key = Array("key \(Int.random(in: 0..<(count / 2), using: &random))".utf8)
                    let size = Int.random(in: 0..<valueSize, using: &random)
                    let value = (0..<size).map { _ in UInt8.random(in: 0...255, using: &random) }
                    transaction.put(key, value)
                    values[key, default: []].append(value)
                }
                try store.commitBlocking(transaction)
            }
            store.close()
            self.disk = disk.disk
            numbers = disk.disk.folders[1].keys.compactMap { Segment.number($0) }.sorted()
        }

        /// Every record that is there has a value that was written.
        func check(_ store: RecordStore, _ place: String) throws -> Int {
            let snapshot = store.snapshot()
            let keys = snapshot.keys()
            for key in keys {
                let value = try #require(try snapshot.getBlocking(key.key)).value
                #expect(values[key.key]?.contains(value) == true, "\(place): a wrong value")
            }
            return keys.count
        }
    }

    @Test func thousandDamagedLogs() throws {
        let fixture = try Fixture(count: 300, valueSize: 900)
        #expect(fixture.numbers.count > 2)
        var random = Randomness(4)
        for turn in 0..<Self.count("WASMD_DAMAGED_LOGS", 200) {
            let disk = MemoryDisk(fixture.disk)
            let number = try #require(fixture.numbers.randomElement(using: &random))
            let name = Segment.name(number)
            let isCut = turn % 4 == 0
            var place = "turn \(turn): segment \(number)"
            var isHeader = false
            disk.change(name) { bytes in
                if isCut {
                    let end = Int.random(in: 0..<bytes.count, using: &random)
                    bytes.removeSubrange(end...)
                    place += " cut at \(end)"
                    isHeader = end < LogFormat.firstFrame
                } else {
                    let offset = Int.random(in: 0..<bytes.count, using: &random)
                    bytes[offset] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                    place += " flipped at \(offset)"
                    isHeader = offset < LogFormat.firstFrame
                }
            }
            let store = try RecordStore(folder: [], PowerCutTests.options(), disk)
            _ = try fixture.check(store, place)
            let report = store.report
            let isLast = number == fixture.numbers.last
            if isCut {
                #expect(
                    !report.isComplete || (isLast && report.tail != nil) || isLast,
                    "\(place): \(report)")
            } else if !isHeader {
                // One bit costs one transaction, or it is in a padding.
                let lost = report.damage.reduce(0) { $0 + $1.transactions }
                #expect(lost <= 1 && report.damage.count <= 1, "\(place): \(report)")
                #expect(report.tail == nil || isLast, "\(place): \(report)")
                if report.tail != nil { #expect(report.frames >= 300, "\(place): \(report)") }
            } else {
                #expect(report.isComplete, "\(place): \(report)")
            }
            // It goes on: writes, compaction, opening again.
            var transaction = Transaction()
            transaction.put(Array("new".utf8), [1])
            try store.commitBlocking(transaction)
            if turn % 5 == 0 {
                let count = try fixture.readableCount(store, place)
                try store.compact()
                #expect(try fixture.readableCount(store, place) == count)
            }
            store.close()
            let again = try RecordStore(folder: [], PowerCutTests.options(), disk)
            #expect(try again.getBlocking(Array("new".utf8))?.value == [1], "\(place)")
            #expect(again.report.tail == nil, "\(place): \(again.report)")
            if turn % 5 == 0 {
                #expect(again.report.isComplete, "\(place): \(again.report)")
                let hasBytes = report.damage.contains { $0.byteCount > 0 }
                #expect(!hasBytes || !again.report.setAside.isEmpty, "\(place): \(report)")
            }
            again.close()
        }
    }

    /// A damaged record in the middle costs itself only, also when its length flipped.
    @Test(arguments: [0, 8, 12, 16, 36, 41, 70]) func damageCostsItselfOnly(_ offset: Int) throws {
        let disk = MemoryDisk()
        let store = try RecordStore(folder: [], PowerCutTests.options(), disk)
        for number in 0..<10 {
            var transaction = Transaction()
            transaction.put([UInt8(number)], [UInt8](repeating: 7, count: 100))
            try store.commitBlocking(transaction)
        }
        store.close()
        let size = LogFormat.frameSize(LogFormat.entrySize + 1 + 100)
        disk.change(Segment.name(1)) { $0[LogFormat.firstFrame + 4 * size + offset] ^= 0x10 }
        let again = try RecordStore(folder: [], PowerCutTests.options(), disk)
        #expect(
            again.report.damage == [
                .init(
                    file: "log/00000001.log", offset: LogFormat.firstFrame + 4 * size,
                    byteCount: size, transactions: 1)
            ])
        #expect(again.snapshot().keys().map(\.key) == [0, 1, 2, 3, 5, 6, 7, 8, 9].map { [$0] })
    }

    /// A value that changes while the store is open is not served.
    @Test func damageWhileOpen() throws {
        let disk = MemoryDisk()
        let store = try RecordStore(folder: [], PowerCutTests.options(), disk)
        for key in 0..<3 {
            var transaction = Transaction()
            transaction.put([UInt8(key)], [UInt8](repeating: 7, count: 1000))
            try store.commitBlocking(transaction)
        }
        disk.change(Segment.name(1)) { $0[LogFormat.firstFrame + 500] ^= 1 }
        #expect(throws: StorageError.self) { try store.getBlocking([0]) }
        #expect(try store.getBlocking([1])?.value.count == 1000)
        // Compaction copies what is whole, and keeps the damaged file.
        try store.compact()
        #expect(try store.getBlocking([0]) == nil)
        #expect(try store.getBlocking([2])?.value.count == 1000)
        store.close()
        let again = try RecordStore(folder: [], PowerCutTests.options(), disk)
        #expect(again.report.setAside == ["log/00000001.log.damaged"])
        #expect(again.statistics.records == 2)
    }

    /// Values that are copies of frames are not taken for frames when a header is damaged.
    @Test func framesWithinValues() throws {
        let disk = MemoryDisk()
        let store = try RecordStore(folder: [], PowerCutTests.options(), disk)
        var first = Transaction()
        first.put([1], [1, 1, 1])
        try store.commitBlocking(first)
        let file = try #require(disk.disk.folders[1][Segment.name(1)])
        let frame = Array(try #require(disk.disk.files[file])[LogFormat.firstFrame...])
        var second = Transaction()
        second.put([2], frame)
        let version = try store.commitBlocking(second)
        var third = Transaction()
        third.delete([1])
        try store.commitBlocking(third)
        store.close()
        disk.change(Segment.name(1)) { bytes in
            bytes[LogFormat.firstFrame + LogFormat.frameSize(LogFormat.entrySize + 1 + 3) + 5] ^= 1
        }
        let again = try RecordStore(folder: [], PowerCutTests.options(), disk)
        #expect(again.statistics.records == 0)
        #expect(again.report.damage.map(\.transactions) == [1])
        #expect(again.snapshot().version > version)
    }

    /// Segments of another store, or of another version, and those that are missing.
    @Test func foreignAndMissingSegments() throws {
        let fixture = try Fixture(count: 300, valueSize: 900)
        let other = try Fixture(count: 200, valueSize: 900)
        let middle = fixture.numbers[1]
        let disk = MemoryDisk(fixture.disk)
        let foreign = try #require(other.disk.folders[1][Segment.name(other.numbers[1])])
        disk.change(Segment.name(middle)) { $0 = other.disk.files[foreign] ?? [] }
        let store = try RecordStore(folder: [], PowerCutTests.options(), disk)
        _ = try fixture.check(store, "foreign")
        #expect(!store.report.isComplete)
        store.close()

        var state = fixture.disk
        state.folders[1][Segment.name(middle)] = nil
        let second = try RecordStore(folder: [], PowerCutTests.options(), MemoryDisk(state))
        #expect(second.report.missingSegments == [middle...middle])
        _ = try fixture.check(second, "missing")
        second.close()

        let third = MemoryDisk(fixture.disk)
        third.change(Segment.name(middle)) { bytes in
            for offset in LogFormat.headerCopies {
                bytes[offset + 8] = 9
                let copy = Array(bytes[offset..<(offset + 60)])
                bytes.set(CRC32C.checksum(copy), at: offset + 60)
            }
        }
        #expect(throws: StorageError.unknownVersion(file: Segment.path(middle), 9)) {
            try RecordStore(folder: [], PowerCutTests.options(), third)
        }
    }

    /// Bytes of all kinds in the folder of the log never end the process.
    @Test func mutatedLogs() throws {
        let fixture = try Fixture(count: 24, valueSize: 120)
        var random = Randomness(17)
        for turn in 0..<Self.count("WASMD_MUTATED_LOGS", 1000) {
            let disk = MemoryDisk(fixture.disk)
            let name = Segment.name(fixture.numbers[0])
            disk.change(name) { bytes in
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    Self.mutate(&bytes, &random)
                }
            }
            let store = try RecordStore(folder: [], PowerCutTests.options(), disk)
            _ = try fixture.check(store, "turn \(turn)")
            store.close()
        }
    }

    /// Changes that are signed with right checksums reach the code behind them.
    @Test func mutatedFramesWithRightChecksums() throws {
        let fixture = try Fixture(count: 24, valueSize: 120)
        var random = Randomness(18)
        let number = fixture.numbers[0]
        let name = Segment.name(number)
        for _ in 0..<Self.count("WASMD_MUTATED_LOGS", 1000) {
            let disk = MemoryDisk(fixture.disk)
            disk.change(name) { bytes in
                guard bytes.count > LogFormat.firstFrame + 200 else { return }
                let salt = unsafe bytes.withUnsafeBytes { unsafe $0.number(16, as: UInt64.self) }
                var position = LogFormat.firstFrame
                for _ in 0..<Int.random(in: 0..<20, using: &random) {
                    let size = unsafe bytes.withUnsafeBytes {
                        unsafe Int($0.number(position + 8, as: UInt32.self))
                    }
                    let next = position + LogFormat.frameSize(size)
                    if next + LogFormat.frameHeaderSize < bytes.count { position = next }
                }
                // A field of the header or of the table.
                for _ in 0..<Int.random(in: 1...3, using: &random) {
                    let offset = position + Int.random(in: 4..<64, using: &random)
                    if offset < bytes.count {
                        bytes[offset] = [0, 1, 0x7f, 0x80, 0xff].randomElement(using: &random) ?? 0
                    }
                }
                let seed = LogFormat.seed(salt, number, position)
                let (table, payload) = unsafe bytes.withUnsafeBytes {
                    (
                        unsafe Int($0.number(position + 12, as: UInt32.self)),
                        unsafe Int($0.number(position + 8, as: UInt32.self))
                    )
                }
                if table <= payload, position + 40 + table <= bytes.count {
                    let checksum = CRC32C.checksum(
                        Array(bytes[(position + 40)..<(position + 40 + table)]), after: seed)
                    bytes.set(checksum, at: position + 32)
                }
                let header = Array(bytes[position..<(position + 36)])
                bytes.set(CRC32C.checksum(header, after: seed), at: position + 36)
            }
            let store = try RecordStore(folder: [], PowerCutTests.options(), disk)
            for key in store.snapshot().keys() { _ = try? store.getBlocking(key.key) }
            var transaction = Transaction()
            transaction.put([1], [1])
            _ = try? store.commitBlocking(transaction)
            _ = try? store.compact()
            store.close()
        }
    }

    private static func mutate(_ bytes: inout [UInt8], _ random: inout Randomness) {
        guard !bytes.isEmpty else { return }
        let offset = Int.random(in: 0..<bytes.count, using: &random)
        let count = Int.random(in: 1...min(200, bytes.count - offset), using: &random)
        switch Int.random(in: 0..<7, using: &random) {
        case 0: bytes[offset] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes.removeSubrange(offset...)
        case 2: bytes.removeSubrange(offset..<(offset + count))
        case 3: bytes.insert(contentsOf: Array(bytes[offset..<(offset + count)]), at: offset)
        case 4:
            for index in offset..<(offset + count) { bytes[index] = 0 }
        case 5: bytes += bytes[offset..<(offset + count)]
        default:
            let part = Array(bytes[offset..<(offset + count)])
            let target = Int.random(in: 0...(bytes.count - count), using: &random)
            bytes.replaceSubrange(target..<(target + count), with: part)
        }
    }
}

extension DamageTests.Fixture {
    /// The number of records that can be read, apart from `new`.
    func readableCount(_ store: RecordStore, _ place: String) throws -> Int {
        var count = 0
        let snapshot = store.snapshot()
        for key in snapshot.keys(prefix: Array("key".utf8)) {
            let value = try #require(try snapshot.getBlocking(key.key)).value
            #expect(values[key.key]?.contains(value) == true, "\(place): a wrong value")
            count += 1
        }
        return count
    }
}
