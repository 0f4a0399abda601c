import Synchronization
import Testing

@testable import WasmSystem

@Suite struct SystemErrorTests {
    @Test func anErrorHasCodeNameAndText() {
        #expect(SystemError.noent.code == 2)
        #expect(SystemError.noent.name == "ENOENT")
        #expect(SystemError.noent.text == "No such file or directory")
        #expect("\(SystemError.tooBig)" == "Argument list too long (E2BIG)")
        #expect(SystemError(code: 4711).name == "errno 4711")
        #expect(Set(SystemError.constants.map(\.error)).count == SystemError.constants.count)
    }

    @Test func aCallThatFailsThrowsIt() {
        #expect(throws: SystemError.noent) { try Kernel.open("/nowhere/at/all", .readOnly) }
        #expect(throws: SystemError.badf) { try Kernel.close(-1) }
        #expect(throws: SystemError.notdir) { try Kernel.names(inFolder: "/proc/self/exe") }
    }
}

@Suite struct WordCellTests {
    /// A server wakes threads more often than a word counts.
    @Test func theNumberWraps() {
        let cell = WordCell(.max)
        cell.advance()
        #expect(cell.value == 0)
    }
}

@Suite struct DescriptorTests {
    /// The end of a pipe comes when nobody can write to it any more.
    @Test func anOwnerClosesItsDescriptor() throws {
        let ends = try Kernel.makePipe(isNonblocking: true)
        let input = FileDescriptor(owning: ends.read)
        var byte = [UInt8](repeating: 0, count: 1)
        do {
            let output = FileDescriptor(owning: ends.write)
            #expect(output.number > 2)
            #expect(throws: SystemError.again) {
                try byte.withUnsafeMutableBytes { try Kernel.read(ends.read, $0) }
            }
        }
        let isAtEnd = eventually {
            (try? byte.withUnsafeMutableBytes { try Kernel.read(ends.read, $0) }) == 0
        }
        #expect(isAtEnd)
        #expect(try Kernel.status(input.number).kind == .pipe)
    }

    @Test func flagsOfOpenFilesCanBeChanged() throws {
        let pipe = try Pipe()
        #expect(!(try Kernel.flags(pipe.input.number).contains(.nonblock)))
        try Kernel.setFlags(pipe.input.number, .nonblock)
        let flags = try Kernel.flags(pipe.input.number)
        #expect(flags.contains(.nonblock) && flags.reads && !flags.writes)
        var byte = [UInt8](repeating: 0, count: 1)
        #expect(throws: SystemError.again) {
            try byte.withUnsafeMutableBytes { try Kernel.read(pipe.input.number, $0) }
        }
    }

    @Test func aLockBelongsToOneOpenFile() throws {
        let folder = try Folder()
        let first = FileDescriptor(owning: try folder.open("lock", [.writeOnly, .create]))
        let second = FileDescriptor(owning: try folder.open("lock", .writeOnly))
        #expect(try Kernel.tryLock(first.number))
        #expect(try Kernel.tryLock(second.number) == false)
        try first.close()
        let number = second.number
        let isLocked = eventually { (try? Kernel.tryLock(number)) == true }
        #expect(isLocked)
    }
}

