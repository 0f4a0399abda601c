import Testing

@testable import WasmdHTTP

struct EventTests {
    func parse(_ pieces: [[UInt8]], limit: Int = 1000) throws -> [ServerSentEvent] {
        var parser = ServerSentEventParser(limit: limit)
        var events: [ServerSentEvent] = []
        for piece in pieces {
            var position = 0
            while let event = try parser.next(piece.span, at: &position) { events.append(event) }
        }
        return events
    }

    @Test func examplesOfTheSpecification() throws {
        let stream = bytes(
            "\u{feff}: test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n"
                + "data\n\ndata\ndata\n\ndata:\r\rretry: 30\r\nevent: add\r\ndata: 7\r\ndata:8\r\n\r\ndata: lost"
        )
        let expected = [
            ServerSentEvent(data: bytes("first event"), id: bytes("1")),
            ServerSentEvent(data: bytes("second event"), id: []),
            ServerSentEvent(data: bytes(" third event"), id: []),
            ServerSentEvent(data: [], id: []),
            ServerSentEvent(data: bytes("\n"), id: []),
            ServerSentEvent(data: [], id: []),
            ServerSentEvent(type: bytes("add"), data: bytes("7\n8"), id: []),
        ]
        for pieces in splits(stream) { #expect(try parse(pieces) == expected) }
    }

    @Test func writtenEventsAreRead() throws {
        var output: [UInt8] = []
        ServerSentEventWriter.comment(bytes("a\nb"), to: &output)
        ServerSentEventWriter.retry(milliseconds: 1500, to: &output)
        let events = [
            ServerSentEvent(data: bytes("one\ntwo")),
            ServerSentEvent(type: bytes("x"), data: [], id: bytes("7")),
            ServerSentEvent(data: bytes(" padded\n"), id: bytes("7")),
        ]
        for event in events { try ServerSentEventWriter.write(event, to: &output) }
        #expect(try parse([output]) == events)
        output = []
        try ServerSentEventWriter.write(ServerSentEvent(data: bytes("a\r\nb\rc\n\nd")), to: &output)
        #expect(try parse([output]).map { text($0.data) } == ["a\nb\nc\n\nd"])
        for bad in ["a\nb", "\r"] {
            #expect(throws: WritingFault.fieldValue) {
                try ServerSentEventWriter.write(
                    ServerSentEvent(type: bytes(bad), data: []), to: &output)
            }
            #expect(throws: WritingFault.fieldValue) {
                try ServerSentEventWriter.write(
                    ServerSentEvent(data: [], id: bytes(bad)), to: &output)
            }
        }
        #expect(throws: WritingFault.fieldValue) {
            try ServerSentEventWriter.write(ServerSentEvent(data: [], id: [0]), to: &output)
        }
    }

    @Test func limits() {
        let long = bytes("data: " + String(repeating: "x", count: 100))
        #expect(throws: ServerSentEventParser.Fault.tooLarge) { _ = try parse([long], limit: 50) }
        let many = bytes(String(repeating: "data: xxxxx\n", count: 20))
        #expect(throws: ServerSentEventParser.Fault.tooLarge) { _ = try parse([many], limit: 50) }
    }
}
