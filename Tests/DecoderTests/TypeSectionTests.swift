import Testing
import WasmDecoder

/// Type section (5.5.4) and the types that stand everywhere (5.3).
@Suite struct TypeSectionTests {
    @Test func functions() throws {
        let module = try types([
            [0x60, 0x02, 0x7f, 0x7e, 0x03, 0x7d, 0x7c, 0x7b], Wasm.emptyFunctionType,
        ])
        #expect(
            module.types == [
                SubType(
                    .function(
                        FunctionType(parameters: [.i32, .i64], results: [.f32, .f64, .v128]))),
                SubType(.function(FunctionType())),
            ])
        #expect(module.recursionGroups == [0..<1, 1..<2])
        #expect(module.functionType(typeIndex: 0)?.description == "(i32, i64) -> (f32, f64, v128)")
        #expect(module.functionType(typeIndex: 2) == nil)
    }

    @Test func structuresAndArrays() throws {
        let module = try types([
            [0x5f, 0x03, 0x78, 0x00, 0x77, 0x01, 0x63, 0x00, 0x01], [0x5e, 0x7e, 0x01],
            [0x5f, 0x00],
        ])
        #expect(
            module.types.map(\.composite) == [
                .structure([
                    FieldType(.i8, mutable: false), FieldType(.i16, mutable: true),
                    FieldType(.value(.ref(.index(0), nullable: true)), mutable: true),
                ]),
                .array(FieldType(.value(.i64), mutable: true)), .structure([]),
            ])
    }

    @Test func recursionGroupsAndSubtypes() throws {
        let module = try types([
            [0x4e, 0x02, 0x50, 0x00, 0x5f, 0x00, 0x50, 0x01, 0x00, 0x5f, 0x00],
            [0x4e, 0x00],
            [0x4f, 0x02, 0x00, 0x01, 0x5f, 0x00],
        ])
        #expect(module.recursionGroups == [0..<2, 2..<2, 2..<3])
        #expect(
            module.types == [
                SubType(final: false, .structure([])),
                SubType(final: false, supertypes: [0], .structure([])),
                SubType(final: true, supertypes: [0, 1], .structure([])),
            ])
    }

    @Test func referenceTypes() throws {
        let all: [(bytes: [UInt8], type: ValueType)] = [
            ([0x74], .ref(.noexn, nullable: true)), ([0x73], .ref(.nofunc, nullable: true)),
            ([0x72], .ref(.noextern, nullable: true)), ([0x71], .ref(.none, nullable: true)),
            ([0x70], .funcref), ([0x6f], .externref), ([0x6e], .ref(.any, nullable: true)),
            ([0x6d], .ref(.eq, nullable: true)), ([0x6c], .ref(.i31, nullable: true)),
            ([0x6b], .ref(.struct, nullable: true)), ([0x6a], .ref(.array, nullable: true)),
            ([0x69], .ref(.exn, nullable: true)), ([0x64, 0x6e], .ref(.any, nullable: false)),
            ([0x64, 0x85, 0x00], .ref(.index(5), nullable: false)),
            // As many types do not exist, but that is not for the decoder to say.
            ([0x63, 0xff, 0xff, 0xff, 0xff, 0x0f], .ref(.index((1 << 29) - 1), nullable: true)),
        ]
        let module = try types([[0x60, UInt8(all.count)] + all.flatMap(\.bytes) + [0x00]])
        #expect(module.functionType(typeIndex: 0)?.parameters == all.map(\.type))
    }

    @Test func malformed() {
        #expect(reason([0x5d]) == .malformedDefinitionType)
        #expect(reason([0xe0, 0x7f, 0x00, 0x00]) == .integerRepresentationTooLong)
        #expect(reason([0x60, 0x01, 0x79, 0x00]) == .malformedValueType)
        #expect(reason([0x60, 0x01, 0x78, 0x00]) == .malformedValueType)
        #expect(reason([0x5e, 0x78, 0x02]) == .malformedMutability)
        #expect(reason([0x5e, 0x76, 0x00]) == .malformedStorageType)
        #expect(reason([0x5e, 0x64, 0x7f, 0x00]) == .malformedHeapType)
        #expect(reason([0x60, 0x00]) == .unexpectedEnd)
        #expect(reason([0x4e, 0x01, 0x4e, 0x00]) == .malformedDefinitionType)
        #expect(reason([0x50, 0x00, 0x50, 0x00, 0x5f, 0x00]) == .malformedDefinitionType)
    }

    private func types(_ items: [[UInt8]]) throws -> ParsedModule {
        try decode(Wasm.module(Wasm.section(1, items: items)))
    }

    private func reason(_ type: [UInt8]) -> DecodingError.Reason? {
        failure(Wasm.module(Wasm.section(1, items: [type])))?.reason
    }
}
