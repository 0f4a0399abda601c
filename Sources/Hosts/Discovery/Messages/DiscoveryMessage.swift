import WasmdEventLoop

/// A message of multicast DNS.
///
/// Specification: RFC 6762, section 18.
struct DiscoveryMessage: Sendable {
    struct Question: Hashable, Sendable {
        var name: DomainName
        var type: NameMessage.RecordType
        /// Whether the asker would have the answer sent to itself: "QU".
        var wantsUnicast = false

        init(_ name: DomainName, _ type: NameMessage.RecordType) {
            self.name = name
            self.type = type
        }

        /// Whether a record answers it.
        func matches(_ record: ServiceRecord) -> Bool {
            (type == .any || type == record.type) && name == record.name
        }
    }

    /// Zero, but for questions of resolvers that know nothing of multicast.
    var identifier: UInt16 = 0
    var isResponse = false
    /// Of a question: more known answers follow in another message.
    var isTruncated = false
    var questions: [Question] = []
    /// Of a question: what the asker knows already.
    var answers: [ServiceRecord] = []
    /// Of a question: records that the asker would like to have.
    var authorities: [ServiceRecord] = []
    var additionals: [ServiceRecord] = []

    /// Longest message, with the heads of its datagram: RFC 6762, section 17.
    static let byteLimit = 9000
    /// Most questions and records that are read of a message, and labels of all their names. A record
    /// with a name of its own has 20 bytes and more.
    static let partLimit = 512
    static let labelLimit = 8192

    init() {}

    /// Whether bytes are an answer, if they are a message.
    static func saysResponse(_ bytes: [UInt8]) -> Bool { bytes.count > 2 && bytes[2] & 0x80 != 0 }

    /// Reads a message. Takes time in proportion to its bytes.
    ///
    /// - Returns: nil if it is malformed, too long, or not a standard query or its answer. Questions
    ///   and records of other classes than that of the Internet are left out, and those beyond
    ///   `partLimit`.
    init?(_ bytes: [UInt8]) {
        guard bytes.count <= Self.byteLimit else { return nil }
        var reader = NameReader(bytes: bytes, labelLimit: Self.labelLimit)
        var partsLeft = Self.partLimit
        guard let identifier = reader.word(), let flags = reader.word(),
            let questionCount = reader.word(), let answerCount = reader.word(),
            let authorityCount = reader.word(), let additionalCount = reader.word(),
            // Another kind of message or a failure: ignored, section 18.3 and 18.11.
            flags & 0x780f == 0
        else { return nil }
        self.identifier = identifier
        isResponse = flags & 0x8000 != 0
        isTruncated = flags & 0x0200 != 0
        for _ in 0..<questionCount {
            // What follows cannot be found without reading the rest.
            if partsLeft == 0 { return }
            partsLeft -= 1
            guard let name = reader.name(), let type = reader.word(), let kind = reader.word()
            else { return nil }
            // The class of the Internet, or any.
            guard kind & 0x7fff == 1 || kind & 0x7fff == 255 else { continue }
            var question = Question(name, NameMessage.RecordType(rawValue: type))
            question.wantsUnicast = kind & 0x8000 != 0
            questions.append(question)
        }
        guard let answers = Self.records(&reader, answerCount, &partsLeft),
            let authorities = Self.records(&reader, authorityCount, &partsLeft),
            let additionals = Self.records(&reader, additionalCount, &partsLeft)
        else { return nil }
        self.answers = answers
        self.authorities = authorities
        self.additionals = additionals
    }

    private static func records(
        _ reader: inout NameReader, _ count: UInt16, _ partsLeft: inout Int
    ) -> [ServiceRecord]? {
        var records: [ServiceRecord] = []
        for _ in 0..<count {
            if partsLeft == 0 { break }
            partsLeft -= 1
            guard let name = reader.name(), let number = reader.word(), let kind = reader.word(),
                let time = reader.doubleWord(), let length = reader.word()
            else { return nil }
            let type = NameMessage.RecordType(rawValue: number)
            guard kind & 0x7fff == 1 else {
                guard reader.take(Int(length)) != nil else { return nil }
                continue
            }
            guard let value = reader.value(type, Int(length)) else { return nil }
            records.append(
                ServiceRecord(
                    name, value, timeToLive: time > 0x7fff_ffff ? 0 : time,
                    isUnique: kind & 0x8000 != 0))
        }
        return records
    }
}

/// Writes a message part by part, up to a number of bytes.
struct DiscoveryMessageWriter {
    private var writer = NameWriter()
    private var counts: [UInt16] = [0, 0, 0, 0]
    private let limit: Int
    /// For a resolver that knows nothing of multicast: RFC 6762, section 6.7.
    private let isLegacy: Bool

    /// What fits in a packet of the usual size, with the heads of IPv6 and UDP.
    static let usualLimit = 1440
    /// What one record may need at most.
    static let longestLimit = 8900

    init(
        identifier: UInt16 = 0, isResponse: Bool, limit: Int = usualLimit, isLegacy: Bool = false
    ) {
        self.limit = limit
        self.isLegacy = isLegacy
        writer.append(word: identifier)
        writer.append(word: isResponse ? 0x8400 : 0)
        for _ in 0..<4 { writer.append(word: 0) }
    }

    enum Part: Int { case answer = 1, authority, additional }

    var isEmpty: Bool { counts.allSatisfy { $0 == 0 } }
    var hasAnswers: Bool { counts[1] > 0 }

    /// - Returns: false, and nothing is written, if it does not fit.
    mutating func append(_ question: DiscoveryMessage.Question) -> Bool {
        append(part: 0) { writer in
            writer.append(question.name)
            writer.append(word: question.type.rawValue)
            writer.append(word: question.wantsUnicast ? 0x8001 : 1)
        }
    }

    /// - Parameter timeToLive: instead of the record's own.
    /// - Returns: false, and nothing is written, if it does not fit. The first record of a message
    ///   may be longer than the limit.
    mutating func append(
        _ record: ServiceRecord, as part: Part = .answer, timeToLive: UInt32? = nil
    ) -> Bool {
        let isLegacy = isLegacy
        return append(part: part.rawValue) { writer in
            writer.append(record.name)
            writer.append(word: record.type.rawValue)
            // Proposals of a question have no such bit: section 10.2.
            let isUnique = record.isUnique && !isLegacy && part != .authority
            writer.append(word: isUnique ? 0x8001 : 1)
            let time = timeToLive ?? record.timeToLive
            writer.append(doubleWord: isLegacy ? min(time, 10) : time)
            writer.appendMeasured {
                record.value.write(
                    &$0, isShort: !isLegacy && part != .authority, owner: record.name)
            }
        }
    }

    private mutating func append(part: Int, _ body: (inout NameWriter) -> Void) -> Bool {
        var longer = writer
        body(&longer)
        let limit = isEmpty ? Self.longestLimit : limit
        guard longer.bytes.count <= limit, counts[part] < .max else { return false }
        writer = longer
        counts[part] += 1
        return true
    }

    /// The message; nil if nothing was written.
    func message(isTruncated: Bool = false) -> [UInt8]? {
        guard !isEmpty else { return nil }
        var writer = writer
        for (index, count) in counts.enumerated() { writer.set(word: count, at: 4 + 2 * index) }
        if isTruncated { writer.set(word: 0x0200, at: 2) }
        return writer.bytes
    }
}
