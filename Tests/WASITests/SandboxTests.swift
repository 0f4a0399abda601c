import Glibc
import Testing

@testable import WasmWASI

/// Nothing that a guest says, and nothing that it finds, leads out of its folder.
@Suite struct SandboxTests {
    /// A folder with every trap for a careless host that we can think of.
    static func makeFolder() -> TestFolder {
        let folder = TestFolder()
        folder.link("root/up", to: "..")
        folder.link("root/upslash", to: "../")
        folder.link("root/out", to: "../outside")
        folder.link("root/outsecret", to: "../outside/secret")
        folder.link("root/absolute", to: folder.outside)
        folder.link("root/absolutesecret", to: folder.outside + "/secret")
        folder.link("root/slash", to: "/")
        folder.link("root/etc", to: "/etc")
        folder.link("root/chain1", to: "chain2")
        folder.link("root/chain2", to: "sub/chain3")
        folder.link("root/sub/chain3", to: "deep/../../../outside")
        folder.link("root/sub/out", to: "../../outside")
        folder.link("root/sub/deep/out", to: "../../../outside")
        folder.link("root/sub/deep/inside", to: "../..")
        folder.link("root/dangling", to: "../outside/new")
        folder.link("root/danglingabsolute", to: folder.outside + "/new")
        folder.link("root/proc", to: "/proc/self/root")
        folder.link("root/cwd", to: "/proc/self/cwd")
        folder.link("root/again", to: "./sub/./../../outside")
        return folder
    }

    /// Names of the folder outside.
    static let outsidePaths = [
        "..", "../", "../outside", "../../", "sub/../..", "sub/../../outside",
        "sub/deep/../../../outside", "./../outside", "sub/./../../outside", "../root/../outside",
        "sub//../..//outside", "up", "up/outside", "upslash/outside", "out", "out/", "out/.",
        "out/folder/..", "absolute", "absolute/.", "slash", "slash/tmp", "etc", "etc/", "chain1",
        "chain1/", "chain2/.", "sub/chain3", "sub/out", "sub/deep/out", "sub/deep/inside/out",
        "sub/deep/inside/../outside", "sub/deep/inside/up/outside", "proc", "proc/tmp", "cwd",
        "again", "again/folder", "up/root/../outside", "sub/../up/outside", "/", "/etc", "//",
        "/..", "sub/deep/../../../../../../../../../../etc",
    ]

