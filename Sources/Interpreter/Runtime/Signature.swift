/// A function type with the places of its parameters and results in slots.
final class Signature {
    /// In canonical form: type indices are numbers of the engine's registry.
    let type: FunctionType
    let parameterSlots: Int
    let resultSlots: Int
    /// For quick comparison with Swift types; nil if not all types are numbers.
    let parameterCode: UInt64?
    let resultCode: UInt64?

    init(_ type: FunctionType) {
        self.type = type
        parameterSlots = type.parameters.slotCount
        resultSlots = type.results.slotCount
        parameterCode = NumberTypes.code(of: type.parameters)
        resultCode = NumberTypes.code(of: type.results)
    }

    /// Where a frame keeps the saved code and stack pointers.
    var headerIndex: Int { max(parameterSlots, resultSlots) }
}

extension [ValueType] {
    /// Slots that values of these types take together.
    var slotCount: Int { reduce(0) { $0 + $1.slotCount } }
}
