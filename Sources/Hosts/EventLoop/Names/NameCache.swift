/// Answers that are still valid, as a value: the caller passes the times.
///
/// The number of entries is bounded; the least recently used are removed first. A look-up takes
/// constant time, an entry about 300 bytes.
public struct NameCache: Sendable {
    public enum Answer: Hashable, Sendable {
        /// Never empty.
        case addresses([HostAddress])
        /// The name does not exist.
        case noName
        /// The name exists, without an address of the type.
        case noAddress
    }

    private struct Entry {
        var answer: Answer
        var end: LoopInstant
        /// When it was used last, in look-ups.
        var use: UInt64
    }

    private var entries: [NameMessage.Question: Entry] = [:]
    private var uses: UInt64 = 0
    public let limit: Int
    /// Seconds for which addresses are kept at most, and absences.
    public var longestTime: UInt32 = 86_400
    public var longestAbsence: UInt32 = 300

    public init(limit: Int = 1000) { self.limit = max(limit, 1) }

    public var count: Int { entries.count }

    public mutating func answer(
        to question: NameMessage.Question, at now: LoopInstant
    ) -> Answer? {
        guard let entry = entries[question] else { return nil }
        guard entry.end > now else {
            entries[question] = nil
            return nil
        }
        uses += 1
        entries[question]?.use = uses
        return entry.answer
    }

    /// Keeps an answer for this number of seconds; not at all for 0.
    public mutating func keep(
        _ answer: Answer, for question: NameMessage.Question, seconds: UInt32, at now: LoopInstant
    ) {
        var longest = longestAbsence
        if case .addresses = answer { longest = longestTime }
        let seconds = min(seconds, longest)
        guard seconds > 0 else { return }
        if entries[question] == nil, entries.count >= limit { makeRoom(at: now) }
        uses += 1
        entries[question] = Entry(
            answer: answer, end: now + .seconds(Int64(seconds)), use: uses)
    }

    public mutating func removeAll() { entries = [:] }

    /// Removes expired entries, or else the less recently used half, so that making room costs
    /// little for each entry.
    private mutating func makeRoom(at now: LoopInstant) {
        entries = entries.filter { $0.value.end > now }
        guard entries.count >= limit else { return }
        let order = entries.values.map(\.use).sorted()
        let oldest = order[order.count / 2]
        entries = entries.filter { $0.value.use > oldest }
    }
}
