/// A part of a text that something is to be said about.
public struct TextPlace: Hashable, Sendable {
    /// Bytes of the text.
    public let range: Range<Int>

    init(_ range: Range<Int>) { self.range = range }

    /// Line and column of the start, both counted from 1; columns count bytes. A line ends with LF,
    /// CR or both. Cost: proportional to the position.
    public func position(in text: [UInt8]) -> (line: Int, column: Int) {
        var line = 1
        var start = 0
        let end = min(range.lowerBound, text.count)
        for index in 0..<end {
            let isBreak =
                text[index] == 0x0a
                || (text[index] == 0x0d && (index + 1 == text.count || text[index + 1] != 0x0a))
            if isBreak {
                line += 1
                start = index + 1
            }
        }
        return (line, end - start + 1)
    }

    /// A message with the place and the line it is about:
    ///
    ///     math.wat:3:6: unknown operator: i32.ad. Did you mean 'i32.add'?
    ///       (i32.ad (local.get 0) (local.get 1))
    ///        ^^^^^^
    ///
    /// Long lines are cut around the place; control characters are not shown. Cost: proportional
    /// to the position.
    public func rendered(_ message: String, in text: [UInt8], path: String) -> String {
        let (line, column) = position(in: text)
        let excerpt = self.line(of: text)
        let place = "\(path):\(line):\(column): \(message)"
        return excerpt.line.isEmpty ? place : "\(place)\n  \(excerpt.line)\n  \(excerpt.carets)"
    }

    /// The text at the place, the beginning of it if it is long.
    func excerpt(of text: [UInt8], atMost limit: Int) -> String {
        let all = clamped(range, to: text, atMost: text.count)
        let shown = clamped(range, to: text, atMost: limit)
        return Self.readable(text[shown]) + (shown.count < all.count ? "..." : "")
    }

    /// The part of a range that is in the text and not too long; characters stay whole.
    private func clamped(_ range: Range<Int>, to text: [UInt8], atMost limit: Int) -> Range<Int> {
        let start = min(max(range.lowerBound, 0), text.count)
        var end = min(max(range.upperBound, start), text.count, start + limit)
        while end < min(text.count, start + limit + 3), text[end] & 0xc0 == 0x80 { end += 1 }
        return start..<end
    }

    /// What is shown of a line before the error and after its start.
    private static var shownBefore: Int { 60 }
    private static var shownBehind: Int { 40 }

    private func line(of text: [UInt8]) -> (line: String, carets: String) {
        let error = clamped(range, to: text, atMost: text.count)
        /// Whether to go on at a position; characters stay whole.
        func isNear(_ position: Int, _ distance: Int, _ limit: Int) -> Bool {
            distance < limit || (distance < limit + 3 && text[position] & 0xc0 == 0x80)
        }
        var start = error.lowerBound
        while start > 0, text[start - 1] != 0x0a, text[start - 1] != 0x0d,
            isNear(start, error.lowerBound - start, Self.shownBefore)
        { start -= 1 }
        var end = error.lowerBound
        while end < text.count, text[end] != 0x0a, text[end] != 0x0d,
            isNear(end, end - error.lowerBound, Self.shownBehind)
        { end += 1 }
        let isCutBefore = start > 0 && text[start - 1] != 0x0a && text[start - 1] != 0x0d
        let isCutBehind = end < text.count && text[end] != 0x0a && text[end] != 0x0d
        // Indentation says nothing where it is alone.
        if !isCutBefore {
            while start < error.lowerBound, text[start] == 0x20 || text[start] == 0x09 {
                start += 1
            }
        }
        let before = (isCutBefore ? "..." : "") + Self.readable(text[start..<error.lowerBound])
        let behind = Self.readable(text[error.lowerBound..<end]) + (isCutBehind ? "..." : "")
        let marked = Self.readable(text[error.lowerBound..<min(end, error.upperBound)])
        let carets =
            String(repeating: " ", count: before.unicodeScalars.count)
            + String(repeating: "^", count: max(1, marked.unicodeScalars.count))
        return (before + behind, carets)
    }

    /// Text with nothing in it that a terminal would obey; one character for each of the text's.
    private static func readable(_ bytes: ArraySlice<UInt8>) -> String {
        var result = String.UnicodeScalarView()
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control: result.append(scalar == "\t" ? " " : "\u{fffd}")
            case .format, .lineSeparator, .paragraphSeparator: result.append("\u{fffd}")
            default: result.append(scalar)
            }
        }
        return String(result)
    }
}
