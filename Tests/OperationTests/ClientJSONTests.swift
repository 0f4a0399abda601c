import Testing
import WasmdDocuments
import WasmdEventLoop
import WasmdOperation

/// Where JSON of clients is read.
@Suite struct ClientJSONTests {
    private static func list(_ count: Int) -> [UInt8] {
        Array("[\(String(repeating: "7,", count: count - 1))7]".utf8)
    }

    @Test func smallTextsAreReadHereAndLargeOnesByThePool() throws {
        try EventLoop().run { loop in
            for (count, isHere) in [(10, true), (EventLoop.smallWork, false)] {
                let wasHere = try await ClientJSON.read(Self.list(count), on: loop) { document in
                    #expect(document.arrayValue?.count == count)
                    return loop.isCurrent
                }
                #expect(wasHere == isHere)
                #expect(loop.isCurrent)
            }
        }
    }

    @Test func piecesAreOneText() throws {
        var options = JSONOptions()
        options.limits.values = 10 << 20
        let settings = options
        try EventLoop().run { loop in
            for (count, isHere) in [(10, true), (1_500_000, false)] {
                let text = Self.list(count)
                let pieces = ClientJSON.Pieces(options: settings)
                var start = 0
                while start < text.count {
                    let end = min(start + 99_991, text.count)
                    try await pieces.take(Array(text[start..<end]), on: loop)
                    start = end
                }
                let wasHere = try await pieces.finish(on: loop) { document in
                    #expect(document.arrayValue?.count == count)
                    return loop.isCurrent
                }
                #expect(wasHere == isHere)
            }
        }
    }

    @Test func documentsThatTheLoopFreesAreBounded() throws {
        try EventLoop().run { loop in
            let document = try await ClientJSON.read(Self.list(1000), values: 2000, on: loop)
            #expect(document.arrayValue?.count == 1000)
            await #expect(throws: JSONError.self) {
                try await ClientJSON.read(Self.list(3000), values: 2000, on: loop)
            }
            let whole = JSONWriter.write(.array((0..<100_000).map { .integer($0) }))
            let written = await ClientJSON.write(
                .array((0..<100_000).map { .integer($0) }), on: loop)
            #expect(written == whole)
        }
    }
}
