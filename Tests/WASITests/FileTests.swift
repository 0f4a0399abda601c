import Testing

@testable import WasmWASI

@Suite struct FileTests {
    let folder = TestFolder()

    @Test func writingAndReading() throws {
        let test = try TestGuest(folder)
        let fd = try test.create("new")
        #expect(fd == 4)
        #expect(try test.write(fd, ["one ", "", "two ", "three"]) == 13)
        #expect(folder.read("root/new") == "one two three")
        #expect(try test.seek(fd, 4, .set) == 4)
        #expect(try test.read(fd, [3, 1, 0, 100]) == "two three")
        #expect(try test.read(fd) == "")
        #expect(try test.seek(fd, 0, .cur) == 13)
        #expect(try test.seek(fd, -5, .end) == 8)
        #expect(try test.read(fd) == "three")
        #expect(throws: Errno.inval) { try test.seek(fd, -20, .cur) }
        try test.guest.fd_close(fd)
        #expect(throws: Errno.badf) { try test.guest.fd_close(fd) }
        #expect(throws: Errno.badf) { try test.read(fd) }
    }

    @Test func manyBuffers() throws {
        let test = try TestGuest(folder)
        let fd = try test.create("new")
        let parts = (0..<2000).map { _ in "ab" }
        // More buffers than the host takes at once: a short write.
        #expect(try test.write(fd, parts) == 2048)
        #expect(try test.write(fd, []) == 0)
        #expect(try test.seek(fd, 0, .set) == 0)
        #expect(try test.read(fd, Array(repeating: 1, count: 1500)).utf8.count == 1024)
        #expect(try test.read(fd, []) == "")
    }

