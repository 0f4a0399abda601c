struct BSONWriter {
    private(set) var bytes: [UInt8] = []

    /// As deep as the reader ever goes.
    private static let maximumDepth = 256

    private func error(_ reason: BSONError.Reason) -> BSONError {
        BSONError(reason: reason, offset: bytes.count)
    }

    mutating func write(_ members: [Document.Member], depth: Int) throws(BSONError) {
        let start = try begin(depth)
        for member in members {
            guard !member.name.utf8.contains(0) else { throw error(.zeroInName(member.name)) }
            try write(member.value, depth) { $0.append(contentsOf: member.name.utf8) }
        }
        try end(start)
    }

    private mutating func write(elements: [Document], depth: Int) throws(BSONError) {
        let start = try begin(depth)
        for (index, element) in elements.enumerated() {
            try write(element, depth) { $0.append(contentsOf: String(index).utf8) }
        }
        try end(start)
    }

    private mutating func begin(_ depth: Int) throws(BSONError) -> Int {
        guard depth < Self.maximumDepth else { throw error(.depth(Self.maximumDepth)) }
        append(0, count: 4)
        return bytes.count - 4
    }

    private mutating func end(_ start: Int) throws(BSONError) {
        bytes.append(0)
        guard let length = Int32(exactly: bytes.count - start) else { throw error(.tooLarge) }
        for index in 0..<4 {
            bytes[start + index] = UInt8(
                truncatingIfNeeded: length >> (8 * Int32(truncatingIfNeeded: index)))
        }
    }

    private mutating func write(
        _ value: Document, _ depth: Int, name: (inout [UInt8]) -> Void
    ) throws(BSONError) {
        func begin(_ type: UInt8) {
            bytes.append(type)
            name(&bytes)
            bytes.append(0)
        }
        switch value {
        case .null: begin(BSONType.null)
        case .boolean(let value):
            begin(BSONType.boolean)
            bytes.append(value ? 1 : 0)
        case .integer(let value):
            begin(BSONType.int64)
            append(UInt64(bitPattern: value), count: 8)
        case .integer32(let value):
            begin(BSONType.int32)
            append(UInt64(UInt32(bitPattern: value)), count: 4)
        case .unsigned(let value):
            guard value <= UInt64(Int64.max) else { throw error(.unsignedBeyondInt64(value)) }
            begin(BSONType.int64)
            append(value, count: 8)
        case .double(let value):
            begin(BSONType.double)
            append(value.bitPattern, count: 8)
        case .string(let value):
            begin(BSONType.string)
            try append(value)
        case .dateTime(let value):
            begin(BSONType.string)
            try append(value.description)
        case .bytes(let value):
            begin(BSONType.binary)
            try append(length: value.count)
            bytes.append(0)
            bytes.append(contentsOf: value)
        case .foreign(let value):
            begin(value.type)
            bytes.append(contentsOf: value.payload)
        case .array(let elements):
            begin(BSONType.array)
            try write(elements: elements, depth: depth + 1)
        case .object(let members):
            begin(BSONType.document)
            try write(members, depth: depth + 1)
        }
    }

    private mutating func append(_ text: String) throws(BSONError) {
        try append(length: text.utf8.count + 1)
        bytes.append(contentsOf: text.utf8)
        bytes.append(0)
    }

    private mutating func append(length: Int) throws(BSONError) {
        guard let length = UInt32(exactly: length), length <= UInt32(bitPattern: .max) else {
            throw error(.tooLarge)
        }
        append(UInt64(length), count: 4)
    }

    private mutating func append(_ value: UInt64, count: Int) {
        var value = value
        for _ in 0..<count {
            bytes.append(UInt8(truncatingIfNeeded: value))
            value >>= 8
        }
    }
}
