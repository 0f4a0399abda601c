import Glibc
import Synchronization
import Testing

@testable import WasmInterpreter
@testable import WasmWASI

/// Guests that wait, on their threads or by a loop, and can be stopped.
@Suite struct WaitingTests {
    private let listener: Int32
    private let port: UInt16
    private let folder = TestFolder()

    init() throws { (listener, port) = try HostSocket.listen() }

    /// A guest with the reading end of a pipe as 0, the writing end of another, which is full, as
    /// 1, a listening socket as 3, and as 4 a connection with nothing to read and no room to write.
    private func waitingGuest(
        _ driver: TestGuest.Driver, _ body: (TestGuest, _ peer: Int32) throws -> Void
    ) throws {
        let (input, inputEnd) = try System.makePipe()
        let (outputEnd, output) = try System.makePipe()
        let (near, far) = HostSocket.pair()
        var wasi = WASI()
        wasi.standardInput = .descriptor(input)
        wasi.standardOutput = .descriptor(output)
        wasi.descriptors = [listener, near]
        let test = try TestGuest(wasi, driver)
        defer { for number in [input, inputEnd, outputEnd, output, near, far] { close(number) } }
        for number in [output, near] {
            _ = fcntl(number, F_SETFL, O_NONBLOCK)
            let block = [UInt8](repeating: 0, count: 4096)
            while write(number, block, block.count) > 0 {}
            _ = fcntl(number, F_SETFL, 0)
        }
        try body(test, far)
    }

    private func waits(_ test: TestGuest) -> [(String, () throws -> Void)] {
        [
            ("sleep", { _ = try test.poll([.clock(1, 1, .max)]) }),
            ("poll", { _ = try test.poll([.read(1, 0), .write(2, 1), .read(3, 3), .read(4, 4)]) }),
            ("fd_read of a pipe", { _ = try test.read(0) }),
            ("fd_write to a pipe", { _ = try test.write(1, ["x"]) }),
            ("sock_accept", { _ = try test.accept() }),
            ("fd_read of a socket", { _ = try test.read(4) }),
            ("sock_recv", { _ = try test.receive(4, 10) }),
            ("sock_recv of all", { _ = try test.receive(4, 10, .recvWaitall) }),
            ("sock_send", { _ = try test.send(4, "x") }),
            ("fd_write to a socket", { _ = try test.write(4, ["x"]) }),
        ]
    }

    /// A request from another thread ends every kind of waiting, as does one that came before.
    @Test(arguments: TestGuest.Driver.allCases) func interruption(_ driver: TestGuest.Driver) throws
    {
        defer { close(listener) }
        try waitingGuest(driver) { (test, _) throws in
            let handle = test.store.interruptHandle
            for (name, wait) in waits(test) {
                let start = ContinuousClock.now
                let trap = Background.during({ handle.interrupt() }) {
                    #expect(throws: Trap.self, "\(name)") { try wait() }
                }
                #expect(trap?.code == .interrupted)
                #expect(ContinuousClock.now - start >= .milliseconds(20), "\(name)")
                handle.interrupt()
                #expect(throws: Trap.self, "\(name)") { try wait() }
            }
            // A request that was taken back, or seen by somebody else, wakes but does not stop.
            handle.interrupt()
            handle.reset()
            let events = try test.poll([.clock(7, 1, 20_000_000)])
            #expect(events.map(\.userdata) == [7])
        }
    }

    @Test(arguments: TestGuest.Driver.allCases) func deadlines(_ driver: TestGuest.Driver) throws {
        defer { close(listener) }
        try waitingGuest(driver) { (test, _) throws in
            for (name, wait) in waits(test) {
                let start = ContinuousClock.now
                test.store.deadline = start + .milliseconds(10)
                #expect(throws: Trap.self, "\(name)") { try wait() }
                #expect(ContinuousClock.now - start >= .milliseconds(10), "\(name)")
            }
        }
    }

    /// `interrupt` may be called by a signal handler.
    @Test(.serialized, arguments: TestGuest.Driver.allCases)
    func interruptionBySignal(_ driver: TestGuest.Driver) throws {
        defer { close(listener) }
        try waitingGuest(driver) { (test, _) throws in
            signalled.withLock { $0 = test.store.interruptHandle }
            signal(SIGUSR2) { _ in
                signalled.withLockIfAvailable { $0?.interrupt() }
            }
            defer { signal(SIGUSR2, SIG_DFL) }
            for (name, wait) in waits(test) {
                let signalling: @Sendable () -> Void = {
                    var signals = sigset_t()
                    sigemptyset(&signals)
                    sigaddset(&signals, SIGUSR2)
                    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
                    raise(SIGUSR2)
                }
                Background.during(milliseconds: 5, signalling) {
                    _ = #expect(throws: Trap.self, "\(name)") { try wait() }
                }
            }
        }
    }

