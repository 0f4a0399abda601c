/// A line that is edited on a terminal: bytes of keys in, bytes for the terminal out.
///
/// Arrows, Home, End, Backspace, Delete, Ctrl-A, E, K, U, W, L; Tab completes, twice lists; up and
/// down go through the history. Positions are between characters of UTF-8.
struct LineEditor {
    enum Step: Equatable {
        case more
        case line([UInt8])
        /// Ctrl-D in an empty line.
        case end
    }

    private let prompt: [UInt8]
    private var history: [[UInt8]]
    /// Where the line is in the history; its count for the new one.
    private var place: Int
    private(set) var line: [UInt8] = []
    private(set) var cursor = 0
    /// What to write now.
    private(set) var output: [UInt8] = []
    private var escape: [UInt8] = []
    private var hadTab = false

    private static let limit = 64 << 10

    init(prompt: String, history: [[UInt8]]) {
        self.prompt = Array(prompt.utf8)
        self.history = history + [[]]
        place = history.count
    }

    mutating func take(_ byte: UInt8, completions: LineInput.Completions) -> Step {
        output = []
        defer { hadTab = byte == 0x09 }
        if !escape.isEmpty {
            escape.append(byte)
            takeEscape()
            return .more
        }
        switch byte {
        case 0x0a, 0x0d:
            output = Array("\r\n".utf8)
            return .line(line)
        case 0x04:
            if line.isEmpty {
                output = Array("\r\n".utf8)
                return .end
            }
            deleteForward()
        case 0x03:
            line = []
            cursor = 0
            output = Array("^C\r\n".utf8)
        case 0x01: cursor = 0
        case 0x05: cursor = line.count
        case 0x02: cursor = before(cursor)
        case 0x06: cursor = after(cursor)
        case 0x0b: line.removeSubrange(cursor...)
        case 0x15:
            line.removeSubrange(..<cursor)
            cursor = 0
        case 0x17: deleteWord()
        case 0x0c: output = Array("\u{1b}[H\u{1b}[2J".utf8)
        case 0x08, 0x7f:
            let start = before(cursor)
            line.removeSubrange(start..<cursor)
            cursor = start
        case 0x09: complete(completions)
        case 0x0e: move(by: 1)
        case 0x10: move(by: -1)
        case 0x1b:
            escape = [byte]
            return .more
        case 0..<0x20: return .more
        default:
            guard line.count < Self.limit else { return .more }
            line.insert(byte, at: cursor)
            cursor += 1
        }
        output += redraw
        return .more
    }

    private mutating func takeEscape() {
        guard let last = escape.last else { return }
        // ESC [ or ESC O, parameters, a final byte.
        if escape.count == 2 {
            if last != UInt8(ascii: "["), last != UInt8(ascii: "O") { escape = [] }
            return
        }
        guard 0x40...0x7e ~= last || escape.count > 32 else { return }
        let parameters = Array(escape.dropFirst(2).dropLast())
        escape = []
        switch last {
        case UInt8(ascii: "A"): move(by: -1)
        case UInt8(ascii: "B"): move(by: 1)
        case UInt8(ascii: "C"): cursor = after(cursor)
        case UInt8(ascii: "D"): cursor = before(cursor)
        case UInt8(ascii: "H"): cursor = 0
        case UInt8(ascii: "F"): cursor = line.count
        case UInt8(ascii: "~"):
            switch parameters {
            case [UInt8(ascii: "3")]: deleteForward()
            case [UInt8(ascii: "1")], [UInt8(ascii: "7")]: cursor = 0
            case [UInt8(ascii: "4")], [UInt8(ascii: "8")]: cursor = line.count
            default: break
            }
        default: break
        }
        output += redraw
    }

    // MARK: Positions

    private static func isContinuation(_ byte: UInt8) -> Bool { byte & 0xc0 == 0x80 }

    private func before(_ position: Int) -> Int {
        var position = max(position - 1, 0)
        while position > 0, Self.isContinuation(line[position]) { position -= 1 }
        return position
    }

    private func after(_ position: Int) -> Int {
        var position = min(position + 1, line.count)
        while position < line.count, Self.isContinuation(line[position]) { position += 1 }
        return position
    }

    private mutating func deleteForward() { line.removeSubrange(cursor..<after(cursor)) }

    private mutating func deleteWord() {
        var start = cursor
        while start > 0, line[start - 1] == 0x20 { start -= 1 }
        while start > 0, line[start - 1] != 0x20 { start -= 1 }
        line.removeSubrange(start..<cursor)
        cursor = start
    }

    private mutating func move(by step: Int) {
        let target = place + step
        guard history.indices.contains(target) else { return }
        history[place] = line
        place = target
        line = history[target]
        cursor = line.count
    }

    // MARK: Completion

    private mutating func complete(_ completions: LineInput.Completions) {
        let (words, start) = ShellWords.beginning(Array(line[..<cursor]))
        let found = completions(words, start)
        guard let first = found.first else { return }
        // What all of them begin with.
        var common = first.bytes
        for word in found.dropFirst() {
            let same = zip(common, word.bytes).prefix { $0 == $1 }.count
            common.removeSubrange(same...)
        }
        let rest = common.dropFirst(start.bytes.count)
        if !rest.isEmpty {
            insert(rest)
        } else if found.count > 1, hadTab {
            output += Array("\r\n".utf8)
            for word in found.prefix(100) {
                output += Array(printable(word.text).utf8) + [0x20, 0x20]
            }
            output += Array("\r\n".utf8)
        }
        if found.count == 1, common.last != UInt8(ascii: "/") { insert([0x20]) }
    }

    private mutating func insert(_ bytes: some Collection<UInt8>) {
        line.insert(contentsOf: bytes, at: cursor)
        cursor += bytes.count
    }

    /// The bytes that draw the line anew, with the cursor in its place. A control character is drawn
    /// as a question mark.
    var redraw: [UInt8] {
        let shown = line.map { $0 < 0x20 || $0 == 0x7f ? UInt8(ascii: "?") : $0 }
        let rest = line[cursor...].count { !Self.isContinuation($0) }
        var bytes = Array("\r".utf8) + prompt + shown + Array("\u{1b}[K".utf8)
        if rest > 0 { bytes += Array("\u{1b}[\(rest)D".utf8) }
        return bytes
    }
}
