import Glibc
import Testing

@testable import WasmSystem

private let second: UInt64 = 1_000_000_000

private func send(_ text: String, to descriptor: Int32) throws {
    try Array(text.utf8).withUnsafeBytes { try Kernel.writeAll(descriptor, $0) }
}

private func receive(from descriptor: Int32, atMost count: Int) throws -> String {
    var bytes = [UInt8](repeating: 0, count: count)
    let read = try bytes.withUnsafeMutableBytes { try Kernel.read(descriptor, $0) }
    return String(decoding: bytes.prefix(read), as: UTF8.self)
}

@Suite struct PollerReadinessTests {
    @Test func aPipeIsReadyWhenItHasBytes() throws {
        let poller = try TestPoller()
        let pipe = try Pipe(isNonblocking: true)
        let reading = try poller.add(pipe.input.number, .reading, token: 7)
        #expect(try poller.events(within: 0) == [])
        try send("x", to: pipe.output.number)
        #expect(try poller.events(within: second) == [.ready(7, .reading)])
        #expect(poller.isCurrent(reading))
        #expect(poller.registrationCount == 1)
    }

    @Test func aRegistrationReportsOnceUntilItIsArmed() throws {
        let poller = try TestPoller()
        let pipe = try Pipe(isNonblocking: true)
        let reading = try poller.add(pipe.input.number, .reading, token: 1)
        try send("ten bytes!", to: pipe.output.number)
        #expect(try poller.events(within: second) == [.ready(1, .reading)])
        #expect(try poller.events(within: 0) == [])
        // A level: nine bytes are left, and nothing was written since.
        #expect(try receive(from: pipe.input.number, atMost: 1) == "t")
        try poller.arm(reading, .reading)
        #expect(try poller.events(within: second) == [.ready(1, .reading)])
    }

    @Test func whatReportsAlwaysNeedsNoArming() throws {
        let poller = try TestPoller()
        let pipe = try Pipe(isNonblocking: true)
        _ = try poller.add(pipe.input.number, .reading, reportsAlways: true, token: 1)
        try send("x", to: pipe.output.number)
        for _ in 0..<3 { #expect(try poller.events(within: second) == [.ready(1, .reading)]) }
        _ = try receive(from: pipe.input.number, atMost: 8)
        #expect(try poller.events(within: 0) == [])
    }

    @Test func anInterestThatIsNotThereIsNotReported() throws {
        let poller = try TestPoller()
        let (near, far) = try Kernel.makeSocketPair()
        let ends = [FileDescriptorBox(near), FileDescriptorBox(far)]
        let registration = try poller.add(near, [], token: 3)
        #expect(try poller.events(within: 0) == [])
        try poller.arm(registration, .writing)
        #expect(try poller.events(within: second) == [.ready(3, .writing)])
        try poller.arm(registration, [.reading, .writing])
        try send("x", to: far)
        #expect(try poller.events(within: second) == [.ready(3, [.reading, .writing])])
        withExtendedLifetime(ends) {}
    }

    @Test func theEndOfTheOtherSideIsReported() throws {
        let poller = try TestPoller()
        let (near, far) = try Kernel.makeSocketPair()
        let end = FileDescriptorBox(near)
        let registration = try poller.add(near, .reading, token: 3)
        try Kernel.shutdown(far, reading: false, writing: true)
        #expect(try poller.events(within: second) == [.ready(3, [.reading, .endOfInput])])
        try poller.arm(registration, .reading)
        try Kernel.close(far)
        let all: Poller.Readiness = [.reading, .writing, .hangup, .endOfInput]
        let isReported = try eventually {
            if try poller.events(within: second) == [.ready(3, all)] { return true }
            try poller.arm(registration, .reading)
            return false
        }
        #expect(isReported)
        withExtendedLifetime(end) {}
    }

    @Test func aConnectionIsAcceptedAndConnected() throws {
        let poller = try TestPoller()
        let listener = FileDescriptor(owning: try Kernel.listen(.ipv4([127, 0, 0, 1], port: 0)))
        let address = try #require(try Kernel.localAddress(listener.number))
        _ = try poller.add(listener.number, .reading, reportsAlways: true, token: 1)
        let client = FileDescriptor(owning: try Kernel.connect(address))
        _ = try poller.add(client.number, .writing, token: 2)
        var seen: Set<Poller.Event> = []
        for _ in 0..<10 where seen.count < 2 { seen.formUnion(try poller.events(within: second)) }
        #expect(seen == [.ready(1, .reading), .ready(2, .writing)])
        #expect(Kernel.pendingError(client.number) == nil)
        let server = FileDescriptor(
            owning: try Kernel.accept(listener.number, isNonblocking: true))
        #expect(try Kernel.peerAddress(client.number) == address)
        #expect(try Kernel.localAddress(server.number) == address)
        #expect(throws: SystemError.again) { try Kernel.accept(listener.number) }
    }

    @Test func manyDescriptorsAreReadyAtOnce() throws {
        let poller = try TestPoller()
        // More than one wait brings.
        let count = Poller.eventLimit + 44
        var ends: [FileDescriptorBox] = []
        for index in 0..<count {
            let (near, far) = try Kernel.makeSocketPair()
            ends += [FileDescriptorBox(near), FileDescriptorBox(far)]
            _ = try poller.add(near, .reading, token: UInt64(index))
            try send("x", to: far)
        }
        var tokens: [UInt64] = []
        for _ in 0..<3 {
            for case .ready(let token, .reading) in try poller.events(within: 0) {
                tokens.append(token)
            }
        }
        #expect(tokens.sorted() == (0..<UInt64(count)).map { $0 })
        withExtendedLifetime(ends) {}
    }

    @Test func filesAreNotForPolling() throws {
        let poller = try TestPoller()
        let file = FileDescriptor(owning: try Kernel.open("/proc/self/exe", .readOnly))
        let number = file.number
        #expect(throws: SystemError.perm) {
            try poller.add(number, .reading, token: 0)
        }
        #expect(poller.registrationCount == 0)
    }

