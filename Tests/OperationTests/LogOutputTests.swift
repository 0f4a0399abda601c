import Testing
import WasmSystem
import WasmdOperation

@Suite struct LogOutputTests {
    /// Reads until a text is there, or the end.
    private func read(_ reader: Int32, until text: String? = nil) throws -> String {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = try buffer.withUnsafeMutableBytes { try Kernel.read(reader, $0) }
            bytes += buffer[..<count]
            let all = String(decoding: bytes, as: UTF8.self)
            if count == 0 || text.map({ all.contains($0) }) == true { return all }
        }
    }

    /// The output has a descriptor of its own, which is closed when it is released.
    private func write(_ lines: [String], to writer: Int32) {
        let output = LogOutput(writer)
        // Before it is started, after, and after its end.
        output.write(Array("first\n".utf8))
        output.start()
        for line in lines { output.write(Array("\(line)\n".utf8)) }
        output.finish()
        output.write(Array("last\n".utf8))
    }

    @Test func linesComeInOrder() throws {
        let (reader, writer) = try Kernel.makePipe()
        defer { try? Kernel.close(reader) }
        let lines = (0..<1000).map(String.init)
        write(lines, to: writer)
        try Kernel.close(writer)
        let all = try read(reader).split(separator: "\n").map(String.init)
        #expect(all == ["first"] + lines + ["last"])
    }

    /// Nobody reads the pipe for a while: lines are dropped and counted, and nobody waits.
    @Test func aSlowReaderLosesLines() throws {
        let (reader, writer) = try Kernel.makePipe()
        defer { try? Kernel.close(reader) }
        let output = LogOutput(writer, capacity: 100_000)
        try Kernel.close(writer)
        output.start()
        for _ in 0..<1000 { output.write([UInt8](repeating: 0x78, count: 999) + [0x0a]) }
        let all = try read(reader, until: "lost lines: ")
        #expect(all.utf8.count < 400_000)
        output.finish()
    }

    /// A reader that is gone ends nothing.
    @Test func aReaderThatIsGone() throws {
        let (reader, writer) = try Kernel.makePipe()
        try Kernel.close(reader)
        write(["x"], to: writer)
        try Kernel.close(writer)
    }
}
