import Glibc
import Testing

@testable import WasmInterpreter
@testable import WasmWASI

/// Opening pipes with names: it waits for the other end as POSIX says, and can be stopped.
@Suite struct PipeTests {
    private let folder = TestFolder()
    private var path: String { folder.root + "/pipe" }

    init() { mkfifo(path, 0o600) }

    private static let reading: Rights = [.fdRead, .pollFdReadwrite]
    private static let writing: Rights = [.fdWrite, .pollFdReadwrite]

    private func guest(
        _ resolution: WASI.PathResolution, _ driver: TestGuest.Driver = .thread
    ) throws -> TestGuest {
        try TestGuest(folder, resolution, driver)
    }

    /// A writer that only opens the pipe is enough; so is one that has gone again.
    @Test(arguments: WASI.PathResolution.allCases, TestGuest.Driver.allCases)
    func readingWaitsForAWriter(
        _ resolution: WASI.PathResolution, _ driver: TestGuest.Driver
    ) throws {
        for writes in [false, true] {
            for stays in [false, true] {
                let test = try guest(resolution, driver)
                let start = ContinuousClock.now
                let opened = Mailbox()
                let fd = try Background.during({ [path] in
                    let number = Glibc.open(path, O_WRONLY)
                    if writes { _ = Glibc.write(number, "hello", 5) }
                    if stays { opened.number = number } else { close(number) }
                }) { try test.open("pipe", rights: Self.reading) }
                #expect(ContinuousClock.now - start >= .milliseconds(20))
                // Nothing was taken from it.
                if writes { #expect(try test.read(fd) == "hello") }
                if stays {
                    // There is more to come, for which the guest waits.
                    let text = try Background.during({
                        _ = Glibc.write(opened.number, "more", 4)
                        close(opened.number)
                    }) { try test.read(fd) }
                    #expect(text == "more")
                }
                #expect(try test.read(fd) == "")
            }
        }
    }

    @Test(arguments: WASI.PathResolution.allCases, TestGuest.Driver.allCases)
    func writingWaitsForAReader(
        _ resolution: WASI.PathResolution, _ driver: TestGuest.Driver
    ) throws {
        let test = try guest(resolution, driver)
        let start = ContinuousClock.now
        let opened = Mailbox()
        let fd = try Background.during({ [path] in opened.number = Glibc.open(path, O_RDONLY) }) {
            try test.open("pipe", rights: Self.writing)
        }
        #expect(ContinuousClock.now - start >= .milliseconds(20))
        #expect(try test.write(fd, ["hello"]) == 5)
        var bytes = [UInt8](repeating: 0, count: 10)
        #expect(Glibc.read(opened.number, &bytes, 10) == 5)
        close(opened.number)
    }

    /// Two guests that open both ends find each other, whoever is first.
    @Test(arguments: [false, true]) func guestsMeet(_ readerIsFirst: Bool) throws {
        let reader = try guest(.automatic), writer = try guest(.automatic)
        let rights = readerIsFirst ? [Self.reading, Self.writing] : [Self.writing, Self.reading]
        nonisolated(unsafe) let first = readerIsFirst ? reader : writer
        let second = readerIsFirst ? writer : reader
        let numbers = Mailbox()
        let thread = Background {
            numbers.number = (try? first.open("pipe", rights: rights[0])).map { Int32($0) } ?? -1
        }
        usleep(20_000)
        let fd = try second.open("pipe", rights: rights[1])
        thread.join()
        let ends = (UInt32(max(numbers.number, 0)), fd)
        let (from, to) = readerIsFirst ? (ends.0, ends.1) : (ends.1, ends.0)
        #expect(try writer.write(to, ["x"]) == 1)
        #expect(try reader.read(from) == "x")
    }

    @Test func withoutWaiting() throws {
        let test = try guest(.automatic)
        #expect(throws: Errno.nxio) {
            try test.open("pipe", rights: Self.writing, flags: .nonblock)
        }
        let fd = try test.open("pipe", rights: Self.reading, flags: .nonblock)
        #expect(try test.read(fd) == "")
        #expect(try test.fdstat(fd).flags == .nonblock)
        // Opened for both, it is complete.
        let both = try test.open("pipe", rights: Self.reading.union(Self.writing))
        #expect(try test.write(both, ["x"]) == 1)
        #expect(try test.read(both) == "x")
        // A socket is opened by nobody.
        let socket = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: (path + "s").utf8) }
        let answer = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(answer == 0)
        #expect(throws: Errno.nxio) { try test.open("pipes", rights: Self.reading) }
    }

    /// `canceled` stands for the trap here: see `TestGuest.open`.
    @Test(arguments: [reading, writing], TestGuest.Driver.allCases)
    func waitingIsStopped(_ rights: Rights, _ driver: TestGuest.Driver) throws {
        let test = try guest(.automatic, driver)
        let handle = test.store.interruptHandle
        #expect(throws: Errno.canceled) {
            try Background.during({ handle.interrupt() }) {
                _ = try test.open("pipe", rights: rights)
            }
        }
        test.store.deadline = .now + .milliseconds(20)
        #expect(throws: Errno.canceled) { try test.open("pipe", rights: rights) }
        test.store.deadline = nil
        // What waited is gone: nobody writes into nothing. A process that is being started beside
        // this test has a copy of it for a moment.
        let isGone = eventually {
            let number = Glibc.open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC)
            guard number >= 0 else { return errno == ENXIO }
            close(number)
            return false
        }
        #expect(isGone)
    }

    /// Files are what they were: the host's flag is only there while they are opened.
    @Test func filesKeepTheirFlags() throws {
        let test = try guest(.automatic)
        for flags: Fdflags in [[], .append, .nonblock, .dsync] {
            let fd = try test.open("file", rights: .regularFile, flags: flags)
            #expect(try test.fdstat(fd).flags == flags)
        }
        let fd = try test.open("sub", .directory)
        #expect(try test.fdstat(fd).flags == [])
    }
}

/// A number that another thread leaves.
private final class Mailbox: @unchecked Sendable {
    var number: Int32 = -1
}
