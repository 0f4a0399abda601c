import Testing

@testable import WasmWASI

/// What folders in memory and open directories may take.
@Suite struct MemoryFolderLimitTests {
    private func guest(_ folder: MemoryFolder) throws -> TestGuest {
        var wasi = WASI()
        wasi.folders = [.init(folder, guestPath: "/")]
        return try TestGuest(wasi)
    }

    @Test func refusedWritesKeepTheOldFile() throws {
        let folder = MemoryFolder(byteLimit: 2000)
        try folder.write(Array("precious".utf8), to: "a")
        let before = folder.byteCount
        let large = [UInt8](repeating: 1, count: 5000)
        #expect(throws: Errno.nospc) { try folder.write(large, to: "a") }
        #expect(try folder.read("a") == Array("precious".utf8))
        #expect(throws: Errno.nospc) { try folder.write(large, to: "b") }
        #expect(throws: Errno.nospc) { try folder.write(large, to: "c/d/e") }
        #expect(throws: Errno.nospc) { try folder.createFolder("1/2/3/4/5/6") }
        #expect(folder.files == ["a"])
        #expect(folder.byteCount == before)
        #expect(throws: Errno.noent) { try folder.remove("c") }
        try folder.write([1], to: "a")
        #expect(folder.byteCount == before - 7)
        #expect(throws: Errno.nospc) { try MemoryFolder(byteLimit: .min).write([], to: "a") }
    }

    @Test func targetsOfLinksCount() throws {
        let folder = MemoryFolder(byteLimit: 1 << 20)
        let test = try guest(folder)
        let target = String(repeating: "a", count: 4000)
        var count = 0
        do throws(Errno) {
            while count < 1000 {
                try test.symlink(target, "l\(count)")
                count += 1
            }
        } catch {
            #expect(error == .nospc)
        }
        #expect((200...262).contains(count))
        for number in 0..<count { try test.unlink("l\(number)") }
        #expect(folder.byteCount == 0)
    }

    @Test func namesCount() throws {
        let folder = MemoryFolder(byteLimit: 1 << 20)
        let test = try guest(folder)
        let name = String(repeating: "n", count: 200)
        try test.createDirectory(name)
        let one = folder.byteCount
        #expect(one > 200)
        try test.rename(name, "x")
        #expect(folder.byteCount == one - 199)
        try test.rename("x", name)
        try test.removeDirectory(name)
        #expect(folder.byteCount == 0)
    }

    /// A name that does not fit leaves both files as they are.
    @Test func renamingAtTheLimit() throws {
        let entry = MemoryFileSystem.entryByteCount
        let folder = MemoryFolder(byteLimit: 2 * (entry + 1) + 10)
        try folder.write(Array("one".utf8), to: "a")
        try folder.write(Array("two".utf8), to: "b")
        let test = try guest(folder)
        #expect(throws: Errno.nospc) { try test.rename("a", "a much longer name") }
        #expect(folder.files == ["a", "b"])
        try test.rename("a", "b")
        #expect(folder.files == ["b"])
        #expect(try folder.read("b") == Array("one".utf8))
        #expect(folder.byteCount == entry + 1 + 3)
    }

    /// A name takes its own bytes, not those of the path that it came in.
    @Test func namesAreCopied() {
        let path = try? GuestPath(Array(String(repeating: "d/", count: 2000).utf8) + [0x78])
        let name = path?.splitLast().name.compact
        #expect(name?.bytes.startIndex == 0)
        #expect(name?.bytes.count == 1)
    }

    /// A directory that held much gives back the room that nothing counts any more.
    @Test func emptiedDirectoriesShrink() throws {
        let fileSystem = MemoryFileSystem(byteLimit: 1 << 20, clock: .system)
        var entries = MemoryEntries()
        let names = try (0..<2000).map { try GuestPath(Array("n\($0)".utf8)) }
        for name in names { entries.insert(name, MemoryNode(fileSystem, .regularFile)) }
        for name in names.dropLast(10) { entries.remove(name) }
        #expect(entries.entries.count == 10)
        #expect(entries.entries.capacity <= 256)
        for name in names.suffix(10) { #expect(entries[name] != nil) }
        #expect(entries[names[0]] == nil)
    }

    @Test func largeDirectoriesAreReadInParts() throws {
        let folder = MemoryFolder()
        for number in 0..<500 { try folder.write([], to: "f\(number)") }
        let test = try guest(folder)
        var names: Set<String> = []
        var cookie: UInt64 = 0
        while true {
            let (entries, isEnd) = try test.readDirectory(3, from: cookie, byteCount: 300)
            names.formUnion(entries.map(\.name))
            if isEnd { break }
            cookie = try #require(entries.last).next
        }
        #expect(names.count == 502)
        #expect(cookie < 1000)
    }

    /// When a guest has no numbers left for positions, the positions themselves serve.
    @Test func cookiesAreBounded() throws {
        let budget = CookieBudget(10)
        let cookies = DirectoryCookies(isIdentity: false)
        var last: UInt64 = 0
        let positions = (1...20).map { UInt64($0) << 40 }
        let given = positions.map { position in
            last = cookies.cookie(for: position, after: last, budget)
            return last
        }
        #expect(Array(given[..<10]) == Array(1...10))
        #expect(given[10...].allSatisfy { $0 >> 63 == 1 })
        for (cookie, position) in zip(given, positions) {
            #expect(try cookies.position(of: cookie) == position)
        }
        // Read again, entries get the same cookies.
        #expect(cookies.cookie(for: positions[4], after: 4, budget) == 5)
        let other = DirectoryCookies(isIdentity: false)
        #expect(other.cookie(for: 7, after: 0, budget) >> 63 == 1)
        cookies.removeAll()
        #expect(throws: Errno.inval) { try cookies.position(of: 1) }
        #expect(throws: Errno.inval) { try cookies.position(of: given[19]) }
        let third = DirectoryCookies(isIdentity: false)
        #expect(third.cookie(for: 7, after: 0, budget) == 1)
    }

    /// A change that is refused costs nothing of what the guest may write.
    @Test func refusedSizesAreNotCharged() throws {
        let folder = MemoryFolder(byteLimit: 4096)
        var wasi = WASI()
        wasi.folders = [.init(folder, guestPath: "/")]
        wasi.limits.writtenBytes = 10_000
        let test = try TestGuest(wasi)
        let fd = try test.create("f")
        for _ in 0..<5 {
            #expect(throws: Errno.nospc) { try test.guest.fd_filestat_set_size(fd, 9000) }
            #expect(throws: Errno.nospc) { try test.guest.fd_allocate(fd, 0, 9000) }
        }
        #expect(try test.write(fd, ["text"]) == 4)
    }
}
