/// A name of the domain name system: labels of bytes, compared without the case of ASCII letters.
///
/// Specification: RFC 1035, sections 2.3 and 3.1; RFC 4343.
public struct DomainName: Hashable, Sendable {
    /// Labels from the host's to the top level's; 1 to 63 bytes each.
    public let labels: [[UInt8]]
    /// The same with small letters.
    private let key: [[UInt8]]

    /// Longest name as it is sent, with the lengths of its labels and the end.
    public static let byteLimit = 255
    /// Longest label.
    public static let labelLimit = 63

    /// - Returns: nil if a label is empty or longer than 63 bytes, or the name longer than 255.
    public init?(labels: [[UInt8]]) {
        var count = 1
        for label in labels {
            guard (1...Self.labelLimit).contains(label.count) else { return nil }
            count += label.count + 1
        }
        guard count <= Self.byteLimit else { return nil }
        self.labels = labels
        let isSmall = labels.allSatisfy { label in label.allSatisfy { $0 &- 0x41 >= 26 } }
        if isSmall {
            // So are most names, and one copy is enough.
            key = labels
        } else {
            key = labels.map { label in label.map { $0 &- 0x41 < 26 ? $0 | 0x20 : $0 } }
        }
    }

    /// Parses a host's name in its usual form, with or without a dot at its end: letters, digits,
    /// hyphens and underscores. Names in other scripts must be given in their ASCII form.
    public init?(_ text: some StringProtocol) {
        var bytes = Array(text.utf8)
        if bytes.last == UInt8(ascii: "."), bytes.count > 1 { bytes.removeLast() }
        let labels = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard labels.allSatisfy({ $0.allSatisfy(\.isHostByte) && $0.first != UInt8(ascii: "-") })
        else { return nil }
        self.init(labels: labels.map(Array.init))
    }

    /// The name followed by another.
    public func appending(_ suffix: DomainName) -> DomainName? {
        DomainName(labels: labels + suffix.labels)
    }

    public static func == (left: DomainName, right: DomainName) -> Bool { left.key == right.key }

    public func hash(into hasher: inout Hasher) { hasher.combine(key) }

    /// The name as it is sent, without pointers.
    public var bytes: [UInt8] {
        var bytes: [UInt8] = []
        for label in labels {
            bytes.append(UInt8(truncatingIfNeeded: label.count))
            bytes += label
        }
        return bytes + [0]
    }
}

extension DomainName: CustomStringConvertible {
    /// The labels with dots between them; bytes that names of hosts do not have as `\ddd`.
    public var description: String {
        labels.map { label in
            label.map { byte in
                if byte.isHostByte { return String(UnicodeScalar(byte)) }
                let digits = String(byte)
                return "\\" + String(repeating: "0", count: 3 - digits.utf8.count) + digits
            }.joined()
        }.joined(separator: ".")
    }
}

extension UInt8 {
    fileprivate var isHostByte: Bool {
        self &- 0x30 < 10 || (self | 0x20) &- 0x61 < 26 || self == 0x2d || self == 0x5f
    }
}
