import Synchronization
import Testing
import WasmdGuests
import WasmdOthismo

/// What objects print is made harmless, named and limited before it reaches a log.
@Suite struct ObjectLogTests {
    private final class Lines: Sendable {
        let all = Mutex<[String]>([])
        func add(_ line: String) { all.withLock { $0.append(line) } }
    }

    /// An object that writes a text, and then so many bytes of memory, to a descriptor.
    private func printer(
        _ text: String, to descriptor: Int = 2, more: Int = 0, then end: String = ""
    ) -> String {
        let count = text.utf8.count
        let digits = Array("0123456789abcdef")
        let bytes = text.utf8.map { "\\\(digits[Int($0 >> 4)])\(digits[Int($0 & 15)])" }.joined()
        return """
            (import "wasi_snapshot_preview1" "fd_write"
              (func $write (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") \(2 + more / 65_536))
            (data (i32.const 65536) "\(bytes)")
            (func $put (param i32)
              (i32.store (i32.const 0) (i32.const 65536))
              (i32.store (i32.const 4) (local.get 0))
              (if (call $write (i32.const \(descriptor)) (i32.const 0) (i32.const 1) (i32.const 8))
                (then unreachable)))
            (func (export "_allocate_message") (param i32 i32 i32) (result i32) i32.const 1024)
            (func (export "_run")
              (call $put (i32.const \(count)))
              (if (i32.const \(more)) (then
                (call $put (i32.const \(more))) (call $put (i32.const \(count)))))
              \(end))
            """
    }

    private func lines(
        _ object: String, at path: String = "/loud", messages: Int = 1, isLimited: Bool = true
    ) throws -> [String] {
        let lines = Lines()
        let log = ObjectLog(isLimited: isLimited) { lines.add($0) }
        let house = try House { $0.output = .log(log) }
        try house.add(object, "printer")
        try house.instantiate("printer", path)
        for _ in 0..<messages { try house.send(path, "x.y") }
        log.tellLosses(isLast: true)
        return lines.all.withLock { $0 }
    }

    @Test(arguments: [1, 2]) func linesAreHarmlessAndNamed(descriptor: Int) throws {
        let text = "\u{1b}[31mred\u{202e}\r\n\nhalf"
        // A line ends with the message that it was written for, also if the object fails then.
        #expect(
            try lines(printer(text, to: descriptor), messages: 2)
                == Array(
                    repeating: ["[/loud] \\x1b[31mred\\u{202e}", "[/loud] ", "[/loud] half"],
                    count: 2
                ).flatMap(\.self))
        let trapping = try lines(printer("last words", to: descriptor, then: "unreachable"))
        #expect(trapping.first == "[/loud] last words")
        let named = try lines(printer("x\n", to: descriptor), at: "/a\u{1b}b\n")
        #expect(named == ["[/a\\x1bb\\x0a] x"])
    }

    /// 16 MiB take seven seconds of what may be written; the object has five.
    @Test func tooMuchIsLostAndTold() throws {
        let lines = try lines(printer("x\n", more: 16 << 20))
        #expect(lines.first == "[/loud] x")
        #expect(lines.count < 10, "\(lines.count)")
        #expect(lines.allSatisfy { $0.utf8.count < 5 * 4096 })
        #expect(lines.contains { $0.hasSuffix(" bytes cut off]") })
        #expect(lines.last?.hasSuffix(" writes of objects were lost: they came too fast") == true)
        // For somebody who waits nothing is lost but what does not fit into a line.
        let all = try self.lines(printer("x\n", more: 1 << 20), isLimited: false)
        #expect(all.count == 3 && all[0] == "[/loud] x" && all[1] == all[0])
        #expect(all.last?.hasSuffix(" [\((1 << 20) - 1 - 4096) bytes cut off]") == true)
    }

    /// An object that fails is woken again, and gets no allowance of its own for that.
    @Test func failingGivesNothingBack() throws {
        let begin = ContinuousClock.now
        let lines = try lines(printer("x\n", more: 128 << 10, then: "unreachable"), messages: 30)
        let elapsed = Int((ContinuousClock.now - begin).components.seconds) + 1
        // What was cut off was admitted.
        let admitted = lines.reduce(0) { sum, line in
            let words = line.split(separator: " ")
            guard line.hasSuffix(" bytes cut off]"), words.count > 4 else { return sum }
            return sum + (Int(words[words.count - 4].dropFirst()) ?? 0)
        }
        let most = LineAllowance.burst + elapsed * LineAllowance.bytesPerSecond
        #expect(admitted > 0 && admitted <= most, "\(admitted) of \(most)")
    }
}
