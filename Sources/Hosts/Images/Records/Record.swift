/// The header of a record: the types of its values and where they are. Section 2.1 of SQLite's file
/// format.
struct Record {
    struct Column: Hashable {
        var type: Int64
        var offset: Int
        var count: Int
    }

    private(set) var columns: [Column] = []
    private let damage: ImageError.Damage

    /// The largest header that is read: a table has at most 32,767 columns.
    private static let headerLimit = 1 << 18

    init(_ payload: Payload, _ pager: Pager) throws(ImageError) {
        damage = .init(page: payload.page, .record)
        // Most headers are in the cell.
        let start = Array(payload.local.prefix(9))
        let (size, sizeOfSize) = try start.varint(0, before: start.count, damage)
        guard size >= sizeOfSize, size <= payload.count, size <= Self.headerLimit else {
            throw .damaged(damage)
        }
        let end = Int(size)
        let header =
            end <= payload.local.count
            ? Array(payload.local.prefix(end)) : try payload.bytes(pager, 0..<end)
        var position = sizeOfSize
        var offset = end
        while position < end {
            let (type, size) = try header.varint(position, before: end, damage)
            position += size
            let count = try count(of: type)
            guard count <= payload.count - offset else { throw .damaged(damage) }
            columns.append(Column(type: type, offset: offset, count: count))
            offset += count
        }
    }

    private func count(of type: Int64) throws(ImageError) -> Int {
        switch type {
        case 0, 8, 9: return 0
        case 1...4: return Int(type)
        case 5: return 6
        case 6, 7: return 8
        case 12...: return Int((type - 12) / 2)
        default: throw .damaged(damage)
        }
    }

    /// The value of a column; nil if the record has fewer.
    func value(_ index: Int, _ payload: Payload, _ pager: Pager) throws(ImageError) -> Value? {
        guard index >= 0, index < columns.count else { return nil }
        let column = columns[index]
        switch column.type {
        case 0: return .null
        case 8: return .integer(0)
        case 9: return .integer(1)
        default: break
        }
        let range = column.offset..<(column.offset + column.count)
        let bytes: [UInt8]
        if range.upperBound <= payload.local.count {
            let start = payload.local.startIndex
            bytes = Array(payload.local[(start + range.lowerBound)..<(start + range.upperBound)])
        } else {
            bytes = try payload.bytes(pager, range)
        }
        switch column.type {
        case 1...6:
            var number = Int64(bytes.first.map { Int8(bitPattern: $0) } ?? 0)
            for byte in bytes.dropFirst() { number = number << 8 | Int64(byte) }
            return .integer(number)
        case 7:
            return .real(Double(bitPattern: bytes.reduce(0) { $0 << 8 | UInt64($1) }))
        default: return column.type & 1 == 0 ? .blob(bytes) : .text(bytes)
        }
    }

    func values(_ payload: Payload, _ pager: Pager) throws(ImageError) -> [Value] {
        var values: [Value] = []
        for index in columns.indices {
            if let value = try value(index, payload, pager) { values.append(value) }
        }
        return values
    }

    // MARK: Encoding

    /// A column of a record that is written: a value, or a blob whose bytes come later.
    enum Field {
        case value(Value)
        case blobOf(Int)
    }

    /// The record of values.
    static func encode(_ values: [Value]) -> [UInt8] { encode(values.map { .value($0) }) }

    /// The record of fields; a last one without bytes ends where these would begin.
    static func encode(_ fields: [Field]) -> [UInt8] {
        var types: [UInt8] = []
        var body: [UInt8] = []
        for field in fields {
            switch field {
            case .blobOf(let count): types.appendVarint(Int64(count) * 2 + 12)
            case .value(.null): types.append(0)
            case .value(.integer(let number)): encode(number, &types, &body)
            case .value(.real(let number)):
                types.append(7)
                for shift in stride(from: 56 as UInt64, through: 0, by: -8) {
                    body.append(UInt8(truncatingIfNeeded: number.bitPattern >> shift))
                }
            case .value(.text(let bytes)):
                types.appendVarint(Int64(bytes.count) * 2 + 13)
                body += bytes
            case .value(.blob(let bytes)):
                types.appendVarint(Int64(bytes.count) * 2 + 12)
                body += bytes
            }
        }
        // The size of the header counts itself.
        var size = types.count + 1
        if [UInt8].sizeOfVarint(Int64(size)) > 1 { size += 1 }
        if [UInt8].sizeOfVarint(Int64(size)) > 2 { size += 1 }
        var record: [UInt8] = []
        record.reserveCapacity(size + body.count)
        record.appendVarint(Int64(size))
        return record + types + body
    }

    private static func encode(_ number: Int64, _ types: inout [UInt8], _ body: inout [UInt8]) {
        if number == 0 || number == 1 { return types.append(number == 0 ? 8 : 9) }
        let magnitude = UInt64(bitPattern: number < 0 ? ~number : number)
        let (type, size): (UInt8, UInt64) =
            switch magnitude {
            case 0...0x7f: (1, 1)
            case 0...0x7fff: (2, 2)
            case 0...0x7f_ffff: (3, 3)
            case 0...0x7fff_ffff: (4, 4)
            case 0...0x7fff_ffff_ffff: (5, 6)
            default: (6, 8)
            }
        types.append(type)
        for index in 1...size {
            body.append(UInt8(truncatingIfNeeded: number >> Int64((size - index) * 8)))
        }
    }
}
