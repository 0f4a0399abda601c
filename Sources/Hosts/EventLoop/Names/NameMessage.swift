/// A message of the domain name system, as far as a client needs it: one question, answers, and the
/// start of authority, which sets how long an absence may be remembered.
///
/// Specification: RFC 1035, section 4; RFC 3596; RFC 2308.
public struct NameMessage: Hashable, Sendable {
    public struct RecordType: RawRepresentable, Hashable, Sendable {
        public var rawValue: UInt16
        public init(rawValue: UInt16) { self.rawValue = rawValue }

        public static let a = RecordType(rawValue: 1)
        public static let alias = RecordType(rawValue: 5)
        public static let authority = RecordType(rawValue: 6)
        public static let aaaa = RecordType(rawValue: 28)
    }

    public struct Question: Hashable, Sendable {
        public var name: DomainName
        public var type: RecordType

        public init(_ name: DomainName, _ type: RecordType) {
            self.name = name
            self.type = type
        }
    }

    public enum Value: Hashable, Sendable {
        /// Four or sixteen bytes.
        case address([UInt8])
        case alias(DomainName)
        /// For how many seconds an absence may be remembered.
        case authority(minimum: UInt32)
    }

    public struct Record: Hashable, Sendable {
        public var name: DomainName
        public var value: Value
        /// Seconds.
        public var timeToLive: UInt32

        public init(name: DomainName, value: Value, timeToLive: UInt32) {
            self.name = name
            self.value = value
            self.timeToLive = timeToLive
        }
    }

    public var identifier: UInt16
    public var isResponse: Bool
    /// Whether the rest can be received only over TCP.
    public var isTruncated: Bool
    /// 0 for none, 3 for a name that does not exist.
    public var responseCode: UInt8
    public var question: Question
    /// Addresses and aliases; records of other types are left out.
    public var answers: [Record]
    public var authorities: [Record]

    /// Longest message; those over UDP have at most 512 bytes unless a server sends more.
    public static let byteLimit = 65_535

    /// What a datagram may hold without being split on common networks.
    public static let datagramLimit: UInt16 = 1232

    /// The bytes of a question, with recursion wanted.
    ///
    /// - Parameter datagramLimit: the longest answer that may come over UDP (EDNS, RFC 6891); nil
    ///   leaves it at 512 bytes, without the extension.
    public static func query(
        _ identifier: UInt16, _ question: Question, datagramLimit: UInt16? = nil
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        let count: UInt16 = datagramLimit == nil ? 0 : 1
        for word in [identifier, 0x0100, 1, 0, 0, count] { bytes.append(word: word) }
        bytes += question.name.bytes
        bytes.append(word: question.type.rawValue)
        bytes.append(word: 1)
        if let datagramLimit {
            // A record of the root, of type OPT, without options.
            bytes.append(0)
            for word in [41, datagramLimit, 0, 0, 0] { bytes.append(word: word) }
        }
        return bytes
    }

    /// The identifier of a message, without reading the rest; nil if there is none.
    static func readIdentifier(_ bytes: [UInt8]) -> UInt16? {
        guard bytes.count >= 2 else { return nil }
        return UInt16(truncatingIfNeeded: bytes[0]) << 8 | UInt16(truncatingIfNeeded: bytes[1])
    }

    /// Whether the bytes are a server's refusal of a question's form, FORMERR or NOTIMP, which may
    /// lack the question.
    static func refusesForm(_ bytes: [UInt8]) -> UInt16? {
        guard bytes.count >= 12, bytes[2] & 0x80 != 0, [1, 4].contains(bytes[3] & 0xf) else {
            return nil
        }
        return readIdentifier(bytes)
    }

