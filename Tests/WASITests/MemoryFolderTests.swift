import Testing

@testable import WasmWASI

@Suite struct MemoryFolderTests {
    private func guest(_ folder: MemoryFolder, isReadOnly: Bool = false) throws -> TestGuest {
        var wasi = WASI()
        wasi.folders = [.init(folder, guestPath: "/", isReadOnly: isReadOnly)]
        return try TestGuest(wasi)
    }

    @Test func embedder() throws {
        let folder = MemoryFolder()
        try folder.write(Array("one".utf8), to: "a/b/file")
        try folder.write(Array("two".utf8), to: "top")
        try folder.write(Array("three".utf8), to: "top")
        try folder.createFolder("a/c")
        try folder.createFolder("a/c")
        #expect(folder.files == ["a/b/file", "top"])
        #expect(try folder.read("a/b/file") == Array("one".utf8))
        #expect(try folder.read("a/../top") == Array("three".utf8))
        #expect(throws: Errno.noent) { try folder.read("missing") }
        #expect(throws: Errno.isdir) { try folder.read("a") }
        #expect(throws: Errno.isdir) { try folder.write([], to: "a/c") }
        #expect(throws: Errno.notdir) { try folder.write([], to: "top/x") }
        #expect(throws: Errno.perm) { try folder.write([], to: "../x") }
        #expect(throws: Errno.perm) { try folder.write([], to: "/x") }
        #expect(throws: Errno.perm) { try folder.createFolder("/x") }
        #expect(throws: Errno.notempty) { try folder.remove("a") }
        try folder.remove("a/c")
        try folder.remove("top")
        #expect(folder.files == ["a/b/file"])
    }

    @Test func guestAndEmbedder() throws {
        let folder = MemoryFolder()
        try folder.write(Array("input".utf8), to: "in")
        let test = try guest(folder)
        #expect(try test.readFile("in") == "input")
        let fd = try test.create("out")
        #expect(try test.write(fd, ["some ", "output"]) == 11)
        #expect(try test.seek(fd, 100, .set) == 100)
        #expect(try test.write(fd, ["end"]) == 3)
        #expect(try test.seek(fd, -3, .end) == 100)
        #expect(try test.read(fd) == "end")
        let content = try folder.read("out")
        #expect(content.count == 103)
        #expect(content[11..<100].allSatisfy { $0 == 0 })
        #expect(throws: Errno.inval) { try test.seek(fd, -1, .set) }
        #expect(throws: Errno.overflow) { try test.seek(fd, .max, .end) }
        #expect(try test.fdstat(fd).filetype == .regularFile)
        try test.guest.fd_sync(fd)
        try test.guest.fd_datasync(fd)
        try test.guest.fd_advise(fd, 0, 1, 0)
        // A removed file lives as long as it is open.
        try test.unlink("out")
        #expect(try test.seek(fd, 5, .set) == 5)
        #expect(try test.read(fd, [6]) == "output")
        #expect(try test.stat(fd).nlink == 0)
        #expect(folder.byteCount == MemoryFileSystem.entryByteCount + 2 + 5 + 103)
        try test.guest.fd_close(fd)
        #expect(folder.byteCount == MemoryFileSystem.entryByteCount + 2 + 5)
    }

    @Test func appending() throws {
        let folder = MemoryFolder()
        try folder.write(Array("in".utf8), to: "file")
        let test = try guest(folder)
        let fd = try test.open("file", rights: .regularFile, flags: [.append])
        #expect(try test.fdstat(fd).flags == .append)
        _ = try test.write(fd, ["side"])
        #expect(try folder.read("file") == Array("inside".utf8))
        try test.guest.fd_fdstat_set_flags(fd, 0)
        _ = try test.seek(fd, 0, .set)
        _ = try test.write(fd, ["I"])
        #expect(try folder.read("file") == Array("Inside".utf8))
    }

    @Test func sizesAndLimit() throws {
        let folder = MemoryFolder(byteLimit: 1200)
        let test = try guest(folder)
        let fd = try test.create("file")
        try test.guest.fd_filestat_set_size(fd, 700)
        #expect(throws: Errno.nospc) { try test.guest.fd_filestat_set_size(fd, 800) }
        #expect(throws: Errno.nospc) { try test.guest.fd_filestat_set_size(fd, 1 << 62) }
        #expect(throws: Errno.nospc) { try test.guest.fd_allocate(fd, 700, 100) }
        #expect(throws: Errno.fbig) { try test.guest.fd_allocate(fd, 1 << 62, 1 << 62) }
        #expect(throws: Errno.nospc) { try test.createDirectory("dir") }
        _ = try test.seek(fd, 1 << 62, .set)
        #expect(throws: Errno.nospc) { try test.write(fd, ["x"]) }
        _ = try test.seek(fd, .max, .set)
        #expect(throws: Errno.fbig) { try test.write(fd, ["x"]) }
        #expect(try test.read(fd) == "")
        try test.guest.fd_filestat_set_size(fd, 100)
        try test.guest.fd_allocate(fd, 100, 100)
        #expect(try test.stat(fd).size == 200)
        try test.createDirectory("dir")
        #expect(folder.byteCount == 200 + 2 * MemoryFileSystem.entryByteCount + 7)
        _ = try test.create("file")
        #expect(folder.byteCount == 2 * MemoryFileSystem.entryByteCount + 7)
    }

