import Glibc
import Testing
import WasmSystem
import WasmdDigests

@testable import WasmdStorage

/// Real files and processes.
@Suite(.serialized) struct ProcessTests {
    /// How often a writer is killed; more by hand.
    static let kills =
        CurrentProcess.variable("WASMD_KILLS").flatMap {
            Int(String(decoding: $0, as: UTF8.self))
        } ?? 50

    func value(_ thread: Int, _ index: Int) -> [UInt8] {
        let size = (index &* 7919 &+ thread &* 104_729) % 3000
        return [UInt8](repeating: UInt8(truncatingIfNeeded: index &+ thread), count: size)
    }

    /// A writer is killed at random moments: what it acknowledged is there, transactions are whole.
    @Test func killedWriters() throws {
        let folder = try TemporaryFolder()
        var random = SystemRandomNumberGenerator()
        var acknowledgedCount = 0
        // The last acknowledged index of each thread of each round.
        var last: [String: Int] = [:]
        for round in 0..<Self.kills {
            // The same folder for some rounds.
            let data = folder.path + "/data\(round / 25)"
            let child = try StorageProbe.start(["write", data, "\(round)"])
            try child.waitUntilReady()
            // On a slow disk none of the others may come to an acknowledgement.
            if round % 2 == 0 { try child.waitForOutput() }
            // The pipe holds 64 KiB, which are some thousands of lines.
            var left = timespecOf(UInt64.random(in: 0..<60_000_000, using: &random))
            unsafe nanosleep(&left, nil)
            child.kill()
            let text = try child.text()
            #expect(try child.wait() == .signal(9))
            for line in text.split(separator: "\n") {
                let words = line.split(separator: " ")
                guard words.count == 2, let thread = Int(words[0]), let index = Int(words[1]) else {
                    Issue.record("\(line)")
                    continue
                }
                acknowledgedCount += 1
                let name = "\(round)/\(thread)"
                last[name] = max(last[name] ?? -1, index)
            }
            try check(data, round, last)
        }
        #expect(acknowledgedCount >= Self.kills / 2)
    }

