// Functions for output that people read.

/// `0x1a3`
func hexadecimal(_ value: some BinaryInteger) -> String { "0x" + String(value, radix: 16) }

/// Digits in groups of three: `12,345,678`.
func grouped(_ value: some BinaryInteger) -> String {
    let digits = String(value)
    let sign = digits.hasPrefix("-") ? "-" : ""
    let magnitude = digits.dropFirst(sign.count)
    var result = ""
    for (index, digit) in magnitude.enumerated() {
        if index > 0, (magnitude.count - index).isMultiple(of: 3) { result.append(",") }
        result.append(digit)
    }
    return sign + result
}

/// `1 argument`, `2 arguments`
func counted(_ count: some BinaryInteger, _ noun: String) -> String {
    count == 1 ? "1 \(noun)" : "\(grouped(count)) \(noun)s"
}

/// Text of a module or command line with its control characters made visible, so that no file can
/// send commands to the terminal.
func printable(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isControl) else { return text }
    var result = ""
    for scalar in text.unicodeScalars {
        if isControl(scalar) {
            result += "\\u{\(String(scalar.value, radix: 16))}"
        } else {
            result.unicodeScalars.append(scalar)
        }
    }
    return result
}

/// C0 and C1 controls, and the characters that change the direction of text.
private func isControl(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7f..<0xa0, 0x202a...0x202e, 0x2066...0x2069: true
    default: false
    }
}

/// A word quoted for a shell, if necessary.
func shellQuoted(_ word: String) -> String {
    let harmless = word.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"),
            UInt8(ascii: "."), UInt8(ascii: "/"), UInt8(ascii: ":"), UInt8(ascii: "="),
            UInt8(ascii: "+"), UInt8(ascii: ","), UInt8(ascii: "@"), UInt8(ascii: "%"):
            true
        default: byte >= 0x80
        }
    }
    if harmless, !word.isEmpty { return word }
    var result = "'"
    for character in printable(word) {
        if character == "'" { result += "'\\''" } else { result.append(character) }
    }
    return result + "'"
}

extension String {
    /// With spaces after it until it is `width` characters wide.
    func padded(to width: Int) -> String {
        let missing = width - count
        return missing > 0 ? self + String(repeating: " ", count: missing) : self
    }

    /// With spaces before it until it is `width` characters wide.
    func aligned(to width: Int) -> String {
        let missing = width - count
        return missing > 0 ? String(repeating: " ", count: missing) + self : self
    }

    /// Split at spaces into lines of at most `width` characters; longer words stay whole.
    func wrapped(to width: Int) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in split(separator: " ") {
            if line.isEmpty {
                line = String(word)
            } else if line.count + 1 + word.count <= width {
                line += " " + word
            } else {
                lines.append(line)
                line = String(word)
            }
        }
        if !line.isEmpty { lines.append(line) }
        return lines
    }
}

/// Rows whose cells are as wide as their column needs.
struct TextTable {
    enum Alignment { case left, right }

    private let alignments: [Alignment]
    private var rows: [[String]] = []

    init(_ alignments: Alignment...) { self.alignments = alignments }

    /// Adds a row; missing cells are empty.
    mutating func add(_ cells: String...) { rows.append(cells) }

    var isEmpty: Bool { rows.isEmpty }

    /// One line per row, indented, two spaces between columns, none at the end.
    var lines: [String] {
        var widths = alignments.map { _ in 0 }
        for row in rows {
            for (column, cell) in row.enumerated() where column < widths.count {
                widths[column] = max(widths[column], cell.count)
            }
        }
        return rows.map { row in
            var line = " "
            for (column, cell) in row.enumerated() where column < widths.count {
                let isLeft = alignments[column] == .left
                let width = widths[column]
                line += " " + (isLeft ? cell.padded(to: width) : cell.aligned(to: width)) + " "
            }
            while line.last == " " { line.removeLast() }
            return line
        }
    }
}

// The standard library's searches for strings in strings are in its module of regular expressions,
// whose data each start would pay for; the release build does not import it.
extension String {
    /// Whether `phrase` occurs, compared by bytes.
    func contains(_ phrase: String) -> Bool {
        phrase.isEmpty || utf8.indices.contains { utf8[$0...].starts(with: phrase.utf8) }
    }

    /// The text with each occurrence of `phrase`, compared by bytes, replaced.
    func replacing(_ phrase: String, with replacement: String) -> String {
        guard !phrase.isEmpty else { return self }
        var rest = Array(utf8)[...]
        var result: [UInt8] = []
        while let byte = rest.first {
            if rest.starts(with: phrase.utf8) {
                result += replacement.utf8
                rest = rest.dropFirst(phrase.utf8.count)
            } else {
                result.append(byte)
                rest = rest.dropFirst()
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