    @Test func removedDirectory() throws {
        let folder = MemoryFolder()
        let test = try guest(folder)
        try test.createDirectory("dir")
        let fd = try test.open("dir", [.directory], rights: .directory)
        try test.removeDirectory("dir")
        #expect(throws: Errno.noent) { try test.create("new", in: fd) }
        #expect(throws: Errno.noent) { try test.createDirectory("new", in: fd) }
        #expect(try test.readDirectory(fd).entries.map(\.name) == [".", ".."])
        #expect(throws: Errno.perm) { try test.stat("..", in: fd) }
    }

    @Test(arguments: [1, 24, 64, 1000])
    func entries(_ byteCount: Int) throws {
        let folder = MemoryFolder()
        for number in 0..<50 { try folder.write([], to: "entry\(number)") }
        let test = try guest(folder)
        guard byteCount >= 64 else {
            #expect(try test.readDirectory(3, byteCount: byteCount).entries.isEmpty)
            return
        }
        var names: [String] = []
        var cookie: UInt64 = 0
        while true {
            let (entries, isEnd) = try test.readDirectory(3, from: cookie, byteCount: byteCount)
            names += entries.map(\.name)
            // What was seen may go, what is to come stays.
            for entry in entries where entry.name.hasPrefix("entry") { try test.unlink(entry.name) }
            if isEnd { break }
            cookie = try #require(entries.last).next
        }
        #expect(names == [".", ".."] + (0..<50).map { "entry\($0)" })
    }

    @Test func escapes() throws {
        let folder = MemoryFolder()
        try folder.createFolder("sub")
        let test = try guest(folder)
        try test.symlink("../..", "sub/up")
        try test.symlink("..", "up")
        try test.symlink("sub/../..", "chain")
        for path in ["..", "sub/../..", "up", "up/x", "sub/up", "chain/x", "/", "/sub"] {
            #expect(throws: Errno.perm) { try test.open(path) }
            #expect(throws: Errno.perm) { try test.stat(path) }
            #expect(throws: Errno.perm) { try test.create(path + "/x") }
        }
        let sub = try test.open("sub", [.directory])
        #expect(throws: Errno.perm) { try test.open("../up", in: sub) }
        try test.symlink("self", "self")
        #expect(throws: Errno.loop) { try test.open("self") }
    }

    @Test func acrossFileSystems() throws {
        let host = TestFolder()
        var wasi = WASI()
        wasi.folders = [
            .init(hostPath: host.root, guestPath: "/host"), .init(MemoryFolder(), guestPath: "/a"),
            .init(MemoryFolder(), guestPath: "/b"),
        ]
        let test = try TestGuest(wasi)
        _ = try test.create("file", in: 4)
        let (old, new) = (test.place("file"), test.place("new"))
        for (from, to) in [(3, 4), (4, 3), (4, 5)] as [(UInt32, UInt32)] {
            #expect(throws: Errno.xdev) {
                try test.guest.path_rename(test.memory, from, old.0, old.1, to, new.0, new.1)
            }
            #expect(throws: Errno.xdev) {
                try test.guest.path_link(test.memory, from, 0, old.0, old.1, to, new.0, new.1)
            }
        }
        #expect(try test.stat(4).dev != test.stat(5).dev)
    }

    @Test func readOnly() throws {
        let folder = MemoryFolder()
        try folder.write(Array("inside".utf8), to: "file")
        let test = try guest(folder, isReadOnly: true)
        #expect(try test.readFile("file") == "inside")
        #expect(throws: Errno.rofs) { try test.create("file") }
        #expect(throws: Errno.rofs) { try test.open("new", [.creat]) }
        #expect(throws: Errno.rofs) { try test.unlink("file") }
        #expect(throws: Errno.rofs) { try test.setTimes("file", [.mtimNow]) }
    }

    @Test func renamingIntoItself() throws {
        let folder = MemoryFolder()
        try folder.createFolder("a/b/c")
        let test = try guest(folder)
        #expect(throws: Errno.inval) { try test.rename("a", "a/b/c/d") }
        #expect(throws: Errno.inval) { try test.rename("a", "a/x") }
        let deep = try test.open("a/b", [.directory], rights: .directory)
        let (old, new) = (test.place("a"), test.place("x"))
        #expect(throws: Errno.inval) {
            try test.guest.path_rename(test.memory, 3, old.0, old.1, deep, new.0, new.1)
        }
        try test.rename("a/b", "b")
        try test.rename("a", "b/c/a")
        #expect(try test.stat("b/c/a").filetype == .directory)
        #expect(throws: Errno.perm) { try test.stat("..", in: deep) }
    }

    /// Deeper than a recursion through all of it could go.
    @Test func depth() throws {
        let folder = MemoryFolder(byteLimit: 1 << 30)
        let test = try guest(folder)
        var fd: UInt32 = 3
        for _ in 0..<200_000 {
            try test.createDirectory("d", in: fd)
            let next = try test.open("d", in: fd, [.directory], rights: .directory)
            if fd != 3 { try test.guest.fd_close(fd) }
            fd = next
        }
        try test.guest.fd_close(fd)
        #expect(folder.files.isEmpty)
    }

    @Test func virtualTimes() throws {
        let clock = ClockSource.custom(VirtualClock(start: 1000, step: 1))
        let folder = MemoryFolder(clock: clock)
        try folder.write([1], to: "file")
        let test = try guest(folder)
        #expect(try test.stat("file").mtim < 1100)
        try test.setTimes("file", mtim: 5, [.mtim])
        #expect(try test.stat("file").mtim == 5)
    }
}
