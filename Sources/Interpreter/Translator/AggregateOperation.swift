/// Operations on whole arrays; the raw value is in the instruction.
enum AggregateOperation: Int {
    case arrayNew
    case arrayNewDefault
    case arrayNewFixed
    case arrayNewData
    case arrayNewElements
    /// A structure of many fields; the instruction names the type.
    case structNew
    // Without a result from here on.
    case arrayFill
    case arrayCopy
    case arrayInitData
    case arrayInitElements

    /// Operands in slots, a vector counting once; nil for as many as the instruction says.
    var operandCount: Int? {
        switch self {
        case .arrayNew, .arrayNewData, .arrayNewElements: 2
        case .arrayNewDefault: 1
        case .arrayNewFixed, .structNew: nil
        case .arrayFill: 4
        case .arrayInitData, .arrayInitElements: 4
        case .arrayCopy: 5
        }
    }

    var hasResult: Bool { rawValue < AggregateOperation.arrayFill.rawValue }
}
