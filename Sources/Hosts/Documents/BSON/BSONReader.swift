struct BSONReader {
    let bytes: [UInt8]
    let options: BSONOptions
    private let maximumDepth: Int
    private var at = 0
    private var values = 0
    /// Above 0 inside a value that becomes `foreign` as a whole: its parts are only checked, so
    /// that no byte is copied once for each level.
    private var checksOnly = 0

    init(bytes: [UInt8], options: BSONOptions) {
        self.bytes = bytes
        self.options = options
        maximumDepth = min(max(options.depth, 1), 256)
    }

    mutating func read() throws(BSONError) -> Document {
        if bytes.count > options.bytes {
            throw error(.bytes(options.bytes))
        }
        let (members, _) = try members(upTo: bytes.count, depth: 1)
        guard at == bytes.count else { throw error(.trailingBytes) }
        return .object(members)
    }

    private func error(_ reason: BSONError.Reason, at offset: Int? = nil) -> BSONError {
        BSONError(reason: reason, offset: offset ?? at)
    }

    // MARK: Documents

    /// Reads a document; also whether its names are those of an array.
    private mutating func members(
        upTo outerEnd: Int, depth: Int
    ) throws(BSONError) -> ([Document.Member], areElements: Bool) {
        guard depth <= maximumDepth else { throw error(.depth(maximumDepth)) }
        let start = at
        let length = try int32(upTo: outerEnd)
        guard length >= 5, Int(length) <= outerEnd - start else {
            throw error(.malformedLength(length), at: start)
        }
        let end = start + Int(length) - 1
        guard bytes[end] == 0 else { throw error(.missingEnd, at: end) }
        var members: [Document.Member] = []
        var areElements = true
        while at < end {
            let type = bytes[at]
            at += 1
            let name = try name(upTo: end)
            values += 1
            if values > options.values { throw error(.values(options.values)) }
            if areElements { areElements = name == String(members.count) }
            members.append(Document.Member(name, try value(type, upTo: end, depth: depth)))
        }
        guard at == end else { throw error(.missingEnd) }
        at = end + 1
        if !areElements, !options.keepsDuplicates { try refuseDuplicates(members, at: start) }
        return (members, areElements)
    }

    private func refuseDuplicates(
        _ members: [Document.Member], at start: Int
    ) throws(BSONError) {
        guard members.count > 1 else { return }
        if members.count <= 8 {
            for (index, member) in members.enumerated() {
                for other in members[..<index] where other.name.hasSameBytes(as: member.name) {
                    throw error(.duplicateName(member.name), at: start)
                }
            }
            return
        }
        var names: Set<ByteName> = []
        for member in members where !names.insert(ByteName(text: member.name)).inserted {
            throw error(.duplicateName(member.name), at: start)
        }
    }

    /// Reads text up to a zero byte.
    private mutating func name(upTo end: Int) throws(BSONError) -> String {
        let start = at
        while at < end, bytes[at] != 0 { at += 1 }
        guard at < end else { throw error(.missingEnd, at: start) }
        defer { at += 1 }
        return try text(start..<at)
    }

    private func text(_ range: Range<Int>) throws(BSONError) -> String {
        guard let text = String(validUTF8: bytes, range) else {
            throw error(.malformedUTF8, at: range.lowerBound + bytes[range].validUTF8Count)
        }
        return text
    }

    // MARK: Values

    private mutating func value(
        _ type: UInt8, upTo end: Int, depth: Int
    ) throws(BSONError) -> Document {
        let start = at
        switch type {
        case BSONType.double: return .double(Double(bitPattern: try uint64(upTo: end)))
        case BSONType.string: return .string(try string(upTo: end))
        case BSONType.document: return .object(try members(upTo: end, depth: depth + 1).0)
        case BSONType.array:
            if hasArrayNames(at: at, upTo: end) {
                let (members, areElements) = try members(upTo: end, depth: depth + 1)
                if areElements { return .array(members.map(\.value)) }
            } else {
                checksOnly += 1
                _ = try members(upTo: end, depth: depth + 1)
                checksOnly -= 1
            }
        case BSONType.binary: return try binary(upTo: end)
        case BSONType.boolean:
            try skip(1, upTo: end)
            guard bytes[start] <= 1 else {
                throw error(.malformedBoolean(bytes[start]), at: start)
            }
            return .boolean(bytes[start] == 1)
        case BSONType.null: return .null
        case BSONType.int32: return .integer32(try int32(upTo: end))
        case BSONType.int64: return .integer(Int64(bitPattern: try uint64(upTo: end)))
        case BSONType.undefined, BSONType.minKey, BSONType.maxKey: break
        case BSONType.objectID: try skip(12, upTo: end)
        case BSONType.date, BSONType.timestamp: try skip(8, upTo: end)
        case BSONType.decimal128: try skip(16, upTo: end)
        case BSONType.regularExpression:
            _ = try name(upTo: end)
            _ = try name(upTo: end)
        case BSONType.pointer:
            _ = try string(upTo: end)
            try skip(12, upTo: end)
        case BSONType.code, BSONType.symbol: _ = try string(upTo: end)
        case BSONType.codeWithScope:
            let length = try int32(upTo: end)
            guard length >= 14, Int(length) <= end - start else {
                throw error(.malformedLength(length), at: start)
            }
            _ = try string(upTo: start + Int(length))
            checksOnly += 1
            _ = try members(upTo: start + Int(length), depth: depth + 1)
            checksOnly -= 1
            guard at == start + Int(length) else {
                throw error(.malformedLength(length), at: start)
            }
        default: throw error(.unknownType(type), at: start)
        }
        return foreign(type, start)
    }

    private func foreign(_ type: UInt8, _ start: Int) -> Document {
        if checksOnly > 0 { return .null }
        return .foreign(Document.ForeignValue(type: type, payload: Array(bytes[start..<at])))
    }

    private mutating func binary(upTo end: Int) throws(BSONError) -> Document {
        let start = at
        let length = try int32(upTo: end)
        guard length >= 0, Int(length) < end - at else {
            throw error(.malformedLength(length), at: start)
        }
        let subtype = bytes[at]
        at += 1
        let content = at..<at + Int(length)
        at = content.upperBound
        if subtype == 0 { return .bytes(Array(bytes[content])) }
        // The old form of binary has its length twice.
        if subtype == 2 {
            var inner = self
            inner.at = content.lowerBound
            let innerLength = try inner.int32(upTo: content.upperBound)
            guard Int(innerLength) == content.count - 4 else {
                throw error(.malformedLength(innerLength), at: content.lowerBound)
            }
        }
        return foreign(BSONType.binary, start)
    }

    private mutating func string(upTo end: Int) throws(BSONError) -> String {
        let start = at
        let length = try int32(upTo: end)
        guard length >= 1, Int(length) <= end - at else {
            throw error(.malformedLength(length), at: start)
        }
        let content = at..<at + Int(length) - 1
        guard bytes[content.upperBound] == 0 else {
            throw error(.missingEnd, at: content.upperBound)
        }
        at = content.upperBound + 1
        return try text(content)
    }

    private mutating func skip(_ count: Int, upTo end: Int) throws(BSONError) {
        guard end - at >= count else { throw error(.missingEnd) }
        at += count
    }

    private mutating func int32(upTo end: Int) throws(BSONError) -> Int32 {
        Int32(truncatingIfNeeded: try number(4, upTo: end))
    }

    private mutating func uint64(upTo end: Int) throws(BSONError) -> UInt64 {
        try number(8, upTo: end)
    }

    /// A number of so many bytes, the lowest first.
    private mutating func number(_ count: Int, upTo end: Int) throws(BSONError) -> UInt64 {
        let start = at
        try skip(count, upTo: end)
        var value: UInt64 = 0
        for index in (start..<at).reversed() { value = value << 8 | UInt64(bytes[index]) }
        return value
    }
}
