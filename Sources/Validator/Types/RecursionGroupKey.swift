import WasmDecoder

/// The closed form of a recursion group, by which groups of all modules are compared: references
/// to types of the group itself are positions in it, all others are canonical ids.
///
/// Hashed with the random seed of the process, so that modules cannot aim at collisions.
struct RecursionGroupKey: Hashable {
    private(set) var words: [UInt32] = []

    func hash(into hasher: inout Hasher) {
        words.withUnsafeBytes { hasher.combine(bytes: $0) }
    }

    /// Set in indices that are positions in the group.
    private static var insideBit: UInt32 { HeapType.typeLimit }

    /// - Parameters:
    ///   - group: the type indices of the group.
    ///   - types: all types of the module.
    ///   - ids: the canonical ids of the types before the group.
    init(_ group: Range<Int>, of types: [SubType], ids: [TypeID]) {
        let start = group.lowerBound
        for index in group {
            append(types[index]) { index in
                let index = Int(index)
                return index < start
                    ? ids[index] : UInt32(truncatingIfNeeded: index - start) | Self.insideBit
            }
        }
    }

    /// A group of one type that is in canonical form already and does not refer to itself.
    init(_ type: SubType) { append(type) { $0 } }

    private enum Form {
        static var function: UInt32 { 0 }
        static var structure: UInt32 { 1 }
        static var array: UInt32 { 2 }
        static var final: UInt32 { 4 }
    }

    private mutating func append(_ type: SubType, _ map: (TypeIndex) -> UInt32) {
        let final = type.isFinal ? Form.final : 0
        switch type.composite {
        case .function(let function):
            appendHead(Form.function | final, type, map)
            words.append(UInt32(truncatingIfNeeded: function.parameters.count))
            words.append(UInt32(truncatingIfNeeded: function.results.count))
            for type in function.parameters { words.append(type.mapIndex(map).word) }
            for type in function.results { words.append(type.mapIndex(map).word) }
        case .structure(let fields):
            appendHead(Form.structure | final, type, map)
            words.append(UInt32(truncatingIfNeeded: fields.count))
            for field in fields { append(field, map) }
        case .array(let element):
            appendHead(Form.array | final, type, map)
            append(element, map)
        }
    }

    private mutating func appendHead(
        _ form: UInt32, _ type: SubType, _ map: (TypeIndex) -> UInt32
    ) {
        words.append(form)
        words.append(UInt32(truncatingIfNeeded: type.supertypes.count))
        for index in type.supertypes { words.append(map(index)) }
    }

    private mutating func append(_ field: FieldType, _ map: (TypeIndex) -> UInt32) {
        if case .value(let type) = field.storage {
            words.append(type.mapIndex(map).word)
        } else {
            words.append(field.storageWord)
        }
        words.append(field.isMutable ? 1 : 0)
    }
}
