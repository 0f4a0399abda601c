import Testing
import WasmdDocuments
import WasmdOthismo

@Suite struct EnvelopeTests {
    private func members(_ pairs: (String, Document)...) -> Document {
        .object(pairs.map { Document.Member($0.0, $0.1) })
    }

    @Test func nestedRouting() throws {
        let document = members(
            (
                "othismo",
                members(
                    ("send_to", "/a"), ("reply_to", "/b"), ("request_id", .integer32(7)),
                    ("trace", .boolean(true)))
            ),
            ("greeting", "hello"))
        let envelope = try Envelope(BSON.write(document))
        #expect(envelope.sendTo == Array("/a".utf8))
        #expect(envelope.replyTo == Array("/b".utf8))
        #expect(envelope.requestID == .integer32(7))
        #expect(envelope.responseID == nil)
        #expect(envelope.payload == [Document.Member("greeting", "hello")])
        // Members that are not known stay.
        #expect(envelope.document == document)
    }

    @Test func flatRouting() throws {
        let envelope = Envelope(
            members(("othismo.send_to", "/a"), ("othismo.response_id", .double(3)), ("x.y", .null)))
        #expect(envelope.sendTo == Array("/a".utf8))
        #expect(envelope.responseID == .double(3))
        #expect(envelope.payload == [Document.Member("x.y", .null)])
        #expect(envelope.document["othismo"]?["send_to"] == "/a")
        // Messages to the namespace begin like that too.
        #expect(
            Envelope(members(("othismo.namespace.list", .object([])))).payload.map(\.name)
                == ["othismo.namespace.list"])
    }

    @Test(arguments: [
        ("/object/path/message.type", "/object/path", "message.type"),
        ("/name.with.dots/x", "/name.with.dots", "x"),
        ("/x", "/", "x"),
    ])
    func shortForm(_ key: String, _ path: String, _ type: String) {
        let envelope = Envelope(members((key, members(("a", .integer32(1))))))
        #expect(envelope.sendTo == Array(path.utf8))
        #expect(envelope.payload == [Document.Member(type, members(("a", .integer32(1))))])
    }

    @Test func notTheShortForm() {
        #expect(Envelope(members(("/a/b", .null), ("c", .null))).sendTo == nil)
        #expect(Envelope(members(("/a/", .null))).sendTo == nil)
        #expect(Envelope(members(("plain", .null))).sendTo == nil)
    }
}
