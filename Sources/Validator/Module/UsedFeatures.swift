import WasmDecoder

/// What types need beyond WebAssembly 1.0.

extension HeapType {
    var requiredFeatures: Features {
        switch self {
        case .func, .extern: .referenceTypes
        case .exn, .noexn: [.referenceTypes, .exceptions]
        default: isAbstract ? .garbageCollection : .functionReferences
        }
    }
}

extension ReferenceType {
    var requiredFeatures: Features {
        let features = heapType.requiredFeatures
        return isNullable ? features : features.union(.functionReferences)
    }
}

extension ValueType {
    var requiredFeatures: Features {
        if isVector { return .simd }
        return reference?.requiredFeatures ?? []
    }
}

extension SubType {
    var requiredFeatures: Features {
        guard isFinal, supertypes.isEmpty, case .function(let type) = composite else {
            return .garbageCollection
        }
        var features: Features = type.results.count > 1 ? .multiValue : []
        for type in type.parameters { features.formUnion(type.requiredFeatures) }
        for type in type.results { features.formUnion(type.requiredFeatures) }
        return features
    }
}

extension AddressType {
    var requiredFeatures: Features { self == .i64 ? .memory64 : [] }
}

extension MemoryType {
    var requiredFeatures: Features {
        var features = addressType.requiredFeatures
        if isShared { features.formUnion(.threads) }
        if pageSizeLog2 != 16 { features.formUnion(.customPageSizes) }
        return features
    }
}

extension TableType {
    /// Tables of `funcref` are in 1.0.
    var requiredFeatures: Features {
        let features = addressType.requiredFeatures
        return element == .funcref ? features : features.union(element.requiredFeatures)
    }
}

extension ParsedModule {
    /// What is needed by everything but function bodies and constant expressions.
    var requiredFeatures: Features {
        var features: Features = []
        for type in types { features.formUnion(type.requiredFeatures) }
        if recursionGroupEnds.enumerated().contains(where: { $0 + 1 != $1 }) {
            features.formUnion(.garbageCollection)
        }
        for table in tables { features.formUnion(table.requiredFeatures) }
        for memory in memories { features.formUnion(memory.requiredFeatures) }
        for global in globals { features.formUnion(global.value.requiredFeatures) }
        if tables.count > 1 { features.formUnion(.referenceTypes) }
        if memories.count > 1 { features.formUnion(.multiMemory) }
        if !tags.isEmpty { features.formUnion(.exceptions) }
        if tableDefinitions.contains(where: { $0.initializer != nil }) {
            features.formUnion(.functionReferences)
        }
        if sharesMutableGlobals { features.formUnion(.mutableGlobals) }
        if dataCount != nil || hasUnusualSegments { features.formUnion(.bulkMemory) }
        return features
    }

    private var sharesMutableGlobals: Bool {
        globals.prefix(max(importedGlobalCount, 0)).contains(where: \.isMutable)
            || exports.contains { export in
                guard export.kind == .global, let index = Int(exactly: export.index),
                    index < globals.count
                else { return false }
                return globals[index].isMutable
            }
    }

    /// Segments that are not copied when the module is instantiated.
    private var hasUnusualSegments: Bool {
        let isActive = { (mode: SegmentMode) in
            if case .active = mode { true } else { false }
        }
        return !dataSegments.allSatisfy { isActive($0.mode) }
            || !elementSegments.allSatisfy { isActive($0.mode) }
    }
}
