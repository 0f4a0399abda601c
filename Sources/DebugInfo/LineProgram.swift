import WasmDecoder

/// The line program of one unit: a header with the names of files, then instructions for a machine
/// that makes the rows of the line table.
///
/// DWARF 5: 6.2.4 (header) and 6.2.5 (program); versions 2 to 5.
struct LineProgram {
    /// Rows that belong together: addresses ascend, from the first row's to `end`.
    struct Sequence {
        var rows: [LineTable.Row] = []
        var end: UInt32 = 0
    }

    private(set) var files: [LineTable.File] = []
    let firstFileNumber: UInt64
    /// How many files and folders there may still be.
    private(set) var entriesLeft: Int

    private var program: Cursor
    private let minimumLength: UInt64
    private let lineBase: Int64
    private let lineRange: UInt8
    private let opcodeBase: UInt8
    private let defaultIsStatement: Bool
    private var operandCounts: [UInt8] = []
    private var directories: [Int?] = []
    private let compilationDirectory: Int?

    // MARK: Header

    init(
        _ unit: Cursor, _ offsetSize: Int, _ sections: DebugSections, _ directory: StringPlace?,
        entryLimit: Int
    ) throws(Damaged) {
        entriesLeft = entryLimit
        var cursor = unit
        let version = try cursor.unsigned(bytes: 2)
        guard 2...5 ~= version else { throw Damaged() }
        // Sizes of an address and of a segment selector.
        if version >= 5 { try cursor.skip(2) }
        let headerLength = try cursor.unsigned(bytes: offsetSize)
        program = cursor
        var header = try program.part(headerLength)
        minimumLength = UInt64(try header.byte())
        // Operations of one long instruction word: there are none in WebAssembly.
        if version >= 4 { _ = try header.byte() }
        defaultIsStatement = try header.byte() != 0
        lineBase = Int64(Int8(bitPattern: try header.byte()))
        lineRange = try header.byte()
        opcodeBase = try header.byte()
        guard lineRange > 0, opcodeBase > 0 else { throw Damaged() }
        for _ in 1..<opcodeBase { operandCounts.append(try header.byte()) }
        firstFileNumber = version >= 5 ? 0 : 1
        if version >= 5 {
            let folders = try Self.entries(&header, offsetSize, sections, limit: entriesLeft)
            entriesLeft -= folders.count
            directories = folders.map(\.name)
            compilationDirectory = directories.first.flatMap { $0 } ?? directory?.position
            for file in try Self.entries(&header, offsetSize, sections, limit: entriesLeft) {
                try add(file.name, directory: file.directory)
            }
        } else {
            compilationDirectory = directory?.position
            directories = [compilationDirectory]
            while header.remaining > 0 {
                let folder = header
                guard try header.byte() != 0 else { break }
                header = folder
                guard entriesLeft > 0 else { throw Damaged() }
                entriesLeft -= 1
                directories.append(try header.string().position)
            }
            while header.remaining > 0 {
                let file = header
                guard try header.byte() != 0 else { break }
                header = file
                try addFile(&header)
            }
        }
    }

    /// A file of versions 2 to 4: name, folder, time, size.
    private mutating func addFile(_ cursor: inout Cursor) throws(Damaged) {
        let name = try cursor.string()
        let directory = try cursor.unsigned()
        _ = try cursor.unsigned()
        _ = try cursor.unsigned()
        try add(name.position, directory: directory)
    }

    private mutating func add(_ name: Int?, directory: UInt64) throws(Damaged) {
        guard let name, entriesLeft > 0 else { throw Damaged() }
        entriesLeft -= 1
        // Folder 0 is the one that the compiler ran in.
        let folder =
            directory > 0 && directory < UInt64(directories.count)
            ? directories[Int(directory)] : nil
        files.append(
            LineTable.File(
                name: name, directory: folder, compilationDirectory: compilationDirectory))
    }

