import Testing

@testable import WasmSystem

@Suite struct TimerQueueTests {
    @Test func timersComeInOrderOfTheirTimes() {
        var timers = TimerQueue()
        for (deadline, token) in [(30, 3), (10, 1), (20, 2), (10, 11)] as [(UInt64, UInt64)] {
            _ = timers.set(at: deadline, token: token)
        }
        #expect(timers.earliest == 10)
        #expect(timers.next(at: 9) == nil)
        // Those of one time in the order in which they were set.
        #expect(timers.next(at: 20) == 1)
        #expect(timers.next(at: 20) == 11)
        #expect(timers.next(at: 20) == 2)
        #expect(timers.next(at: 20) == nil)
        #expect(timers.count == 1)
        #expect(timers.next(at: .max) == 3)
        #expect(timers.earliest == nil)
    }

    @Test func aTimerThatWasCancelledDoesNotFire() {
        var timers = TimerQueue()
        let first = timers.set(at: 1, token: 1)
        let second = timers.set(at: 2, token: 2)
        #expect(timers.cancel(first) == true)
        #expect(timers.cancel(first) == false)
        #expect(timers.earliest == 2)
        #expect(timers.next(at: 5) == 2)
        #expect(timers.cancel(second) == false)
        // The slot is used again; the old timers still name nothing.
        let third = timers.set(at: 3, token: 3)
        #expect(timers.cancel(first) == false)
        #expect(timers.cancel(second) == false)
        #expect(timers.cancel(third) == true)
        #expect(timers.count == 0)
    }

    /// Against a list that is searched, with thousands of timers set, cancelled and fired.
    @Test func manyTimersFireAsInAModel() {
        var timers = TimerQueue()
        var model: [(deadline: UInt64, token: UInt64, timer: TimerQueue.Timer)] = []
        var random = UInt64(88_172_645_463_325_252)
        func next(below limit: UInt64) -> UInt64 {
            random ^= random << 13
            random ^= random >> 7
            random ^= random << 17
            return random % limit
        }
        var now: UInt64 = 0
        var isSame = true
        for token in 0..<UInt64(4_000) {
            let deadline = now + next(below: 500)
            model.append((deadline, token, timers.set(at: deadline, token: token)))
            if next(below: 3) == 0, !model.isEmpty {
                let index = Int(next(below: UInt64(model.count)))
                isSame = isSame && timers.cancel(model.remove(at: index).timer)
            }
            now += next(below: 3)
            let due = model.filter { $0.deadline <= now }
                .sorted { ($0.deadline, $0.token) < ($1.deadline, $1.token) }
            model.removeAll { $0.deadline <= now }
            for timer in due { isSame = isSame && timers.next(at: now) == timer.token }
            isSame = isSame && timers.next(at: now) == nil && timers.count == model.count
            isSame = isSame && timers.earliest == model.map(\.deadline).min()
        }
        #expect(isSame)
        #expect(model.count > 50)
    }
}

@Suite struct PollerTimerTests {
    @Test func timersEndWaitsAndNotBeforeTheirTime() throws {
        let poller = try TestPoller()
        let begin = SystemClock.monotonic.now
        _ = poller.setTimer(at: begin + 30_000_000, token: 3)
        _ = poller.setTimer(at: begin + 10_000_000, token: 1)
        let cancelled = poller.setTimer(at: begin + 5_000_000, token: 9)
        #expect(poller.cancel(cancelled))
        var fired: [UInt64] = []
        while fired.count < 2 {
            try poller.wait(until: nil)
            while let event = poller.nextEvent() {
                guard case .timer(let token) = event else { continue }
                fired.append(token)
                #expect(SystemClock.monotonic.now >= begin + token * 10_000_000)
            }
        }
        #expect(fired == [1, 3])
        #expect(poller.timerCount == 0)
    }

    @Test func aTimeThatIsOverFiresAtOnceAndInOrder() throws {
        let poller = try TestPoller()
        for token in (0..<UInt64(3_000)).reversed() { _ = poller.setTimer(at: token, token: token) }
        try poller.wait(until: nil)
        var tokens: [UInt64] = []
        while case .timer(let token) = poller.nextEvent() { tokens.append(token) }
        #expect(tokens == (0..<3_000).map { UInt64($0) })
    }

    /// One handler may cancel what another one was about to get.
    @Test func aTimerThatIsDueCanBeCancelled() throws {
        let poller = try TestPoller()
        _ = poller.setTimer(at: 1, token: 1)
        let second = poller.setTimer(at: 2, token: 2)
        try poller.wait(until: nil)
        #expect(poller.nextEvent() == .timer(1))
        #expect(poller.cancel(second))
        #expect(poller.nextEvent() == nil)
    }

    /// The clock of milliseconds, for kernels without `epoll_pwait2`, never wakes too early.
    @Test func millisecondsAreRoundedUp() throws {
        let buffer = EventBuffer(capacity: 4)
        let queue = FileDescriptor(owning: symbol_epoll_create1(0))
        let begin = SystemClock.monotonic.now
        #expect(try buffer.fill(from: queue.number, milliseconds: 1_000_001) == 0)
        #expect(SystemClock.monotonic.now - begin >= 1_000_001)
        #expect(try buffer.fill(from: queue.number, milliseconds: 0) == 0)
    }
}
