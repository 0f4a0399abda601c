import Testing
import WasmdBroker

private let long255 = String(repeating: "x", count: 255)

@Suite struct TopicTests {
    private func name(_ text: String) throws -> TopicName { try #require(TopicName(text)) }
    private func pattern(_ text: String) throws -> TopicPattern {
        try #require(TopicPattern(text))
    }

    @Test(arguments: ["a", "a/b", "/", "a//b", "$SYS/x", "größe", long255])
    func isName(_ text: String) { #expect(TopicName(text) != nil) }

    @Test(arguments: ["", "a b", "a\n", "a+", "#", "a\u{0}", "a\u{7f}", long255 + "x"])
    func isNoName(_ text: String) { #expect(TopicName(text) == nil) }

    @Test func bytesThatAreNoTextAreNoName() {
        #expect(TopicName([0xff, 0x61]) == nil)
        #expect(TopicName([0xc3]) == nil)
        #expect(TopicPattern([0xc3, 0x2f, 0x23]) == nil)
    }

    /// Table of MQTT 3.1.1, 4.7.1 and 4.7.2, and edges of it.
    @Test(arguments: [
        ("sport/tennis/player1/#", "sport/tennis/player1", true),
        ("sport/tennis/player1/#", "sport/tennis/player1/ranking", true),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true),
        ("sport/#", "sport", true), ("#", "a", true), ("#", "a/b/c", true), ("#", "/", true),
        ("sport/tennis/+", "sport/tennis/player1", true),
        ("sport/tennis/+", "sport/tennis/player1/ranking", false),
        ("sport/+", "sport", false), ("sport/+", "sport/", true),
        ("+/+", "/finance", true), ("/+", "/finance", true), ("+", "/finance", false),
        ("#", "$SYS/a", false), ("+/monitor/Clients", "$SYS/monitor/Clients", false),
        ("$SYS/#", "$SYS/a", true), ("$SYS/monitor/+", "$SYS/monitor/Clients", true),
        ("a/b", "a/b", true), ("a/b", "a/b/", false), ("a/b/", "a/b", false), ("A", "a", false),
    ])
    func matches(_ text: String, _ topic: String, _ expected: Bool) throws {
        #expect(try pattern(text).matches(try name(topic)) == expected)
    }

    @Test(arguments: ["", "a/#/b", "a#", "a+", "+a", "a/b+", "##", "a b"])
    func isNoPattern(_ text: String) { #expect(TopicPattern(text) == nil) }

    @Test func levelsOfPatternsAreBounded() {
        #expect(TopicPattern(String(repeating: "+/", count: 63) + "#") != nil)
        #expect(TopicPattern(String(repeating: "+/", count: 64) + "#") == nil)
    }

    @Test(arguments: [
        ("a", "a", true), ("a", "b", false), ("a/#", "a", true), ("a/#", "b/#", false),
        ("+/b", "a/+", true), ("+/b", "a/c", false), ("#", "x/y", true), ("+", "a/b", false),
        ("#", "$SYS/x", false), ("a/+/c", "a/b/+", true), ("a/+", "a", false),
    ])
    func overlaps(_ one: String, _ other: String, _ expected: Bool) throws {
        let (one, other) = (try pattern(one), try pattern(other))
        #expect(one.overlaps(other) == expected)
        #expect(other.overlaps(one) == expected)
    }
}