    /// A table of folders or files of version 5, which says itself what its entries consist of.
    private static func entries(
        _ cursor: inout Cursor, _ offsetSize: Int, _ sections: DebugSections, limit: Int
    ) throws(Damaged) -> [(name: Int?, directory: UInt64)] {
        var formats: [(content: UInt64, form: UInt64)] = []
        let formatCount = try cursor.byte()
        // The standard has five. Hundreds of no bytes would take long for each entry.
        guard formatCount <= 16 else { throw Damaged() }
        for _ in 0..<formatCount {
            formats.append((try cursor.unsigned(), try cursor.unsigned()))
        }
        let count = try cursor.unsigned()
        var entries: [(name: Int?, directory: UInt64)] = []
        let unit = UnitForms(offsetSize: offsetSize, addressSize: 4, version: 5)
        for _ in 0..<count {
            let start = cursor.position
            var entry: (name: Int?, directory: UInt64) = (nil, 0)
            for format in formats {
                let value = try cursor.attribute(format.form, unit, sections)
                switch (format.content, value) {
                case (1, .string(let place)): entry.name = place.position
                case (2, .constant(let number)): entry.directory = number
                default: break
                }
            }
            // Entries of no bytes could be without number.
            guard cursor.position > start, entries.count < limit else { throw Damaged() }
            entries.append(entry)
        }
        return entries
    }

    // MARK: Program

    /// Runs the program up to the end of the next sequence, or until its addresses go back; nil at
    /// the end of the program.
    ///
    /// - Parameter limit: rows that it may have.
    mutating func nextSequence(limit: Int) throws(Damaged) -> Sequence? {
        var sequence = Sequence()
        var state = registers
        if let first = pending {
            sequence.rows.append(first)
            pending = nil
        }
        while !program.isAtEnd {
            var emits = false
            let opcode = try program.byte()
            if opcode >= opcodeBase {
                advance(&state, by: UInt64((opcode - opcodeBase) / lineRange))
                let delta = lineBase + Int64((opcode - opcodeBase) % lineRange)
                state.line = state.line &+ UInt64(bitPattern: delta)
                emits = true
            } else {
                switch opcode {
                case 0:
                    let length = try program.unsigned()
                    guard length > 0 else { continue }
                    var operands = try program.part(length)
                    switch try operands.byte() {
                    case 1:
                        sequence.end = UInt32(clamping: state.address)
                        registers = Registers()
                        return sequence
                    case 2:
                        state.address = try operands.unsigned(bytes: min(operands.remaining, 8))
                    case 3: try addFile(&operands)
                    default: break
                    }
                case 1: emits = true
                case 2: advance(&state, by: try program.unsigned())
                case 3: state.line = state.line &+ UInt64(bitPattern: try program.signed())
                case 4: state.file = try program.unsigned()
                case 5: state.column = try program.unsigned()
                case 6: state.statementFlips.toggle()
                case 7, 10, 11: break
                case 8: advance(&state, by: UInt64((255 - opcodeBase) / lineRange))
                case 9: state.address = state.address &+ (try program.unsigned(bytes: 2))
                case 12: _ = try program.unsigned()
                default:
                    for _ in 0..<operandCounts[Int(opcode) - 1] { _ = try program.unsigned() }
                }
            }
            guard emits else { continue }
            let row = row(state)
            if let last = sequence.rows.last, last.address > row.address {
                // What follows is a sequence of its own.
                sequence.end = last.address
                registers = state
                pending = row
                return sequence
            }
            guard sequence.rows.count < limit else { throw Damaged() }
            sequence.rows.append(row)
        }
        return nil
    }

    /// DWARF 5: 6.2.2 (the registers of the machine).
    private struct Registers {
        var address: UInt64 = 0
        var file: UInt64 = 1
        var line: UInt64 = 1
        var column: UInt64 = 0
        var statementFlips = false
    }

    /// Where the next sequence goes on, and its first row, if the addresses went back.
    private var registers = Registers()
    private var pending: LineTable.Row?

    private func advance(_ state: inout Registers, by operations: UInt64) {
        state.address = state.address &+ operations &* minimumLength
    }

    private func row(_ state: Registers) -> LineTable.Row {
        let file = state.file &- firstFileNumber
        return LineTable.Row(
            address: UInt32(clamping: state.address),
            file: file < UInt64(LineTable.noFile)
                ? UInt32(truncatingIfNeeded: file) : LineTable.noFile,
            line: UInt32(clamping: state.line), column: UInt16(clamping: state.column),
            isStatement: defaultIsStatement != state.statementFlips)
    }
}