@Suite struct FileTests {
    @Test func filesAreListedWithTheirKinds() throws {
        let folder = try Folder()
        try Kernel.close(folder.open("file", [.writeOnly, .create]))
        try Kernel.createDirectory(folder.path("folder"))
        try Kernel.symlink(to: "file", in: Kernel.workingFolder, folder.path("link"))
        let names = try Kernel.names(inFolder: CString(path: folder.bytes))
        #expect(Set(names) == Set(["file", "folder", "link"].map { Array($0.utf8) }))
        #expect(try Kernel.status(folder.path("link"), followsLink: false).kind == .symbolicLink)
        #expect(try Kernel.status(folder.path("link"), followsLink: true).kind == .regular)
        #expect(try Kernel.status(folder.path("folder"), followsLink: false).kind == .directory)
        #expect(throws: SystemError.exist) {
            try folder.open("file", [.writeOnly, .create, .exclusive])
        }
    }

    @Test func timesSizeAndPermissionsAreSet() throws {
        let folder = try Folder()
        let file = FileDescriptor(owning: try folder.open("file", [.readWrite, .create]))
        try Kernel.setSize(file.number, 4711)
        try Kernel.setPermissions(file.number, 0o640)
        try Kernel.setTimes(
            file.number, FileTimes(access: .unchanged, modification: .at(1_500_000_000_000_000_007))
        )
        let status = try Kernel.status(file.number)
        #expect(status.byteCount == 4711)
        #expect(status.permissions == 0o640)
        #expect(status.modificationTime == 1_500_000_000_000_000_007)
        #expect(try Kernel.seek(file.number, -11, from: .end) == 4700)
        #expect(try #require(Kernel.freeByteCount(file.number)) > 0)
    }

    @Test func pathsCannotLeaveAFolder() throws {
        guard Kernel.hasOpenBeneath else { return }
        let folder = try Folder()
        try Kernel.symlink(to: "/etc", in: Kernel.workingFolder, folder.path("out"))
        let number = try Kernel.open(CString(path: folder.bytes), [.pathOnly, .directory])
        let directory = FileDescriptor(owning: number)
        for path in ["../etc", "/etc", "out/passwd"] {
            #expect(throws: SystemError.xdev) {
                try Kernel.openBeneath(number, CString(path: path.utf8), .readOnly)
            }
        }
        try Kernel.close(
            Kernel.openBeneath(number, CString(path: "in".utf8), [.create, .writeOnly]))
        #expect(try Kernel.status(directory.number).kind == .directory)
    }
}

@Suite struct SocketAddressTests {
    @Test func textsAreBytes() {
        #expect(SystemAddress.ipv4Bytes("127.0.0.1") == [127, 0, 0, 1])
        #expect(SystemAddress.ipv4Bytes("127.0.0") == nil)
        #expect(SystemAddress.ipv4Bytes("127.0.0.1\0") == nil)
        #expect(SystemAddress.ipv6Text(SystemAddress.ipv6Bytes("0:0::1") ?? []) == "::1")
        #expect(SystemAddress.ipv6Text([1]) == "")
    }

    @Test func addressesThatAreNoneAreRefused() {
        #expect(throws: SystemError.inval) { try Kernel.listen(.ipv4([1, 2], port: 1)) }
        #expect(throws: SystemError.inval) { try Kernel.listen(.unix([])) }
        #expect(throws: SystemError.inval) { try Kernel.connect(.unix([0x61, 0, 0x62])) }
        let long = [UInt8](repeating: 0x61, count: 108)
        #expect(throws: SystemError.nametoolong) { try Kernel.listen(.unix(long)) }
    }

    @Test func aServerThatWasKilledCanBeStartedAgain() throws {
        let folder = try Folder()
        let address = SystemAddress.unix(folder.bytes + Array("/socket".utf8))
        let first = FileDescriptor(owning: try Kernel.listen(address))
        #expect(try Kernel.localAddress(first.number) == address)
        #expect(throws: SystemError.addrinuse) { try Kernel.listen(address) }
        try first.close()
        let isListening = eventually { (try? Kernel.close(Kernel.listen(address))) != nil }
        #expect(isListening)
    }
}

@Suite struct ProcessTests {
    /// What a shell prints.
    private func output(
        _ script: String, descriptors: [(inside: Int32, outside: Int32)] = []
    ) throws -> (String, ChildProcess.End) {
        let pipe = try Pipe()
        let child = try ChildProcess(
            "/bin/sh", ["sh", "-c", script].map { Array($0.utf8) },
            environment: [Array("WORD=ähm".utf8)],
            descriptors: [(1, pipe.output.number)] + descriptors)
        let input = FileDescriptor(owning: try Kernel.duplicate(pipe.input.number))
        _ = consume pipe
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 256)
        while case let count = try buffer.withUnsafeMutableBytes({
            try Kernel.read(input.number, $0)
        }), count > 0 {
            text += buffer[..<count]
        }
        return (String(decoding: text, as: UTF8.self), try child.wait())
    }

    @Test func aChildHasItsWorldOnly() throws {
        let (text, end) = try output("echo $WORD $HOME; exit 3")
        #expect(text == "ähm\n")
        #expect(end == .status(3))
    }

    @Test func aSignalIsTheEnd() throws {
        #expect(try output("kill -9 $$").1 == .signal(9))
        // The mask of the thread that starts it is not the child's.
        let end = Signals.withoutSignals { try? output("kill -TERM $$; echo no").1 }
        #expect(end == .signal(Signals.termination))
    }

    @Test func descriptorsChangePlaces() throws {
        let first = try Pipe()
        let second = try Pipe()
        try Array("1".utf8).withUnsafeBytes { try Kernel.writeAll(first.output.number, $0) }
        try Array("2".utf8).withUnsafeBytes { try Kernel.writeAll(second.output.number, $0) }
        let (text, _) = try output(
            "head -c1 <&5; head -c1 <&6",
            descriptors: [(5, second.input.number), (6, first.input.number)])
        #expect(text == "21")
    }

    @Test func whatIsNoProgramIsRefused() {
        #expect(throws: SystemError.noent) {
            _ = try ChildProcess("/nowhere", [], environment: [], descriptors: [])
        }
    }

    @Test func theEnvironmentIsBytes() {
        let path = CurrentProcess.variable("PATH")
        #expect(path != nil)
        #expect(CurrentProcess.environment.contains(Array("PATH=".utf8) + (path ?? [])))
        #expect(CurrentProcess.variable("WASMD_NO_SUCH_VARIABLE") == nil)
    }
}

