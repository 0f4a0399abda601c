import WasmDecoder

// Soundness: `ValueType` is a struct of one UInt32 without padding, so that the cast between both
// is one between equal layouts; it would stop in every test if that ever changed.

/// The number by which a type is known in a whole engine: equal types have equal numbers.
///
/// Types in *canonical form* hold such numbers where types of a module hold type indices.
public typealias TypeID = UInt32

extension ValueType {
    /// The four bytes of the type: equal types have equal words, in canonical form as well as
    /// within a module.
    @inline(__always) var word: UInt32 { unsafeBitCast(self, to: UInt32.self) }

    /// A reference that unreachable code makes up, of any heap type.
    @inline(__always) static var bottomReference: ValueType { .ref(.bottom, nullable: false) }

    /// The type with its type index replaced.
    func mapIndex(_ transform: (TypeIndex) -> TypeIndex) -> ValueType {
        guard let reference, let index = reference.heapType.typeIndex else { return self }
        return .ref(.index(transform(index)), nullable: reference.isNullable)
    }
}

extension HeapType {
    /// Below all heap types; the index is none that a type can have.
    @inline(__always) static var bottom: HeapType { .index((1 << 29) - 1) }

    /// More than a registry or a module ever holds: larger numbers are free for other use.
    static var typeLimit: UInt32 { 1 << 28 }
}

extension FieldType {
    /// The storage type as a number; packed types have numbers that no value type has.
    var storageWord: UInt32 {
        switch storage {
        case .value(let type): type.word
        case .i8: PackedWord.i8
        case .i16: PackedWord.i16
        }
    }
}

/// Words of packed storage types, see `FieldType.storageWord`.
enum PackedWord {
    static var i8: UInt32 { 0x10 }
    static var i16: UInt32 { 0x11 }
}

extension SubType {
    /// The type with all type indices replaced. Parts without indices are shared, not copied.
    func mapIndices(_ transform: (TypeIndex) -> TypeIndex) -> SubType {
        let composite: CompositeType =
            switch self.composite {
            case .function(let type):
                .function(
                    FunctionType(
                        parameters: type.parameters.mapIndices(transform),
                        results: type.results.mapIndices(transform)))
            case .structure(let fields): .structure(fields.map { $0.mapIndex(transform) })
            case .array(let element): .array(element.mapIndex(transform))
            }
        return SubType(final: isFinal, supertypes: supertypes.map(transform), composite)
    }

    /// Calls `body` with all type indices, as often as they occur, the supertypes' first.
    func forEachIndex<Failure: Error>(
        _ body: (TypeIndex) throws(Failure) -> Void
    ) throws(Failure) {
        for index in supertypes { try body(index) }
        switch composite {
        case .function(let type):
            for type in type.parameters { try type.forIndex(body) }
            for type in type.results { try type.forIndex(body) }
        case .structure(let fields):
            for field in fields { try field.storage.valueType?.forIndex(body) }
        case .array(let element): try element.storage.valueType?.forIndex(body)
        }
    }
}

extension StorageType {
    /// The value type, or nil for packed types.
    fileprivate var valueType: ValueType? {
        if case .value(let type) = self { type } else { nil }
    }
}

extension FieldType {
    fileprivate func mapIndex(_ transform: (TypeIndex) -> TypeIndex) -> FieldType {
        guard let type = storage.valueType else { return self }
        return FieldType(.value(type.mapIndex(transform)), mutable: isMutable)
    }
}

extension ValueType {
    fileprivate func forIndex<Failure: Error>(
        _ body: (TypeIndex) throws(Failure) -> Void
    ) throws(Failure) {
        if let index = reference?.heapType.typeIndex { try body(index) }
    }
}

extension [ValueType] {
    fileprivate func mapIndices(_ transform: (TypeIndex) -> TypeIndex) -> [ValueType] {
        guard contains(where: { $0.reference?.heapType.typeIndex != nil }) else { return self }
        return map { $0.mapIndex(transform) }
    }
}
