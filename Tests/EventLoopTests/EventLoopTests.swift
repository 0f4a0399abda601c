import Synchronization
import Testing
import WasmSystem
import WasmdEventLoop

/// Runs a body on a loop whose thread is the test's.
func onLoop<Success: Sendable>(
    _ body: sending @escaping (EventLoop) async throws -> Success
) throws -> Success {
    try EventLoop().run(body)
}

/// Counts, from any thread.
final class Counter: Sendable {
    private let value = Atomic(0)
    var count: Int { value.load(ordering: .sequentiallyConsistent) }
    func add() { value.add(1, ordering: .sequentiallyConsistent) }
}

/// Numbers in the order in which they were added.
final class Order: Sendable {
    private let list = Mutex<[Int]>([])
    var values: [Int] { list.withLock { $0 } }
    func append(_ value: Int) { list.withLock { $0.append(value) } }
}

@Suite struct EventLoopTests {
    @Test func runReturnsWhatTheBodyReturns() throws {
        #expect(try onLoop { _ in 42 } == 42)
        #expect(throws: LoopError.timedOut) { try onLoop { _ in throw LoopError.timedOut } }
    }

    @Test func tasksStayOnTheThreadOfTheirLoop() throws {
        let stayed = try onLoop { loop in
            var stayed = loop.isCurrent
            for _ in 0..<3 {
                try await loop.sleep(for: .milliseconds(1))
                await loop.yield()
                _ = try await loop.blocking { 1 }
                stayed = stayed && loop.isCurrent
            }
            return await loop.spawn { stayed && loop.isCurrent }.value
        }
        #expect(stayed)
    }

    @Test func workIsPutOffToTheEndOfTheTurn() throws {
        let values = try onLoop { loop in
            let order = Order()
            loop.spawn {
                loop.atEndOfTurn {
                    order.append(3)
                    // Still in this turn.
                    loop.atEndOfTurn { order.append(4) }
                }
                order.append(1)
            }
            loop.spawn { order.append(2) }
            try await loop.sleep(for: .milliseconds(5))
            return order.values
        }
        #expect(values == [1, 2, 3, 4])
    }

    @Test func instantsAdvance() {
        let time = LoopInstant(nanoseconds: 5)
        #expect(time.advanced(byNanoseconds: 7) == LoopInstant(nanoseconds: 12))
        #expect(time.advanced(byNanoseconds: .max) == .never)
    }

    @Test func timersFireInOrder() throws {
        let order = try onLoop { loop in
            let order = Order()
            let start = LoopInstant.now
            let tasks = [5, 1, 3].map { delay in
                loop.spawn {
                    try? await loop.sleep(until: start + .milliseconds(delay * 10))
                    order.append(delay)
                }
            }
            for task in tasks { await task.value }
            return (order.values, start.nanoseconds, LoopInstant.now.nanoseconds)
        }
        #expect(order.0 == [1, 3, 5])
        #expect(order.2 - order.1 >= 50_000_000)
    }

    @Test func aHundredThousandTimersAreCancelledAtOnce() throws {
        let ended = Counter()
        let left = try onLoop { loop in
            let tasks = (0..<100_000).map { index in
                loop.spawn {
                    try? await loop.sleep(for: .seconds(1000 + index % 77))
                    ended.add()
                }
            }
            while loop.timerCount < 100_000 { await loop.yield() }
            for task in tasks { task.cancel() }
            for task in tasks { await task.value }
            return loop.timerCount
        }
        #expect(ended.count == 100_000)
        #expect(left == 0)
    }

    @Test func cancellingEndsASleep() throws {
        let error = try onLoop { loop in
            let task = loop.spawn { () -> LoopError? in
                do throws(LoopError) { try await loop.sleep(until: .never) } catch { return error }
                return nil
            }
            await loop.yield()
            task.cancel()
            return await task.value
        }
        #expect(error == .cancelled)
    }

