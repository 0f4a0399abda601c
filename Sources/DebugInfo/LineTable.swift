import WasmDecoder

/// All line tables of a module: which code comes from which line.
///
/// DWARF 5: 6.2 (line number information).
struct LineTable: Sendable {
    /// 16 bytes; a large program has millions.
    struct Row: Sendable {
        var address: UInt32
        /// Index into `files`, or `noFile`.
        var file: UInt32
        var line: UInt32
        var column: UInt16
        var isStatement: Bool
    }

    /// Rows with ascending addresses, for the code from `start` to `end`.
    struct Sequence: Sendable {
        var start: UInt32
        var end: UInt32
        var rows: Range<Int>
    }

    /// A file name and the folders that it is relative to.
    struct File: Sendable {
        var name: Int
        var directory: Int?
        var compilationDirectory: Int?
    }

    /// The files of one unit, as its line program and its functions number them.
    struct Unit: Sendable {
        var files: Range<Int>
        /// The number of the first file: 0 in DWARF 5, 1 before.
        var firstNumber: UInt64

        func file(_ number: UInt64) -> UInt32 {
            guard number >= firstNumber, number - firstNumber < UInt64(files.count) else {
                return LineTable.noFile
            }
            return UInt32(truncatingIfNeeded: files.lowerBound + Int(number - firstNumber))
        }
    }

    static let noFile = UInt32.max

    private(set) var rows: [Row] = []
    /// By their start.
    private(set) var sequences: [Sequence] = []
    private(set) var files: [File] = []
    /// By their offset in the section.
    private(set) var units: [UInt64: Unit] = [:]
    /// Files and folders that may still be read.
    private var entriesLeft: Int

    /// Reads all line programs. What is damaged is left out, up to the end of its unit.
    ///
    /// - Parameter directories: where the compiler ran, by the offset of a unit's line program.
    init(_ sections: DebugSections, directories: [UInt64: StringPlace]) {
        entriesLeft = sections.fileLimit
        var cursor = Cursor(sections.bytes, sections.lines)
        while !cursor.isAtEnd, units.count < sections.unitLimit {
            let offset = UInt64(cursor.position - sections.lines.start)
            guard let (length, offsetSize) = try? cursor.unitLength(),
                let content = try? cursor.part(length)
            else { break }
            // Rows that were read before the damage are right.
            try? read(content, offsetSize, at: offset, directories[offset], sections)
        }
        sequences.sort { ($0.start, $0.rows.lowerBound) < ($1.start, $1.rows.lowerBound) }
    }

    private mutating func read(
        _ content: Cursor, _ offsetSize: Int, at offset: UInt64, _ directory: StringPlace?,
        _ sections: DebugSections
    ) throws(Damaged) {
        var program = try LineProgram(
            content, offsetSize, sections, directory, entryLimit: entriesLeft)
        var unit = Unit(
            files: files.count..<files.count + program.files.count,
            firstNumber: program.firstFileNumber)
        files += program.files
        units[offset] = unit
        defer {
            // The program may have defined more.
            files += program.files.dropFirst(unit.files.count)
            unit.files = unit.files.lowerBound..<files.count
            units[offset] = unit
            entriesLeft = program.entriesLeft
        }
        let limit = sections.rowLimit
        while let sequence = try program.nextSequence(limit: limit - rows.count) {
            guard let first = sequence.rows.first, sections.isCode(UInt64(first.address)),
                first.address < sequence.end
            else { continue }
            let start = rows.count
            for var row in sequence.rows {
                row.file =
                    row.file >= program.files.count
                    ? Self.noFile
                    : row.file
                        &+ UInt32(
                            truncatingIfNeeded: unit.files.lowerBound)
                rows.append(row)
            }
            sequences.append(
                Sequence(start: first.address, end: sequence.end, rows: start..<rows.count))
        }
    }

    /// The row that the code at an address belongs to.
    func row(at address: UInt32) -> Row? {
        guard let sequence = sequences[..<sequences.partition { $0.start > address }].last,
            address < sequence.end
        else { return nil }
        let rows = rows[sequence.rows]
        return rows[..<rows.partition { $0.address > address }].last
    }

    /// The rows of the code in a range of addresses: for those before it the last, at its start.
    func rows(in range: Range<UInt32>) -> [Row] {
        var found: [Row] = []
        var index = sequences.partition { $0.start > range.lowerBound }
        if index > 0, sequences[index - 1].end > range.lowerBound { index -= 1 }
        while index < sequences.count, sequences[index].start < range.upperBound {
            let rows = rows[sequences[index].rows]
            let behind = rows.partition { $0.address > range.lowerBound }
            let last = rows.partition { $0.address >= range.upperBound }
            for var row in rows[max(rows.startIndex, behind - 1)..<max(last, behind)] {
                row.address = max(row.address, range.lowerBound)
                if row.address < range.upperBound { found.append(row) }
            }
            index += 1
        }
        return found
    }
}
