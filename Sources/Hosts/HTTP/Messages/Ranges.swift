/// A range of bytes as it is asked for (RFC 9110 14.1.1).
public enum RangeSpecifier: Equatable, Sendable {
    /// From a first byte to a last one, inclusive.
    case between(UInt64, UInt64)
    /// From a byte to the end.
    case from(UInt64)
    /// The last bytes.
    case last(UInt64)

    /// The bytes of a representation of a size; nil if there are none.
    func resolved(size: UInt64) -> Range<UInt64>? {
        switch self {
        case .between(let first, let last):
            first < size ? first..<(min(last, size &- 1) &+ 1) : nil
        case .from(let first): first < size ? first..<size : nil
        case .last(let count): count > 0 && size > 0 ? (size &- min(count, size))..<size : nil
        }
    }
}

extension Fields {
    /// What `Range` asks for; nil if there is no such field, several, another unit, or an
    /// ill-formed value: the field is then ignored (RFC 9110 14.2).
    public var ranges: [RangeSpecifier]? {
        let values = all("range")
        guard values.count == 1, let equals = values[0].firstIndex(of: ASCII.equals),
            values[0][values[0].startIndex..<equals].equals(lowercase: "bytes")
        else { return nil }
        var ranges: [RangeSpecifier] = []
        for element in ListElements([values[0][(equals &+ 1)...]]) {
            guard let range = RangeSpecifier(element) else { return nil }
            ranges.append(range)
        }
        return ranges.isEmpty ? nil : ranges
    }

    /// The dates of `If-Modified-Since` and the like; nil unless there is one valid field.
    ///
    /// - Parameter name: in lower case.
    public func date(_ name: StaticString, now: HTTPDate) -> HTTPDate? {
        let values = all(name)
        return values.count == 1 ? HTTPDate(values[0], now: now) : nil
    }
}

extension RangeSpecifier {
    /// Reads `first-last`, `first-` or `-count`.
    init?(_ bytes: ArraySlice<UInt8>) {
        guard let minus = bytes.firstIndex(of: ASCII.minus) else { return nil }
        let (before, after) = (bytes[bytes.startIndex..<minus], bytes[(minus &+ 1)...])
        if before.isEmpty {
            guard let count = decimal(after) else { return nil }
            self = .last(count)
            return
        }
        guard let first = decimal(before) else { return nil }
        if after.isEmpty {
            self = .from(first)
            return
        }
        guard let last = decimal(after), first <= last else { return nil }
        self = .between(first, last)
    }
}

/// A number of at least one digit and nothing else; numbers beyond 2^63 are 2^63 - 1.
func decimal(_ bytes: some Collection<UInt8>) -> UInt64? {
    guard !bytes.isEmpty else { return nil }
    var value: UInt64 = 0
    for byte in bytes {
        guard let digit = byte.digit else { return nil }
        let (product, overflow) = value.multipliedReportingOverflow(by: 10)
        value = overflow ? UInt64.max : product
        let (sum, overflow2) = value.addingReportingOverflow(UInt64(digit))
        value = min(overflow2 ? UInt64.max : sum, UInt64(Int64.max))
    }
    return value
}
