import Glibc
import Testing
import WasmdDigests

@testable import WasmdStorage

@Suite struct ArchiveTests {
    /// All of an archive, in pieces of this size.
    private func elements(_ bytes: [UInt8], _ size: Int) throws -> [(name: String, bytes: [UInt8])]
    {
        var reader = ArchiveReader()
        var files: [(name: String, bytes: [UInt8])] = []
        var isOver = false
        for start in stride(from: 0, to: bytes.count, by: size) {
            reader.feed(Array(bytes[start..<min(start + size, bytes.count)]))
            while let element = try reader.next() {
                switch element {
                case .file(let name, _): files.append((String(decoding: name, as: UTF8.self), []))
                case .content(let piece): files[files.count - 1].bytes += piece
                case .end: isOver = true
                case .folder, .fileEnd: break
                }
            }
        }
        #expect(isOver)
        return files
    }

    private func all(_ archive: StoreArchive) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while let piece = try archive.next() { bytes += piece }
        return bytes
    }

    @Test func anArchiveIsADataFolder() throws {
        let path = Array("/tmp/wasmd-archive-\(UInt64.random(in: 0...UInt64.max))".utf8)
        defer { _ = system("rm -rf '\(String(decoding: path, as: UTF8.self))'") }
        let store = try RecordStore(folder: path)
        defer { store.close() }
        let content = [UInt8](repeating: 7, count: 300_001)
        let pin = try store.blobs.put(content)
        var transaction = Transaction()
        transaction.put([1], [2], blobs: [pin.digest])
        try store.commitBlocking(transaction)
        let bytes: [UInt8]
        do {
            let archive = try store.archive()
            #expect(throws: StorageError.archiving) { try store.archive() }
            bytes = try all(archive)
        }
        for size in [1, 511, 512, 65_536] where size > 1 || bytes.count < 1_000_000 {
            let files = try elements(bytes, size)
            #expect(files.count == 3)
            #expect(files[0].name == "wasmd-data/log/00000001.log")
            #expect(files[1].name == "wasmd-data/blobs/\(pin.digest)")
            #expect(files[1].bytes == content)
            #expect(files[2].name == "wasmd-data/backup.txt")
            #expect(
                String(decoding: files[2].bytes, as: UTF8.self).hasPrefix("records 1\nblobs 1\n"))
        }
        // The folder for it is gone, and the next one begins anew.
        #expect(try all(store.archive()).count == bytes.count)
        #expect(access(String(decoding: path, as: UTF8.self) + "/archive", F_OK) != 0)
        #expect(store.activity.commits == 1 && store.activity.syncs >= 1)
        // The tar of this machine reads it.
        let file = String(decoding: path, as: UTF8.self) + ".tar"
        let stream = try #require(fopen(file, "w"))
        fwrite(bytes, 1, bytes.count, stream)
        fclose(stream)
        defer { unlink(file) }
        #expect(system("tar tf '\(file)' > /dev/null") == 0)
    }

    @Test func damagedArchivesAreRefused() throws {
        var block = Archive.header(Array("wasmd-data/log/00000001.log".utf8), size: 3, time: 0)
        var reader = ArchiveReader()
        reader.feed(block)
        #expect(
            try reader.next() == .file(name: Array("wasmd-data/log/00000001.log".utf8), size: 3))
        block[0] ^= 1
        reader = ArchiveReader()
        reader.feed(block)
        #expect(throws: ArchiveReader.Fault.header) { try reader.next() }
        for _ in 0..<2000 {
            reader = ArchiveReader()
            var random = [UInt8](repeating: 0, count: 1024)
            for index in random.indices { random[index] = .random(in: 0...255) }
            reader.feed(random)
            _ = try? reader.next()
        }
        // A link.
        var link = Archive.header(Array("a".utf8), size: 0, time: 0)
        link[156] = UInt8(ascii: "2")
        let sum = link.enumerated().reduce(0) { sum, entry in
            sum + (148..<156 ~= entry.offset ? 32 : Int(entry.element))
        }
        let text = Array((String(repeating: "0", count: 6) + String(sum, radix: 8)).utf8).suffix(6)
        link.replaceSubrange(148..<156, with: Array(text) + [0, 32])
        reader = ArchiveReader()
        reader.feed(link)
        #expect(throws: ArchiveReader.Fault.kind(UInt8(ascii: "2"))) { try reader.next() }
    }
}
