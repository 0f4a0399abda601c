import Testing

@testable import WasmDecoder

@Suite struct FeatureTests {
    /// What needs a feature is refused without it, and nothing else is.
    @Test func sectionsAndTypes() {
        let type = { (bytes: [UInt8]) in Wasm.section(1, items: [bytes]) }
        let importing = { (bytes: [UInt8]) in Wasm.section(2, items: [[0, 0] + bytes]) }
        let samples: [(Features, [UInt8])] = [
            (.mutableGlobals, importing([0x03, 0x7f, 0x01])),
            (.multiValue, type([0x60, 0x00, 0x02, 0x7f, 0x7f])),
            (.simd, type([0x60, 0x01, 0x7b, 0x00])),
            (.referenceTypes, type([0x60, 0x01, 0x6f, 0x00])),
            (.referenceTypes, type([0x60, 0x01, 0x70, 0x00])),
            (.referenceTypes, Wasm.section(4, items: [[0x70, 0, 0], [0x70, 0, 0]])),
            (.functionReferences, type([0x60, 0x01, 0x63, 0x00, 0x00])),
            (.functionReferences, Wasm.section(4, items: [[0x64, 0x70, 0x00, 0x00]])),
            (.garbageCollection, type([0x60, 0x01, 0x6e, 0x00])),
            (.garbageCollection, type([0x5f, 0x00])),
            (.garbageCollection, type([0x5e, 0x7f, 0x00])),
            (.garbageCollection, type([0x4e, 0x00])),
            (.garbageCollection, type([0x4f, 0x00, 0x60, 0x00, 0x00])),
            (.exceptions, type([0x60, 0x01, 0x69, 0x00])),
            (.exceptions, Wasm.section(13, items: [])),
            (.exceptions, importing([0x04, 0x00, 0x00])),
            (.bulkMemory, Wasm.section(12, [0x00])),
            (.bulkMemory, Wasm.section(11, items: [[0x01, 0x00]])),
            (.bulkMemory, Wasm.section(9, items: [[0x01, 0x00, 0x00]])),
            (.multiMemory, Wasm.section(5, items: [[0, 0], [0, 0]])),
            (.multiMemory, Wasm.section(11, items: [[2, 1, 0x41, 0, 0x0b, 0]])),
            (.memory64, Wasm.section(5, items: [[0x04, 0x00]])),
            (.memory64, Wasm.section(4, items: [[0x70, 0x04, 0x00]])),
            (.threads, Wasm.section(5, items: [[0x03, 0x00, 0x01]])),
            (.customPageSizes, Wasm.section(5, items: [[0x08, 0x00, 0x00]])),
            (
                .extendedConstants,
                Wasm.section(6, items: [[0x7f, 0x00, 0x41, 0x00, 0x41, 0x00, 0x6a, 0x0b]])
            ),
        ]
        for (feature, section) in samples {
            let bytes = Wasm.module(section)
            #expect(failure(bytes) == nil)
            let error = failure(bytes, features: .all.subtracting(feature))
            #expect(error?.reason == .featureRequired && error?.feature == feature)
        }
    }

    /// Exports of mutable globals came with the same proposal as imports.
    @Test func exportOfMutableGlobal() {
        let bytes = Wasm.module(
            Wasm.section(6, items: [[0x7f, 0x01, 0x41, 0x00, 0x0b]]),
            Wasm.section(7, items: [[0x00, 0x03, 0x00]]))
        #expect(failure(bytes) == nil)
        #expect(failure(bytes, features: [])?.feature == .mutableGlobals)
    }

    @Test func wording() {
        #expect(
            DecodingError.requires(.simd, at: 31).description
                == "offset 0x1f: requires the feature simd (--features +simd)")
        #expect(
            DecodingError.requires([.tailCalls, .functionReferences], at: 0).message
                == "requires the features tail-calls, function-references "
                + "(--features +tail-calls,+function-references)")
    }

    @Test func everyFeatureHasAName() {
        for bit in 0..<19 {
            #expect(Features(rawValue: 1 << UInt32(bit)).names.count == 1)
        }
        #expect(Set(Features.named.map(\.name)).count == 19)
    }

    @Test func errorsAreSmall() {
        #expect(MemoryLayout<DecodingError>.size <= 16)
        for reason in DecodingError.Reason.allCases {
            #expect(!DecodingError(reason, at: 0).message.isEmpty)
        }
    }
}

