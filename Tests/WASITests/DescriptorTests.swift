import Testing

@testable import WasmWASI

@Suite struct DescriptorTests {
    let folder = TestFolder()

    @Test func lowestNumbers() throws {
        let test = try TestGuest(folder)
        let numbers = try (0..<3).map { _ in try test.open("file") }
        #expect(numbers == [4, 5, 6])
        try test.guest.fd_close(5)
        try test.guest.fd_close(4)
        #expect(try test.open("file") == 4)
        #expect(try test.open("file") == 5)
        #expect(try test.open("file") == 7)
        try test.guest.fd_close(0)
        #expect(try test.open("file") == 0)
    }

    @Test func limit() throws {
        var wasi = WASI()
        wasi.folders = [.init(hostPath: folder.root, guestPath: "/")]
        wasi.limits.descriptors = 6
        let test = try TestGuest(wasi)
        _ = try test.open("file")
        _ = try test.open("file")
        #expect(throws: Errno.mfile) { try test.open("file") }
        #expect(throws: Errno.mfile) { try test.open("new", [.creat]) }
        #expect(!folder.exists("root/new"))
        try test.guest.fd_close(4)
        #expect(try test.open("file") == 4)
        wasi.limits.descriptors = 3
        #expect(throws: WASISetupError.tooManyDescriptors) { try TestGuest(wasi) }
    }

    @Test func renumbering() throws {
        let test = try TestGuest(folder)
        let first = try test.open("file")
        let second = try test.open("sub", [.directory])
        try test.guest.fd_renumber(first, second)
        #expect(throws: Errno.badf) { try test.read(first) }
        #expect(try test.read(second) == "inside")
        try test.guest.fd_renumber(second, second)
        #expect(throws: Errno.badf) { try test.guest.fd_renumber(first, second) }
        #expect(throws: Errno.badf) { try test.guest.fd_renumber(second, first) }
        #expect(throws: Errno.badf) { try test.guest.fd_renumber(second, 1000) }
        // Standard streams and preopened folders too.
        try test.guest.fd_renumber(second, 0)
        #expect(try test.fdstat(0).filetype == .regularFile)
        let sub = try test.open("sub", [.directory])
        try test.guest.fd_renumber(sub, 3)
        #expect(throws: Errno.badf) { try test.guest.fd_prestat_get(test.memory, 3, 16) }
        #expect(try test.fdstat(3).filetype == .directory)
    }