    @Test(arguments: outsidePaths, WASI.PathResolution.allCases)
    func directoryOutside(_ path: String, _ resolution: WASI.PathResolution) throws {
        let folder = Self.makeFolder()
        let before = folder.snapshot("outside")
        let test = try TestGuest(folder, resolution)
        let all = Rights.directoryInheriting.subtracting(.writing)
        let errors: [Errno] = [.perm, .loop]

        #expect(throws: Errno.perm) { try test.open(path) }
        #expect(throws: Errno.perm) { try test.open(path, [.directory], rights: all) }
        #expect(throws: Errno.perm) { try test.stat(path) }
        #expect(throws: Errno.perm) { try test.setTimes(path, [.mtimNow, .atimNow]) }
        #expect(throws: Errno.perm) { try test.stat(path + "/secret") }
        #expect(throws: Errno.perm) { try test.open(path + "/secret") }
        #expect(throws: Errno.perm) { try test.open(path + "/secret", follow: false) }
        #expect(throws: Errno.perm) {
            try test.open(path + "/secret", [.trunc], rights: .regularFile)
        }
        #expect(throws: Errno.perm) { try test.create(path + "/new") }
        #expect(throws: Errno.perm) { try test.createDirectory(path + "/new") }
        #expect(throws: Errno.perm) { try test.removeDirectory(path + "/folder") }
        #expect(throws: Errno.perm) { try test.unlink(path + "/secret") }
        #expect(throws: Errno.perm) { try test.rename(path + "/secret", "stolen") }
        #expect(throws: Errno.perm) { try test.rename("file", path + "/given") }
        #expect(throws: Errno.perm) { try test.link(path + "/secret", "stolen") }
        #expect(throws: Errno.perm) { try test.link("file", path + "/given") }
        #expect(throws: Errno.perm) { try test.symlink("x", path + "/given") }
        #expect(throws: Errno.perm) { try test.readLink(path + "/secret") }
        #expect(throws: Errno.perm) {
            try test.setTimes(path + "/secret", [.mtimNow], follow: false)
        }
        // Taking the name itself away is fine where it is a link of the guest's own.
        for name in [path + "/", path] {
            do throws(Errno) {
                try test.removeDirectory(name)
                Issue.record("removed \(name)")
            } catch {
                #expect(errors.contains(error) || error == .notdir)
            }
        }
        #expect(folder.snapshot("outside") == before)
        #expect(folder.read("root/file") == "inside")
        #expect(!folder.exists("root/stolen"))
    }

    @Test(
        arguments: ["outsecret", "absolutesecret", "out/secret", "up/outside/secret"],
        WASI.PathResolution.allCases)
    func fileOutside(_ path: String, _ resolution: WASI.PathResolution) throws {
        let folder = Self.makeFolder()
        let before = folder.snapshot("outside")
        let test = try TestGuest(folder, resolution)
        #expect(throws: Errno.perm) { try test.readFile(path) }
        #expect(throws: Errno.perm) { try test.open(path, [.trunc], rights: .regularFile) }
        #expect(throws: Errno.perm) { try test.create(path) }
        #expect(throws: Errno.perm) { try test.stat(path) }
        #expect(throws: Errno.perm) { try test.setTimes(path, [.atimNow]) }
        #expect(throws: Errno.perm) { try test.link(path, "stolen", follow: true) }
        #expect(folder.snapshot("outside") == before)
    }

    @Test(arguments: ["dangling", "danglingabsolute"], WASI.PathResolution.allCases)
    func creatingThroughLink(_ path: String, _ resolution: WASI.PathResolution) throws {
        let folder = Self.makeFolder()
        let test = try TestGuest(folder, resolution)
        #expect(throws: Errno.perm) { try test.create(path) }
        #expect(throws: Errno.loop) {
            try test.open(path, [.creat], rights: .regularFile, follow: false)
        }
        #expect(throws: Errno.exist) {
            try test.open(path, [.creat, .excl], rights: .regularFile, follow: false)
        }
        #expect(throws: Errno.exist) { try test.createDirectory(path) }
        #expect(!folder.exists("outside/new"))
    }

    /// A directory that a guest opened is a root of its own.
    @Test(arguments: WASI.PathResolution.allCases)
    func openedDirectoryConfines(_ resolution: WASI.PathResolution) throws {
        let folder = Self.makeFolder()
        let test = try TestGuest(folder, resolution)
        let sub = try test.open("sub", [.directory], rights: .directory)
        for path in ["..", "../file", "deep/../../file", "deep/inside/file"] {
            #expect(throws: Errno.perm) { try test.open(path, in: sub) }
            #expect(throws: Errno.perm) { try test.stat(path, in: sub) }
        }
        #expect(try test.stat("deep/..", in: sub).filetype == .directory)
    }

    /// Links that lead elsewhere may be read, renamed and removed: they are the guest's.
    @Test(arguments: WASI.PathResolution.allCases)
    func linksThemselves(_ resolution: WASI.PathResolution) throws {
        let folder = Self.makeFolder()
        let before = folder.snapshot("outside")
        let test = try TestGuest(folder, resolution)
        #expect(try test.readLink("out") == "../outside")
        #expect(try test.stat("etc", follow: false).filetype == .symbolicLink)
        try test.rename("out", "sub/moved")
        #expect(throws: Errno.noent) { try test.stat("sub/moved") }
        try test.link("absolute", "copy")
        #expect(throws: Errno.perm) { try test.open("copy/secret") }
        try test.unlink("copy")
        try test.unlink("absolute")
        try test.unlink("etc")
        #expect(folder.snapshot("outside") == before)
    }

    @Test(arguments: WASI.PathResolution.allCases)
    func pathsAsText(_ resolution: WASI.PathResolution) throws {
        let folder = TestFolder()
        let test = try TestGuest(folder, resolution)
        #expect(throws: Errno.inval) { try test.open("file\0") }
        #expect(throws: Errno.inval) { try test.open("\0") }
        #expect(throws: Errno.inval) { try test.open("sub/../\0/../../outside/secret") }
        #expect(throws: Errno.inval) { try test.createDirectory("new\0dir") }
        #expect(throws: Errno.inval) { try test.symlink("a\0b", "link") }
        #expect(throws: Errno.noent) { try test.open("") }
        #expect(throws: Errno.noent) { try test.stat("") }
        #expect(throws: Errno.noent) { try test.createDirectory("") }
        let long = String(repeating: "x", count: 256)
        #expect(throws: Errno.nametoolong) { try test.open(long) }
        #expect(throws: Errno.nametoolong) { try test.createDirectory(long) }
        let path = String(repeating: "sub/../", count: 600) + "file"
        #expect(throws: Errno.nametoolong) { try test.open(path) }
        #expect(try test.readFile(String(repeating: "sub/../", count: 500) + "file") == "inside")
        #expect(try test.readFile(String(repeating: "./", count: 2000) + "file") == "inside")
    }

    @Test(arguments: WASI.PathResolution.allCases)
    func loops(_ resolution: WASI.PathResolution) throws {
        let folder = TestFolder()
        folder.link("root/self", to: "self")
        folder.link("root/one", to: "two")
        folder.link("root/two", to: "one")
        folder.link("root/grow", to: "grow/x")
        folder.link("root/double", to: "double/double")
        let test = try TestGuest(folder, resolution)
        for path in ["self", "one", "two/x", "grow", "double", "self/../file"] {
            #expect(throws: Errno.loop) { try test.open(path) }
            #expect(throws: Errno.loop) { try test.stat(path) }
        }
    }

    /// The folder `/proc/self` is full of links that lead anywhere without a path.
    @Test(arguments: WASI.PathResolution.allCases)
    func magicLinks(_ resolution: WASI.PathResolution) throws {
        var wasi = WASI()
        wasi.folders = [.init(hostPath: "/proc/self", guestPath: "/", isReadOnly: true)]
        wasi.pathResolution = resolution
        let test = try TestGuest(wasi)
        for path in ["root", "root/etc/passwd", "cwd", "cwd/.", "exe", "fd/3/..", "fd/3/."] {
            #expect(throws: (any Error).self) { try test.open(path) }
            #expect(throws: (any Error).self) { try test.stat(path) }
        }
        #expect(try test.readFile("comm").isEmpty == false)
    }

    /// More levels than a walk keeps open.
    @Test(arguments: WASI.PathResolution.allCases)
    func deepPaths(_ resolution: WASI.PathResolution) throws {
        let folder = TestFolder()
        let test = try TestGuest(folder, resolution)
        let levels = 400
        var path = "d"
        for _ in 1..<levels {
            try test.createDirectory(path)
            path += "/d"
        }
        try test.createDirectory(path)
        try test.createDirectory("top")
        let up = String(repeating: "/..", count: levels)
        #expect(try test.stat(path).filetype == .directory)
        #expect(try test.stat(path + up).ino == test.stat(".").ino)
        #expect(try test.stat(path + up + "/top").filetype == .directory)
        #expect(throws: Errno.noent) { try test.stat(path + "/../top") }
        #expect(throws: Errno.perm) { try test.stat(path + up + "/..") }
        #expect(throws: Errno.perm) { try test.stat(path + up + "/../outside") }
        #expect(throws: Errno.perm) { try test.open(path + up + "/../outside/secret") }
        // Removing it takes the test as long as making it.
        try test.rename("d", "sub/e")
        #expect(throws: Errno.noent) { try test.stat(path) }
    }

    /// A folder that the guest holds stays a root, wherever it is moved.
    @Test(arguments: WASI.PathResolution.allCases)
    func openedFolderMoves(_ resolution: WASI.PathResolution) throws {
        let folder = Self.makeFolder()
        let test = try TestGuest(folder, resolution)
        let deep = try test.open("sub/deep", [.directory], rights: .directory)
        let ways = ["..", "../file", "../../file", "./..", "out/secret", "inside/.."]
        try test.rename("sub/deep", "moved")
        for path in ways { #expect(throws: Errno.perm) { try test.open(path, in: deep) } }
        // Somebody else may even take it out: it is still all that the guest has.
        #expect(rename(folder.root + "/moved", folder.outside + "/moved") == 0)
        let before = folder.snapshot("outside")
        for path in ways + ["../secret", "../folder", "../../outside/secret"] {
            #expect(throws: Errno.perm) { try test.open(path, in: deep) }
            #expect(throws: Errno.perm) { try test.stat(path + "/x", in: deep) }
            #expect(throws: Errno.perm) { try test.createDirectory(path + "/x", in: deep) }
        }
        #expect(folder.snapshot("outside") == before)
    }

    /// Calls with two paths, each of which may be the way out.
    @Test(arguments: WASI.PathResolution.allCases)
    func twoPaths(_ resolution: WASI.PathResolution) throws {
        let folder = Self.makeFolder()
        let before = folder.snapshot("outside")
        let test = try TestGuest(folder, resolution)
        let outside = [
            "..", "../outside/new", "sub/../../outside/new", "out/new", "up/outside/new",
            "chain1/new", "/tmp/new", "slash/tmp/new", "sub/deep/out/new",
        ]
        for path in outside {
            for inside in ["file", "sub", "sub/deep"] {
                // The system may find something else wrong first.
                #expect(throws: (any Error).self) { try test.rename(inside, path) }
                #expect(throws: (any Error).self) { try test.rename(path, inside) }
                #expect(throws: (any Error).self) { try test.link(inside, path) }
                #expect(throws: (any Error).self) { try test.link(path, inside + "2") }
            }
            #expect(throws: (any Error).self) { try test.symlink("file", path) }
        }
        for (old, new) in [(".", "x"), ("sub", "."), ("sub", "sub/deep/x"), ("sub/..", "x")] {
            #expect(throws: (any Error).self) { try test.rename(old, new) }
        }
        // A link may be made that leads out, but for an absolute one; following it is no use.
        try test.symlink("../../outside/secret", "sub/leading")
        #expect(throws: Errno.perm) { try test.symlink("/etc/passwd", "leading") }
        #expect(throws: Errno.perm) { try test.open("sub/leading") }
        #expect(throws: Errno.perm) { try test.link("sub/leading", "copy", follow: true) }
        try test.link("sub/leading", "copy")
        #expect(throws: (any Error).self) { try test.open("copy") }
        #expect(folder.snapshot("outside") == before)
        #expect(folder.read("root/file") == "inside")
    }
}
