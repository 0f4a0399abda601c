import Testing

@testable import WasmWASI

@Suite struct PathTests {
    let folder = TestFolder()

    @Test(arguments: Backend.allCases)
    func directories(_ backend: Backend) throws {
        let test = try TestGuest(folder, backend)
        try test.createDirectory("made")
        try test.createDirectory("made/slash/")
        #expect(try test.stat("made/slash/").filetype == .directory)
        #expect(throws: Errno.exist) { try test.createDirectory("made") }
        #expect(throws: Errno.exist) { try test.createDirectory(".") }
        #expect(throws: Errno.exist) { try test.createDirectory("sub/..") }
        #expect(throws: Errno.noent) { try test.createDirectory("missing/made") }
        #expect(throws: Errno.notdir) { try test.createDirectory("file/made") }
        #expect(throws: Errno.notempty) { try test.removeDirectory("made") }
        #expect(throws: Errno.notdir) { try test.removeDirectory("file") }
        #expect(throws: Errno.notdir) { try test.removeDirectory("file/") }
        #expect(throws: Errno.inval) { try test.removeDirectory("made/.") }
        #expect(throws: Errno.isdir) { try test.unlink("made") }
        #expect(throws: Errno.isdir) { try test.unlink("made/") }
        try test.removeDirectory("made/slash/")
        try test.removeDirectory("made")
        #expect(throws: Errno.noent) { try test.removeDirectory("made") }
    }

