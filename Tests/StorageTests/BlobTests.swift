import Testing
import WasmSystem
import WasmdDigests

@testable import WasmdStorage

@Suite struct BlobTests {
    @Test func writeReadVerify() throws {
        let disk = MemoryDisk()
        let store = try RecordStore(folder: [], PowerCutTests.options(), disk)
        let writer = try store.blobs.write()
        try writer.append([1, 2, 3])
        try writer.append([])
        try writer.append([4, 5])
        #expect(writer.byteCount == 5)
        let pin = try writer.finish()
        #expect(pin.digest == SHA256.hash([1, 2, 3, 4, 5]))
        #expect(throws: StorageError.closed) { try writer.append([6]) }
        #expect(throws: StorageError.closed) { try writer.finish() }
        let reader = try store.blobs.open(pin.digest)
        #expect(reader.byteCount == 5)
        #expect(try reader.read(at: 1, 3) == [2, 3, 4])
        #expect(try reader.read(at: 4, 100) == [5])
        #expect(try reader.read(at: 5, 1) == [])
        #expect(try reader.read(at: -1, 1) == [])
        try reader.verify()
        #expect(throws: StorageError.blobTooLarge(pin.digest, byteCount: 5)) {
            try store.blobs.get(pin.digest, limit: 4)
        }
        let other = SHA256.hash([9])
        #expect(throws: StorageError.noBlob(other)) { try store.blobs.get(other) }
        #expect(store.blobs.pin(other) == nil)
        // The same bytes again take no second file.
        #expect(try store.blobs.put([1, 2, 3, 4, 5]).digest == pin.digest)
        #expect(try store.blobs.list() == [pin.digest])
        // A damaged one is not served where that is asked, and is replaced when it is written.
        let name = BlobStore.name(pin.digest)
        disk.changeBlob(name) { $0[2] ^= 1 }
        #expect(throws: StorageError.blobDamaged(pin.digest)) { try store.blobs.get(pin.digest) }
        #expect(try store.blobs.get(pin.digest, verifies: false).count == 5)
        let second = try store.blobs.write()
        try second.append([1, 2, 3, 4, 5])
        _ = try second.finish()
        #expect(try store.blobs.get(pin.digest) == [1, 2, 3, 4, 5])
    }

    /// Who has stored a blob can reference it, also while others store the same.
    @Test func theSameBlobAtTheSameTime() throws {
        let disk = MemoryDisk()
        let store = try RecordStore(folder: [], PowerCutTests.options(), disk)
        let first = try store.blobs.put([1, 2, 3])
        // A second writer has its name, and its folder is not synced yet.
        store.core.ledger.appears(first.digest)
        try store.core.ledger.reference([first.digest]) { _ in true }
        store.core.ledger.appeared(first.digest)
        store.core.ledger.release([first.digest])
        let digest = first.digest
        _ = consume first
        // Without pins and references it is not known to be durable any more.
        store.core.ledger.appears(digest)
        #expect(throws: StorageError.noBlob(digest)) {
            try store.core.ledger.reference([digest]) { _ in true }
        }
        #expect(store.blobs.pin(digest) == nil)
        store.core.ledger.appeared(digest)
        #expect(store.blobs.pin(digest) != nil)
    }

    /// Writers of the same new bytes do not hinder each other from referencing them.
    @Test func theSameBytesAtTheSameTime() throws {
        let disk = MemoryDisk()
        let store = try RecordStore(folder: [], PowerCutTests.options(), disk)
        runOnThreads(8) {
            for index in 0..<50 {
                do throws(StorageError) {
                    let pin = try store.blobs.put([UInt8](repeating: UInt8(index), count: 1000))
                    var transaction = Transaction()
                    transaction.put([UInt8(index)], [1], blobs: [pin.digest])
                    try store.commitBlocking(transaction)
                    withExtendedLifetime(pin) {}
                } catch {
                    Issue.record(error)
                    return
                }
            }
        }
        #expect(try store.blobs.list().count == 50)
    }

    /// A writer that is dropped, or was being used when the process ended, leaves nothing.
    @Test func unfinishedBlobs() throws {
        let disk = MemoryDisk()
        let store = try RecordStore(folder: [], PowerCutTests.options(), disk)
        do {
            let writer = try store.blobs.write()
            try writer.append([1])
            #expect(disk.disk.folders[2].count == 1)
        }
        #expect(disk.disk.folders[2].isEmpty)
        let writer = try store.blobs.write()
        try writer.append([1])
        let again = MemoryDisk(disk.disk)
        _ = try RecordStore(folder: [], PowerCutTests.options(), again)
        #expect(again.disk.folders[2].isEmpty)
        _ = try writer.finish()
    }

    /// Garbage is what neither a record references nor a pin keeps.
    @Test func garbage() throws {
        let disk = MemoryDisk()
        let store = try RecordStore(folder: [], PowerCutTests.options(), disk)
        var pins: [BlobPin] = []
        for number in 0..<6 { pins.append(try store.blobs.put([UInt8(number)])) }
        let digests = pins.map(\.digest)
        var transaction = Transaction()
        transaction.put([1], [], blobs: [digests[0], digests[1], digests[0]])
        transaction.put([2], [], blobs: [digests[1]])
        try store.commitBlocking(transaction)
        pins.removeSubrange(0..<4)
        #expect(try store.blobs.collectGarbage() == 2)
        #expect(Set(try store.blobs.list()) == Set([0, 1, 4, 5].map { digests[$0] }))
        // A blob that is not there cannot be referenced, and nothing of the transaction happens.
        var missing = Transaction()
        missing.put([3], [], blobs: [digests[1], digests[2]])
        missing.delete([1])
        #expect(throws: StorageError.noBlob(digests[2])) { try store.commitBlocking(missing) }
        #expect(store.version([1]) != nil)
        // References end with their record, also in a compacted log and after opening again.
        var second = Transaction()
        second.put([1], [7])
        try store.commitBlocking(second)
        try store.compact()
        #expect(!store.blobs.isReferenced(digests[0]) && store.blobs.isReferenced(digests[1]))
        #expect(try store.blobs.collectGarbage() == 1)
        pins = []
        store.close()
        let again = try RecordStore(folder: [], PowerCutTests.options(), MemoryDisk(disk.disk))
        #expect(again.snapshot().blobs([2]) == [digests[1]])
        // What nobody references is removed when the store is opened.
        #expect(try again.blobs.list() == [digests[1]])
        #expect(try again.blobs.collectGarbage() == 0)
        var third = Transaction()
        third.delete([2])
        try again.commitBlocking(third)
        #expect(again.blobs.hasUnused)
        #expect(again.blobs.collectUnused() == 1 && !again.blobs.hasUnused)
        #expect(try again.blobs.list().isEmpty)
        // A write that fails leaves a blob that nobody needs.
        var pin: BlobPin? = try again.blobs.put([9])
        _ = pin.take()
        #expect(again.blobs.collectUnused() == 1)
    }
}
