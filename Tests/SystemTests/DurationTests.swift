import Testing
import WasmSystem

/// Durations as nanoseconds, also those that have more seconds than an `Int64`.
@Suite struct DurationTests {
    private static let longest = Duration(
        secondsComponent: .max, attosecondsComponent: 999_999_999_999_999_999)

    @Test func nanosecondsWithinALimit() {
        let limit: UInt64 = 3_600_000_000_000
        #expect(Duration.zero.nanoseconds(atMost: limit) == 0)
        #expect(Duration.nanoseconds(-1).nanoseconds(atMost: limit) == 0)
        #expect(Duration.seconds(Int64.min).nanoseconds(atMost: limit) == 0)
        #expect((Duration.seconds(1) / 7).nanoseconds(atMost: limit) == 142_857_142)
        #expect((Duration.seconds(3600) - .nanoseconds(1)).nanoseconds(atMost: limit) == limit - 1)
        #expect(Duration.seconds(3600).nanoseconds(atMost: limit) == limit)
        #expect(Self.longest.nanoseconds(atMost: limit) == limit)
        #expect((Self.longest + .seconds(Int64.max)).nanoseconds(atMost: limit) == limit)
        #expect((Duration.zero - Self.longest - Self.longest).nanoseconds(atMost: limit) == 0)
        #expect(Duration.seconds(7200).boundedNanoseconds == limit)
    }
}
