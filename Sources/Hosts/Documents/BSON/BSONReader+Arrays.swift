extension BSONReader {
    /// Whether the names in the document at `start` are 0, 1, 2 …. Goes over its own members only,
    /// by the lengths of their values, and checks nothing: true for a document that is malformed.
    func hasArrayNames(at start: Int, upTo outerEnd: Int) -> Bool {
        guard let length = length(at: start, upTo: outerEnd), length >= 5 else { return true }
        let end = start + length - 1
        var at = start + 4
        var index = 0
        while at < end {
            let type = bytes[at]
            let name = at + 1
            guard let nameEnd = zero(from: name, upTo: end) else { return true }
            guard bytes[name..<nameEnd].elementsEqual(String(index).utf8) else { return false }
            guard let next = endOfValue(type, at: nameEnd + 1, upTo: end) else { return true }
            at = next
            index += 1
        }
        return true
    }

    /// Where the value of a type ends that begins at a place; nil if it does not end before `end`.
    private func endOfValue(_ type: UInt8, at start: Int, upTo end: Int) -> Int? {
        let size: Int
        switch type {
        case BSONType.undefined, BSONType.null, BSONType.minKey, BSONType.maxKey: size = 0
        case BSONType.boolean: size = 1
        case BSONType.int32: size = 4
        case BSONType.double, BSONType.date, BSONType.timestamp, BSONType.int64: size = 8
        case BSONType.objectID: size = 12
        case BSONType.decimal128: size = 16
        case BSONType.document, BSONType.array, BSONType.codeWithScope:
            guard let length = length(at: start, upTo: end) else { return nil }
            size = length
        case BSONType.string, BSONType.code, BSONType.symbol:
            guard let length = length(at: start, upTo: end) else { return nil }
            size = 4 + length
        case BSONType.binary:
            guard let length = length(at: start, upTo: end) else { return nil }
            size = 5 + length
        case BSONType.pointer:
            guard let length = length(at: start, upTo: end) else { return nil }
            size = 16 + length
        case BSONType.regularExpression:
            return zero(from: start, upTo: end).flatMap { zero(from: $0 + 1, upTo: end) }
                .map { $0 + 1 }
        default: return nil
        }
        return size <= end - start ? start + size : nil
    }

    /// The length that stands at a place; nil if it is below 0 or reaches beyond `end`.
    private func length(at start: Int, upTo end: Int) -> Int? {
        guard end - start >= 4 else { return nil }
        return BSON.length(of: bytes[start..<start + 4], smallest: 0)
            .flatMap { $0 <= end - start ? $0 : nil }
    }

    private func zero(from start: Int, upTo end: Int) -> Int? {
        var at = start
        while at < end {
            if bytes[at] == 0 { return at }
            at += 1
        }
        return nil
    }
}
