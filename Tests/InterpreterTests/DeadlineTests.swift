import Testing

@testable import WasmInterpreter

/// What a store keeps of its deadline, and how much the machine gets at once.
@Suite struct DeadlineTests {
    /// In the past, in fractions of a nanosecond, and farther away than any clock.
    @Test func aDeadlineIsKeptExactly() {
        let store = Store(engine: Engine())
        #expect(store.deadline == nil)
        let now = ContinuousClock.now
        let distances: [Duration] = [
            .seconds(-1_000_000_000), .nanoseconds(-1), .zero, .seconds(1) / 7, .seconds(60),
            .seconds(Int64.max), .seconds(Int64.min),
        ]
        for distance in distances {
            store.deadline = now + distance
            #expect(store.deadline == now + distance)
        }
        store.deadline = nil
        #expect(store.deadline == nil)
    }

    /// One that is over stops, one that is far away does not, and none is as one far away.
    @Test func aDeadlineIsComparedWithTheClock() {
        let store = Store(engine: Engine())
        store.deadline = .now + .seconds(Int64.max)
        #expect(store.stopRequest() == nil)
        store.deadline = .now - .nanoseconds(1)
        #expect(store.stopRequest() == .deadlineExceeded)
        store.deadline = .now - .seconds(Int64.max)
        #expect(store.stopRequest() == .deadlineExceeded)
        store.deadline = nil
        #expect(store.stopRequest() == nil)
    }

    @Test func amountsFollowTheClock() {
        var pace = Pace()
        let least = Pace.range.lowerBound, most = Pace.range.upperBound
        // The first has nothing to go by.
        #expect(pace.next(at: 1_000) == least)
        // At most twice as many as before, however fast.
        #expect(pace.next(at: 1_001) == 2 * least)
        // Half of the time that is wanted: twice as many; twice the time: half.
        #expect(pace.next(at: 126_001) == 4 * least)
        #expect(pace.next(at: 626_001) == 2 * least)
        // Within the range, also after a long time and if the clock went back.
        #expect(pace.next(at: .max) == least)
        for _ in 0..<20 { #expect(Pace.range.contains(pace.next(at: 5))) }
        #expect(pace.next(at: 5) == most)
    }
}
