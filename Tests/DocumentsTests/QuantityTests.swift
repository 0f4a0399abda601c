import Testing
import WasmdDocuments

@Suite struct QuantityTests {
    @Test(
        arguments: [
            ("0", 0), ("4096", 4096), ("17B", 17), ("64KiB", 65_536), ("64K", 65_536),
            ("64kb", 64_000), ("1.5MiB", 1_572_864), ("0.125k", 128), ("2G", 2_147_483_648),
            ("18446744073709551615", 1 << 56), ("8388608T", 1 << 56), ("65535T", 65_535 << 40),
        ] as [(String, UInt64)])
    func sizes(text: String, bytes: UInt64) {
        #expect(Quantity.bytes(text) == bytes)
    }

    @Test(
        arguments: [
            "", "K", "-1", "1.K", ".5K", "1 K", "64KiBs", "0x10", "1e3", "18446744073709551616",
            "16777216T", "１", "5ms",
        ])
    func noSizes(text: String) {
        #expect(Quantity.bytes(text) == nil)
    }

    @Test(
        arguments: [
            ("500ms", 500_000_000), ("2s", 2_000_000_000), ("1m", 60_000_000_000),
            ("1.5m", 90_000_000_000), ("3", 3_000_000_000), ("250us", 250_000), ("7ns", 7),
            ("1h", 3_600_000_000_000), ("0.25s", 250_000_000),
        ] as [(String, Int64)])
    func durations(text: String, nanoseconds: Int64) {
        #expect(Quantity.nanoseconds(text) == nanoseconds)
    }

    @Test(arguments: ["", "0", "0.0s", "-1s", "5x", "soon", "9999999999h", "1d"])
    func noDurations(text: String) {
        #expect(Quantity.nanoseconds(text) == nil)
    }

    @Test func counts() {
        #expect(Quantity.count("1_000_000") == 1_000_000)
        #expect(Quantity.count("0") == 0)
        #expect(Quantity.count("18446744073709551615") == UInt64.max)
        for text in ["", "_1", "1_", "-1", "1.0", "18446744073709551616", "0x10"] {
            #expect(Quantity.count(text) == nil, "\(text)")
        }
    }
}