@Suite struct MemoryTests {
    @Test func bytesAreFilledMovedAndFound() {
        var bytes = [UInt8](repeating: 0, count: 8)
        bytes.withUnsafeMutableBytes { buffer in
            guard let start = buffer.baseAddress else { return }
            Bytes.fill(start, 4, with: 0xee)
            Bytes.move(to: start + 2, from: start, 4)
            #expect(Bytes.index(of: 0, in: start, 8) == 6)
            #expect(Bytes.index(of: 1, in: start, 8) == nil)
            #expect(Bytes.areEqual(start, start + 1, 5))
            #expect(!Bytes.areEqual(start, start + 1, 6))
        }
        #expect(bytes == [0xee, 0xee, 0xee, 0xee, 0xee, 0xee, 0, 0])
    }

    @Test func randomBytesDiffer() throws {
        var first = [UInt8](repeating: 0, count: 1000)
        var second = first
        try first.withUnsafeMutableBytes { try Kernel.random($0) }
        try second.withUnsafeMutableBytes { try Kernel.random($0) }
        #expect(first != second)
        #expect(Set(first).count > 100)
    }

    @Test func clocksGoOn() throws {
        let before = try SystemClock.monotonic.time()
        SystemClock.sleep(until: before + 1_000_000)
        #expect(SystemClock.monotonic.now >= before + 1_000_000)
        // After 2020, and with a resolution.
        #expect(SystemClock.realtime.now > 1_577_836_800_000_000_000)
        #expect(try SystemClock.threadCPUTime.resolution() >= 1)
    }
}

/// A folder that is gone with the object.
private final class Folder {
    let bytes: [UInt8]

    init() throws {
        var number: UInt64 = 0
        try withUnsafeMutableBytes(of: &number) { try Kernel.random($0) }
        bytes = Array("/tmp/wasmd-system-\(number)".utf8)
        try Kernel.createDirectory(CString(path: bytes), permissions: 0o700)
    }

    deinit {
        for name in (try? Kernel.names(inFolder: CString(path: bytes))) ?? [] {
            let path = CString(path: bytes + [0x2f] + name)
            if (try? Kernel.unlink(path)) == nil { try? Kernel.removeDirectory(path) }
        }
        try? Kernel.removeDirectory(CString(path: bytes))
    }

    func path(_ name: String) -> CString { CString(path: bytes + [0x2f] + Array(name.utf8)) }

    func open(_ name: String, _ flags: FileFlags) throws(SystemError) -> Int32 {
        try Kernel.open(path(name), flags)
    }
}

@Suite struct ThreadNameTests {
    /// The kernel's name of the thread that calls.
    private static var ownName: String? {
        guard
            let file = try? FileDescriptor(owning: Kernel.open("/proc/thread-self/comm", .readOnly))
        else {
            return nil
        }
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = try? bytes.withUnsafeMutableBytes { try Kernel.read(file.number, $0) }
        return String(decoding: bytes.prefix(count ?? 0), as: UTF8.self)
    }

    @Test func threadsHaveNames() throws {
        let name = Mutex<String?>(nil)
        let thread = try #require(
            SystemThread.start(SystemThread.Options("wasmd-fifteen-c")) {
                name.withLock { $0 = Self.ownName }
            })
        thread.join()
        #expect(name.withLock { $0 } == "wasmd-fifteen-c\n")
    }
}