    @Test func preopenedFolders() throws {
        var wasi = WASI()
        wasi.folders = [
            .init(hostPath: folder.root, guestPath: "/data"),
            .init(hostPath: folder.root + "/sub", guestPath: "."),
        ]
        let test = try TestGuest(wasi)
        for (fd, name) in [(3, "/data"), (4, ".")] as [(UInt32, String)] {
            try test.guest.fd_prestat_get(test.memory, fd, 64)
            #expect(test.load(64, UInt32.self) == 0)
            let count: UInt32 = test.load(68)
            #expect(Int(count) == name.utf8.count)
            let target = test.room(16)
            try test.guest.fd_prestat_dir_name(test.memory, fd, target, count)
            #expect(test.bytes(target, count + 1) == Array(name.utf8) + [0xaa])
            try test.guest.fd_prestat_dir_name(test.memory, fd, target, 10)
            #expect(throws: Errno.nametoolong) {
                try test.guest.fd_prestat_dir_name(test.memory, fd, target, count - 1)
            }
        }
        for fd in [0, 1, 2, 5] as [UInt32] {
            #expect(throws: Errno.badf) { try test.guest.fd_prestat_get(test.memory, fd, 64) }
            #expect(throws: Errno.badf) {
                try test.guest.fd_prestat_dir_name(test.memory, fd, 64, 64)
            }
        }
        try test.guest.fd_close(3)
        #expect(throws: Errno.badf) { try test.guest.fd_prestat_get(test.memory, 3, 64) }
        wasi.folders[1].hostPath = folder.root + "/missing"
        #expect(throws: WASISetupError.folder(hostPath: folder.root + "/missing", .noent)) {
            try TestGuest(wasi)
        }
        wasi.folders[1].hostPath = folder.root + "/file"
        #expect(throws: WASISetupError.folder(hostPath: folder.root + "/file", .notdir)) {
            try TestGuest(wasi)
        }
    }

    @Test func rightsAreEnforced() throws {
        let test = try TestGuest(folder)
        let fd = try test.create("new")
        #expect(try test.fdstat(fd).base == .regularFile)
        _ = try test.write(fd, ["text"])
        try test.guest.fd_fdstat_set_rights(
            fd, Rights([.fdRead, .fdTell]).rawValue, 0)
        #expect(throws: Errno.badf) { try test.write(fd, ["x"]) }
        #expect(throws: Errno.notcapable) { try test.seek(fd, 0, .set) }
        #expect(try test.seek(fd, 0, .cur) == 4)
        #expect(throws: Errno.notcapable) { try test.stat(fd) }
        #expect(throws: Errno.notcapable) { try test.guest.fd_sync(fd) }
        #expect(throws: Errno.notcapable) { try test.guest.fd_datasync(fd) }
        #expect(throws: Errno.notcapable) { try test.guest.fd_advise(fd, 0, 0, 0) }
        #expect(throws: Errno.notcapable) { try test.guest.fd_allocate(fd, 0, 1) }
        #expect(throws: Errno.notcapable) { try test.guest.fd_filestat_set_size(fd, 0) }
        #expect(throws: Errno.notcapable) { try test.guest.fd_filestat_set_times(fd, 0, 0, 0) }
        #expect(throws: Errno.notcapable) { try test.guest.fd_fdstat_set_flags(fd, 0) }
        #expect(throws: Errno.notcapable) {
            try test.guest.fd_fdstat_set_rights(fd, Rights.fdWrite.rawValue, 0)
        }
        #expect(throws: Errno.notcapable) {
            try test.guest.fd_fdstat_set_rights(fd, 0, Rights.fdRead.rawValue)
        }
        #expect(try test.fdstat(fd).base == [.fdRead, .fdTell])
    }

    @Test func rightsOfFoldersAreEnforced() throws {
        let test = try TestGuest(folder)
        folder.link("root/link", to: "file")
        try test.guest.fd_fdstat_set_rights(3, Rights.fdReaddir.rawValue, 0)
        #expect(throws: Errno.notcapable) { try test.open("file") }
        #expect(throws: Errno.notcapable) { try test.stat("file") }
        #expect(throws: Errno.notcapable) { try test.createDirectory("x") }
        #expect(throws: Errno.notcapable) { try test.removeDirectory("sub") }
        #expect(throws: Errno.notcapable) { try test.unlink("file") }
        #expect(throws: Errno.notcapable) { try test.rename("file", "x") }
        #expect(throws: Errno.notcapable) { try test.link("file", "x") }
        #expect(throws: Errno.notcapable) { try test.symlink("file", "x") }
        #expect(throws: Errno.notcapable) { try test.readLink("link") }
        #expect(throws: Errno.notcapable) { try test.setTimes("file", []) }
        #expect(try test.readDirectory(3).entries.count == 5)
    }

    /// What a program asks for is what it is told; what it may do is decided by what it took away.
    @Test func rightsAreInherited() throws {
        let test = try TestGuest(folder)
        let inheriting: Rights = [.fdRead, .pathOpen, .fdReaddir, .fdFilestatGet]
        let sub = try test.open(
            "sub", [.directory], rights: [.pathOpen, .fdReaddir], inheriting: inheriting)
        #expect(try test.fdstat(sub).base == [.pathOpen, .fdReaddir])
        #expect(try test.fdstat(sub).inheriting == inheriting)
        let whole = try test.open("x", in: sub, [.creat], rights: .regularFile)
        #expect(try test.write(whole, ["x"]) == 1)
        #expect(try test.stat(whole).size == 1)

        try test.guest.fd_fdstat_set_rights(
            sub, Rights([.pathOpen]).rawValue, inheriting.rawValue)
        #expect(throws: Errno.notcapable) { try test.open("x", in: sub, [.trunc]) }
        #expect(throws: Errno.notcapable) { try test.open("y", in: sub, [.creat]) }
        #expect(throws: Errno.notcapable) { try test.readDirectory(sub) }
        let file = try test.open("x", in: sub, rights: .regularFile)
        #expect(try test.fdstat(file).base == [.fdRead, .fdFilestatGet])
        #expect(throws: Errno.badf) { try test.write(file, ["x"]) }
        #expect(throws: Errno.notcapable) { try test.seek(file, 0, .set) }
        let deep = try test.open("deep", in: sub, [.directory], rights: .directory)
        #expect(try test.fdstat(deep).base == [.pathOpen, .fdReaddir, .fdFilestatGet])
        #expect(throws: Errno.notcapable) { try test.createDirectory("y", in: deep) }
        #expect(throws: Errno.notcapable) { try test.open("x", in: deep, [.creat]) }
    }

    /// Programs of several toolchains ask for less than they use.
    @Test func rightsNotAskedFor() throws {
        let test = try TestGuest(folder)
        let sub = try test.open("sub", [.directory], rights: [], inheriting: [])
        #expect(try test.fdstat(sub).base == [])
        let fd = try test.open("x", in: sub, [.creat], rights: [.fdWrite])
        #expect(try test.fdstat(fd).base == [.fdWrite])
        #expect(try test.write(fd, ["text"]) == 4)
        #expect(try test.stat(fd).size == 4)
        #expect(try test.seek(fd, 0, .cur) == 4)
        #expect(throws: Errno.badf) { try test.read(fd) }
        try test.guest.fd_sync(fd)
        #expect(try test.readDirectory(sub).entries.count == 4)
    }

    @Test func readingAndWritingRights() throws {
        let test = try TestGuest(folder)
        let reader = try test.open("file", rights: [.fdRead])
        #expect(throws: Errno.badf) { try test.write(reader, ["x"]) }
        let writer = try test.open("file", rights: [.fdWrite])
        #expect(throws: Errno.badf) { try test.read(writer) }
        #expect(try test.write(writer, ["IN"]) == 2)
        #expect(try test.read(reader) == "INside")
        let nothing = try test.open("file", rights: [])
        #expect(throws: Errno.badf) { try test.read(nothing) }
        #expect(throws: Errno.badf) { try test.write(nothing, ["x"]) }
        #expect(throws: Errno.notcapable) { try test.guest.fd_filestat_set_size(nothing, 0) }
        // Emptying needs the folder's right only.
        _ = try test.open("file", [.trunc], rights: [])
        #expect(try test.stat("file").size == 0)
        #expect(throws: Errno.isdir) {
            try test.open(".", [.directory], rights: [.fdRead, .fdWrite])
        }
    }

    @Test func closingEverything() throws {
        let test = try TestGuest(folder)
        test.guest.closeAll()
        #expect(throws: Errno.badf) { try test.open("file") }
        #expect(throws: Errno.badf) { try test.read(0) }
    }
}

