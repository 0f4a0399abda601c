import Glibc
import Testing
import WasmSystem

@testable import WasmdStorage

/// Disks that are full, read-only or broken.
@Suite struct FaultTests {
    func transaction(_ key: UInt8, _ size: Int) -> Transaction {
        var transaction = Transaction()
        transaction.put([key], [UInt8](repeating: key, count: size))
        return transaction
    }

    @Test func fullDisk() throws {
        let disk = MemoryDisk()
        let store = try RecordStore(folder: [], PowerCutTests.options(), disk)
        try store.commitBlocking(transaction(1, 1000))
        let used = disk.disk.usedSize
        disk.set { $0.capacity = used + 2000 }
        #expect(throws: StorageError.full(.nospc)) {
            try store.commitBlocking(self.transaction(2, 9000))
        }
        #expect(throws: StorageError.full(.nospc)) {
            try store.blobs.put([UInt8](repeating: 1, count: 9000))
        }
        #expect(try store.blobs.list().isEmpty)
        #expect(try store.getBlocking([1])?.value.count == 1000)
        #expect(try store.getBlocking([2]) == nil)
        #expect(store.writeFailure == nil)
        // A smaller one fits, and a larger one when there is room.
        try store.commitBlocking(transaction(3, 500))
        disk.set { $0.capacity = .max }
        try store.commitBlocking(transaction(2, 9000))
        store.close()
        let again = try RecordStore(folder: [], PowerCutTests.options(), MemoryDisk(disk.disk))
        #expect(again.report.isComplete && again.report.tail == nil)
        #expect(again.statistics.records == 3)
    }

    /// Deletions are written on a full disk, by means of the reserve.
    @Test func deletionsOnAFullDisk() throws {
        let disk = MemoryDisk()
        var options = PowerCutTests.options()
        options.reserveSize = 4096
        let store = try RecordStore(folder: [], options, disk)
        for key in UInt8(0)..<4 { try store.commitBlocking(transaction(key, 1000)) }
        // The writing thread takes it when it has time.
        func reserved() -> Int {
            let state = disk.disk
            return state.folders[0][Array("reserve".utf8)].flatMap { state.files[$0]?.count } ?? 0
        }
        for _ in 0..<2000 where reserved() < 4096 { usleep(1000) }
        #expect(reserved() == 4096)
        let used = disk.disk.usedSize
        disk.set { $0.capacity = used }
        #expect(throws: StorageError.full(.nospc)) {
            try store.commitBlocking(self.transaction(9, 10))
        }
        for key in UInt8(0)..<4 {
            var deletion = Transaction()
            deletion.delete([key], if: .present)
            try store.commitBlocking(deletion)
        }
        #expect(store.statistics.records == 0 && reserved() == 0)
        disk.set { $0.capacity = .max }
        try store.commitBlocking(transaction(9, 10))
        store.close()
        let again = try RecordStore(folder: [], options, MemoryDisk(disk.disk))
        #expect(again.report.isComplete && again.statistics.records == 1)
        again.close()
    }

    /// No room for the first segment, or for the next one.
    @Test func fullDiskBetweenSegments() throws {
        let empty = MemoryDisk()
        empty.set { $0.capacity = 100 }
        let none = try RecordStore(folder: [], PowerCutTests.options(), empty)
        #expect(none.writeFailure == .full(.nospc))
        #expect(throws: StorageError.full(.nospc)) {
            try none.commitBlocking(self.transaction(1, 10))
        }
        none.close()
        let disk = MemoryDisk()
        let store = try RecordStore(folder: [], PowerCutTests.options(), disk)
        for key in 0..<7 { try store.commitBlocking(transaction(UInt8(key), 10_000)) }
        let used = disk.disk.usedSize
        disk.set { $0.capacity = used + 900 }
        // The log goes on in the old segment.
        try store.commitBlocking(transaction(8, 100))
        #expect(store.statistics.segments == 1)
        disk.set { $0.capacity = .max }
        try store.commitBlocking(transaction(9, 100))
        #expect(store.statistics.segments == 2)
        store.close()
        let again = try RecordStore(folder: [], PowerCutTests.options(), MemoryDisk(disk.disk))
        #expect(again.report.isComplete && again.statistics.records == 9)
    }

    /// After a failed sync nothing is written until the store is opened again.
    @Test func failedSync() throws {
        let disk = MemoryDisk()
        let store = try RecordStore(folder: [], PowerCutTests.options(), disk)
        try store.commitBlocking(transaction(1, 1000))
        disk.set { $0.failsSync = true }
        let failure = StorageError.readOnly(.failedSync(.io))
        #expect(throws: failure) { try store.commitBlocking(self.transaction(2, 10)) }
        disk.set { $0.failsSync = false }
        #expect(throws: failure) { try store.commitBlocking(self.transaction(2, 10)) }
        #expect(throws: failure) { try store.blobs.put([1]) }
        #expect(throws: failure) { try store.blobs.collectGarbage() }
        #expect(throws: failure) { try store.compact() }
        #expect(store.writeFailure == failure)
        #expect(try store.getBlocking([1])?.value.count == 1000)
        #expect(try store.getBlocking([2]) == nil)
        let written = disk.events.count
        store.close()
        #expect(disk.events.count == written)
        let again = try RecordStore(folder: [], PowerCutTests.options(), MemoryDisk(disk.disk))
        #expect(again.report.isComplete)
        try again.commitBlocking(transaction(3, 10))
    }

    @Test func failedSyncOfABlob() throws {
        let disk = MemoryDisk()
        let store = try RecordStore(folder: [], PowerCutTests.options(), disk)
        disk.set { $0.failsSync = true }
        #expect(throws: StorageError.readOnly(.failedSync(.io))) { try store.blobs.put([1]) }
        #expect(store.writeFailure == .readOnly(.failedSync(.io)))
    }

    /// A write that failed and cannot be undone leaves a state that is not known.
    @Test func writesThatCannotBeUndone() throws {
        let disk = MemoryDisk()
        let store = try RecordStore(folder: [], PowerCutTests.options(), disk)
        try store.commitBlocking(transaction(1, 1000))
        let used = disk.disk.usedSize
        disk.set {
            $0.capacity = used + 500
            $0.failsSetSize = true
        }
        #expect(throws: StorageError.readOnly(.failedSync(.io))) {
            try store.commitBlocking(self.transaction(2, 3000))
        }
        #expect(throws: StorageError.readOnly(.failedSync(.io))) {
            try store.commitBlocking(self.transaction(3, 1))
        }
        store.close()
        let again = try RecordStore(folder: [], PowerCutTests.options(), MemoryDisk(disk.disk))
        #expect(again.report.isComplete && again.report.tail != nil)
        #expect(again.statistics.records == 1)
    }

    @Test func readOnlyDisk() throws {
        let disk = MemoryDisk()
        let store = try RecordStore(folder: [], PowerCutTests.options(), disk)
        try store.commitBlocking(transaction(1, 1000))
        disk.set { $0.isReadOnly = true }
        let failure = StorageError.readOnly(.disk(.rofs))
        #expect(throws: StorageError.self) { try store.commitBlocking(self.transaction(2, 10)) }
        #expect(try store.getBlocking([1])?.value.count == 1000)
        store.close()
        let second = MemoryDisk(disk.disk)
        second.set { $0.isReadOnly = true }
        let again = try RecordStore(folder: [], PowerCutTests.options(), second)
        #expect(again.writeFailure == failure)
        #expect(throws: failure) { try again.commitBlocking(self.transaction(2, 10)) }
        #expect(try again.getBlocking([1])?.value.count == 1000)
        again.close()
    }

    /// Writes that wait are bounded.
    @Test func tooManyWrites() throws {
        var options = PowerCutTests.options()
        options.queueLimit = 10_000
        let store = try RecordStore(folder: [], options, MemoryDisk())
        let queue = CommitQueue(limit: 10_000)
        let outcomes = (0..<3).map { _ in ThreadOutcome() }
        for outcome in outcomes {
            queue.add(CommitJob(.transaction(transaction(1, 4000)), outcome))
        }
        #expect(throws: StorageError.tooManyWrites) { try outcomes[2].wait().get() }
        // One that is larger than the limit is possible when nothing else waits.
        try store.commitBlocking(transaction(1, 20_000))
        store.close()
    }
}