    private func check(_ folder: String, _ round: Int, _ last: [String: Int]) throws {
        let store = try RecordStore(folder: Array(folder.utf8))
        defer { store.close() }
        #expect(store.report.isComplete, "\(store.report)")
        let snapshot = store.snapshot()
        for thread in 0..<4 {
            let name = "\(round)/\(thread)"
            let acknowledged = last[name] ?? -1
            // A thread writes one after the other: at most one more than was acknowledged.
            var highest = acknowledged
            if snapshot.index.find(Array("\(name)/\(acknowledged + 1)/a".utf8)) != nil {
                highest += 1
            }
            for index in 0...(highest + 2) {
                let isThere = index <= highest && index > highest - 40
                for part in ["a", "b"] {
                    let record = try snapshot.getBlocking(Array("\(name)/\(index)/\(part)".utf8))
                    #expect(
                        record?.value == (isThere ? value(thread, index) : nil),
                        "\(name)/\(index)/\(part) of \(acknowledged)")
                }
            }
        }
    }

    private func timespecOf(_ nanoseconds: UInt64) -> timespec {
        timespec(tv_sec: 0, tv_nsec: Int(nanoseconds))
    }

    @Test func oneProcessOwnsTheFolder() throws {
        let folder = try TemporaryFolder()
        let data = folder.path + "/deep/er/data"
        let child = try StorageProbe.start(["hold", data])
        try child.waitUntilReady()
        let status = try unsafe Kernel.status(data, followsLink: true)
        #expect(status.permissions == 0o700)
        #expect(throws: StorageError.held(folder: data, process: child.identifier)) {
            try RecordStore(folder: Array(data.utf8))
        }
        // Checking and copying work beside it.
        let found = try RecordStore.verify(folder: Array(data.utf8))
        #expect(found.isSound && found.isHeld && found.holder == child.identifier)
        let copied = try RecordStore.copy(
            folder: Array(data.utf8), to: Array((folder.path + "/copy").utf8))
        #expect(copied.failures.isEmpty)
        child.kill()
        _ = try child.wait()
        // The same process does not open it twice either.
        let own = try RecordStore(folder: Array(data.utf8))
        #expect(throws: StorageError.self) { try RecordStore(folder: Array(data.utf8)) }
        own.close()
    }

    /// A process that is being started has a copy of all descriptors until it executes its program.
    @Test func copiesOfTheDescriptorDoNotKeepTheFolder() throws {
        let folder = try TemporaryFolder()
        let data = folder.path + "/data"
        let store = try RecordStore(folder: Array(data.utf8))
        let numbers = try Kernel.names(inFolder: "/proc/self/fd").compactMap {
            Int32(String(decoding: $0, as: UTF8.self))
        }
        let wanted = try unsafe Kernel.status(data + "/lock", followsLink: true)
        let lock = try #require(
            numbers.first {
                let status = try? Kernel.status($0)
                return status?.inode == wanted.inode && status?.device == wanted.device
            })
        let copy = FileDescriptor(owning: try Kernel.duplicate(lock))
        store.close()
        let again = try RecordStore(folder: Array(data.utf8))
        again.close()
        withExtendedLifetime(copy) {}
    }

    /// A limit on the size of files is like a full disk.
    @Test func limitOfFileSizes() throws {
        let folder = try TemporaryFolder()
        let child = try StorageProbe.start(["fill", folder.path + "/data"], limit: 150)
        let text = try child.text()
        #expect(try child.wait() == .status(0))
        #expect(text == "ready\nfull 7\n")
        let store = try RecordStore(folder: Array((folder.path + "/data").utf8))
        #expect(store.report.isComplete && store.report.tail == nil)
        #expect(store.statistics.records == 7)
        store.close()
    }

    /// A file system of one MiB, where the system lets us make one.
    @Test func smallFileSystem() throws {
        let folder = try TemporaryFolder()
        guard unsafe mount("none", folder.path, "tmpfs", 0, "size=1m") == 0 else { return }
        defer { umount(folder.path) }
        let child = try StorageProbe.start(["fill", folder.path + "/data"])
        let text = try child.text()
        #expect(try child.wait() == .status(0))
        #expect(text.hasPrefix("ready\nfull "))
        do {
            let store = try RecordStore(folder: Array((folder.path + "/data").utf8))
            #expect(store.report.isComplete && store.report.tail == nil)
            let count = store.statistics.records
            // A quarter of a MiB is kept for deletions.
            #expect(count > 30)
            // Room again: writes go on.
            let pin = try? store.blobs.put([UInt8](repeating: 1, count: 200_000))
            #expect(pin == nil)
            store.close()
        }
        // Read-only: reads go on.
        #expect(unsafe mount("none", folder.path, "tmpfs", UInt(MS_REMOUNT | MS_RDONLY), "") == 0)
        let store = try RecordStore(folder: Array((folder.path + "/data").utf8))
        #expect(store.writeFailure == .readOnly(.disk(.rofs)))
        var transaction = Transaction()
        transaction.put([1], [1])
        #expect(throws: StorageError.readOnly(.disk(.rofs))) {
            try store.commitBlocking(transaction)
        }
        #expect(throws: StorageError.readOnly(.disk(.rofs))) { try store.blobs.put([1]) }
        #expect(try store.getBlocking(Array("fill/3".utf8))?.value.count == 20_000)
        store.close()
        _ = consume store
    }

    @Test func backupAndRestore() throws {
        let folder = try TemporaryFolder()
        func path(_ name: String) -> [UInt8] { Array("\(folder.path)/\(name)".utf8) }
        let store = try RecordStore(folder: path("data"), PowerCutTests.options())
        let blob = [UInt8](repeating: 5, count: 3_000_000)
        let pin = try store.blobs.put(blob)
        _ = try store.blobs.put([1, 2, 3])
        var versions: [UInt64] = []
        for index in 0..<300 {
            var transaction = Transaction()
            transaction.put(
                Array("k\(index % 100)".utf8), [UInt8](repeating: UInt8(index & 255), count: 900),
                blobs: index % 100 == 7 ? [pin.digest] : [])
            versions.append(try store.commitBlocking(transaction))
        }
        let report = try store.backup(to: path("backup"))
        #expect(report.records == 100 && report.blobs == 1 && report.failures.isEmpty)
        #expect(throws: StorageError.self) { try store.backup(to: path("backup")) }
        store.close()
        let verified = try RecordStore.verify(folder: path("backup"))
        #expect(verified.isSound && verified.blobs == 1 && verified.log.records == 100)
        #expect(try RecordStore.verify(folder: path("data")).unreferencedBlobs == 1)

        let again = try RecordStore.copy(folder: path("backup"), to: path("restored"))
        #expect(again.records == 100)
        let restored = try RecordStore(folder: path("restored"))
        #expect(restored.report.isComplete && restored.report.tail == nil)
        for index in 200..<300 {
            let record = try restored.getBlocking(Array("k\(index % 100)".utf8))
            #expect(record?.version == versions[index])
            #expect(record?.value == [UInt8](repeating: UInt8(index & 255), count: 900))
        }
        #expect(try restored.blobs.get(pin.digest) == blob)
        // Versions go on above the old ones.
        var transaction = Transaction()
        transaction.put([1], [1])
        #expect(try restored.commitBlocking(transaction) > versions.last ?? 0)
        restored.close()
    }

    /// What is no file of ours neither stops nor confuses the store.
    @Test func strangeFolders() throws {
        let folder = try TemporaryFolder()
        let data = folder.path + "/data"
        let store = try RecordStore(folder: Array(data.utf8))
        var transaction = Transaction()
        transaction.put([1], [1])
        try store.commitBlocking(transaction)
        store.close()
        #expect(throws: StorageError.noStore(folder: folder.path)) {
            try RecordStore.verify(folder: folder.bytes)
        }
        #expect(throws: StorageError.self) {
            try RecordStore.verify(folder: Array("/nowhere".utf8))
        }
        for name in ["log/0000000g.log", "log/notes", "blobs/README", "blobs/new-1"] {
            _ = try Kernel.open("\(data)/\(name)", [.writeOnly, .create])
        }
        let again = try RecordStore(folder: Array(data.utf8))
        #expect(again.report.isComplete)
        #expect(try again.getBlocking([1])?.value == [1])
        #expect(try again.blobs.list().isEmpty)
        #expect(try again.blobs.collectGarbage() == 0)
        again.close()
        // A pipe with the name of a segment is refused, and not waited for.
        #expect(unsafe mkfifo("\(data)/log/00000002.log", 0o600) == 0)
        #expect(throws: StorageError.system(.inval, file: "log/00000002.log")) {
            try RecordStore(folder: Array(data.utf8))
        }
        unlink("\(data)/log/00000002.log")
        #expect(symlink("/etc/passwd", "\(data)/log/00000002.log") == 0)
        #expect(throws: StorageError.system(.loop, file: "log/00000002.log")) {
            try RecordStore(folder: Array(data.utf8))
        }
    }
}
