import Testing

@testable import WasmdGuests

@Suite struct RunIDTests {
    @Test func idsAreSortedAndDistinct() {
        let ids = (0..<10_000).map { _ in RunID.make() }
        #expect(ids == ids.sorted())
        #expect(ids.map(\.description) == ids.map(\.description).sorted())
        #expect(Set(ids).count == ids.count)
        // The random parts alone are distinct as well.
        #expect(Set(ids.map(\.low)).count == ids.count)
    }

    @Test func idsAreUUIDsOfVersion7() throws {
        var source = RunIDSource()
        // 2022-02-22 19:22:22 UTC, the example of RFC 9562, appendix A.6, and half a millisecond.
        let id = source.next(1_645_557_742_000_500_000)
        let text = id.description
        #expect(text.hasPrefix("017f22e2-79b0-7800-"))
        #expect(text.utf8.count == 36)
        #expect(["8", "9", "a", "b"].contains(text.dropFirst(19).prefix(1)))
        #expect(id.milliseconds == 1_645_557_742_000)
        #expect(RunID(text) == id)
        #expect(RunID(text.uppercased()) == id)
        // The clock is set back: ids still grow.
        let next = source.next(1_000_000)
        #expect(next > id)
        #expect(next.description.hasPrefix("017f22e2-79b0-7801-"))
    }

    @Test(
        "malformed texts",
        arguments: [
            "", "017f22e2-79b0-7800-8000-00000000000", "017f22e2-79b0-7800-8000-0000000000000",
            "017f22e2-79b0-4800-8000-000000000000", "017f22e2-79b0-7800-c000-000000000000",
            "017f22e279b0-7800-8000-0000-000000000", "017f22e2-79b0-7800-8000-00000000000g",
            "{17f22e2-79b0-7800-8000-000000000000", "017f22e2 79b0 7800 8000 000000000000",
        ])
    func malformed(text: String) { #expect(RunID(text) == nil) }
}