    /// Reads a message. Takes time in proportion to its bytes: a name is at most 255 bytes, its
    /// pointers only lead back, and all names together have at most 32,768 labels.
    ///
    /// - Returns: nil if it is malformed, or has not exactly one question of the class of the
    ///   Internet.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count <= Self.byteLimit else { return nil }
        var reader = NameReader(bytes: bytes)
        guard let identifier = reader.word(), let flags = reader.word(),
            let questions = reader.word(), let answerCount = reader.word(),
            let authorityCount = reader.word(), reader.word() != nil, questions == 1,
            // A standard query: no other kind is sent.
            flags & 0x7800 == 0, let name = reader.name(), let type = reader.word(),
            reader.word() == 1
        else { return nil }
        self.identifier = identifier
        isResponse = flags & 0x8000 != 0
        isTruncated = flags & 0x0200 != 0
        responseCode = UInt8(truncatingIfNeeded: flags & 0xf)
        question = Question(name, RecordType(rawValue: type))
        answers = []
        authorities = []
        // The rest of a truncated message is not used.
        if isTruncated { return }
        guard let answers = reader.records(answerCount),
            let authorities = reader.records(authorityCount)
        else { return nil }
        self.answers = answers
        self.authorities = authorities
    }

    /// Whether this answers the given question.
    public func answers(_ identifier: UInt16, _ question: Question) -> Bool {
        isResponse && self.identifier == identifier && self.question == question
    }

    /// The result for the question's name: the addresses at the end of the chain of aliases, and
    /// for how many seconds they are valid.
    ///
    /// - Returns: no addresses if there are none; nil for a circular chain or one longer than 16.
    public func resolved() -> (addresses: [[UInt8]], timeToLive: UInt32)? {
        var name = question.name
        var time = UInt32.max
        for _ in 0..<16 {
            var addresses: [[UInt8]] = []
            var next: DomainName?
            for record in answers where record.name == name {
                switch record.value {
                case .address(let bytes) where bytes.count == question.type.addressByteCount:
                    addresses.append(bytes)
                    time = min(time, record.timeToLive)
                case .alias(let other) where next == nil:
                    next = other
                    time = min(time, record.timeToLive)
                default: break
                }
            }
            if !addresses.isEmpty { return (addresses, time) }
            guard let next else { return ([], absenceTime) }
            name = next
        }
        return nil
    }

    /// For how many seconds an absence may be remembered; 0 if the answer does not contain it.
    public var absenceTime: UInt32 {
        for record in authorities {
            if case .authority(let minimum) = record.value {
                return min(minimum, record.timeToLive)
            }
        }
        return 0
    }
}

extension NameMessage.RecordType {
    var addressByteCount: Int? { self == .a ? 4 : self == .aaaa ? 16 : nil }
}

extension NameReader {
    mutating func records(_ count: UInt16) -> [NameMessage.Record]? {
        var records: [NameMessage.Record] = []
        for _ in 0..<count {
            guard let name = name(), let type = word(), let kind = word(),
                let timeToLive = doubleWord(), let length = word(),
                bytes.count - at >= Int(length)
            else { return nil }
            let end = at + Int(length)
            if kind == 1 {
                guard let value = value(NameMessage.RecordType(rawValue: type), end) else {
                    return nil
                }
                if let value = value.known {
                    // Times with the highest bit count as 0: RFC 2181, section 8.
                    records.append(
                        NameMessage.Record(
                            name: name, value: value,
                            timeToLive: timeToLive > 0x7fff_ffff ? 0 : timeToLive))
                }
            }
            at = end
        }
        return records
    }

    private enum Parsed {
        case known(NameMessage.Value)
        case other

        var known: NameMessage.Value? {
            if case .known(let value) = self { value } else { nil }
        }
    }

    /// The value of a record that ends at a place; nil if it is malformed.
    private mutating func value(_ type: NameMessage.RecordType, _ end: Int) -> Parsed? {
        switch type {
        case .a, .aaaa:
            guard end - at == type.addressByteCount else { return nil }
            return .known(.address(Array(bytes[at..<end])))
        case .alias:
            guard let name = name(), at == end else { return nil }
            return .known(.alias(name))
        case .authority:
            guard name() != nil, name() != nil, end - at == 20 else { return nil }
            at = end - 4
            return doubleWord().map { .known(.authority(minimum: $0)) }
        default: return .other
        }
    }
}
