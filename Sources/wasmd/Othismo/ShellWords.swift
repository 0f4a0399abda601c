/// Words of a line, as shells split them: blanks separate, quotes and backslashes keep.
enum ShellWords {
    static func split(_ line: [UInt8]) throws(OthismoFailure) -> [Word] {
        let (words, quote) = read(line)
        if quote != nil { throw .text("a quote is not closed") }
        return words
    }

    /// The words before the last one, and the last one as far as it is typed: empty after a blank.
    static func beginning(_ line: [UInt8]) -> (words: [Word], start: Word) {
        var (words, _) = read(line)
        guard let last = line.last, !isBlank(last), let start = words.popLast() else {
            return (words, Word(""))
        }
        return (words, start)
    }

    private static func read(_ line: [UInt8]) -> (words: [Word], openQuote: UInt8?) {
        var words: [Word] = []
        var word: [UInt8]?
        var quote: UInt8?
        var isEscaped = false
        for byte in line {
            if isEscaped {
                word = (word ?? []) + [byte]
                isEscaped = false
            } else if byte == UInt8(ascii: "\\"), quote != UInt8(ascii: "'") {
                isEscaped = true
            } else if byte == quote {
                quote = nil
            } else if quote == nil, byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\"") {
                quote = byte
                word = word ?? []
            } else if quote == nil, isBlank(byte) {
                if let done = word { words.append(Word(bytes: done)) }
                word = nil
            } else {
                word = (word ?? []) + [byte]
            }
        }
        if let done = word { words.append(Word(bytes: done)) }
        return (words, quote)
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
}