    @Test func cancellingBeforeTheTaskBeginsEndsItsFirstSleep() throws {
        let error = try onLoop { loop in
            let task = loop.spawn { () -> LoopError? in
                do throws(LoopError) { try await loop.sleep(until: .never) } catch { return error }
                return nil
            }
            task.cancel()
            return await task.value
        }
        #expect(error == .cancelled)
    }

    @Test func runCancelsTasksThatAreLeftAndWaitsForThem() throws {
        let ended = Counter()
        try onLoop { loop in
            for _ in 0..<10 {
                loop.spawn {
                    try? await loop.sleep(until: .never)
                    // What is started while the loop ends is cancelled as well.
                    loop.spawn {
                        try? await loop.sleep(until: .never)
                        ended.add()
                    }
                    ended.add()
                }
            }
            await loop.yield()
        }
        #expect(ended.count == 20)
    }

    @Test func cancellingFromAnotherThreadResumesOnce() throws {
        let ended = Counter()
        let group = try LoopGroup(count: 2)
        try group.run { loop in
            let other = group.loops[1]
            for _ in 0..<200 {
                let task = other.spawn {
                    guard let (one, peer) = try? ByteStream.pair(on: other) else { return }
                    do { try await one.readable() } catch { ended.add() }
                    peer.close()
                }
                task.cancel()
                await task.value
            }
        }
        #expect(ended.count == 200)
    }

    @Test func deadlinesCancelWhatTheyBound() throws {
        let ended = Counter()
        let result = try onLoop { loop -> String in
            do {
                try await loop.withDeadline(.after(.milliseconds(10))) {
                    defer { ended.add() }
                    try await loop.sleep(until: .never)
                }
                return "ended"
            } catch LoopError.timedOut {
                return "timed out"
            }
        }
        #expect(result == "timed out")
        #expect(ended.count == 1)
        #expect(
            try onLoop { loop in try await loop.withDeadline(.after(.seconds(1000))) { 7 } } == 7)
    }

    @Test func whatComputesInTheBackgroundDoesNotDelayOthers() throws {
        let turns = try onLoop { loop in
            let stop = Counter()
            let turns = Counter()
            let busy = (0..<3).map { _ in
                loop.spawn(priority: .background) {
                    while stop.count == 0 {
                        turns.add()
                        await loop.yield()
                    }
                }
            }
            for _ in 0..<20 { try await loop.sleep(for: .milliseconds(1)) }
            stop.add()
            for task in busy { await task.value }
            return turns.count
        }
        #expect(turns > 20)
    }

    @Test func whatYieldsToOthersGetsOneTurnForEachLook() throws {
        let (turns, passes) = try onLoop { loop in
            let stop = Counter()
            let turns = Counter()
            let busy = (0..<10).map { _ in
                loop.spawn {
                    while stop.count == 0 {
                        turns.add()
                        await loop.yieldToOthers()
                    }
                }
            }
            await loop.yield()
            let (turnsBefore, passesBefore) = (turns.count, loop.passCount)
            for _ in 0..<5000 where turns.count - turnsBefore <= 10 {
                try await loop.sleep(for: .milliseconds(1))
            }
            let result = (turns.count - turnsBefore, Int(loop.passCount - passesBefore))
            stop.add()
            for task in busy { await task.value }
            return result
        }
        #expect(turns > 10)
        #expect(turns <= passes + 1)
    }

    private static func copy(_ one: ByteStream, _ other: ByteStream) async {
        var buffer = one.loop.takeBuffer()
        do throws(LoopError) {
            while true {
                try await one.write([1, 2, 3])
                _ = try await other.read(into: &buffer)
                _ = buffer.take()
            }
        } catch {}
    }

    @Test func aTaskThatNeverWaitsLetsOthersRun() throws {
        try onLoop { loop in
            let (one, other) = try ByteStream.pair(on: loop)
            let copying = loop.spawn {
                await Self.copy(one, other)
            }
            try await loop.sleep(for: .milliseconds(5))
            copying.cancel()
            // Cancellation ends waits; this task has none, and sees the closed stream.
            one.close()
            await copying.value
        }
    }

    @Test func actorsOfALoopRunOnIt() throws {
        actor Owner {
            let loop: EventLoop
            var turns = 0
            nonisolated var unownedExecutor: UnownedSerialExecutor {
                unsafe loop.serial.asUnownedSerialExecutor()
            }
            init(_ loop: EventLoop) { self.loop = loop }
            func turn() -> Bool {
                turns += 1
                return loop.isCurrent
            }
        }
        let group = try LoopGroup(count: 2)
        let result = try group.run { loop in
            let owner = Owner(group.loops[1])
            let isThere = await owner.turn()
            return (isThere, loop.isCurrent, await owner.turns)
        }
        #expect(result == (true, true, 1))
    }

    @Test func loopsOfAGroupHaveThreadsOfTheirOwn() throws {
        let group = try LoopGroup(count: 3)
        let threads = try group.run { loop in
            var threads: Set<UInt> = []
            for loop in group.loops {
                threads.insert(await loop.spawn { NativeStack.thread }.value)
            }
            return threads.count
        }
        #expect(threads == 3)
        #expect(group.taskCount == 0)
    }

    @Test func streamsOfAnotherLoopAreRefused() throws {
        let group = try LoopGroup(count: 2)
        let error = try group.run { loop -> LoopError? in
            let (one, _) = try ByteStream.pair(on: loop)
            return await group.loops[1].spawn { () -> LoopError? in
                do throws(LoopError) { try await one.write([1]) } catch { return error }
                return nil
            }.value
        }
        #expect(error == .wrongLoop)
    }
}