    /// What a guest waits for ends its waiting, however late it comes.
    @Test(arguments: TestGuest.Driver.allCases) func lateArrivals(_ driver: TestGuest.Driver) throws
    {
        defer { close(listener) }
        try waitingGuest(driver) { (test, far) throws in
            let port = port
            let client = Mutex<Int32>(-1)
            let fd = try Background.during({ client.withLock { $0 = HostSocket.connect(port) } }) {
                try test.accept()
            }
            #expect(fd == 5)
            let peer = client.withLock { $0 }
            #expect(
                try Background.during({ _ = Glibc.send(peer, "abc", 3, 0) }) {
                    try test.receive(fd, 10).0
                } == "abc")
            // All of it, in parts.
            let parts = try Background.during({
                for part in ["one", "two", "end"] {
                    _ = Glibc.send(peer, part, 3, 0)
                    usleep(5000)
                }
            }) { try test.receive(fd, 9, .recvWaitall) }
            #expect(parts.0 == "onetwoend")
            // Or what there was before the end.
            let rest = try Background.during({
                _ = Glibc.send(peer, "rest", 4, 0)
                close(peer)
            }) { try test.receive(fd, 9, .recvWaitall) }
            #expect(rest.0 == "rest")
            #expect(try test.receive(fd, 9) == ("", 0))
            // Room to write.
            let drain: @Sendable () -> Void = {
                var buffer = [UInt8](repeating: 0, count: 1 << 20)
                _ = recv(far, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            }
            #expect(
                try Background.during(drain) { try test.poll([.write(9, 4)]) }.map(\.userdata)
                    == [9])
        }
    }

    /// A guest that waits gets rid of everything, however small the pipe; one that does not is told
    /// how much was taken.
    @Test(arguments: TestGuest.Driver.allCases) func largeWrites(_ driver: TestGuest.Driver) throws
    {
        defer { close(listener) }
        let (reader, writer) = try System.makePipe()
        defer { close(reader) }
        var wasi = WASI()
        wasi.standardOutput = .descriptor(writer)
        let test = try TestGuest(wasi, driver)
        close(writer)
        let count = 200_000
        let received = Atomic(0)
        let thread = Background {
            var buffer = [UInt8](repeating: 0, count: 5000)
            while true {
                let got = Glibc.read(reader, &buffer, buffer.count)
                guard got > 0 else { return }
                guard buffer[..<got].allSatisfy({ $0 == 0x78 }) else { return }
                received.add(got, ordering: .relaxed)
            }
        }
        let parts = [String(repeating: "x", count: count - 10), "", "xxxxxxxxxx"]
        #expect(try test.write(1, parts) == count)
        try test.guest.fd_fdstat_set_flags(1, UInt32(Fdflags.nonblock.rawValue))
        var written = 0
        while written < count {
            do {
                written += try test.write(1, [String(repeating: "x", count: count - written)])
            } catch Errno.again {
                #expect(try test.poll([.write(1, 1)]).count == 1)
            }
        }
        try test.guest.fd_close(1)
        thread.join()
        #expect(received.load(ordering: .relaxed) == 2 * count)
    }

    /// Hundreds of guests wait at once, and waiting costs no processor time.
    @Test(arguments: TestGuest.Driver.allCases) func manyWaitAtOnce(_ driver: TestGuest.Driver)
        throws
    {
        defer { close(listener) }
        let count = 300
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        let ends = try (0..<count).map { _ in try System.makePipe() }
        let started = Atomic(0)
        let woken = Atomic(0)
        let threads = ends.map { end in
            Background {
                let test = try? TestGuest(WASI(), driver)
                let fd = try? test?.guest.insert(owning: end.read)
                started.add(1, ordering: .relaxed)
                guard let test, let fd, (try? test.poll([.read(1, fd)]).count) == 1,
                    (try? test.read(fd)) == "x"
                else { return }
                woken.add(1, ordering: .relaxed)
            }
        }
        while started.load(ordering: .relaxed) < count { usleep(1000) }
        // When all wait, none uses the processor; together they would fill it otherwise.
        var isIdle = false
        for _ in 0..<100 where !isIdle {
            let before = threads.reduce(0) { $0 + $1.processorTime }
            usleep(200_000)
            isIdle = threads.reduce(0) { $0 + $1.processorTime } - before < 5_000_000
        }
        #expect(isIdle)
        #expect(woken.load(ordering: .relaxed) == 0)
        for end in ends { _ = Glibc.write(end.write, "x", 1) }
        for thread in threads { thread.join() }
        #expect(woken.load(ordering: .relaxed) == count)
        for end in ends { close(end.write) }
    }

    /// The descriptor that a thread waits for stays, even if the guest closes its number.
    @Test(arguments: TestGuest.Driver.allCases) func closedWhileWaiting(_ driver: TestGuest.Driver)
        throws
    {
        defer { close(listener) }
        try waitingGuest(driver) { (test, far) throws in
            let guest = test.guest
            let fd: UInt32 = 4
            // The read must have begun by then.
            let text = try Background.during(
                milliseconds: 500,
                {
                    try? guest.fd_close(fd)
                    _ = Glibc.send(far, "still", 5, 0)
                }
            ) { try test.read(fd) }
            #expect(text == "still")
            #expect(throws: Errno.badf) { try test.read(fd) }
        }
    }
}

/// The handle that the signal handler uses; its lock is never taken while the signal can come.
private let signalled = Mutex<InterruptHandle?>(nil)
