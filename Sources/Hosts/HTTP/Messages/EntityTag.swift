/// A validator of a representation (RFC 9110 8.8.3).
public struct EntityTag: Hashable, Sendable {
    /// Whether equal tags promise equivalence only, not the same bytes.
    public let isWeak: Bool
    /// What is between the quotes.
    public let opaque: [UInt8]

    /// - Parameter opaque: visible characters without a double quote, else nil.
    public init?(_ opaque: some Collection<UInt8>, isWeak: Bool = false) {
        guard opaque.allSatisfy({ ByteSet.entityTag.contains($0) || $0 >= 0x80 }) else {
            return nil
        }
        self.opaque = Array(opaque)
        self.isWeak = isWeak
    }

    /// Reads `"tag"` or `W/"tag"`.
    public init?(field: ArraySlice<UInt8>) {
        var rest = field
        let isWeak = rest.starts(with: [0x57, ASCII.slash])
        if isWeak { rest = rest.dropFirst(2) }
        guard rest.count >= 2, rest.first == ASCII.quote, rest.last == ASCII.quote else {
            return nil
        }
        self.init(rest.dropFirst().dropLast(), isWeak: isWeak)
    }

    /// The tag as it is sent.
    public var bytes: [UInt8] {
        var bytes: [UInt8] = []
        if isWeak { bytes.append(text: "W/") }
        bytes.append(ASCII.quote)
        bytes.append(contentsOf: opaque)
        bytes.append(ASCII.quote)
        return bytes
    }

    /// Strong comparison: both are strong and the same.
    public func stronglyMatches(_ other: EntityTag) -> Bool {
        !isWeak && !other.isWeak && opaque == other.opaque
    }

    /// Weak comparison: the same but for strength.
    public func weaklyMatches(_ other: EntityTag) -> Bool { opaque == other.opaque }
}

/// The value of `If-Match` and `If-None-Match`.
public enum EntityTagList: Equatable, Sendable {
    /// `*`
    case any
    case tags([EntityTag])

    /// Reads all fields of a name; nil if there is none. What is no tag is left out, so that an
    /// ill-formed list matches nothing.
    public init?(_ values: [ArraySlice<UInt8>]) {
        if values.isEmpty { return nil }
        if values.count == 1, values[0].equals("*") {
            self = .any
            return
        }
        self = .tags(ListElements(values).compactMap(EntityTag.init(field:)))
    }
}
