/// How a case ended.
enum Outcome: Int, CaseIterable {
    case refusedByParsing
    case refusedByDecoding
    case refusedByValidation
    case refusedByLinking
    /// Instantiated, or at least begun to.
    case ran
    /// Nothing was to run, and nothing was refused.
    case accepted
    /// Two ways to the same result gave different ones.
    case disagreed
    /// A document took more time than its length explains.
    case tookTooLong

    var label: String {
        switch self {
        case .refusedByParsing: "refused by parsing"
        case .refusedByDecoding: "refused by decoding"
        case .refusedByValidation: "refused by validation"
        case .refusedByLinking: "refused by linking"
        case .ran: "ran"
        case .accepted: "accepted"
        case .disagreed: "disagreed"
        case .tookTooLong: "took too long"
        }
    }
}

/// What happened in a number of cases.
struct Tally {
    var cases = 0
    var outcomes: [Int] = Array(repeating: 0, count: Outcome.allCases.count)
    /// Of those that ran: cases in which a call trapped, and in which one ran out of fuel.
    var trapped = 0
    var outOfFuel = 0
    /// Calls of exported functions, and how many of them returned.
    var calls = 0
    var returns = 0
    /// The sum of the checksums of all results that every build of the engine must agree on.
    var checksum = 0

    static let fieldCount = 6 + Outcome.allCases.count

    init() {}

    /// One case that ended like this.
    init(_ outcome: Outcome) {
        cases = 1
        outcomes[outcome.rawValue] = 1
    }

    /// All the numbers, for passing them between processes.
    var fields: [Int] {
        get { [cases, trapped, outOfFuel, calls, returns, checksum] + outcomes }
        set {
            guard newValue.count == Self.fieldCount else { return }
            cases = newValue[0]
            trapped = newValue[1]
            outOfFuel = newValue[2]
            calls = newValue[3]
            returns = newValue[4]
            checksum = newValue[5]
            outcomes = Array(newValue[6...])
        }
    }

    mutating func add(_ other: Tally) { fields = zip(fields, other.fields).map { $0 &+ $1 } }
}

/// A checksum of text (FNV-1a).
struct Checksum {
    private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    mutating func add(_ byte: UInt8) { value = (value ^ UInt64(byte)) &* 0x100_0000_01b3 }

    mutating func add(_ text: String) { for byte in text.utf8 { add(byte) } }
}
