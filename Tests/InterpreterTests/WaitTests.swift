import Glibc
import Synchronization
import Testing

@_spi(Loops) @testable import WasmInterpreter

/// Host functions that wait for descriptors, sources or a time, with each way of waiting.
@Suite struct WaitTests {
    private let house = TextHouse()
    private let pipe = HostPipe()

    /// `receive(i32) -> i32` waits for a byte of the pipe and adds its argument.
    private func instance(_ fields: String = receiving) throws -> Instance {
        let pipe = self.pipe
        @Sendable func receive(_ slots: borrowing CallSlots) throws {
            if let byte = pipe.receive() {
                return slots.setResult(i32: slots.i32(0) &+ Int32(byte))
            }
            var wait = Wait()
            wait.add(pipe.reading, .reading, keeping: pipe)
            throw Suspension(wait) { _, slots in try receive(slots) }
        }
        house.linker.defineFunction("env", "receive", parameters: [.i32], results: [.i32]) {
            _, slots in try receive(slots)
        }
        return try house.instantiate(fields)
    }

    private static let receiving = """
        (import "env" "receive" (func $receive (param i32) (result i32)))
        (func (export "sum") (param $n i32) (result i32) (local $s i32)
          (loop $again
            (local.set $s (i32.add (local.get $s) (call $receive (i32.const 100))))
            (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
          (local.get $s))
        """

    private func function(_ name: Name, _ instance: Instance) throws -> Function {
        try #require(instance.function(name))
    }

    /// Runs `body` while another thread does something after some milliseconds.
    private func during<Result>(
        _ after: @escaping @Sendable () -> Void, milliseconds: UInt32 = 10,
        _ body: () throws -> Result
    ) rethrows -> Result {
        let thread = TestThread {
            usleep(milliseconds * 1000)
            after()
        }
        defer { thread.join() }
        return try body()
    }

    // MARK: What ends a wait

    @Test(arguments: WaitDriver.allCases) func descriptors(_ driver: WaitDriver) throws {
        let sum = try function("sum", instance())
        let pipe = self.pipe
        let results = try during({
            for byte in 1...3 as ClosedRange<UInt8> {
                pipe.send(byte)
                usleep(3000)
            }
        }) { try driver.call(sum, [.i32(3)]) }
        #expect(results == [.i32(306)])
    }