@Suite struct DirectoryTests {
    let folder = TestFolder()

    @Test func entries() throws {
        folder.link("root/link", to: "nowhere")
        let test = try TestGuest(folder)
        let (entries, isEnd) = try test.readDirectory(3)
        #expect(isEnd)
        #expect(entries.map(\.name).sorted() == [".", "..", "file", "link", "sub"])
        let kinds = Dictionary(uniqueKeysWithValues: entries.map { ($0.name, $0.filetype) })
        #expect(kinds["."] == .directory)
        #expect(kinds[".."] == .directory)
        #expect(kinds["file"] == .regularFile)
        #expect(kinds["sub"] == .directory)
        #expect(kinds["link"] == .symbolicLink)
        let inodes = Dictionary(uniqueKeysWithValues: entries.map { ($0.name, $0.ino) })
        #expect(inodes["."] == (try test.stat(3).ino))
        #expect(inodes[".."] == inodes["."])
        #expect(inodes["file"] == (try test.stat("file").ino))
        #expect(throws: Errno.notdir) { try test.readDirectory(0) }
        #expect(throws: Errno.inval) { try test.readDirectory(3, from: 1 << 63) }
    }

    /// Whatever the size of the buffer, walking by cookies sees every entry once.
    @Test(arguments: [64, 100, 256, 1000, 5000])
    func cookies(_ byteCount: Int) throws {
        for number in 0..<200 { folder.write("root/sub/entry\(number)", "") }
        let test = try TestGuest(folder)
        let fd = try test.open("sub", [.directory])
        var names: [String] = []
        var cookie: UInt64 = 0
        while true {
            let (entries, isEnd) = try test.readDirectory(fd, from: cookie, byteCount: byteCount)
            names += entries.map(\.name)
            if isEnd { break }
            cookie = try #require(entries.last).next
        }
        #expect(names.count == 203)
        #expect(Set(names).count == 203)
        // 32-bit guests can keep them.
        #expect(cookie < 1000)
        #expect(throws: Errno.inval) { try test.readDirectory(fd, from: 1 << 32) }
        // From the middle, again, while entries before it go.
        let all = try test.readDirectory(fd, byteCount: 50_000).entries
        let rest = all[100...].map(\.name)
        for entry in all[..<50] where entry.name.hasPrefix("entry") {
            try test.unlink("sub/" + entry.name)
        }
        let again = try test.readDirectory(fd, from: all[99].next, byteCount: 50_000).entries
        #expect(again.map(\.name) == Array(rest))
    }

    @Test func smallBuffers() throws {
        let test = try TestGuest(folder)
        #expect(try test.readDirectory(3, byteCount: 0).entries.isEmpty)
        for byteCount in [1, 23, 24] {
            let (entries, isEnd) = try test.readDirectory(3, byteCount: byteCount)
            #expect(entries.isEmpty)
            #expect(!isEnd)
        }
    }
}
