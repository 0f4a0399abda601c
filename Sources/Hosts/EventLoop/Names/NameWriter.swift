/// Writes a message of the domain name system, with names in their short form: the end of a name
/// that was written before is a pointer to it.
///
/// Specification: RFC 1035, section 4.1.4.
public struct NameWriter: Sendable {
    public private(set) var bytes: [UInt8] = []
    /// Where names begin that were written, by their labels in small letters.
    private var places: [DomainName: UInt16] = [:]

    public init() {}

    public mutating func append(word: UInt16) { bytes.append(word: word) }

    public mutating func append(doubleWord: UInt32) {
        append(word: UInt16(truncatingIfNeeded: doubleWord >> 16))
        append(word: UInt16(truncatingIfNeeded: doubleWord))
    }

    public mutating func append(_ more: some Sequence<UInt8>) { bytes += more }

    /// Replaces a number of 16 bits that was written.
    public mutating func set(word: UInt16, at place: Int) {
        guard place >= 0, bytes.count - place >= 2 else { return }
        bytes[place] = UInt8(truncatingIfNeeded: word >> 8)
        bytes[place + 1] = UInt8(truncatingIfNeeded: word)
    }

    /// Writes a name; its spelling may be that of an equal name that was written before.
    ///
    /// - Parameter isShort: false to write all labels, as some types of records demand.
    public mutating func append(_ name: DomainName, isShort: Bool = true) {
        guard isShort else { return bytes += name.bytes }
        var rest = name.labels[...]
        while let label = rest.first {
            guard let end = DomainName(labels: Array(rest)) else { break }
            if let place = places[end] { return append(word: 0xc000 | place) }
            // Pointers have 14 bits.
            if bytes.count < 0x4000 { places[end] = UInt16(truncatingIfNeeded: bytes.count) }
            bytes.append(UInt8(truncatingIfNeeded: label.count))
            bytes += label
            rest = rest.dropFirst()
        }
        bytes.append(0)
    }

    /// Writes what `body` writes, with its length of 16 bits before it.
    public mutating func appendMeasured(_ body: (inout NameWriter) -> Void) {
        let place = bytes.count
        append(word: 0)
        body(&self)
        set(word: UInt16(clamping: bytes.count - place - 2), at: place)
    }
}

extension [UInt8] {
    mutating func append(word: UInt16) {
        append(UInt8(truncatingIfNeeded: word >> 8))
        append(UInt8(truncatingIfNeeded: word))
    }
}