    @Test func aDescriptorIsRegisteredOnce() throws {
        let poller = try TestPoller()
        let pipe = try Pipe()
        let first = try poller.add(pipe.input.number, .reading, token: 1)
        let number = pipe.input.number
        #expect(throws: SystemError.exist) { try poller.add(number, .reading, token: 0) }
        let copy = try pipe.input.duplicated()
        _ = try poller.add(copy.number, .reading, token: 2)
        try send("x", to: pipe.output.number)
        let both: Set<Poller.Event> = [.ready(1, .reading), .ready(2, .reading)]
        #expect(Set(try poller.events(within: second)) == both)
        #expect(poller.isCurrent(first))
    }
}

/// For arrays, which take nothing that cannot be copied.
final class FileDescriptorBox {
    let descriptor: FileDescriptor
    init(_ number: Int32) { descriptor = FileDescriptor(owning: number) }
}

@Suite struct PollerRemovalTests {
    @Test func nothingComesAfterRemoval() throws {
        let poller = try TestPoller()
        let pipe = try Pipe()
        let registration = try poller.add(pipe.input.number, .reading, token: 1)
        try send("x", to: pipe.output.number)
        // Also not what has happened before.
        try poller.wait(until: 0)
        poller.remove(registration)
        #expect(poller.nextEvent() == nil)
        #expect(!poller.isCurrent(registration))
        poller.remove(registration)
        #expect(try poller.events(within: 0) == [])
        #expect(throws: SystemError.badf) { try poller.arm(registration, .reading) }
        // The slot is used again, and the old registration still names nothing.
        let second = try poller.add(pipe.input.number, .reading, token: 2)
        #expect(second != registration)
        poller.remove(registration)
        #expect(try poller.events(within: 0) == [.ready(2, .reading)])
    }

    @Test func aDescriptorThatWasClosedIsForgotten() throws {
        let poller = try TestPoller()
        let (number, output) = try Kernel.makePipe()
        let stale = try poller.add(number, .reading, token: 1)
        try send("x", to: output)
        // Closed, and another file's at once: tests beside this one open files as well.
        let second = try Pipe()
        #expect(dup2(second.input.number, number) == number)
        // A process that is being started beside this test has a copy of the first for a moment.
        // Without any, there is an error to report for the writing end.
        var writing = pollfd(fd: output, events: 0, revents: 0)
        #expect(poll(&writing, 1, 10_000) == 1)
        #expect(try poller.events(within: 0) == [])
        let fresh = try poller.add(number, .reading, token: 2)
        #expect(!poller.isCurrent(stale) && poller.isCurrent(fresh))
        poller.remove(stale)
        try send("y", to: second.output.number)
        #expect(try poller.events(within: 0) == [.ready(2, .reading)])
        poller.remove(fresh)
        try Kernel.close(number)
        try Kernel.close(output)
    }

