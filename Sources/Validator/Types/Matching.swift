import WasmDecoder

/// Whether values of one type can be where another is expected. All types are in canonical
/// form, so that equal is the same as equivalent, and held by the caller: see `TypeRegistry`.
///
/// Specification: 3.3 (matching).
extension TypeRegistry {
    /// Value types (3.3.3). The bottom type matches everything.
    package func matches(_ a: ValueType, _ b: ValueType) -> Bool {
        if a.word == b.word || a.word == ValueType.bottom.word { return true }
        guard let a = a.reference, let b = b.reference else { return false }
        return matches(a, b)
    }

    /// Reference types (3.3.2).
    package func matches(_ a: ReferenceType, _ b: ReferenceType) -> Bool {
        (b.isNullable || !a.isNullable) && matches(a.heapType, b.heapType)
    }

    /// Heap types (3.3.1).
    package func matches(_ a: HeapType, _ b: HeapType) -> Bool {
        if a == b || a == .bottom { return true }
        guard let expected = b.typeIndex else {
            guard let actual = a.typeIndex else { return a.isBelow(b) }
            return kind(actual)?.heapType.isAtOrBelow(b) ?? false
        }
        guard let actual = a.typeIndex else {
            // Only the bottom of the hierarchy is below a concrete type.
            switch kind(expected) {
            case .function: return a == .nofunc
            case .structure, .array: return a == .none
            case nil: return false
            }
        }
        return isSubtype(actual, of: expected)
    }

    private func kind(_ id: TypeID) -> TypeStorage.Kind? { storage.kind(id) }

    /// The heap type above all others that are comparable with `type`.
    package func top(of type: HeapType) -> HeapType {
        switch type {
        case .func, .nofunc: return .func
        case .extern, .noextern: return .extern
        case .exn, .noexn: return .exn
        default:
            guard let id = type.typeIndex else { return .any }
            return kind(id) == .function ? .func : .any
        }
    }

    /// Composite types (3.3.6): what a declared subtype must fulfil.
    func matches(_ a: CompositeType, _ b: CompositeType) -> Bool {
        switch (a, b) {
        case (.function(let a), .function(let b)): return matches(a, b)
        case (.structure(let a), .structure(let b)):
            return a.count >= b.count && zip(a, b).allSatisfy { matches($0, $1) }
        case (.array(let a), .array(let b)): return matches(a, b)
        default: return false
        }
    }

    /// Function types (3.3.5): parameters the other way round.
    func matches(_ a: FunctionType, _ b: FunctionType) -> Bool {
        matches(b.parameters, a.parameters) && matches(a.results, b.results)
    }

    private func matches(_ a: [ValueType], _ b: [ValueType]) -> Bool {
        a.count == b.count && zip(a, b).allSatisfy { matches($0, $1) }
    }

    /// Field types (3.3.7): mutable fields must be equal.
    func matches(_ a: FieldType, _ b: FieldType) -> Bool {
        guard a.isMutable == b.isMutable else { return false }
        return a.isMutable ? a.storage == b.storage : matches(a.storage, b.storage)
    }

    func matches(_ a: StorageType, _ b: StorageType) -> Bool {
        if case .value(let a) = a, case .value(let b) = b { return matches(a, b) }
        return a == b
    }
}

/// Matching of what modules import and export.
///
/// Specification: 3.3.8 to 3.3.14 (limits, tags, globals, memories, tables, external types).
extension TypeRegistry {
    /// Whether an entity of type `actual` can be given where `expected` is imported. Both are in
    /// canonical form: functions and tags hold `TypeID`s. Limits of memories and tables should be
    /// the current ones.
    package func matches(_ actual: ExternalType, _ expected: ExternalType) -> Bool {
        switch (actual, expected) {
        case (.function(let actual), .function(let expected)):
            isSubtype(actual, of: expected)
        case (.tag(let actual), .tag(let expected)):
            actual == expected
        case (.global(let actual), .global(let expected)):
            actual.isMutable == expected.isMutable
                && (actual.isMutable
                    ? actual.value == expected.value : matches(actual.value, expected.value))
        case (.memory(let actual), .memory(let expected)):
            actual.addressType == expected.addressType && actual.isShared == expected.isShared
                && actual.pageSizeLog2 == expected.pageSizeLog2
                && matches(actual.limits, expected.limits)
        case (.table(let actual), .table(let expected)):
            actual.addressType == expected.addressType && actual.element == expected.element
                && matches(actual.limits, expected.limits)
        default:
            false
        }
    }

    private func matches(_ actual: Limits, _ expected: Limits) -> Bool {
        guard actual.minimum >= expected.minimum else { return false }
        guard let most = expected.maximum else { return true }
        return actual.maximum.map { $0 <= most } ?? false
    }
}

/// The order of the abstract heap types.
extension HeapType {
    func isAtOrBelow(_ other: HeapType) -> Bool { self == other || isBelow(other) }

    /// Both are abstract.
    fileprivate func isBelow(_ other: HeapType) -> Bool {
        switch other {
        case .any: self == .eq || isBelowEq
        case .eq: isBelowEq
        case .i31, .struct, .array: self == .none
        case .func: self == .nofunc
        case .extern: self == .noextern
        case .exn: self == .noexn
        default: false
        }
    }

    private var isBelowEq: Bool {
        self == .i31 || self == .struct || self == .array || self == .none
    }
}

extension TypeStorage.Kind {
    var heapType: HeapType {
        switch self {
        case .function: .func
        case .structure: .struct
        case .array: .array
        }
    }
}
