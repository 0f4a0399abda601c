import WasmDecoder

/// Goes over a part of a module, and notes where its bytes are not those that the parser writes for
/// its text.
struct PaddingFinder {
    var reader: BinaryReader
    private let bytes: ModuleBytes
    private let start: Int
    private let end: Int
    /// What the parser writes, up to the last edit; empty as long as there is none.
    private var written: [UInt8] = []
    /// The offset in the file of what comes next.
    private var copied: Int
    private(set) var padding = Padding()

    init(_ module: ParsedModule, _ range: ByteRange) {
        reader = module.reader(of: range)
        bytes = module.bytes
        start = range.start
        end = range.end
        copied = range.start
    }

    /// The edits, once everything was read.
    consuming func finished() -> Padding {
        guard !padding.edits.isEmpty else { return padding }
        written += bytes[ByteRange(start: copied, end: end)]
        padding.check = checksum(written)
        return padding
    }

    // MARK: Edits

    /// The number from `start` to the reader has a shortest form of `count` bytes.
    private mutating func note(_ start: Int, shortest count: Int) {
        let length = reader.offset - start
        guard length > count, count > 0 else { return }
        copy(to: start)
        padding.edits.append(
            Padding.Edit(
                position: written.count,
                change: .padding(width: length, isNegative: byte(at: reader.offset - 1) == 0x7f)))
        written += bytes[ByteRange(start: start, end: start + count - 1)]
        written.append(byte(at: start + count - 1) & 0x7f)
        copied = reader.offset
    }

    /// For everything from `start` to the reader the parser writes `shortest`.
    mutating func note(_ start: Int, writtenAs shortest: [UInt8]) {
        let original = bytes[ByteRange(start: start, end: reader.offset)]
        guard original != shortest else { return }
        copy(to: start)
        padding.edits.append(
            Padding.Edit(
                position: written.count,
                change: .replacement(count: shortest.count, bytes: original)))
        written += shortest
        copied = reader.offset
    }

    private mutating func copy(to offset: Int) {
        written += bytes[ByteRange(start: copied, end: offset)]
    }

    private func byte(at offset: Int) -> UInt8 {
        bytes.withUnsafeBytes { $0.indices.contains(offset) ? $0[offset] : 0 }
    }

    // MARK: Numbers and types

    static func length(unsigned value: UInt64) -> Int {
        max(1, (64 - value.leadingZeroBitCount + 6) / 7)
    }

    private static func length(signed value: Int64) -> Int {
        let magnitude = value < 0 ? ~value : value
        return (64 - magnitude.leadingZeroBitCount) / 7 + 1
    }

    @discardableResult
    mutating func unsigned32() throws(DecodingError) -> UInt32 {
        let start = reader.offset
        let value = try reader.unsigned32()
        if reader.offset - start > 1 { note(start, shortest: Self.length(unsigned: UInt64(value))) }
        return value
    }

    mutating func unsigned64() throws(DecodingError) {
        let start = reader.offset
        let value = try reader.unsigned64()
        if reader.offset - start > 1 { note(start, shortest: Self.length(unsigned: value)) }
    }

    private mutating func signed32() throws(DecodingError) {
        let start = reader.offset
        let value = try reader.signed32()
        if reader.offset - start > 1 { note(start, shortest: Self.length(signed: Int64(value))) }
    }

    private mutating func signed64() throws(DecodingError) {
        let start = reader.offset
        let value = try reader.signed64()
        if reader.offset - start > 1 { note(start, shortest: Self.length(signed: value)) }
    }

    mutating func valueType() throws(DecodingError) {
        let start = reader.offset
        let type = try reader.valueType()
        if reader.offset - start > 1 { note(start) { $0.valueType(type) } }
    }

    mutating func referenceType() throws(DecodingError) {
        let start = reader.offset
        let type = try reader.referenceType()
        if reader.offset - start > 1 { note(start) { $0.referenceType(type) } }
    }

    private mutating func heapType() throws(DecodingError) {
        let start = reader.offset
        let type = try reader.heapType()
        if reader.offset - start > 1 { note(start) { $0.heapType(type) } }
    }