    @Test(arguments: Backend.allCases)
    func files(_ backend: Backend) throws {
        let test = try TestGuest(folder, backend)
        #expect(try test.readFile("sub/deep/.././..//file") == "inside")
        #expect(throws: Errno.notdir) { try test.open("file/") }
        #expect(throws: Errno.notdir) { try test.stat("file/") }
        #expect(throws: Errno.notdir) { try test.stat("file/.") }
        #expect(throws: Errno.notdir) { try test.stat("file/..") }
        #expect(throws: Errno.notdir) { try test.open("file", [.directory]) }
        #expect(throws: Errno.noent) { try test.open("missing") }
        #expect(throws: Errno.noent) { try test.open("missing/../file") }
        #expect(throws: Errno.exist) {
            try test.open("file", [.creat, .excl], rights: .regularFile)
        }
        #expect(throws: Errno.inval) { try test.open("new", [.creat, .directory]) }
        #expect(throws: Errno.isdir) { try test.create("new/") }
        #expect(throws: Errno.isdir) { try test.create("sub") }
        #expect(throws: Errno.isdir) { try test.create(".") }
        #expect(throws: Errno.notdir) { try test.unlink("file/") }
        try test.unlink("file")
        #expect(throws: Errno.noent) { try test.unlink("file") }
        #expect(!test.exists("file"))
        #expect(throws: Errno.notdir) { try test.open("x", in: 0) }
        #expect(throws: Errno.badf) { try test.open("x", in: 99) }
        let fd = try test.create("new")
        #expect(throws: Errno.notdir) { try test.open("x", in: fd) }
        #expect(throws: Errno.notdir) { try test.stat("x", in: fd) }
    }

    @Test(arguments: Backend.allCases)
    func renaming(_ backend: Backend) throws {
        let test = try TestGuest(folder, backend)
        try test.rename("file", "sub/file")
        #expect(try test.readFile("sub/file") == "inside")
        try test.rename("sub/deep", "moved/")
        #expect(test.exists("moved"))
        try test.rename("moved/", "moved2")
        #expect(throws: Errno.notdir) { try test.rename("sub/file/", "other") }
        #expect(throws: Errno.notdir) { try test.rename("moved2", "sub/file") }
        #expect(throws: Errno.isdir) { try test.rename("sub/file", "moved2") }
        #expect(throws: Errno.notempty) { try test.rename("moved2", "sub") }
        #expect(throws: Errno.inval) { try test.rename("sub", "sub/inner") }
        #expect(throws: Errno.busy) { try test.rename(".", "other") }
        #expect(throws: Errno.noent) { try test.rename("missing", "other") }
    }

    @Test(arguments: Backend.allCases)
    func symbolicLinks(_ backend: Backend) throws {
        let test = try TestGuest(folder, backend)
        try test.symlink("file", "link")
        try test.symlink("../file", "sub/link")
        try test.symlink("sub/deep/../link", "chain")
        try test.symlink("sub", "dir")
        try test.symlink("nowhere", "dangling")
        try test.symlink("../outside", "escape")
        #expect(throws: Errno.perm) { try test.symlink("/etc", "absolute") }
        #expect(throws: Errno.perm) { try test.symlink("/", "absolute") }
        #expect(throws: Errno.exist) { try test.symlink("x", "link") }
        #expect(throws: Errno.noent) { try test.symlink("x", "new/") }
        #expect(throws: Errno.noent) { try test.symlink("", "new") }

        for name in ["link", "sub/link", "chain", "dir/link", "dir/../chain"] {
            #expect(try test.readFile(name) == "inside")
            #expect(try test.stat(name).filetype == .regularFile)
            #expect(try test.stat(name, follow: false).filetype == .symbolicLink)
            #expect(throws: Errno.loop) { try test.open(name, follow: false) }
        }
        #expect(try test.stat("dir/").filetype == .directory)
        #expect(try test.stat("dir/", follow: false).filetype == .directory)
        #expect(throws: Errno.notdir) { try test.stat("link/") }
        _ = try test.open("dir/", follow: false)
        #expect(throws: Errno.notdir) { try test.open("dir", [.directory], follow: false) }
        #expect(throws: Errno.noent) { try test.open("dangling") }
        #expect(throws: Errno.noent) { try test.stat("dangling") }
        _ = try test.create("dangling")
        #expect(test.exists("nowhere"))
        #expect(throws: Errno.exist) {
            try test.open("link", [.creat, .excl], rights: .regularFile)
        }

        #expect(try test.readLink("link") == "file")
        #expect(try test.readLink("sub/link", byteCount: 4) == "../f")
        #expect(try test.readLink("link", byteCount: 0) == "")
        #expect(throws: Errno.inval) { try test.readLink("file") }
        #expect(throws: Errno.inval) { try test.readLink("file", byteCount: 0) }
        #expect(throws: Errno.inval) { try test.readLink("dir/") }
        #expect(throws: Errno.inval) { try test.readLink("sub") }
        #expect(throws: Errno.noent) { try test.readLink("missing") }

        #expect(throws: Errno.notdir) { try test.unlink("dir/") }
        #expect(throws: Errno.notdir) { try test.removeDirectory("dir/") }
        try test.unlink("dir")
        #expect(test.exists("sub/deep"))
    }

    @Test(arguments: Backend.allCases)
    func hardLinks(_ backend: Backend) throws {
        let test = try TestGuest(folder, backend)
        try test.link("file", "sub/again")
        #expect(try test.stat("file").nlink == 2)
        #expect(try test.stat("file").ino == test.stat("sub/again").ino)
        #expect(throws: Errno.exist) { try test.link("file", "sub/again") }
        #expect(throws: Errno.exist) { try test.link("file", "file") }
        #expect(throws: Errno.perm) { try test.link("sub", "other") }
        #expect(throws: Errno.perm) { try test.link("sub/", "other") }
        #expect(throws: Errno.notdir) { try test.link("file/", "other") }
        #expect(throws: Errno.noent) { try test.link("file", "other/") }
        #expect(throws: Errno.noent) { try test.link("missing", "other") }
        try test.symlink("file", "link")
        try test.link("link", "link2")
        #expect(try test.stat("link2", follow: false).filetype == .symbolicLink)
        try test.link("link", "link3", follow: true)
        #expect(try test.stat("link3", follow: false).filetype == .regularFile)
        try test.symlink("nowhere", "dangling")
        #expect(throws: Errno.noent) { try test.link("dangling", "x", follow: true) }
    }

    @Test(arguments: Backend.allCases)
    func times(_ backend: Backend) throws {
        let test = try TestGuest(folder, backend)
        try test.symlink("file", "link")
        try test.setTimes("link", atim: 1_000_000_001, mtim: 2, [.atim, .mtim])
        #expect(try test.stat("file").atim == 1_000_000_001)
        #expect(try test.stat("file").mtim == 2)
        try test.setTimes("link", mtim: 77, [.mtim], follow: false)
        #expect(try test.stat("link", follow: false).mtim == 77)
        #expect(try test.stat("file").mtim == 2)
        try test.setTimes("file", [])
        #expect(try test.stat("file").mtim == 2)
        #expect(throws: Errno.notdir) { try test.setTimes("file/", [.mtimNow]) }
        #expect(throws: Errno.noent) { try test.setTimes("missing", [.mtimNow]) }
        #expect(throws: Errno.inval) { try test.setTimes("file", [.mtim, .mtimNow]) }
        #expect(throws: Errno.inval) { try test.setTimes("file", [.atim, .atimNow]) }
    }

    @Test func namesOfAnyBytes() throws {
        let test = try TestGuest(folder)
        let name = test.place([0xff, 0xfe, 0x20, 0x0a])
        try test.guest.path_create_directory(test.memory, 3, name.0, name.1)
        let entries = try test.readDirectory(3).entries
        #expect(entries.count == 5)
        try test.guest.path_remove_directory(test.memory, 3, name.0, name.1)
    }

    @Test func readOnlyFolder() throws {
        folder.link("root/link", to: "file")
        let before = folder.snapshot("root")
        let test = try TestGuest(folder, isReadOnly: true)
        #expect(try test.readFile("file") == "inside")
        #expect(try test.readFile("link") == "inside")
        #expect(try test.stat("sub").filetype == .directory)
        #expect(try test.readLink("link") == "file")
        #expect(throws: Errno.rofs) { try test.open("file", rights: .regularFile) }
        #expect(throws: Errno.rofs) { try test.open("file", rights: [.fdWrite]) }
        #expect(throws: Errno.rofs) { try test.open("file", [.trunc]) }
        #expect(throws: Errno.rofs) { try test.open("new", [.creat]) }
        #expect(throws: Errno.exist) { try test.open("file", [.creat, .excl]) }
        _ = try test.open("file", [.creat])
        #expect(throws: Errno.rofs) { try test.createDirectory("new") }
        #expect(throws: Errno.rofs) { try test.removeDirectory("sub/deep") }
        #expect(throws: Errno.rofs) { try test.unlink("file") }
        #expect(throws: Errno.rofs) { try test.rename("file", "new") }
        #expect(throws: Errno.rofs) { try test.link("file", "new") }
        #expect(throws: Errno.rofs) { try test.symlink("file", "new") }
        #expect(throws: Errno.rofs) { try test.setTimes("file", [.mtimNow]) }
        let fd = try test.open("file", rights: [.fdRead, .fdFilestatSetTimes])
        #expect(throws: Errno.rofs) { try test.guest.fd_filestat_set_times(fd, 1, 1, 5) }
        let sub = try test.open("sub", [.directory], rights: .directory)
        #expect(throws: Errno.rofs) { try test.createDirectory("new", in: sub) }
        #expect(throws: Errno.rofs) { try test.create("new", in: sub) }
        #expect(folder.snapshot("root") == before)
    }

    /// A file of a read-only folder must not become writable by a name in another.
    @Test func readOnlyBesideWritable() throws {
        let other = TestFolder()
        var wasi = WASI()
        wasi.folders = [
            .init(hostPath: folder.root, guestPath: "/read", isReadOnly: true),
            .init(hostPath: other.root, guestPath: "/write"),
        ]
        let test = try TestGuest(wasi)
        let (old, new) = (test.place("file"), test.place("stolen"))
        #expect(throws: Errno.rofs) {
            try test.guest.path_link(test.memory, 3, 0, old.0, old.1, 4, new.0, new.1)
        }
        #expect(throws: Errno.rofs) {
            try test.guest.path_rename(test.memory, 3, old.0, old.1, 4, new.0, new.1)
        }
        #expect(throws: Errno.rofs) {
            try test.guest.path_rename(test.memory, 4, old.0, old.1, 3, new.0, new.1)
        }
        #expect(!other.exists("root/stolen"))
    }
}
