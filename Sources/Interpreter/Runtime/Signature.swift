/// A function type with the places of its parameters and results in slots.
final class Signature {
    /// In canonical form: type indices are numbers of the engine's registry.
    let type: FunctionType
    let parameterSlots: Int
    let resultSlots: Int

    init(_ type: FunctionType) {
        self.type = type
        parameterSlots = type.parameters.slotCount
        resultSlots = type.results.slotCount
    }

    /// Where a frame keeps the saved code and stack pointers.
    var headerIndex: Int { max(parameterSlots, resultSlots) }
}

extension [ValueType] {
    /// Slots that values of these types take together.
    var slotCount: Int { reduce(0) { $0 + $1.slotCount } }
}
