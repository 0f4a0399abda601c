/// Damages texts: mostly by whole tokens and forms, so that much of the grammar is reached.
enum TextMutations {
    /// The top-level forms of a text, in ranges; what is between them is left out. Strings and
    /// comments are known, nothing else is looked at.
    static func forms(_ text: [UInt8]) -> [Range<Int>] {
        var result: [Range<Int>] = []
        var depth = 0
        var start = 0
        for token in tokens(text) {
            switch text[token.lowerBound] {
            case UInt8(ascii: "("):
                if depth == 0 { start = token.lowerBound }
                depth += 1
            case UInt8(ascii: ")"):
                depth -= 1
                if depth == 0 { result.append(start..<token.upperBound) }
                depth = max(depth, 0)
            default: break
            }
        }
        return result
    }

    /// Words, strings and parentheses; blanks and comments are between them.
    static func tokens(_ text: [UInt8]) -> [Range<Int>] {
        var result: [Range<Int>] = []
        var at = 0
        func byte(_ offset: Int) -> UInt8 { text[safe: offset] ?? 0 }
        while at < text.count {
            let start = at
            switch text[at] {
            case UInt8(ascii: ";") where byte(at + 1) == UInt8(ascii: ";"):
                while at < text.count, text[at] != 0x0a { at += 1 }
                continue
            case UInt8(ascii: "(") where byte(at + 1) == UInt8(ascii: ";"):
                at += 2
                while at < text.count,
                    text[at] != UInt8(ascii: ";") || byte(at + 1) != UInt8(ascii: ")")
                {
                    at += 1
                }
                at += 2
                continue
            case UInt8(ascii: "("), UInt8(ascii: ")"): at += 1
            case UInt8(ascii: "\""):
                at += 1
                while at < text.count, text[at] != UInt8(ascii: "\"") {
                    at += text[at] == UInt8(ascii: "\\") ? 2 : 1
                }
                at = min(at + 1, text.count)
            case 0...0x20:
                at += 1
                continue
            default:
                while at < text.count, text[at] > 0x20, text[at] != UInt8(ascii: "("),
                    text[at] != UInt8(ascii: ")"), text[at] != UInt8(ascii: "\"")
                {
                    at += 1
                }
                if at == start { at += 1 }
            }
            result.append(start..<min(at, text.count))
        }
        return result
    }

    static func mutate(_ text: inout [UInt8], other: [UInt8], _ random: inout RandomNumbers) {
        let own = tokens(text)
        guard !own.isEmpty, !random.oneIn(12) else {
            return ByteMutations.mutate(&text, other: other, &random)
        }
        let index = random.below(own.count)
        let token = own[index]
        switch random.below(9) {
        case 0: text.removeSubrange(token)
        case 1: text.insert(contentsOf: text[token] + [0x20], at: token.lowerBound)
        case 2:
            guard let second = random.element(of: own) else { return }
            let (low, high) =
                token.lowerBound < second.lowerBound ? (token, second) : (second, token)
            let (first, last) = (Array(text[low]), Array(text[high]))
            guard low != high else { return }
            text.replaceSubrange(high, with: first)
            text.replaceSubrange(low, with: last)
        case 3, 4:
            guard let replacement = random.element(of: tokens(other)) else { return }
            text.replaceSubrange(token, with: other[replacement])
        case 5: text.replaceSubrange(token, with: random.element(of: words) ?? [])
        case 6:
            // Another text's form in place of one of this.
            guard let form = anyForm(other, &random), let place = anyForm(text, &random) else {
                return
            }
            text.replaceSubrange(place, with: other[form])
        case 7:
            guard let place = anyForm(text, &random) else { return }
            text.insert(contentsOf: [0x20] + text[place], at: place.upperBound)
        default:
            // Deeply nested, or a large number of the same.
            let count = random.element(of: [2, 10, 1000, 5000]) ?? 2
            let isClosed = random.oneIn(2)
            let opening: [UInt8] = Array(
                (random.element(of: ["(", "(block ", "(i32.eqz "]) ?? "(").utf8)
            var nest: [UInt8] = []
            for _ in 0..<count { nest += opening }
            if isClosed { nest += [UInt8](repeating: UInt8(ascii: ")"), count: count) }
            text.insert(contentsOf: nest, at: token.lowerBound)
        }
    }

    /// A form somewhere in a text.
    private static func anyForm(_ text: [UInt8], _ random: inout RandomNumbers) -> Range<Int>? {
        let tokens = tokens(text)
        let starts = tokens.indices.filter { text[tokens[$0].lowerBound] == UInt8(ascii: "(") }
        guard let start = random.element(of: starts) else { return nil }
        var depth = 0
        for token in tokens[start...] {
            switch text[token.lowerBound] {
            case UInt8(ascii: "("): depth += 1
            case UInt8(ascii: ")"): depth -= 1
            default: break
            }
            if depth == 0 { return tokens[start].lowerBound..<token.upperBound }
        }
        return nil
    }

    private static let words: [[UInt8]] = [
        "0", "-1", "4294967295", "4294967296", "18446744073709551615", "-9223372036854775809",
        "0x1p1023", "0x1p-1080", "1e400", "-nan:0x0", "nan:0xffffffffffffffff", "inf", "0x", "1_",
        "0x1.fffffffffffff8p1023", "$x", "$", "$\"\"", "offset=18446744073709551616", "align=3",
        "align=0", "shared", "i64", "(param)", "(result i32)", "(type 0)", "(type 4294967295)",
        "end", "else", "func", "\"\\ff\\00\"", "\"\\u{d800}\"", "\"\\u{110000}\"", "(@name \"a\")",
        "(@custom \"c\" (after code) \"x\")", "(rec)", "(sub final 0 (func))", "pagesize",
        "externref",
        "(ref null 9)", "(local i32)", "(import \"\" \"\" (func))", "quote", "binary", "definition",
    ].map { Array($0.utf8) }
}