    /// The kernel keeps the entry of a number that was closed as long as the file is open.
    @Test func aFileThatLivesOnDoesNotEndEveryWait() throws {
        let poller = try TestPoller()
        let pipe = try Pipe()
        let other = try Pipe()
        let copy = try pipe.input.duplicated()
        let orphan = try poller.add(copy.number, .reading, reportsAlways: true, token: 1)
        let armed = try poller.add(other.input.number, .reading, token: 2)
        let done = try poller.add(other.output.number, .writing, token: 3)
        #expect(try poller.events(within: second) == [.ready(3, .writing)])
        try copy.close()
        poller.remove(orphan)
        try send("x", to: pipe.output.number)
        #expect(try poller.events(within: 0) == [])
        // Nothing is ready, so a wait takes its time.
        let begin = SystemClock.monotonic.now
        #expect(try poller.events(within: 20_000_000) == [])
        #expect(SystemClock.monotonic.now - begin >= 20_000_000)
        // The others are as they were: one armed, one not.
        try send("y", to: other.output.number)
        #expect(try poller.events(within: second) == [.ready(2, .reading)])
        #expect(poller.isCurrent(armed) && poller.isCurrent(done))
    }
}

@Suite struct PollerWakingTests {
    @Test func anotherThreadEndsAWait() throws {
        let poller = try TestPoller()
        let mailbox = Mailbox<Int>(poller.waker)
        let sender = try #require(
            SystemThread.start {
                SystemClock.sleep(until: SystemClock.monotonic.now + 20_000_000)
                mailbox.send(1)
                mailbox.send(2)
            })
        var received: [Int] = []
        while received.count < 2 {
            try poller.wait(until: SystemClock.monotonic.now + 60 * second)
            received += mailbox.takeAll()
            #expect(poller.events() == [])
        }
        #expect(received == [1, 2])
        sender.join()
    }

    @Test func aCallBeforeTheWaitIsNotLost() throws {
        let poller = try TestPoller()
        poller.waker.wake()
        poller.waker.wake()
        let begin = SystemClock.monotonic.now
        try poller.wait(until: begin + 600 * second)
        #expect(SystemClock.monotonic.now - begin < 300 * second)
        // Once.
        try poller.wait(until: SystemClock.monotonic.now + 20_000_000)
        #expect(poller.events() == [])
        #expect(SystemClock.monotonic.now - begin >= 20_000_000)
    }

    /// Each message arrives, and those of one sender in order, however sends and waits meet.
    @Test func noMessageIsLost() throws {
        let poller = try TestPoller()
        let mailbox = Mailbox<(sender: Int, number: Int)>(poller.waker)
        let (senders, count) = (3, 2_000)
        var threads: [SystemThread] = []
        for sender in 0..<senders {
            threads.append(
                try #require(
                    SystemThread.start {
                        for number in 0..<count {
                            mailbox.send((sender, number))
                            if number % 16 == 0 { CurrentProcess.yield() }
                        }
                    }))
        }
        var next = [Int](repeating: 0, count: senders)
        var isOrdered = true
        let end = SystemClock.monotonic.now + 60 * second
        while next.contains(where: { $0 < count }), SystemClock.monotonic.now < end {
            try poller.wait(until: end)
            for (sender, number) in mailbox.takeAll() {
                if next[sender] != number { isOrdered = false }
                next[sender] = number + 1
            }
            while poller.nextEvent() != nil {}
        }
        for thread in threads { thread.join() }
        #expect(isOrdered)
        #expect(next == [Int](repeating: count, count: senders))
    }

    /// A handler of a signal that runs on the waiting thread ends the wait, without an error.
    @Test func aSignalEndsAWait() throws {
        Signals.handle(Signals.firstUser) { _ in }
        defer { Signals.reset(Signals.firstUser) }
        let result = Monitor<[UInt64]>([])
        let target = Monitor<ThreadHandle?>(nil)
        let thread = try #require(
            SystemThread.start {
                guard let poller = try? TestPoller() else { return }
                target.withLock { $0 = ThreadHandle() }
                let begin = SystemClock.monotonic.now
                let isDone = (try? poller.wait(until: begin + 600 * second)) != nil
                let took = SystemClock.monotonic.now - begin
                result.withLock {
                    $0 = isDone ? [took] : []; $0.append(0)
                }
            })
        target.wait { $0 != nil }
        // The thread may not be waiting yet: until it is, a signal goes unnoticed.
        while result.withLock({ $0.isEmpty }) {
            target.withLock { $0 }?.send(Signals.firstUser)
            SystemClock.sleep(until: SystemClock.monotonic.now + 5_000_000)
        }
        thread.join()
        let taken = result.withLock { $0 }
        #expect(taken.count == 2 && taken[0] < 300 * second)
    }
}
