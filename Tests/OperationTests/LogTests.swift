import Testing
import WasmSystem
import WasmdDocuments
import WasmdOperation

/// What is logged, line by line.
func logLines(_ form: Log.Form, _ body: (Log) throws -> Void) throws -> [String] {
    let (reader, writer) = try Kernel.makePipe()
    defer { try? Kernel.close(reader) }
    try writeLog(form, to: writer, body)
    try Kernel.close(writer)
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
        let count = try buffer.withUnsafeMutableBytes { try Kernel.read(reader, $0) }
        if count == 0 { break }
        bytes += buffer[..<count]
    }
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
}

/// The output has a descriptor of its own, which is closed when it is released.
private func writeLog(
    _ form: Log.Form, to writer: Int32, _ body: (Log) throws -> Void
) throws {
    let output = LogOutput(writer)
    output.start()
    defer { output.finish() }
    try body(Log(output, form: form))
}

@Suite struct LogTests {
    @Test func text() throws {
        let lines = try logLines(.text) { log in
            log.write(.debug, "unseen")
            log.write(
                .information, "a\nb\u{202e}",
                ["x": "plain", "y": "two words", "z": .integer(3), "q": "\"\u{1b}[31m"])
        }
        #expect(lines.count == 1)
        #expect(
            lines.first?.dropFirst(24)
                == #" INFO a\u{a}b\u{202e} x=plain y="two words" z=3 q="\"\u{1b}[31m""#)
    }

    /// A reader looks at bytes: a combining mark does not take a quote's meaning away.
    @Test func aQuoteWithACombiningMark() throws {
        let lines = try logLines(.text) { $0.write(.information, "a", ["x": "1\"\u{301} y=2"]) }
        let line = lines.first ?? ""
        #expect(line.utf8.dropFirst(24).elementsEqual(" INFO a x=\"1\\\"\u{301} y=2\"".utf8))
    }

    @Test func json() throws {
        let lines = try logLines(.json) { log in
            log.level = .warning
            log.write(.information, "unseen")
            log.write(.error, "a\n\"", ["code": .integer(500)])
        }
        #expect(lines.count == 1)
        let document = try JSONReader.read(Array((lines.first ?? "").utf8))
        #expect(document["message"] == "a\n\"" && document["code"] == .integer(500))
        #expect(document["level"] == "error")
    }

    /// Nobody reads the pipe: lines are dropped, and nobody waits.
    @Test func slowReader() throws {
        let (reader, writer) = try Kernel.makePipe()
        defer {
            try? Kernel.close(reader)
            try? Kernel.close(writer)
        }
        let output = LogOutput(writer, capacity: 100_000)
        output.start()
        for _ in 0..<1000 { output.write([UInt8](repeating: 0x78, count: 999) + [0x0a]) }
        // The thread has begun: after the end it would write nothing.
        var byte = [UInt8](repeating: 0, count: 1)
        #expect(try byte.withUnsafeMutableBytes { try Kernel.read(reader, $0) } == 1)
        output.finish(within: .milliseconds(10))
        var buffer = [UInt8](repeating: 0, count: 65_536)
        #expect(try buffer.withUnsafeMutableBytes { try Kernel.read(reader, $0) } > 0)
    }

    /// Nobody reads the pipe for a while: the line that says how many lines were lost has the form of
    /// the others.
    @Test func lossesAsJSON() throws {
        let (reader, writer) = try Kernel.makePipe()
        defer { try? Kernel.close(reader) }
        let output = LogOutput(writer, capacity: 100_000)
        try Kernel.close(writer)
        let log = Log(output, form: .json)
        output.start()
        for _ in 0..<1000 { log.write(.information, String(repeating: "x", count: 999)) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var lost: Int64?
        var written = 0
        while lost == nil {
            let count = try buffer.withUnsafeMutableBytes { try Kernel.read(reader, $0) }
            bytes += buffer[..<count]
            while let end = bytes.firstIndex(of: 0x0a) {
                let document = try JSONReader.read(Array(bytes[..<end]))
                bytes.removeSubrange(...end)
                if document["message"]?.stringValue?.hasPrefix("x") == true { written += 1 }
                if case .integer(let count)? = document["lost"] {
                    #expect(document["level"] == "warn")
                    lost = count
                }
            }
        }
        #expect(lost == Int64(1000 - written))
        output.finish()
    }

    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999_999_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000_000_000, "2000-02-29T00:00:00.000Z"),
            (1_795_867_200_123_000_000, "2026-11-28T12:00:00.123Z"),
            (4_107_542_399_000_000_000, "2100-02-28T23:59:59.000Z"),
            (4_107_542_400_000_000_000, "2100-03-01T00:00:00.000Z"),
        ] as [(UInt64, String)])
    func timestamps(nanoseconds: UInt64, text: String) {
        #expect(Timestamp(nanoseconds: nanoseconds).description == text)
    }
}
