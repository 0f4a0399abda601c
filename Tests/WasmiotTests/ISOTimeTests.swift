import Testing
import WasmdWasmiot

@Suite struct ISOTimeTests {
    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_735_689_599_999, "2024-12-31T23:59:59.999Z"),
            (1_764_345_600_007, "2025-11-28T16:00:00.007Z"),
        ] as [(Int64, String)]) func timesAreWrittenAndRead(_ time: Int64, _ text: String)
    {
        #expect(ISOTime.text(time) == text)
        #expect(ISOTime.milliseconds(text) == time)
    }

    @Test(
        arguments: [
            ("1970-01-02", 86_400_000), ("1970-01-01T01:00", 3_600_000),
            ("1970-01-01T02:00:00+02:00", 0), ("1970-01-01 00:00:01.5Z", 1500),
            ("1970-01-01T00:00:00-0130", 5_400_000), ("1969-12-31T23:59:59Z", -1000),
            ("1970-01-01T00:00:00.123456Z", 123),
        ] as [(String, Int64)]) func otherForms(_ text: String, _ time: Int64)
    {
        #expect(ISOTime.milliseconds(text) == time)
    }

    @Test(arguments: [
        "", "x", "1970", "1970-13-01", "1970-01-01T", "1970-01-01T25:00", "1970-01-01T00:00:00.Z",
        "1970-01-01T00:00:00+2", "1970-01-01Z00", "1970-01-01T00:00:00ZZ",
    ]) func whatIsNoTime(_ text: String) { #expect(ISOTime.milliseconds(text) == nil) }

    @Test func extremeTimes() {
        #expect(ISOTime.text(.max) == "9999-12-31T23:59:59.999Z")
        #expect(ISOTime.text(.min) == "1970-01-01T00:00:00.000Z")
    }
}
