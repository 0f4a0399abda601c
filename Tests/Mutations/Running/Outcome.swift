/// How a case ended.
enum Outcome: Int, CaseIterable {
    case refusedByDecoding
    case refusedByValidation
    case refusedByLinking
    /// Instantiated, or at least begun to.
    case ran

    var label: String {
        switch self {
        case .refusedByDecoding: "refused by decoding"
        case .refusedByValidation: "refused by validation"
        case .refusedByLinking: "refused by linking"
        case .ran: "ran"
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

    static let fieldCount = 5 + Outcome.allCases.count

    /// All the numbers, for passing them between processes.
    var fields: [Int] {
        get { [cases, trapped, outOfFuel, calls, returns] + outcomes }
        set {
            guard newValue.count == Self.fieldCount else { return }
            cases = newValue[0]
            trapped = newValue[1]
            outOfFuel = newValue[2]
            calls = newValue[3]
            returns = newValue[4]
            outcomes = Array(newValue[5...])
        }
    }

    mutating func add(_ other: Tally) { fields = zip(fields, other.fields).map { $0 + $1 } }
}