    @Test func positionedReadingAndWriting() throws {
        let test = try TestGuest(folder)
        let fd = try test.create("new")
        _ = try test.write(fd, ["0123456789"])
        let part = test.place("ab")
        let vectors = test.vectors([part])
        try test.guest.fd_pwrite(
            test.memory, fd, vectors.0, vectors.1, 4, TestGuest.resultAddress)
        #expect(folder.read("root/new") == "0123ab6789")
        let target = test.room(4)
        let into = test.vectors([(target, 4)])
        try test.guest.fd_pread(test.memory, fd, into.0, into.1, 3, TestGuest.resultAddress)
        #expect(test.bytes(target, 4) == Array("3ab6".utf8))
        #expect(try test.seek(fd, 0, .cur) == 10)
        #expect(throws: Errno.inval) {
            try test.guest.fd_pread(test.memory, fd, into.0, into.1, 1 << 63, 16)
        }
        // A standard stream has no position.
        #expect(throws: Errno.spipe) {
            try test.guest.fd_pread(test.memory, 0, into.0, into.1, 0, 16)
        }
        #expect(throws: Errno.spipe) { try test.seek(0, 0, .cur) }
    }

    @Test func appending() throws {
        let test = try TestGuest(folder)
        let fd = try test.open("file", rights: .regularFile, flags: [.append])
        _ = try test.write(fd, [" out"])
        #expect(try test.seek(fd, 0, .set) == 0)
        _ = try test.write(fd, ["!"])
        #expect(folder.read("root/file") == "inside out!")
        #expect(try test.fdstat(fd).flags == .append)
        try test.guest.fd_fdstat_set_flags(fd, 0)
        #expect(try test.fdstat(fd).flags == [])
        #expect(try test.seek(fd, 0, .set) == 0)
        _ = try test.write(fd, ["I"])
        #expect(folder.read("root/file") == "Inside out!")
        #expect(throws: Errno.notsup) {
            try test.guest.fd_fdstat_set_flags(fd, UInt32(Fdflags.sync.rawValue))
        }
        #expect(throws: Errno.inval) { try test.guest.fd_fdstat_set_flags(fd, 0x20) }
        #expect(throws: Errno.inval) { try test.guest.fd_fdstat_set_flags(fd, 0x1_0000) }
    }

    @Test func synchronousWriting() throws {
        let test = try TestGuest(folder)
        let both = try test.open("file", rights: .regularFile, flags: [.sync])
        #expect(try test.fdstat(both).flags.isSuperset(of: [.sync, .dsync]))
        let data = try test.open("file", rights: .regularFile, flags: [.dsync])
        #expect(try test.fdstat(data).flags == .dsync)
        try test.guest.fd_fdstat_set_flags(data, UInt32(Fdflags([.dsync, .append]).rawValue))
        #expect(try test.fdstat(data).flags == [.dsync, .append])
        try test.guest.fd_sync(data)
        try test.guest.fd_datasync(data)
        #expect(throws: Errno.inval) { try test.guest.fd_sync(0) }
    }

    @Test func attributes() throws {
        let test = try TestGuest(folder)
        let fd = try test.open("file", rights: .regularFile)
        let status = try test.stat(fd)
        #expect(status == (try test.stat("file")))
        #expect(status.filetype == .regularFile)
        #expect(status.size == 6)
        #expect(status.nlink == 1)
        #expect(status.mtim > 1_600_000_000_000_000_000)
        try test.guest.fd_filestat_set_times(
            fd, 1_000_000_007, 1 << 62, UInt32(Fstflags([.atim, .mtim]).rawValue))
        #expect(try test.stat(fd).atim == 1_000_000_007)
        #expect(try test.stat(fd).mtim == 1 << 62)
        try test.guest.fd_filestat_set_times(fd, 5, 6, UInt32(Fstflags.atim.rawValue))
        #expect(try test.stat(fd).atim == 5)
        #expect(try test.stat(fd).mtim == 1 << 62)
        try test.guest.fd_filestat_set_times(fd, 5, 6, UInt32(Fstflags.mtimNow.rawValue))
        #expect(try test.stat(fd).mtim >= status.mtim)
        for flags in [3, 12, 15, 16, 0x1_0001] as [UInt32] {
            #expect(throws: Errno.inval) {
                try test.guest.fd_filestat_set_times(fd, 1, 1, flags)
            }
        }
        #expect(try test.stat(fd).atim == 5)
    }

    @Test func sizeAndSpace() throws {
        let test = try TestGuest(folder)
        let fd = try test.open("file", rights: .regularFile)
        try test.guest.fd_filestat_set_size(fd, 3)
        #expect(folder.read("root/file") == "ins")
        try test.guest.fd_filestat_set_size(fd, 5)
        #expect(folder.read("root/file") == "ins\0\0")
        #expect(throws: Errno.inval) { try test.guest.fd_filestat_set_size(fd, 1 << 63) }
        try test.guest.fd_allocate(fd, 0, 4)
        #expect(try test.stat(fd).size == 5)
        try test.guest.fd_allocate(fd, 4, 6)
        #expect(try test.stat(fd).size == 10)
        #expect(throws: Errno.inval) { try test.guest.fd_allocate(fd, 0, 0) }
        #expect(throws: Errno.inval) { try test.guest.fd_allocate(fd, .max, 1) }
        #expect(throws: (any Error).self) {
            try test.guest.fd_allocate(fd, UInt64(Int64.max), 10)
        }
        try test.guest.fd_advise(fd, 0, 10, 3)
        #expect(throws: Errno.inval) { try test.guest.fd_advise(fd, 0, 10, 6) }
        #expect(throws: Errno.inval) { try test.guest.fd_advise(fd, .max, 10, 0) }
        #expect(throws: Errno.inval) { try test.guest.fd_advise(fd, 0, 0, 0x100) }
    }

    @Test func directoriesAreNoFiles() throws {
        let test = try TestGuest(folder)
        let fd = try test.open(
            "sub", [.directory], rights: .directoryInheriting.subtracting(.writing))
        #expect(throws: Errno.isdir) { try test.read(fd) }
        #expect(throws: Errno.isdir) { try test.write(fd, ["x"]) }
        #expect(throws: Errno.isdir) { try test.seek(fd, 0, .set) }
        #expect(throws: Errno.isdir) { try test.guest.fd_tell(test.memory, fd, 16) }
        #expect(throws: Errno.isdir) { try test.guest.fd_allocate(fd, 0, 1) }
        #expect(throws: Errno.isdir) { try test.guest.fd_filestat_set_size(fd, 0) }
        try test.guest.fd_sync(fd)
        try test.guest.fd_filestat_set_times(fd, 1, 2, 5)
        #expect(try test.stat(fd).mtim == 2)
    }

    @Test func limitOnWrittenBytes() throws {
        var wasi = WASI()
        wasi.folders = [.init(hostPath: folder.root, guestPath: "/")]
        wasi.limits.writtenBytes = 20
        let output = OutputBuffer()
        wasi.standardOutput = .buffer(output)
        let test = try TestGuest(wasi)
        let fd = try test.create("new")
        #expect(try test.write(fd, ["0123456789"]) == 10)
        #expect(throws: Errno.dquot) { try test.write(fd, ["01234567", "89a"]) }
        #expect(try test.write(fd, ["01234"]) == 5)
        #expect(throws: Errno.dquot) { try test.guest.fd_allocate(fd, 0, 6) }
        #expect(throws: Errno.dquot) { try test.guest.fd_filestat_set_size(fd, 100) }
        try test.guest.fd_filestat_set_size(fd, 16)
        #expect(try test.write(1, [String(repeating: "x", count: 100)]) == 100)
        #expect(try test.write(fd, ["abcd"]) == 4)
        #expect(throws: Errno.dquot) { try test.write(fd, ["a"]) }
    }
}
