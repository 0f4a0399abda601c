import Glibc
import Testing
import WasmMachine
import WasmSystem

@testable import WasmInterpreter
@testable import WasmWASI

/// What a guest may do with standard streams, and which of the host's descriptors are whose.
@Suite struct StandardStreamTests {
    /// A guest whose standard streams are a file, opened with these flags.
    private func guest(_ file: String, _ flags: Int32) throws -> TestGuest {
        let number = open(file, flags)
        defer { close(number) }
        var wasi = WASI()
        wasi.standardInput = .descriptor(number)
        wasi.standardOutput = .descriptor(number)
        wasi.standardError = .null
        return try TestGuest(wasi)
    }

    @Test func filesAreReadAndWrittenOnly() throws {
        let folder = TestFolder()
        folder.write("root/log", "precious")
        let before = folder.snapshot("root")
        let test = try guest(folder.root + "/log", O_RDWR)
        for fd in [0, 1] as [UInt32] {
            #expect(throws: Errno.notcapable) { try test.guest.fd_filestat_set_size(fd, 0) }
            #expect(throws: Errno.notcapable) { try test.guest.fd_allocate(fd, 0, 1 << 20) }
            #expect(throws: Errno.notcapable) {
                try test.guest.fd_filestat_set_times(fd, 1, 1, UInt32(Fstflags.mtim.rawValue))
            }
            #expect(try test.stat(fd).size == 8)
            #expect(throws: Errno.notsup) {
                try test.guest.fd_fdstat_set_flags(fd, UInt32(Fdflags.append.rawValue))
            }
        }
        #expect(throws: Errno.badf) { try test.write(0, ["x"]) }
        #expect(throws: Errno.badf) { try test.read(1) }
        // Writing at another place would overwrite what others wrote.
        #expect(throws: Errno.notcapable) { try test.seek(1, 0, .set) }
        #expect(try test.seek(1, 0, .cur) == 0)
        let text = test.vectors([test.place("overwritten")])
        #expect(throws: Errno.notcapable) {
            try test.guest.fd_pwrite(test.memory, 1, text.0, text.1, 0, 16)
        }
        #expect(folder.snapshot("root") == before)
        #expect(try test.seek(0, 3, .set) == 3)
        #expect(try test.read(0) == "cious")
        #expect(try test.write(1, [" text"]) == 5)
        #expect(folder.read("root/log") == "precious text")
        try test.guest.fd_sync(1)
    }

    /// What a C library asks to know a terminal.
    @Test func devicesAreNoTerminals() throws {
        let test = try guest("/dev/null", O_RDWR)
        for fd in [0, 1] as [UInt32] {
            #expect(try test.fdstat(fd).filetype == .characterDevice)
            #expect(try test.fdstat(fd).base.contains(.fdTell))
        }
    }

    @Test func givenFilesKeepWhatTheyWereOpenedFor() throws {
        let folder = TestFolder()
        for (flags, isWritable) in [(O_RDONLY, false), (O_RDWR, true)] {
            let number = open(folder.root + "/file", flags)
            var wasi = WASI()
            wasi.descriptors = [number]
            let test = try TestGuest(wasi)
            #expect(try test.fdstat(3).base.contains(.fdFilestatSetTimes) == isWritable)
            #expect(try test.fdstat(3).base.contains(.fdFilestatSetSize) == isWritable)
            // The flags belong to everybody who has the open file.
            try test.guest.fd_fdstat_set_flags(3, UInt32(Fdflags.nonblock.rawValue))
            #expect(try test.fdstat(3).flags == .nonblock)
            #expect(fcntl(number, F_GETFL) & O_NONBLOCK == 0)
            close(number)
        }
    }

    /// The stream is there, whatever gets its number later.
    @Test func missingStreams() throws {
        let number = open("/dev/null", O_RDWR)
        close(number)
        let descriptor = Descriptor(inherited: 1 << 20, .standardOutput)
        #expect(descriptor.hostNumber == nil)
        #expect(descriptor.rights.contains(.fdWrite))
        #expect(throws: Errno.badf) {
            try descriptor.write(UnsafeBufferPointer<HostVector>(start: nil, count: 0))
        }
        #expect(throws: Errno.badf) {
            try descriptor.read(UnsafeBufferPointer<HostVector>(start: nil, count: 0))
        }
    }

    /// A signal of a failed write ends with the write; the thread's mask is what it was.
    @Test func signalsOfWrites() throws {
        for (number, error) in [(SIGPIPE, SystemError.pipe), (SIGXFSZ, .fbig)] {
            var before = sigset_t()
            pthread_sigmask(SIG_BLOCK, nil, &before)
            #expect(throws: error) {
                try Signals.withoutWriteSignals { () throws(SystemError) in
                    raise(number)
                    throw error
                }
            }
            var after = sigset_t()
            var pending = sigset_t()
            pthread_sigmask(SIG_BLOCK, nil, &after)
            sigpending(&pending)
            #expect(sigismember(&pending, number) == 0)
            #expect(sigismember(&before, number) == sigismember(&after, number))
        }
    }

    /// A signal that an embedder has blocked and waits for stays.
    @Test func signalsOfOthers() throws {
        var blocked = sigset_t()
        sigaddset(&blocked, SIGPIPE)
        var before = sigset_t()
        pthread_sigmask(SIG_BLOCK, &blocked, &before)
        raise(SIGPIPE)
        #expect(throws: SystemError.pipe) {
            try Signals.withoutWriteSignals { () throws(SystemError) in throw .pipe }
        }
        var pending = sigset_t()
        sigpending(&pending)
        #expect(sigismember(&pending, SIGPIPE) == 1)
        var noTime = timespec()
        sigtimedwait(&blocked, nil, &noTime)
        pthread_sigmask(SIG_SETMASK, &before, nil)
    }

    @Test func pipesWithoutReaders() throws {
        let folder = TestFolder()
        mkfifo(folder.root + "/fifo", 0o666)
        let reader = open(folder.root + "/fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        let test = try TestGuest(folder)
        let fd = try test.open("fifo", rights: [.fdWrite])
        #expect(try test.write(fd, ["x"]) == 1)
        close(reader)
        // A process that is being started beside this test has a copy of it for a moment.
        _ = eventually { (try? test.write(fd, ["x"])) == nil }
        #expect(throws: Errno.pipe) { try test.write(fd, ["x"]) }
    }

    // MARK: Many buffers

    /// The buffers before are empty: nothing written would mean that nothing can be.
    @Test func emptyBuffersDoNotCount() throws {
        var wasi = WASI()
        wasi.standardInput = .bytes(Array("eight by".utf8))
        let output = OutputBuffer()
        wasi.standardOutput = .buffer(output)
        let test = try TestGuest(wasi)
        let text = test.place("eight by")
        let room = test.room(8)
        for empty in [1023, 1024, 1025, 5000] {
            let gap = [(UInt32, UInt32)](repeating: (0xffff_ffff, 0), count: empty)
            let vectors = test.vectors(gap + [text])
            try test.guest.fd_write(test.memory, 1, vectors.0, vectors.1, 16, test.caller)
            #expect(test.load(16, UInt32.self) == 8)
        }
        #expect(output.bytes.count == 32)
        let gap = [(UInt32, UInt32)](repeating: (0, 0), count: 3000)
        let vectors = test.vectors(gap + [(room, 8)] + gap)
        try test.guest.fd_read(test.memory, 0, vectors.0, vectors.1, 16, test.caller)
        #expect(test.load(16, UInt32.self) == 8)
        // All empty is nothing; an array that is not all in memory is refused.
        let none = test.vectors(gap)
        try test.guest.fd_write(test.memory, 1, none.0, none.1, 16, test.caller)
        #expect(test.load(16, UInt32.self) == 0)
        #expect(throws: Errno.fault) {
            try test.guest.fd_write(test.memory, 1, none.0, 100_000, 16, test.caller)
        }
    }

    /// Buffers may lie over each other: what is told must be what was done.
    @Test func moreBytesThanACallMoves() throws {
        let test = try TestGuest(WASI())
        let whole = (UInt32(0), UInt32(TestGuest.byteCount))
        for count in [1000, 20_000] {
            let vectors = test.vectors(Array(repeating: whole, count: count))
            let total = try test.memory.withVectors(vectors.0, count: vectors.1) { vectors in
                vectors.reduce(0) { $0 + $1.buffer.count }
            }
            #expect(total == min(1024, count) * TestGuest.byteCount)
        }
        let huge = GuestMemory(MemoryRecord(base: test.memory.base, byteCount: 1 << 33))
        let vectors = test.vectors(Array(repeating: (UInt32(0), UInt32.max), count: 4))
        let counts = try huge.withVectors(vectors.0, count: vectors.1) { $0.map(\.buffer.count) }
        #expect(counts == [0x7fff_f000, 0, 0, 0])
    }
}
