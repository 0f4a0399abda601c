/// Reads the parts of a message of the domain name system, of a resolver or of multicast DNS. Each
/// function returns nil if the bytes end or are malformed, and takes time in proportion to what it
/// reads: a name is at most 255 bytes, and its pointers only lead back.
///
/// Specification: RFC 1035, section 4.
public struct NameReader: Sendable {
    public let bytes: [UInt8]
    /// Where the next part begins.
    public internal(set) var at = 0
    /// Labels that names may still have. A name of 127 labels takes two bytes where it is a pointer.
    private var labelsLeft: Int

    /// - Parameter labelLimit: labels of all names together.
    public init(bytes: [UInt8], labelLimit: Int = 1 << 15) {
        self.bytes = bytes
        labelsLeft = labelLimit
    }

    /// A number of 16 bits.
    public mutating func word() -> UInt16? {
        guard bytes.count - at >= 2 else { return nil }
        defer { at += 2 }
        let high = UInt16(truncatingIfNeeded: bytes[at])
        return high << 8 | UInt16(truncatingIfNeeded: bytes[at + 1])
    }

    /// A number of 32 bits.
    public mutating func doubleWord() -> UInt32? {
        guard let high = word(), let low = word() else { return nil }
        return UInt32(truncatingIfNeeded: high) << 16 | UInt32(truncatingIfNeeded: low)
    }

    /// Reads a name, whose end may be elsewhere: each pointer must lead to a place before the part
    /// that it ends, so there can be no cycle.
    public mutating func name() -> DomainName? {
        var labels: [[UInt8]] = []
        var total = 1
        var place = at
        var partStart = at
        var end: Int?
        // Each label of a name may be elsewhere; more pointers than labels have no use.
        var pointers = 0
        while true {
            guard place < bytes.count else { return nil }
            let length = Int(bytes[place])
            if length == 0 {
                at = end ?? place + 1
                return DomainName(labels: labels)
            }
            if length & 0xc0 == 0xc0 {
                guard place + 1 < bytes.count else { return nil }
                let target = (length & 0x3f) << 8 | Int(bytes[place + 1])
                pointers += 1
                guard target < partStart, pointers <= 128 else { return nil }
                if end == nil { end = place + 2 }
                place = target
                partStart = target
                continue
            }
            // The two other forms were never used.
            guard length <= DomainName.labelLimit, bytes.count - place > length else { return nil }
            total += length + 1
            guard total <= DomainName.byteLimit, labelsLeft > 0 else { return nil }
            labelsLeft -= 1
            labels.append(Array(bytes[place + 1...place + length]))
            place += length + 1
        }
    }

    /// The next bytes.
    public mutating func take(_ count: Int) -> [UInt8]? {
        guard count >= 0, bytes.count - at >= count else { return nil }
        defer { at += count }
        return Array(bytes[at..<at + count])
    }
}
