// Soundness: the bytes of a piece are lent for the length of a call.

import WasmSystem

/// Lines of standard input: edited on a terminal, read as they are otherwise.
struct LineInput {
    /// The words that the last word of a line may become, from the words before it.
    typealias Completions = ([Word], Word) -> [Word]

    private let isTerminal: Bool
    private let completions: Completions
    private var buffer: [UInt8] = []
    private var start = 0
    private var history: [[UInt8]] = []

    /// Bytes of a line at most; the rest is left out.
    private static let limit = 1 << 20
    private static let historyLimit = 1000

    init(isTerminal: Bool, _ completions: @escaping Completions) {
        self.isTerminal = isTerminal
        self.completions = completions
    }

    /// The next line, without its end; nil at the end of the input.
    mutating func next(prompt: String) -> [UInt8]? {
        guard isTerminal, let mode = TerminalMode.raw(Kernel.standardInput) else {
            return plainLine()
        }
        defer { mode.restore() }
        var editor = LineEditor(prompt: prompt, history: history)
        write(editor.redraw)
        while let byte = nextByte() {
            switch editor.take(byte, completions: completions) {
            case .more: write(editor.output)
            case .line(let line):
                write(editor.output)
                if !line.isEmpty, line != history.last { history.append(line) }
                if history.count > Self.historyLimit { history.removeFirst() }
                return line
            case .end:
                write(editor.output)
                return nil
            }
        }
        return nil
    }

    private mutating func plainLine() -> [UInt8]? {
        var line: [UInt8] = []
        var isEmpty = true
        while let byte = nextByte() {
            isEmpty = false
            if byte == 0x0a { return line.last == 0x0d ? line.dropLast() : line }
            if line.count < Self.limit { line.append(byte) }
        }
        return isEmpty ? nil : line
    }

    private mutating func nextByte() -> UInt8? {
        if start == buffer.count {
            var piece = [UInt8](repeating: 0, count: 4096)
            let count = piece.withUnsafeMutableBytes {
                (try? unsafe Kernel.read(Kernel.standardInput, $0)) ?? 0
            }
            guard count > 0 else { return nil }
            buffer = Array(piece[..<count])
            start = 0
        }
        defer { start += 1 }
        return buffer[start]
    }

    private func write(_ text: [UInt8]) { writeAll(text, to: Kernel.standardOutput) }
}
