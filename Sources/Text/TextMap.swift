import WasmDecoder

/// Where in a text the parts of the module are that the text gives: from offsets in the module to
/// lines and columns.
public struct TextMap: Sendable {
    /// An instruction or entry of a section, at an offset of the module.
    struct Entry {
        var offset: Int
        /// The token in the text.
        var start: UInt32
        var end: UInt32
    }

    /// A field that gives entries of a section.
    struct Field {
        /// The number of the section in the binary format.
        var section: UInt8
        /// The place of its first entry in the section.
        var position: Int
        var range: Range<Int>
    }

    /// All of them.
    struct Places {
        var entries: [Entry] = []
        var fields: [Field] = []
    }

    /// By offset; the last of several at one offset counts.
    private let entries: [Entry]
    /// In the order of the entries, for each section.
    private let fields: [Field]
    /// For each line its start.
    private let lines: [Int]

    /// Parses the text again; nil if it is not that of a module, or if it only quotes one.
    ///
    /// Cost: that of parsing, and 16 bytes for each instruction.
    public init?(_ text: [UInt8]) {
        guard let places = try? placesOfInstructions(in: text) else { return nil }
        fields = places.fields
        entries = places.entries.sorted { ($0.offset, $0.start) < ($1.offset, $1.start) }
        var lines = [0]
        for (index, byte) in text.enumerated() {
            let isBreak =
                byte == 0x0a
                || (byte == 0x0d && (index + 1 == text.count || text[index + 1] != 0x0a))
            if isBreak { lines.append(index + 1) }
        }
        self.lines = lines
    }

    /// The instruction, or entry of a section outside of functions, that covers an offset of the
    /// module; nil before the first.
    public func place(at offset: Int) -> TextPlace? {
        let behind = entries.partition { $0.offset > offset }
        guard behind > 0 else { return nil }
        let entry = entries[behind - 1]
        return TextPlace(Int(entry.start)..<Int(entry.end))
    }

    /// The field that gives an entry of a section.
    ///
    /// - Parameters:
    ///   - section: the number of the section in the binary format.
    ///   - position: the place of the entry in the section, from 0.
    public func place(ofEntry position: Int, inSection section: UInt8) -> TextPlace? {
        fields.last { $0.section == section && $0.position <= position }
            .map { TextPlace($0.range) }
    }

    /// The instructions whose offsets in the module are in a range, in the order of the module.
    public func places(in range: Range<Int>) -> [(offset: Int, place: TextPlace)] {
        let first = entries.partition { $0.offset >= range.lowerBound }
        return entries[first...].prefix { $0.offset < range.upperBound }
            .map { ($0.offset, TextPlace(Int($0.start)..<Int($0.end))) }
    }

    /// Line and column of a place, both from 1; columns count bytes.
    public func position(of place: TextPlace) -> (line: Int, column: Int) {
        let start = place.range.lowerBound
        let line = max(lines.partition { $0 > start }, 1)
        return (line, start - lines[line - 1] + 1)
    }
}

extension Array {
    /// The place of the first element of which `isBehind` is true; it must be so for all that follow.
    fileprivate func partition(_ isBehind: (Element) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if isBehind(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

/// Notes where the entries of sections, and the instructions of bodies, are in the text.
struct PlaceRecorder {
    private struct Mark {
        var section: Int
        /// In the section's entries, as the parser writes them.
        var offset: Int
        var token: Int
    }

    private typealias Size = (bytes: Int, entries: Int)

    private var marks: [Mark] = []
    private var fields: [(section: UInt8, position: Int, token: Int)] = []
    /// What was noted of each section.
    private var noted = [Size](repeating: (0, 0), count: SectionKind.allCases.count + 1)

    /// What was added to a section since the last time was made of a token.
    mutating func note(_ kind: SectionKind, upTo size: (bytes: Int, entries: Int), _ token: Int) {
        let last = noted[kind.rawValue]
        guard size.bytes > last.bytes else { return }
        marks.append(Mark(section: kind.rawValue, offset: last.bytes, token: token))
        fields.append((kind.id, last.entries, token))
        noted[kind.rawValue] = size
    }

    /// Instructions of a body that starts at `start` of the entries of the code section.
    mutating func noteBody(at start: Int, _ instructions: [(offset: Int, token: Int)]) {
        for (offset, token) in instructions {
            marks.append(
                Mark(section: SectionKind.code.rawValue, offset: start + offset, token: token))
        }
    }

    /// All marks as offsets of the module.
    ///
    /// - Parameter offsets: where the entries of a section are.
    func entries(
        _ tokens: TokenList, _ offsets: (SectionKind) -> ModuleSections.EntryOffsets?
    ) -> TextMap.Places {
        let sections = [nil] + SectionKind.allCases.map(offsets)
        var places = TextMap.Places()
        places.fields = fields.map {
            TextMap.Field(section: $0.section, position: $0.position, range: tokens[$0.token].range)
        }
        places.entries = marks.compactMap { mark in
            guard let entries = sections[mark.section] else { return nil }
            let token = tokens[mark.token]
            return TextMap.Entry(
                offset: entries.offset(mark.offset), start: token.start, end: token.end)
        }
        return places
    }
}
