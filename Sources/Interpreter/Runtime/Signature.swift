/// A function type with the slots of its parameters and results.
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

    /// The index of the saved code and stack pointers in a frame.
    var headerIndex: Int { max(parameterSlots, resultSlots) }
}

extension [ValueType] {
    /// Slots of all values of these types.
    var slotCount: Int { reduce(0) { $0 + $1.slotCount } }
}