    private mutating func blockType() throws(DecodingError) {
        let start = reader.offset
        let type = try reader.blockType()
        guard reader.offset - start > 1 else { return }
        switch type {
        case .empty: break
        case .value(let type): note(start) { $0.valueType(type) }
        case .type(let index): note(start, shortest: Self.length(signed: Int64(index)))
        }
    }

    private mutating func note(_ start: Int, _ write: (inout ByteWriter) -> Void) {
        var writer = ByteWriter()
        write(&writer)
        note(start, writtenAs: writer.bytes)
    }

    // MARK: Bodies

    /// A function's locals and instructions.
    mutating func body() throws(DecodingError) {
        try locals()
        while !reader.isAtEnd { _ = try instruction() }
    }

    private mutating func locals() throws(DecodingError) {
        let start = reader.offset
        var merged: [(count: UInt32, type: ValueType)] = []
        var ahead = reader
        var groups = 0
        try ahead.forEachLocalGroup { count, type in
            groups += 1
            if let last = merged.last, last.type == type {
                merged[merged.count - 1].count += count
            } else if count > 0 {
                merged.append((count, type))
            }
        }
        guard merged.count != groups else {
            for _ in 0..<(try unsigned32()) {
                try unsigned32()
                try valueType()
            }
            return
        }
        // Grouped in another way than the parser does it.
        reader = ahead
        note(start) {
            $0.count(merged.count)
            for group in merged {
                $0.index(group.count)
                $0.valueType(group.type)
            }
        }
    }

    /// A constant expression up to its `end`.
    mutating func expression() throws(DecodingError) {
        var depth = 0
        while true {
            switch try instruction() {
            case .end where depth == 0: return
            case .end, .delegate: depth -= 1
            case .block, .loop, .if, .tryTable, .try: depth += 1
            default: break
            }
        }
    }

    private mutating func instruction() throws(DecodingError) -> Opcode {
        let start = reader.offset
        let opcode = try reader.opcode()
        let length = reader.offset - start
        if length > 2 {
            // After the prefix is a number.
            let number = opcode.rawValue < 0x400 ? opcode.rawValue & 0xff : opcode.rawValue - 0x400
            note(start + 1, shortest: Self.length(unsigned: UInt64(number)))
        }
        try immediates(opcode)
        return opcode
    }

    private mutating func immediates(_ opcode: Opcode) throws(DecodingError) {
        switch opcode.info.immediates {
        case .none: break
        case .label, .function, .type, .local, .global, .table, .dataSegment, .elementSegment,
            .tag, .memory:
            try unsigned32()
        case .i32: try signed32()
        case .i64: try signed64()
        case .memoryArgument: try memoryArgument()
        case .memoryArgumentLane:
            try memoryArgument()
            try reader.skip(1)
        case .lane, .fence: try reader.skip(1)
        case .f32: try reader.skip(4)
        case .f64: try reader.skip(8)
        case .shuffle, .v128: try reader.skip(16)
        case .blockType: try blockType()
        case .callIndirect, .memoryInit, .memoryCopy, .tableInit, .tableCopy, .typeField,
            .typeCount, .typeData, .typeElement, .typeType:
            try unsigned32()
            try unsigned32()
        case .labelTable:
            let count = try unsigned32()
            for _ in 0...count { try unsigned32() }
        case .valueTypes: for _ in 0..<(try unsigned32()) { try valueType() }
        case .heapType: try heapType()
        case .castBranch:
            try reader.skip(1)
            try unsigned32()
            try heapType()
            try heapType()
        case .tryTable:
            try blockType()
            for _ in 0..<(try unsigned32()) {
                let kind = CatchClause.Kind(rawValue: try reader.byte())
                if kind == .catch || kind == .catchRef { try unsigned32() }
                try unsigned32()
            }
        }
    }

    private mutating func memoryArgument() throws(DecodingError) {
        let start = reader.offset
        let flags = try reader.unsigned32()
        let behindFlags = reader.offset
        if flags >= 0x40 {
            let memory = try reader.unsigned32()
            if memory == 0 {
                note(start, writtenAs: [UInt8(truncatingIfNeeded: flags & 0x3f)])
            } else {
                reader.offset = start
                try unsigned32()
                reader.offset = behindFlags
                try unsigned32()
            }
        } else {
            note(start, shortest: 1)
        }
        try unsigned64()
    }
}
