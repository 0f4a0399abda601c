import Testing

@testable import WasmdServices

@Suite struct CronExpressionTests {
    /// 2026-11-28T00:34:09Z, a Saturday.
    private static let now: UInt64 = 1_795_826_049
    private static let midnight: UInt64 = 1_795_824_000

    /// Minutes after that midnight.
    @Test(arguments: [
        ("* * * * *", 35), ("*/5 * * * *", 35), ("34 * * * *", 94), ("0 * * * *", 60),
        ("@hourly", 60), ("@daily", 1440), ("0 0 * * *", 1440), ("30 0 * * *", 1440 + 30),
        ("0 12 * * sat", 720), ("0 12 * * 6", 720), ("0 12 * * sun", 1440 + 720),
        ("0 12 * * 7", 1440 + 720), ("0 12 * * 0", 1440 + 720),
        ("0 12 * * MON-WED", 3 * 1440 - 1440 + 720),
        ("0 0 29 * *", 1440), ("0 0 1 dec *", 3 * 1440), ("0 0 1 1 *", 34 * 1440),
        ("@yearly", 34 * 1440), ("@monthly", 3 * 1440), ("@weekly", 1440),
        // One of both days is enough.
        ("0 0 1 * sun", 1440), ("0 0 30 * mon", 2 * 1440),
        ("15,45 0-1 * * *", 45), ("0-59/20 * * * *", 40), ("50/5 * * * *", 50),
        ("59 23 28 11 *", 1439),
    ])
    func nextTime(text: String, minutes: Int) throws {
        let expression = try #require(CronExpression(text))
        #expect(expression.next(after: Self.now) == Self.midnight + UInt64(minutes) * 60)
    }

    @Test func leapDays() throws {
        let expression = try #require(CronExpression("0 0 29 2 *"))
        // 2028-02-29
        #expect(expression.next(after: Self.now) == 1_835_395_200)
    }

    @Test(arguments: [
        "", "*", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *",
        "* * * 0 *", "* * * 13 *", "* * * * 8", "*/0 * * * *", "a * * * *", "1- * * * *",
        "-1 * * * *",
        "5-1 * * * *", "1,,2 * * * *", "1/2/3 * * * *", "0 0 31 2 *", "0 0 30 feb *", "@never",
        "999999999999999999999 * * * *", "*/99999999999999999999 * * * *", "\u{661} * * * *",
    ])
    func malformed(text: String) { #expect(CronExpression(text) == nil) }
}
