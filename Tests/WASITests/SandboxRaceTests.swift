import Glibc
import Testing

@testable import WasmWASI

/// Another process changes the folder while the guest resolves paths in it.
@Suite(.serialized) struct SandboxRaceTests {
    @Test(arguments: WASI.PathResolution.allCases)
    func folderBecomesLink(_ resolution: WASI.PathResolution) throws {
        let folder = TestFolder()
        folder.write("root/sub/secret", "inside")
        let before = folder.snapshot("outside")
        let test = try TestGuest(folder, resolution)
        folder.link("root/bait", to: "../outside")
        let other = OtherProcess(
            in: folder.root,
            renaming: [("sub", "aside"), ("bait", "sub"), ("sub", "bait"), ("aside", "sub")])
        defer { other.end() }
        var seen = 0
        for round in 0..<1000 {
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
            _ = try? test.rename("sub/secret", "sub/deep/other")
            _ = try? test.rename("sub/deep/other", "sub/secret")
            _ = try? test.link("sub/secret", "sub/linked")
            _ = try? test.unlink("sub/linked")
            _ = try? test.setTimes("sub/secret", [.mtimNow])
        }
        #expect(seen > 0)
        #expect(folder.snapshot("outside") == before)
    }

    @Test(arguments: WASI.PathResolution.allCases)
    func fileBecomesLink(_ resolution: WASI.PathResolution) throws {
        let folder = TestFolder()
        let before = folder.snapshot("outside")
        let test = try TestGuest(folder, resolution)
        folder.link("root/bait", to: "../outside/secret")
        let other = OtherProcess(
            in: folder.root,
            renaming: [("file", "aside"), ("bait", "file"), ("file", "bait"), ("aside", "file")])
        defer { other.end() }
        for _ in 0..<1000 {
            if let text = try? test.readFile("file") { #expect(text != "outside") }
            if let fd = try? test.open("file", [.trunc], rights: .regularFile) {
                _ = try? test.write(fd, ["inside"])
                try test.guest.fd_close(fd)
            }
            if let fd = try? test.create("file") { try test.guest.fd_close(fd) }
            _ = try? test.setTimes("file", [.mtimNow, .atimNow])
            if (try? test.link("file", "copy", follow: true)) != nil {
                // It may be one more link that leads out and cannot be followed.
                if let text = try? test.readFile("copy") { #expect(text != "outside") }
                try test.unlink("copy")
            }
        }
        #expect(folder.snapshot("outside") == before)
    }

    @Test(arguments: WASI.PathResolution.allCases)
    func folderMovesOut(_ resolution: WASI.PathResolution) throws {
        let folder = TestFolder()
        folder.write("outside/file", "outside")
        let test = try TestGuest(folder, resolution)
        let other = OtherProcess(
            in: folder.path,
            renaming: [("root/sub", "outside/sub"), ("outside/sub", "root/sub")])
        defer { other.end() }
        for _ in 0..<2000 {
            for path in ["sub/../file", "sub/deep/../../file", "sub/deep/../deep/../../file"] {
                if let text = try? test.readFile(path) { #expect(text == "inside") }
            }
        }
    }
}

/// A process that renames files again and again until it is ended, or its parent has ended.
private final class OtherProcess {
    private let process: pid_t

    /// - Parameter names: pairs of an old and a new name in `folder`.
    init(in folder: String, renaming names: [(String, String)]) {
        // The child of a process with threads may only make calls of the system: all that it
        // needs is there before.
        let paths = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
            .allocate(capacity: 2 * names.count)
        for (index, (old, new)) in names.enumerated() {
            paths[2 * index] = strdup("\(folder)/\(old)")
            paths[2 * index + 1] = strdup("\(folder)/\(new)")
        }
        let count = 2 * names.count
        let parent = getpid()
        let lastNumber = UInt32.max
        process = symbol_fork()
        if process == 0 {
            // Tests beside this one wait for the end of pipes and connections, of which it would
            // keep copies.
            _ = symbol_close_range(0, lastNumber, 0)
            while getppid() == parent {
                var index = 0
                while index < count {
                    if let old = paths[index], let new = paths[index + 1] { rename(old, new) }
                    index += 2
                }
            }
            _exit(0)
        }
        for index in 0..<count { free(paths[index]) }
        paths.deallocate()
    }

    func end() {
        guard process > 0 else { return }
        kill(process, SIGKILL)
        waitpid(process, nil, 0)
    }
}

// Swift's import of the C library leaves them out.
@_silgen_name("fork")
private func symbol_fork() -> pid_t

@_silgen_name("close_range")
private func symbol_close_range(_ first: UInt32, _ last: UInt32, _ flags: Int32) -> Int32