    @Test(arguments: WaitDriver.allCases) func sources(_ driver: WaitDriver) throws {
        let source = WakeSource()
        let value = Mutex<Int32?>(nil)
        @Sendable func take(_ slots: borrowing CallSlots) throws {
            let turn = source.turn
            if let value = value.withLock({ $0 }) { return slots.setResult(i32: value) }
            var wait = Wait()
            wait.add(source, since: turn)
            throw Suspension(wait) { _, slots in try take(slots) }
        }
        house.linker.defineFunction("env", "take", parameters: [], results: [.i32]) { _, slots in
            try take(slots)
        }
        let run = try function(
            "run",
            house.instantiate(
                #"""
                (import "env" "take" (func $take (result i32)))
                (func (export "run") (result i32) (call $take))
                """#))
        let results = try during({
            // Wakes, and there is still nothing.
            source.signal()
            usleep(5000)
            value.withLock { $0 = 42 }
            source.signal()
        }) { try driver.call(run) }
        #expect(results == [.i32(42)])
    }

    /// What comes between looking and waiting is not missed.
    @Test(arguments: WaitDriver.allCases) func signalsBeforeTheWait(_ driver: WaitDriver) throws {
        let source = WakeSource()
        house.linker.defineFunction("env", "take", parameters: [], results: []) { _, _ in
            var wait = Wait()
            wait.add(source, since: source.turn)
            source.signal()
            throw Suspension(wait) { _, _ in }
        }
        let run = try function(
            "run",
            house.instantiate(
                #"(import "env" "take" (func $take)) (func (export "run") (call $take))"#))
        #expect(try driver.call(run).isEmpty)
    }

    @Test(arguments: WaitDriver.allCases) func times(_ driver: WaitDriver) throws {
        let run = try function("run", sleeper(milliseconds: 15))
        let start = ContinuousClock.now
        #expect(try driver.call(run) == [.i32(7)])
        #expect(ContinuousClock.now - start >= .milliseconds(15))
    }

    private func sleeper(milliseconds: Int) throws -> Instance {
        house.linker.defineFunction("env", "sleep", parameters: [], results: [.i32]) { _, _ in
            var wait = Wait()
            wait.end(at: .now + .milliseconds(milliseconds))
            wait.end(at: .now + .seconds(3600))
            throw Suspension(wait) { _, slots in slots.setResult(i32: 7) }
        }
        return try house.instantiate(
            #"""
            (import "env" "sleep" (func $sleep (result i32)))
            (func (export "run") (result i32) (call $sleep))
            """#)
    }

    // MARK: Stopping

    @Test(arguments: WaitDriver.allCases) func interruption(_ driver: WaitDriver) throws {
        for run in try [
            function("sum", instance()), function("run", sleeper(milliseconds: 60_000)),
        ] {
            let arguments = run.type.parameters.map { _ in Value.i32(1) }
            let handle = house.store.interruptHandle
            for isEarly in [false, true] {
                if isEarly { handle.interrupt() }
                let trap = during({ if !isEarly { handle.interrupt() } }) {
                    #expect(throws: Trap.self) { try driver.call(run, arguments) }
                }
                #expect(trap?.code == .interrupted)
                if !isEarly { #expect(trap?.backtrace.frames.count == 1) }
                #expect(house.store.stopRequest() == nil)
            }
        }
    }

    @Test(arguments: WaitDriver.allCases) func deadlines(_ driver: WaitDriver) throws {
        for run in try [
            function("sum", instance()), function("run", sleeper(milliseconds: 60_000)),
        ] {
            let start = ContinuousClock.now
            house.store.deadline = start + .milliseconds(10)
            let arguments = run.type.parameters.map { _ in Value.i32(1) }
            let trap = #expect(throws: Trap.self) { try driver.call(run, arguments) }
            #expect(trap?.code == .deadlineExceeded)
            #expect(ContinuousClock.now - start >= .milliseconds(10))
            house.store.deadline = nil
        }
    }

    /// `interrupt` may be called by a signal handler, also of a guest that a loop waits for.
    @Test(.serialized, arguments: WaitDriver.allCases) func signals(_ driver: WaitDriver) throws {
        let run = try function("sum", instance())
        signalled.withLock { $0 = house.store.interruptHandle }
        // One that no other test of the process uses: its action is that of the whole process.
        signal(SIGURG) { _ in signalled.withLockIfAvailable { $0?.interrupt() } }
        defer { signal(SIGURG, SIG_DFL) }
        let trap = during({
            var signals = sigset_t()
            sigemptyset(&signals)
            sigaddset(&signals, SIGURG)
            pthread_sigmask(SIG_UNBLOCK, &signals, nil)
            raise(SIGURG)
        }) {
            #expect(throws: Trap.self) { try driver.call(run, [.i32(1)]) }
        }
        #expect(trap?.code == .interrupted)
    }

    // MARK: Continuations

    /// An execution that is resumed too early waits again; the wait can be looked at.
    @Test func earlyResumption() throws {
        let execution = try function("sum", instance()).start([.i32(1)])
        #expect(execution.wait == nil)
        for _ in 0..<3 {
            guard case .suspended(.wait(let wait)) = try execution.resume() else {
                Issue.record("the guest does not wait")
                return
            }
            #expect(wait.interests.map(\.descriptor) == [pipe.reading])
            #expect(wait.interests.map(\.directions) == [.reading])
            #expect(execution.wait?.end == nil)
            #expect(execution.backtrace.frames.count == 1)
            #expect(throws: SuspensionError.resultsUnexpected) {
                try execution.resume(returning: [.i32(1)])
            }
            #expect(throws: SuspensionError.resultsUnexpected) {
                try execution.resume(throwing: Trap(.unreachable))
            }
        }
        let deadline = ContinuousClock.now + .seconds(100)
        house.store.deadline = deadline
        #expect(execution.wait?.end == deadline)
        pipe.send(5)
        guard case .finished(let results) = try execution.resume() else {
            Issue.record("the guest waits again")
            return
        }
        #expect(results == [.i32(105)])
    }

    /// A continuation throws what a host function throws.
    @Test(arguments: WaitDriver.allCases) func errors(_ driver: WaitDriver) throws {
        struct Own: Error, Equatable {}
        house.linker.define("env", "fail") { (_: borrowing Caller, kind: Int32) -> Int32 in
            throw Suspension(Wait(ending: .now)) { caller, slots in
                guard slots.i32(0) == 1 else { throw Own() }
                let tag = try #require(caller.instance?.tag("e"))
                throw try Exception(tag: tag, values: [.i32(6)])
            }
        }
        let run = try function(
            "run",
            house.instantiate(
                """
                (import "env" "fail" (func $fail (param i32) (result i32)))
                (tag $e (export "e") (param i32))
                (func (export "run") (param i32) (result i32)
                  (block $caught (result i32)
                    (try_table (result i32) (catch $e $caught) (call $fail (local.get 0)))))
                """))
        #expect(try driver.call(run, [.i32(1)]) == [.i32(6)])
        #expect(throws: Own()) { try driver.call(run, [.i32(2)]) }
        #expect(try driver.call(run, [.i32(1)]) == [.i32(6)])
    }

    /// Results of a continuation become values of their types, and slots that do not exist are told.
    @Test(arguments: WaitDriver.allCases) func wrongResults(_ driver: WaitDriver) throws {
        house.linker.defineFunction("env", "wrong", parameters: [], results: [.i32]) { _, _ in
            throw Suspension(Wait(ending: .now)) { _, slots in slots[0] = 1 << 40 }
        }
        house.linker.defineFunction("env", "outside", parameters: [], results: [.i32]) { _, _ in
            throw Suspension(Wait(ending: .now)) { _, slots in slots[5] = 1 }
        }
        let instance = try house.instantiate(
            """
            (import "env" "wrong" (func $wrong (result i32)))
            (import "env" "outside" (func $outside (result i32)))
            (func (export "wrong") (result i32) (call $wrong))
            (func (export "outside") (result i32) (call $outside))
            """)
        #expect(try driver.call(function("wrong", instance)) == [.i32(0)])
        #expect(throws: CallError.self) { try driver.call(function("outside", instance)) }
    }

    /// Between the two lies a host function, which cannot be suspended: the thread is parked.
    @Test func nestedCallsPark() throws {
        let pipe = self.pipe
        let seen = Mutex<[Bool]>([])
        house.linker.define("env", "through") { (caller: borrowing Caller) -> Int32 in
            seen.withLock { $0.append(caller.canSuspend) }
            let inner = try #require(caller.instance?.function("inner"))
            return try inner(returning: Int32.self)
        }
        house.linker.define("env", "look") { (caller: borrowing Caller) in
            seen.withLock { $0.append(caller.canSuspend) }
        }
        let instance = try instance(
            """
            (import "env" "receive" (func $receive (param i32) (result i32)))
            (import "env" "through" (func $through (result i32)))
            (import "env" "look" (func $look))
            (func (export "inner") (result i32) (call $look) (call $receive (i32.const 0)))
            (func (export "outer") (result i32) (call $through))
            """)
        let execution = try function("outer", instance).start()
        let outcome = try during({ pipe.send(9) }) { try execution.resume() }
        guard case .finished(let results) = outcome else {
            Issue.record("the guest waits")
            return
        }
        #expect(results == [.i32(9)])
        #expect(seen.withLock { $0 } == [true, false])
    }

    /// The host itself calls a host function that waits.
    @Test(arguments: WaitDriver.allCases) func hostFunctionsByThemselves(_ driver: WaitDriver)
        throws
    {
        _ = try instance()
        let exported = try house.instantiate(
            """
            (import "env" "receive" (func $receive (param i32) (result i32)))
            (export "receive" (func $receive))
            """)
        let receive = try function("receive", exported)
        let pipe = self.pipe
        let results = try during({ pipe.send(2) }) { try driver.call(receive, [.i32(40)]) }
        #expect(results == [.i32(42)])
    }

    /// What a wait holds goes with it, and a source forgets the guest.
    @Test func cancelling() throws {
        final class Owner: Sendable {}
        weak var owner: Owner?
        let source = WakeSource()
        do {
            let made = Owner()
            owner = made
            house.linker.defineFunction("env", "wait", parameters: [], results: []) {
                [weak made] _, _ in
                var wait = Wait()
                wait.add(0, .reading, keeping: made)
                wait.add(source, since: source.turn)
                throw Suspension(wait) { _, _ in }
            }
            let run = try function(
                "run",
                house.instantiate(
                    #"(import "env" "wait" (func $wait)) (func (export "run") (call $wait))"#))
            let execution = try run.start()
            _ = try execution.resume()
            let cell = execution.wakeCell
            execution.cancel()
            source.signal()
            #expect(!cell.isWoken)
            withExtendedLifetime(made) {}
        }
        #expect(owner == nil)
    }

    // MARK: Many

    /// A loop of one thread, many guests in many stores, data in any order.
    @Test func manyGuests() throws {
        let count = 200
        let loop = try #require(WaitLoop())
        let pipes = (0..<count).map { _ in HostPipe() }
        var sums = 0
        func drive(_ execution: Execution) throws {
            switch try execution.resume() {
            case .finished(let results):
                if case .i32(let number)? = results.first { sums += Int(number) }
            case .suspended: loop.watch(execution) { try? drive(execution) }
            }
        }
        let module = try house.module(Self.receiving)
        for pipe in pipes {
            let linker = Linker()
            @Sendable func receive(_ slots: borrowing CallSlots) throws {
                if let byte = pipe.receive() { return slots.setResult(i32: Int32(byte)) }
                var wait = Wait()
                wait.add(pipe.reading, .reading)
                wait.end = .now + .seconds(1000)
                throw Suspension(wait) { _, slots in try receive(slots) }
            }
            linker.defineFunction("env", "receive", parameters: [.i32], results: [.i32]) {
                try receive($1)
            }
            let store = Store(engine: house.engine)
            try drive(function("sum", linker.instantiate(module, in: store)).start([.i32(3)]))
        }
        for turn in 0..<3 {
            for index in 0..<count {
                pipes[(index * 7 + turn) % count].send(1)
                if index % 10 == 0 { loop.runOnce(nanoseconds: 0) }
            }
            while turn < 2, pipes.contains(where: { $0.isFull }) { loop.runOnce() }
        }
        while loop.hasWatches { loop.runOnce() }
        #expect(sums == 3 * count)
    }

    /// Cells that many threads wake come out, each at least once after its last waking.
    @Test func queuesLoseNothing() {
        let queue = WakeQueue()
        let cells = (0..<50).map { _ in WakeCell() }
        for cell in cells { cell.attach(to: queue) }
        let rounds = 2000
        let isDone = Atomic(0)
        let threads = (0..<3).map { _ in
            TestThread {
                for round in 0..<rounds { cells[round % cells.count].wake() }
                isDone.add(1, ordering: .sequentiallyConsistent)
            }
        }
        var found: [ObjectIdentifier: Int] = [:]
        while isDone.load(ordering: .sequentiallyConsistent) < 3 {
            queue.drain { found[ObjectIdentifier($0), default: 0] += 1 }
        }
        for thread in threads { thread.join() }
        queue.drain { found[ObjectIdentifier($0), default: 0] += 1 }
        #expect(found.count == cells.count)
        cells[3].wake()
        cells[3].wake()
        var last: [WakeCell] = []
        queue.drain { last.append($0) }
        #expect(last.count == 1 && last[0] === cells[3])
    }
}

extension HostPipe {
    /// Whether a byte waits to be read.
    fileprivate var isFull: Bool {
        var item = pollfd(fd: reading, events: Int16(POLLIN), revents: 0)
        return poll(&item, 1, 0) == 1
    }
}

extension Wait {
    fileprivate init(ending end: ContinuousClock.Instant) {
        self.init()
        self.end = end
    }
}

/// The handle that the signal handler uses; its lock is never taken while the signal can come.
private let signalled = Mutex<InterruptHandle?>(nil)
