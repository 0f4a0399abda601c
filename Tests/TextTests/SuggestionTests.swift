import Testing

@testable import WasmText

@Suite struct SuggestionTests {
    private func distance(_ a: String, _ b: String, atMost limit: Int = 99) -> Int? {
        Suggestion.distance(Array(a.utf8), Array(b.utf8), atMost: limit)
    }

    @Test func distances() {
        #expect(distance("", "") == 0)
        #expect(distance("abc", "abc") == 0)
        #expect(distance("", "abc") == 3)
        #expect(distance("abc", "") == 3)
        #expect(distance("kitten", "sitting") == 3)
        #expect(distance("rnu", "run") == 1)
        #expect(distance("ca", "abc") == 3)
        #expect(distance("kitten", "sitting", atMost: 2) == nil)
    }

    @Test func theNearestWins() {
        #expect(Suggestion.best(for: "valdiate", in: ["inspect", "validate"]) == "validate")
        #expect(Suggestion.best(for: "mult", in: ["multi", "mul"]) == "multi")
        #expect(Suggestion.best(for: "mull", in: ["multi", "mul"]) == "mul")
    }

    @Test func whatIsFarAwayIsNoSuggestion() {
        #expect(Suggestion.best(for: "frobnicate", in: ["run", "validate"]) == nil)
        #expect(Suggestion.best(for: "", in: ["run"]) == nil)
        #expect(Suggestion.best(for: "x", in: []) == nil)
    }

    @Test func anAbbreviationMeansTheOnlyWordItBegins() {
        #expect(Suggestion.best(for: "comp", in: ["completions", "run"]) == "completions")
        #expect(Suggestion.best(for: "comp", in: ["completions", "compose"]) == nil)
    }

    @Test func hugeWordsCostNothing() {
        let huge = String(repeating: "x", count: 1_000_000)
        #expect(Suggestion.best(for: huge, in: [huge]) == nil)
        #expect(Suggestion.best(for: "x", in: [huge]) == nil)
    }
}