@Suite struct LimitTests {
    @Test func everyLimit() {
        let function = Wasm.emptyFunctionType
        let bytes: [(DecodingLimits.Kind, WritableKeyPath<DecodingLimits, Int>, [UInt8])] = [
            (.moduleSize, \.moduleSize, Wasm.section(1, items: [function])),
            (.types, \.types, Wasm.section(1, items: [function, function])),
            (.types, \.types, Wasm.section(1, items: [[0x4e, 2] + function + function])),
            (
                .recursionGroupTypes, \.recursionGroupTypes,
                Wasm.section(1, items: [[0x4e, 2] + function + function])
            ),
            (.functions, \.functions, Wasm.section(3, items: [[0], [0]])),
            (.imports, \.imports, Wasm.section(2, items: [[0, 0, 0, 0], [0, 0, 0, 0]])),
            (.exports, \.exports, Wasm.section(7, items: [[0, 0, 0], [0, 0, 0]])),
            (
                .globals, \.globals,
                Wasm.section(6, items: [[0x7f, 0, 0x41, 0, 0xb], [0x7f, 0, 0x41, 0, 0xb]])
            ),
            (.tags, \.tags, Wasm.section(13, items: [[0, 0], [0, 0]])),
            (.tables, \.tables, Wasm.section(4, items: [[0x70, 0, 0], [0x70, 0, 0]])),
            (
                .tables, \.tables,
                Wasm.section(2, items: [[0, 0, 1, 0x70, 0, 0], [0, 0, 1, 0x70, 0, 0]])
            ),
            (.memories, \.memories, Wasm.section(5, items: [[0, 0], [0, 0]])),
            (.memories, \.memories, Wasm.section(2, items: [[0, 0, 2, 0, 0], [0, 0, 2, 0, 0]])),
            (
                .elementSegments, \.elementSegments,
                Wasm.section(9, items: [[1, 0, 0], [1, 0, 0]])
            ),
            (.dataSegments, \.dataSegments, Wasm.section(11, items: [[1, 0], [1, 0]])),
            (.parameters, \.parameters, Wasm.section(1, items: [[0x60, 2, 0x7f, 0x7f, 0]])),
            (.results, \.results, Wasm.section(1, items: [[0x60, 0, 2, 0x7f, 0x7f]])),
            (.fields, \.fields, Wasm.section(1, items: [[0x5f, 2, 0x7f, 0, 0x7f, 0]])),
            (.elements, \.elements, Wasm.section(9, items: [[1, 0, 2, 0, 0]])),
            (.nameSize, \.nameSize, Wasm.custom("ab", [])),
            (.customSections, \.customSections, Wasm.custom("a", []) + Wasm.custom("a", [])),
            (
                .bodySize, \.bodySize,
                Wasm.section(1, items: [function]) + Wasm.section(3, items: [[0]])
                    + Wasm.section(10, items: [Wasm.body([0x0b])])
            ),
        ]
        for (kind, path, section) in bytes {
            var limits = DecodingLimits()
            limits[keyPath: path] = 1
            let error = failure(Wasm.module(section), limits: limits)
            #expect(error?.reason == .limitExceeded && error?.limit == kind, "\(kind)")
            #expect(error?.message.hasSuffix("(at most 1)") == true)
            limits[keyPath: path] = kind == .moduleSize ? 100 : 2
            #expect(failure(Wasm.module(section), limits: limits)?.reason != .limitExceeded)
        }
    }

    @Test func labelsAndLocals() throws {
        var limits = DecodingLimits()
        limits.labels = 2
        limits.locals = 3
        let bytes = ModuleBytes([0x03, 0x00, 0x00, 0x00, 0x00, 0x01, 0x04, 0x7f])
        let reader = BinaryReader(bytes, range: bytes.range, features: .all, limits: limits)
        #expect(throws: DecodingError.exceeds(.labels, 2, at: 0)) {
            var reader = reader
            _ = try reader.labelCount()
        }
        #expect(throws: DecodingError(.tooManyLocals, at: 6)) {
            var reader = reader
            try reader.skip(5)
            try reader.forEachLocalGroup { (_, _) throws(DecodingError) in }
        }
    }
}
