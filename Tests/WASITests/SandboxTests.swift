import Glibc
import Synchronization
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

    @Test(arguments: WASI.PathResolution.allCases)
    func deepPaths(_ resolution: WASI.PathResolution) throws {
        let folder = TestFolder()
        let test = try TestGuest(folder, resolution)
        var path = "d"
        for _ in 0..<100 {
            try test.createDirectory(path)
            path += "/d"
        }
        let up = String(repeating: "/..", count: 100)
        #expect(try test.stat(path.dropLast(2) + up).filetype == .directory)
        #expect(throws: Errno.perm) { try test.stat(path.dropLast(2) + up + "/..") }
        #expect(throws: Errno.perm) { try test.stat(path.dropLast(2) + up + "/../outside") }
    }
}

/// Another process changes the folder while the guest resolves paths in it.
@Suite(.serialized) struct SandboxRaceTests {
    /// Runs `disturb` on another thread as long as `body` runs.
    private func disturbed(
        _ disturb: @escaping @Sendable () -> Void, _ body: () throws -> Void
    ) async throws {
        let isDone = Flag()
        let other = Task.detached { while !isDone.isSet { disturb() } }
        let outcome = Result { try body() }
        isDone.set()
        await other.value
        try outcome.get()
    }

    private final class Flag: Sendable {
        private let value = Atomic(false)
        var isSet: Bool { value.load(ordering: .relaxed) }
        func set() { value.store(true, ordering: .relaxed) }
    }

    @Test(arguments: WASI.PathResolution.allCases)
    func folderBecomesLink(_ resolution: WASI.PathResolution) async throws {
        let folder = TestFolder()
        folder.write("root/sub/secret", "inside")
        let before = folder.snapshot("outside")
        let test = try TestGuest(folder, resolution)
        let root = folder.root
        folder.link("root/bait", to: "../outside")
        try await disturbed {
            rename("\(root)/sub", "\(root)/aside")
            rename("\(root)/bait", "\(root)/sub")
            rename("\(root)/sub", "\(root)/bait")
            rename("\(root)/aside", "\(root)/sub")
        } _: {
            var seen = 0
            for round in 0..<3000 {
                if let text = try? test.readFile("sub/secret") {
                    #expect(text == "inside")
                    seen += 1
                }
                if let text = try? test.readFile("sub/deep/../secret") {
                    #expect(text == "inside")
                }
                _ = try? test.createDirectory("sub/made\(round)")
                _ = try? test.removeDirectory("sub/made\(round)")
                if let fd = try? test.create("sub/new") { try test.guest.fd_close(fd) }
                _ = try? test.unlink("sub/new")
                _ = try? test.setTimes("sub/secret", [.mtimNow])
            }
            #expect(seen > 0)
        }
        #expect(folder.snapshot("outside") == before)
    }

    @Test(arguments: WASI.PathResolution.allCases)
    func folderMovesOut(_ resolution: WASI.PathResolution) async throws {
        let folder = TestFolder()
        folder.write("outside/file", "outside")
        let test = try TestGuest(folder, resolution)
        let (root, outside) = (folder.root, folder.outside)
        try await disturbed {
            rename("\(root)/sub", "\(outside)/sub")
            rename("\(outside)/sub", "\(root)/sub")
        } _: {
            for _ in 0..<5000 {
                for path in ["sub/../file", "sub/deep/../../file"] {
                    if let text = try? test.readFile(path) { #expect(text == "inside") }
                }
            }
        }
    }
}