@Suite struct BlockingTests {
    @Test func callsRunOnThreadsOfThePool() throws {
        let group = try LoopGroup(count: 1, blockingThreads: 2)
        let values = try group.run { loop in
            let tasks = (0..<20).map { index in
                loop.spawn { try? await loop.blocking { loop.isCurrent ? -1 : index } }
            }
            var values: [Int?] = []
            for task in tasks { values.append(await task.value) }
            return values
        }
        #expect(values == Array(0..<20))
        #expect(group.pool.totalCount == 20)
        #expect(group.pool.threadCount <= 2)
        // A thread counts the end of a call after the result has been passed on.
        for _ in 0..<1000 where group.pool.runningCount > 0 {
            SystemClock.sleep(until: SystemClock.monotonic.now + 1_000_000)
        }
        #expect(group.pool.runningCount == 0)
    }

    @Test func errorsPass() throws {
        #expect(throws: SystemError.noent) {
            try onLoop { loop in try await loop.blocking { throw SystemError.noent } }
        }
    }

    @Test func cancellingDropsACallThatHasNotBegun() throws {
        let began = Counter()
        let group = try LoopGroup(count: 1, blockingThreads: 1)
        let result = try group.run { loop in
            let gate = WordCell()
            let first = loop.spawn {
                try? await loop.blocking {
                    while gate.value == 0 { gate.wait(while: 0, nanoseconds: nil) }
                }
            }
            let second = loop.spawn { () -> Bool in
                do {
                    try await loop.blocking { began.add() }
                    return false
                } catch {
                    return error as? LoopError == .cancelled
                }
            }
            while group.pool.queuedCount < 1 || group.pool.runningCount < 1 {
                try await loop.sleep(for: .milliseconds(1))
            }
            second.cancel()
            let wasCancelled = await second.value
            gate.advance()
            await first.value
            return wasCancelled
        }
        #expect(result)
        #expect(began.count == 0)
    }

    @Test func tooManyCallsAreRefused() throws {
        let pool = BlockingPool(threadLimit: 1, queueLimit: 3)
        #expect(pool.queueLimit == 3)
        #expect(pool.threadLimit == 1)
    }
}
